"""1, 16, 128 and 1,024 sessions that store exchanges at once: what one writer makes of them.

Knows: how many run together. Rounds alternate between the ways; what is compared stands in the same round.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from tests.bench.exchanges import Ours, Raw, Way
from tests.bench.measure import median, percentile, ratio, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

CROWDS = (1, 16, 128, 1_024)
_RAW_EXCHANGES = 400  # about 0.3 s of one commit each
_OURS_EXCHANGES = {1: 400, 16: 4_000, 128: 6_000, 1_024: 6_144}
Pair = tuple[str, int]


async def run(setup: Setup) -> Report:
    """Measure, then count syncs."""
    sessions = max(CROWDS)
    ours = await Ours.open(setup.folder / "ours.db", sessions, 10)
    raw = await Raw.open(setup.folder / "raw.db", sessions, 10)
    rates: dict[Pair, list[float]] = defaultdict(list)
    lates: dict[Pair, list[float]] = defaultdict(list)
    cpu: dict[Pair, list[float]] = defaultdict(list)
    for turn in range(3 if setup.quick else 9):
        for crowd in CROWDS:
            for way in (ours, raw) if turn % 2 else (raw, ours):
                pair = (way.name, crowd)
                count = _OURS_EXCHANGES[crowd] if way is ours else max(_RAW_EXCHANGES, crowd)
                way.prepare(crowd, max(1, count // crowd))
                before = usage()
                took, late = await together(way, crowd, max(1, count // crowd))
                done = crowd * max(1, count // crowd)
                rates[pair].append(done / took)
                lates[pair].append(percentile(late, 0.99) * 1000)
                cpu[pair].append((usage() - before).cpu_s / done * 1e6)
    await ours.close()
    await raw.close()
    syncs = await _syncs(setup)
    rows = tuple(
        (
            f"{crowd:,}",
            median(rates["rejoinder", crowd]),
            median(rates["raw aiosqlite", crowd]),
            f"{ratio(rates['rejoinder', crowd], rates['raw aiosqlite', crowd]):.2f}x",
            f"{median(lates['rejoinder', crowd]):.1f} / {median(lates['raw aiosqlite', crowd]):.1f}",
            f"{median(cpu['rejoinder', crowd]):.0f} / {median(cpu['raw aiosqlite', crowd]):.0f}",
            f"{syncs[crowd]:.3f}",
        )
        for crowd in CROWDS
    )
    return Report(
        name="crowd",
        tables=(
            Rows(
                title="Exchanges per second, all sessions at once (rejoinder / raw aiosqlite)",
                columns=("sessions", "rejoinder", "raw", "ratio", "p99 ms", "cpu us", "syncs each"),
                rows=rows,
            ),
        ),
        gates=(
            Gate(
                name="128 sessions at once / raw with one commit each",
                figure=ratio(rates["rejoinder", 128], rates["raw aiosqlite", 128]),
                limit=10,
                ambition=15,
                unit="x",
                at_least=True,
            ),
            Gate(name="syncs for an exchange, 128 at once", figure=syncs[128], limit=0.05, ambition=0.015),
            Gate(
                name="one session alone / raw",
                figure=ratio(rates["rejoinder", 1], rates["raw aiosqlite", 1]),
                limit=0.9,
                ambition=1.0,
                unit="x",
                at_least=True,
            ),
        ),
        notes=("Syncs are counted in a pass of its own, checkpoints among them (raw has one for each commit).",),
    )


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
        count = _OURS_EXCHANGES[crowd] // crowd
        ours.prepare(crowd, count)
        before = counter.count
        await together(ours, crowd, count)
        found[crowd] = (counter.count - before) / (count * crowd) if counter.works else float("nan")
    await ours.close()
    return found
