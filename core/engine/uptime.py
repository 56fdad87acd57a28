"""How long the program has been up, over all its starts, by a clock that never steps.

Knows: it is stored once a minute, so a crash loses at most that; `Let time pass` counts, because it is a rehearsal.
Must not know: what it is good for (see `rules.retention`).
"""

from __future__ import annotations

from core.engine.ports import Clock, Store

KEEP_EVERY_MS = 60_000


class Uptime:
    """Milliseconds that the program has been up. `begin` before anything else."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._before_ms = 0
        self._since = clock.monotonic()
        self._kept_ms = 0

    async def begin(self) -> None:
        """Go on from what earlier starts have stored."""
        self._before_ms = self._kept_ms = await self._store.uptime_ms()
        self._since = self._clock.monotonic()

    @property
    def ms(self) -> int:
        """In all, until now."""
        return self._before_ms + round((self._clock.monotonic() - self._since) * 1000)

    def add(self, ms: int) -> None:
        """Time was let pass."""
        self._before_ms += ms

    async def keep(self) -> None:
        """Store it, when it is worth it."""
        if self.ms - self._kept_ms >= KEEP_EVERY_MS:
            self._kept_ms = self.ms
            await self._store.keep_uptime(self._kept_ms)
