"""Medians, percentiles, and what the kernel counted of this process.

Knows: numbers and /proc. Must not know: what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

__all__ = ["Usage", "mean", "median", "memory_mib", "percentile", "ratio", "until", "usage"]

PATIENCE_S = 120
_MIB = 1024 * 1024


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0..1) of the values do not exceed; 0 for none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours over theirs, round by round: what disturbed a round disturbed both sides of it."""
    return median([a / b for a, b in zip(ours, theirs, strict=True)])


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process has used since it began: seconds of processor, bytes handed to write calls."""

    cpu_s: float
    written_bytes: int

    def __sub__(self, before: Usage) -> Usage:
        return Usage(self.cpu_s - before.cpu_s, self.written_bytes - before.written_bytes)


def usage() -> Usage:
    """Read the counters. `wchar` counts every byte of every write call exactly, whatever the page cache does."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(": ")
        if name == "wchar":
            return Usage(time.process_time(), int(value))
    raise OSError("/proc/self/io has no wchar")


async def until(condition: Callable[[], bool]) -> None:
    """Look every few milliseconds: a benchmark must not put hooks into what it measures.

    Raises:
        TimeoutError: it does not come true in `PATIENCE_S`; better no figure than a run without an end.
    """
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def memory_mib(pid: int | str = "self") -> float:
    """Resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / _MIB
