"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools

_TURNS = 25  # how often the event loop turns after each wake-up, so that what was woken can sleep again


class ManualClock:
    """Implements `core.engine.ports.Clock`. Sleepers wake in the order of their due times."""

    def __init__(self, now_ms: int = 1_764_000_000_000) -> None:
        self._base_ms = now_ms
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970 UTC."""
        return self._base_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Return when a test has moved the clock by `seconds`; at once for nothing."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken))
        await woken

    @property
    def sleeping(self) -> int:
        """How many sleepers wait."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    @property
    def next_s(self) -> float | None:
        """Seconds until the first sleeper is due; None when nobody sleeps."""
        due = [at for at, _, woken in self._sleepers if not woken.done()]
        return max(0.0, min(due) - self._elapsed) if due else None

    async def advance(self, seconds: float) -> None:
        """Move both clocks, stopping at every sleeper that is due on the way so that it can run."""
        end = self._elapsed + seconds
        await turn()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self._move(due)
                woken.set_result(None)
                await turn()
        self._move(end)
        await turn()

    async def leap(self, seconds: float) -> None:
        """Move both clocks at once, as for a machine that slept: whoever was due on the way wakes afterwards."""
        self._move(self._elapsed + seconds)
        await self.advance(0)

    def step_wall(self, ms: int) -> None:
        """Step the wall clock, forward or backward, as an operator or NTP does; nobody wakes."""
        self._base_ms += ms

    def _move(self, elapsed: float) -> None:
        self._elapsed = max(elapsed, self._elapsed)


async def turn(times: int = _TURNS) -> None:
    """Let the event loop turn, so that everything that can run has run."""
    for _ in range(times):
        await asyncio.sleep(0)
