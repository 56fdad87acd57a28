"""128 and 1,000 answers that stream at once, with drafts and without: what a durable partial answer costs.

Knows: 250 characters a second for each stream. A piece is late by the time between its planned moment and the moment
the engine was done with it. The same streams go on while the drafts are saved for a second and not saved for a
second, in turn, so that what disturbs the machine disturbs both. Syncs are counted in these very seconds: there are a
few in each, so counting costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.entities import Draft, Part
from storage.sqlite import SqliteStore
from tests.bench.house import House, Talker
from tests.bench.measure import mean, median, percentile, until, usage
from tests.bench.report import Gate, Report, Rows, Setup
from tests.bench.syncs import SyncCounter

CHARS_PER_S = 250
_PACES_S = {128: 0.1, 1_000: 0.2}
_ANSWER_S = 10  # an answer of 2,500 characters
_LONGEST_S = 3_600  # nobody comes to an end before the last has begun, however slow the machine is
_SETTLE_S = 1.0  # from the last start to the first second that counts


class SwitchedDrafts(SqliteStore):
    """The store; while `saving` is off, partial answers are not made durable."""

    saving = True

    async def progress(self, drafts: Sequence[Draft], parts: Sequence[Part]) -> None:
        """Save, or not."""
        if self.saving:
            await super().progress(drafts, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Second:
    """One second of all streams."""

    p50_ms: float
    p99_ms: float
    syncs_s: float
    cores: float
    kib: float  # for one stream


async def run(setup: Setup) -> Report:
    """Both sizes, one after the other."""
    seconds = 8 if setup.quick else 24
    seen = {}
    for streams in (128,) if setup.quick else (128, 1_000):
        setup.say(f"{streams} streams")
        for drafts, each in (await _run(setup, streams, seconds)).items():
            seen[streams, drafts] = each
    rows = tuple(
        (
            f"{streams:,}, {'with' if drafts else 'without'} drafts",
            median([each.p50_ms for each in found]),
            median([each.p99_ms for each in found]),
            mean([each.syncs_s for each in found]),
            mean([each.cores for each in found]),
            mean([each.kib for each in found]) * _ANSWER_S,
        )
        for (streams, drafts), found in sorted(seen.items())
    )
    late = {drafts: median([each.p99_ms for each in seen[128, drafts]]) for drafts in (True, False)}
    columns = ("streams", "late ms p50", "late ms p99", "syncs/s", "cores", f"KiB an answer of {_ANSWER_S} s")
    return Report(
        name="streams",
        tables=(
            Rows(
                title=f"Streams of {CHARS_PER_S} characters a second (medians of seconds)", columns=columns, rows=rows
            ),
        ),
        gates=(
            Gate(
                name="128 streams with drafts, syncs per second",
                figure=mean([each.syncs_s for each in seen[128, True]]),
                limit=25,
                ambition=19,
            ),
            Gate(
                name="128 streams, lateness of pieces (p99) with / without drafts",
                figure=late[True] / late[False],
                limit=1.3,
                ambition=1.0,
                unit="x",
            ),
        ),
        notes=("Everybody talks, nobody begins or ends: what stands here is what streaming itself costs.",),
    )


async def _run(setup: Setup, streams: int, seconds: int) -> dict[bool, list[_Second]]:
    pace_s = _PACES_S[streams]
    piece = ("word " * CHARS_PER_S)[: int(CHARS_PER_S * pace_s)]
    model = Talker([piece] * int(_LONGEST_S / pace_s), pace_s=pace_s)
    counter = SyncCounter()
    with counter.counting():
        house = await House.open(setup.folder / f"{streams}.db", model, store_type=SwitchedDrafts)
    assert isinstance(house.store, SwitchedDrafts)
    speaking = [asyncio.create_task(_speak(house, at, pace_s * at / streams)) for at in range(streams)]
    await until(lambda: model.talking == streams and house.local.opened == streams)
    await asyncio.sleep(_SETTLE_S)
    seen: dict[bool, list[_Second]] = defaultdict(list)
    for at in range(seconds):
        house.store.saving = bool(at % 2)
        seen[house.store.saving].append(await _second(model, counter, streams))
    await house.engine.abandon()
    await house.store.close()
    for task in speaking:
        task.cancel()
    await asyncio.gather(*speaking, return_exceptions=True)
    return seen


async def _second(model: Talker, counter: SyncCounter, streams: int) -> _Second:
    model.late_s.clear()
    start, syncs, before = time.perf_counter(), counter.count, usage()
    await asyncio.sleep(1.0)
    took, spent = time.perf_counter() - start, usage() - before
    late = list(model.late_s)
    return _Second(
        p50_ms=median(late) * 1000,
        p99_ms=percentile(late, 0.99) * 1000,
        syncs_s=(counter.count - syncs) / took if counter.works else float("nan"),
        cores=spent.cpu_s / took,
        kib=spent.written_bytes / streams / 1024 / took,
    )


async def _speak(house: House, at: int, offset_s: float) -> None:
    await asyncio.sleep(offset_s)  # so that the pieces of all streams do not fall on the same moments
    await house.turn(f"p{at}", "Tell me a long story")
