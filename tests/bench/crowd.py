"""1, 16, 128 and 1,024 sessions that store exchanges at once: what one writer makes of them.

Knows: how many run together. The ways take turns in rounds of a tenth of a second, so that what disturbs one disturbs
the other; one session alone has databases of its own, because a disk is slow after a crowd.

How much a group saves depends on what a sync costs, so 128 are also measured on a disk that takes a millisecond
longer for each (a cloud volume does). On a machine with more to do than cores, the one thread that never pauses gets
less of it than the many that do: figures of a crowd are then too low for us. `exchange` compares one session alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.bench.exchanges import Ours, Raw, Way
from tests.bench.measure import median, percentile, ratio, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

CROWDS = (1, 16, 128, 1_024)
SLOWER_S = 0.001
_RAW_EXCHANGES = 128  # in a round, or one for each session
_OURS_EXCHANGES = {1: 128, 16: 1_600, 128: 2_560, 1_024: 4_096}


@dataclass(slots=True)
class _Seen:
    """Figures of each round."""

    rates: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


Seen = dict[tuple[str, int], _Seen]


async def run(setup: Setup) -> Report:
    """Measure on the disk there is, then on a slower one, then count syncs."""
    rounds = 4 if setup.quick else 14
    seen = await _measure(setup, "alone", CROWDS[:1], 2 * rounds)
    seen |= await _measure(setup, "crowd", CROWDS[1:], rounds)
    setup.say("crowd: a slower disk")
    slow = await _measure(setup, "slower", (128,), max(2, rounds // 4), SLOWER_S)
    syncs = await _syncs(setup)
    rows = [(f"{crowd:,}", *_row(seen, crowd), f"{syncs[crowd]:.3f}") for crowd in CROWDS]
    rows.append(("128, syncs 1 ms slower", *_row(slow, 128), ""))
    return Report(
        name="crowd",
        tables=(
            Rows(
                title="Exchanges per second, all sessions at once (rejoinder / raw aiosqlite)",
                columns=("sessions", "rejoinder", "raw", "ratio", "p99 ms", "cpu us", "syncs each"),
                rows=tuple(rows),
            ),
        ),
        gates=(
            Gate(
                name="128 sessions at once / raw with one commit each",
                figure=_ratio(seen, 128),
                limit=10,
                ambition=15,
                unit="x",
                at_least=True,
            ),
            Gate(name="syncs for an exchange, 128 at once", figure=syncs[128], limit=0.05, ambition=0.015),
        ),
        notes=(
            "Syncs are counted in a pass of its own, folding the log among them (raw has one for each commit).",
            "A slower disk is the same disk with a pause in front of each sync that SQLite asks for.",
        ),
    )


def _ratio(seen: Seen, crowd: int) -> float:
    return ratio(seen[Ours.name, crowd].rates, seen[Raw.name, crowd].rates)


def _row(seen: Seen, crowd: int) -> tuple[float | str, ...]:
    ours, raw = seen[Ours.name, crowd], seen[Raw.name, crowd]
    return (
        median(ours.rates),
        median(raw.rates),
        f"{_ratio(seen, crowd):.2f}x",
        f"{median(ours.late_ms):.1f} / {median(raw.late_ms):.1f}",
        f"{median(ours.cpu_us):.0f} / {median(raw.cpu_us):.0f}",
    )


async def _measure(setup: Setup, name: str, crowds: Sequence[int], rounds: int, slower_s: float = 0.0) -> Seen:
    seen: Seen = defaultdict(_Seen)
    counter = SyncCounter()  # which is one call of Python in every commit, so none where nothing is slower
    with counter.counting(slower_s=slower_s) if slower_s else nullcontext():
        ours = await Ours.open(setup.folder / f"ours-{name}.db", max(crowds), 10)
        raw = await Raw.open(setup.folder / f"raw-{name}.db", max(crowds), 10)
    for turn in range(rounds):
        for crowd in crowds:
            for way in (ours, raw) if turn % 2 else (raw, ours):
                count = max(1, (_OURS_EXCHANGES[crowd] if way is ours else _RAW_EXCHANGES) // crowd)
                way.prepare(crowd, count)
                before = usage()
                took, late = await together(way, crowd, count)
                figures = seen[way.name, crowd]
                figures.rates.append(crowd * count / took)
                figures.late_ms.append(percentile(late, 0.99) * 1000)
                figures.cpu_us.append((usage() - before).cpu_s / crowd / count * 1e6)
    await ours.close()
    await raw.close()
    return seen


async def together(way: Way, crowd: int, each: int) -> tuple[float, list[float]]:
    """`crowd` sessions store `each` exchanges one after the other; seconds in all, and of every exchange."""
    late: list[float] = []

    async def one(at: int) -> None:
        for _ in range(each):
            start = time.perf_counter()
            await way.exchange(at)
            late.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(one(at) for at in range(crowd)))
    return time.perf_counter() - start, late


async def _syncs(setup: Setup) -> dict[int, float]:
    counter = SyncCounter()
    with counter.counting():
        ours = await Ours.open(setup.folder / "syncs.db", max(CROWDS), 10)
    found = {}
    for crowd in CROWDS:
        count = 2 * _OURS_EXCHANGES[crowd] // crowd
        ours.prepare(crowd, count)
        before = counter.count
        await together(ours, crowd, count)
        found[crowd] = (counter.count - before) / (count * crowd) if counter.works else float("nan")
    await ours.close()
    return found
