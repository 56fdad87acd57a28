"""One exchange at a time, with 10 to 10,000 messages already there: does the cost grow with the conversation?

Knows: one session, one after the other. The ways take turns exchange by exchange, in an order that is shuffled each
time, so that a disk that is slow for a while is slow for all of them.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from pathlib import Path

from tests.bench.exchanges import Blob, Ours, Raw, Way
from tests.bench.measure import Usage, mean, median, percentile, ratio, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

HISTORIES = (10, 100, 1_000, 10_000)
_BLOB_EVERY = 20  # rounds: one exchange of it at 10,000 messages takes as long as a hundred of the others
Pair = tuple[str, int]


async def run(setup: Setup) -> Report:
    """Measure, then count."""
    ways = await _open(setup.folder)
    times: dict[Pair, list[float]] = defaultdict(list)
    used: dict[Pair, list[Usage]] = defaultdict(list)
    rounds = 160 if setup.quick else 500
    for way in ways.values():
        way.prepare(1, rounds)
    for at in range(rounds):
        for pair in random.sample(sorted(ways), len(ways)):
            if pair[0] != Blob.name or at % _BLOB_EVERY == 0:
                await _one(ways[pair], pair, times, used)
    for way in ways.values():
        await way.close()
    syncs = await _syncs(setup.folder)
    middle = {pair: median(taken) for pair, taken in times.items()}
    rows = tuple(
        (
            name,
            *(f"{middle[name, each]:.2f}" for each in HISTORIES),
            f"{ratio(times[name, 10_000], _first(times[name, 10], times[name, 10_000])):.2f}x",
            f"{ratio(times[name, 10_000], _first(times[Raw.name, 10_000], times[name, 10_000])):.2f}x",
            f"{percentile(times[name, 10_000], 0.9):.2f}",
            f"{median([each.cpu_s for each in used[name, 10_000]]) * 1000:.2f}",
            f"{mean([each.written_bytes for each in used[name, 10_000]]) / 1024:,.1f}",
            syncs[name],
        )
        for name in (Ours.name, Raw.name, Blob.name)
    )
    columns = ("store", *(f"{each:,}" for each in HISTORIES), "10k / 10", "/ raw", "p90", "cpu ms", "KiB", "syncs")
    return Report(
        name="exchange",
        tables=(
            Rows(title="One exchange after the other: median ms by messages there; at 10k", columns=columns, rows=rows),
        ),
        gates=(
            Gate(
                name="exchange at 10k messages / at 10",
                figure=ratio(times[Ours.name, 10_000], times[Ours.name, 10]),
                limit=1.3,
                ambition=1.0,
                unit="x",
            ),
            Gate(
                name="one session alone / raw aiosqlite, exchanges a second",
                figure=ratio(times[Raw.name, 10], times[Ours.name, 10]),
                limit=0.9,
                ambition=1.0,
                unit="x",
                at_least=True,
            ),
            Gate(
                name="exchange at 10k / raw aiosqlite",
                figure=ratio(times[Ours.name, 10_000], times[Raw.name, 10_000]),
                limit=1.5,
                ambition=1.0,
                unit="x",
            ),
        ),
        notes=(
            "Ratios are medians of ratios within a round of all.",
            "KiB: bytes given to write calls (/proc/self/io), folding the log among them.",
            "Syncs for one exchange: calls of xSync that SQLite makes, counted in a pass of its own.",
        ),
    )


def _first(some: list[float], others: list[float]) -> list[float]:
    """As many of `some` as there are `others`: there are fewer rounds with the blob."""
    return some[:: _BLOB_EVERY if len(others) < len(some) else 1]


async def _open(folder: Path) -> dict[Pair, Way]:
    ways: dict[Pair, Way] = {}
    for each in HISTORIES:
        ways[Ours.name, each] = await Ours.open(folder / f"ours{each}.db", 1, each)
        ways[Raw.name, each] = await Raw.open(folder / f"raw{each}.db", 1, each)
        ways[Blob.name, each] = await Blob.open(folder / f"blob{each}.db", 1, each)
    return ways


async def _one(way: Way, pair: Pair, times: dict[Pair, list[float]], used: dict[Pair, list[Usage]]) -> None:
    before = usage()
    start = time.perf_counter()
    await way.exchange(0)
    times[pair].append((time.perf_counter() - start) * 1000)
    used[pair].append(usage() - before)


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
