"""Full turns per second: from a person's message to the answer that stands in its place, through the whole house.

Knows: one model without delay, no debounce. A turn on the built-in chat is seven units of the store (post, message,
taken, opened, reply, written, delivered); on the platform that keeps nothing it is three.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from itertools import count

from tests.bench.house import House, Talker
from tests.bench.measure import median, percentile, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

CROWDS = (1, 16, 128)
_TURNS = {1: 24, 16: 12, 128: 5}  # of each session, in a round
Pair = tuple[str, int]


async def run(setup: Setup) -> Report:
    """Measure both platforms in turn."""
    counter = SyncCounter()
    houses = {
        "built-in chat": await House.open(setup.folder / "local.db", Talker()),
        "no platform": await House.open(setup.folder / "null.db", Talker(), null=True),
    }
    rates: dict[Pair, list[float]] = defaultdict(list)
    lates: dict[Pair, list[float]] = defaultdict(list)
    cpu: dict[Pair, list[float]] = defaultdict(list)
    names = count()
    for turn in range(2 if setup.quick else 6):
        for crowd in CROWDS:
            for name in sorted(houses, reverse=bool(turn % 2)):
                turns = crowd * _TURNS[crowd]
                before = usage()
                took, late = await _round(houses[name], [f"p{next(names)}" for _ in range(crowd)], _TURNS[crowd])
                if turn:  # the first round fills caches
                    rates[name, crowd].append(turns / took)
                    lates[name, crowd].append(median(late) * 1000)
                    cpu[name, crowd].append((usage() - before).cpu_s / turns * 1000)
    for house in houses.values():
        await house.close()
    with counter.counting():
        counted = await House.open(setup.folder / "syncs.db", Talker())
    before_syncs = counter.count
    await _round(counted, [f"p{next(names)}" for _ in range(128)], 5)
    syncs = (counter.count - before_syncs) / (128 * 5)
    await counted.close()
    rows = tuple(
        (
            f"{name}, {crowd} at once",
            median(rates[name, crowd]),
            median(lates[name, crowd]),
            percentile(lates[name, crowd], 1.0),
            median(cpu[name, crowd]),
        )
        for name in houses
        for crowd in CROWDS
    )
    return Report(
        name="turns",
        tables=(
            Rows(
                title="Full turns, the model answering at once in six pieces",
                columns=("platform, sessions", "turns/s", "median ms", "worst round ms", "cpu ms each"),
                rows=rows,
            ),
        ),
        gates=(
            Gate(
                name="full turns per second, built-in chat",
                figure=max(median(rates["built-in chat", crowd]) for crowd in CROWDS),
                limit=150,
                ambition=500,
                at_least=True,
            ),
        ),
        notes=(f"Syncs for a turn on the built-in chat, 128 at once: {syncs:.3f} (counted in a pass of its own).",),
    )


async def _round(house: House, people: list[str], turns: int) -> tuple[float, list[float]]:
    """Every person takes `turns` turns in a thread of their own; seconds in all, and of every turn."""
    late: list[float] = []

    async def one(person: str) -> None:
        thread = ""
        for at in range(turns):
            start = time.perf_counter()
            thread = await house.turn(person, f"Question {at}: what do you say?", thread=thread)
            late.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(one(person) for person in people))
    await house.settle()
    return time.perf_counter() - start, late
