"""The door to the clock.

Knows: what a clock must do. Must not know: who implements it.
"""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall clock and monotonic clock. Tests advance it by hand; `Let time pass` shifts the wall clock forward."""

    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970 UTC, including the stored forward offset."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of this clock have passed."""
        ...
