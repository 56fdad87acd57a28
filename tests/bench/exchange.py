"""One exchange at a time, with 10 to 10,000 messages already there: does the cost grow with the conversation?

Knows: one session, one after the other. Each round visits every (way, history) pair in a shuffled order.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from pathlib import Path

from tests.bench.exchanges import Blob, Ours, Raw, Way
from tests.bench.measure import Usage, median, ratio, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

HISTORIES = (10, 100, 1_000, 10_000)
_EACH = {"rejoinder": 40, "raw aiosqlite": 40}
_BLOB_WORK = 20_000  # messages written by the blob in a visit: 2 exchanges at 10,000
Pair = tuple[str, int]


async def run(setup: Setup) -> Report:
    """Measure, then count."""
    ways = await _open(setup.folder)
    times: dict[Pair, list[float]] = defaultdict(list)
    used: dict[Pair, list[Usage]] = defaultdict(list)
    for _ in range(6 if setup.quick else 15):
        for pair in random.sample(sorted(ways), len(ways)):
            await _visit(ways[pair], pair, times, used)
    for way in ways.values():
        await way.close()
    syncs = await _syncs(setup.folder)
    rows = tuple(
        (
            name,
            *(f"{median(times[name, each]):.2f} ms" for each in HISTORIES),
            ratio(times[name, 10_000], times[name, 10]),
            ratio(times[name, 10_000], times["raw aiosqlite", 10_000]),
            median([each.cpu_s for each in used[name, 10_000]]) * 1000,
            f"{median([each.written_bytes for each in used[name, 10_000]]) / 1024:,.1f}",
            syncs[name],
        )
        for name in ("rejoinder", "raw aiosqlite", "JSON blob")
    )
    columns = ("store", *(f"at {each:,}" for each in HISTORIES))
    columns += ("10k / 10", "10k / raw", "cpu ms at 10k", "KiB at 10k", "syncs")
    ours, raw = times["rejoinder", 10_000], times["raw aiosqlite", 10_000]
    return Report(
        name="exchange",
        tables=(Rows(title="One exchange, one after the other (median)", columns=columns, rows=rows),),
        gates=(
            Gate(
                name="exchange at 10k messages / at 10",
                figure=ratio(ours, times["rejoinder", 10]),
                limit=1.3,
                ambition=1.0,
                unit="x",
            ),
            Gate(name="exchange at 10k / raw aiosqlite", figure=ratio(ours, raw), limit=1.5, ambition=1.0, unit="x"),
        ),
        notes=(
            "Ratios are medians of ratios within a round. KiB: bytes given to write calls (/proc/self/io).",
            "Syncs for one exchange: calls of xSync that SQLite makes, counted in a pass of its own.",
        ),
    )


async def _open(folder: Path) -> dict[Pair, Way]:
    ways: dict[Pair, Way] = {}
    for each in HISTORIES:
        ways["rejoinder", each] = await Ours.open(folder / f"ours{each}.db", 1, each)
        ways["raw aiosqlite", each] = await Raw.open(folder / f"raw{each}.db", 1, each)
        ways["JSON blob", each] = await Blob.open(folder / f"blob{each}.db", 1, each)
    return ways


async def _visit(way: Way, pair: Pair, times: dict[Pair, list[float]], used: dict[Pair, list[Usage]]) -> None:
    count = _EACH.get(pair[0]) or max(2, min(40, _BLOB_WORK // pair[1]))
    way.prepare(1, count + 1)
    await way.exchange(0)  # wakes threads and pages up
    taken = []
    before = usage()
    for _ in range(count):
        start = time.perf_counter()
        await way.exchange(0)
        taken.append(time.perf_counter() - start)
    spent = usage() - before
    times[pair].append(median(taken) * 1000)
    used[pair].append(Usage(spent.cpu_s / count, spent.written_bytes // count))


async def _syncs(folder: Path) -> dict[str, str]:
    """How many syncs one exchange costs, over 50 of them."""
    found = {}
    counter = SyncCounter()
    with counter.counting():
        ways: list[Way] = [
            await Ours.open(folder / "ours-syncs.db", 1, 10),
            await Raw.open(folder / "raw-syncs.db", 1, 10),
            await Blob.open(folder / "blob-syncs.db", 1, 10),
        ]
    for way in ways:
        way.prepare(1, 50)
        before = counter.count
        for _ in range(50):
            await way.exchange(0)
        found[way.name] = f"{(counter.count - before) / 50:.2f}" if counter.works else "not counted"
        await way.close()
    return found
