"""128 and 1,000 answers that stream at once, with drafts and without: what a durable partial answer costs.

Knows: 250 characters a second for each stream. A piece is late by the time between its planned moment and the moment
the engine was done with it. Syncs are counted in the very runs that are timed: there are some twenty in a second.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass

from storage.sqlite import SqliteStore
from tests.bench.house import House, Talker, WithoutDrafts
from tests.bench.measure import median, percentile, ratio, until, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

CHARS_PER_S = 250
_PACES_S = {128: 0.1, 1_000: 0.2}
_RAMP_S = 1.0  # from the last start to the beginning of the window in which syncs are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One run. `window_*`: in the middle, while everybody talks and nobody begins or ends."""

    late_p50_ms: float
    late_p99_ms: float
    syncs_s: float
    cpu: float
    kib_answer: float


async def run(setup: Setup) -> Report:
    """Runs with and without drafts in turn."""
    counter = SyncCounter()
    seconds = 3.0 if setup.quick else 5.0
    seen: dict[tuple[int, bool], list[_Seen]] = defaultdict(list)
    sizes = (128,) if setup.quick else (128, 1_000)
    for streams in sizes:
        for turn in range(2 if setup.quick or streams > 128 else 3):
            for drafts in (True, False) if turn % 2 else (False, True):
                setup.say(f"{streams} streams, {'with' if drafts else 'without'} drafts")
                seen[streams, drafts].append(await _run(setup, counter, streams, seconds, drafts=drafts))
    rows = tuple(
        (
            f"{streams:,}, {'with' if drafts else 'without'} drafts",
            median([each.late_p50_ms for each in runs]),
            median([each.late_p99_ms for each in runs]),
            median([each.syncs_s for each in runs]),
            median([each.cpu for each in runs]),
            median([each.kib_answer for each in runs]),
        )
        for (streams, drafts), runs in sorted(seen.items())
    )
    late = ratio([each.late_p99_ms for each in seen[128, True]], [each.late_p99_ms for each in seen[128, False]])
    return Report(
        name="streams",
        tables=(
            Rows(
                title=f"Streams of {CHARS_PER_S} characters a second for {seconds:.0f} s",
                columns=("streams", "late ms p50", "late ms p99", "syncs/s", "cores", "KiB an answer"),
                rows=rows,
            ),
        ),
        gates=(
            Gate(
                name="128 streams with drafts, syncs per second",
                figure=median([each.syncs_s for each in seen[128, True]]),
                limit=25,
                ambition=19,
            ),
            Gate(
                name="128 streams, lateness of pieces (p99) with / without drafts",
                figure=late,
                limit=1.3,
                ambition=1.0,
                unit="x",
            ),
        ),
        notes=(
            "KiB an answer: bytes given to write calls for all of it (message, opening, drafts, answer, folding).",
            "Syncs and cores: while all streams talk, none begins or ends.",
        ),
    )


async def _run(setup: Setup, counter: SyncCounter, streams: int, seconds: float, *, drafts: bool) -> _Seen:
    pace_s = _PACES_S[streams]
    piece = ("word " * CHARS_PER_S)[: int(CHARS_PER_S * pace_s)]
    model = Talker([piece] * int((seconds + 2 * _RAMP_S) / pace_s), pace_s=pace_s)
    store_type = SqliteStore if drafts else WithoutDrafts
    path = setup.folder / f"streams-{time.monotonic_ns()}.db"
    with counter.counting():
        house = await House.open(path, model, store_type=store_type)
    before = usage()
    speaking = [asyncio.create_task(_speak(house, at, pace_s * at / streams)) for at in range(streams)]
    await until(lambda: model.talking == streams)
    await asyncio.sleep(_RAMP_S)
    model.late_s.clear()
    start, syncs, cpu = time.perf_counter(), counter.count, usage()
    await asyncio.sleep(seconds - 1.0)
    took = time.perf_counter() - start
    late, syncs, window = list(model.late_s), counter.count - syncs, usage() - cpu
    await asyncio.gather(*speaking)
    await house.close()
    written = (usage() - before).written_bytes
    return _Seen(
        late_p50_ms=median(late) * 1000,
        late_p99_ms=percentile(late, 0.99) * 1000,
        syncs_s=syncs / took if counter.works else float("nan"),
        cpu=window.cpu_s / took,
        kib_answer=written / streams / 1024,
    )


async def _speak(house: House, at: int, offset_s: float) -> None:
    await asyncio.sleep(offset_s)  # so that the pieces of all streams do not fall on the same moments
    await house.turn(f"p{at}", "Tell me a long story")
