"""The machine's clocks behind the `Clock` port.

Knows: the operating system's wall and monotonic clock. Must not know: what is due when.
"""

from __future__ import annotations

import asyncio
import time

_NS_PER_MS = 1_000_000


class SystemClock:
    """The real clocks; the wall clock runs ahead by `offset_ms` (`Let time pass` on the local chat)."""

    def __init__(self, offset_ms: int = 0) -> None:
        self._offset_ms = offset_ms

    @property
    def offset_ms(self) -> int:
        """How many milliseconds the wall clock runs ahead."""
        return self._offset_ms

    def advance(self, ms: int) -> None:
        """Move the wall clock forward by `ms`; the monotonic clock does not step.

        Raises:
            ValueError: `ms` is negative.
        """
        if ms < 0:
            raise ValueError("time passes forward only")
        self._offset_ms += ms

    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970 UTC, including the offset."""
        return time.time_ns() // _NS_PER_MS + self._offset_ms

    def monotonic(self) -> float:
        """Seconds of a clock that never steps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed; a forward step of the wall clock does not shorten it."""
        await asyncio.sleep(seconds)
