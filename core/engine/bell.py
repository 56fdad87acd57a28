"""The bell: asks sessions whose timer has rung, and says when the next one will.

Knows: due times as rows have them, and that a ring is only a question: it may come late, early, twice, or out of a
stepped clock. Must not know: what a session does when it is asked (see `rules.idle`), what rings (see
`drivers.alarm`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from core.domain import events
from core.domain.entities import Entity, Session
from core.domain.errors import StoreError
from core.engine.ports import Accepted, Clock, Due, Store
from core.engine.uptime import Uptime

RING_SESSIONS = 200  # looked at in one go; a claim of 200 is 2 ms (facts/performance.md)
STEP_MS = 60_000  # a smaller step of the clock is only a late or early notice
GRACE_S = 600.0  # a clock that is put right by then has done no harm
HORIZON_MS = 400 * 24 * 3_600_000  # no timer is set further ahead than this; one that is comes from a wrong clock

log = structlog.get_logger(__name__)


class Bell:
    """Rings sessions. `ring_at(ms)` tells the alarm when to call `ring` at the latest."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        accept: Callable[[events.TimerDue], Awaitable[Accepted]],
        ring_at: Callable[[int], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._accept = accept
        self._ring_at = ring_at
        self._uptime = Uptime(store, clock)
        self._ring_ms: int | None = None  # when the alarm is set to ring
        self._ahead_ms = clock.now_ms() - round(clock.monotonic() * 1000)  # wall clock minus monotonic clock
        self._look_s: float | None = clock.monotonic() + GRACE_S  # when to look for acts that lie ahead of time
        self._stopped = False

    async def begin(self, *, wake_unused: bool) -> None:
        """Go on from what the store knows. `wake_unused`: sessions may be deleted by age now, so ask them."""
        await self._uptime.begin()
        if wake_unused:
            await self._store.wake_unused(self._clock.now_ms())

    def stop(self) -> None:
        """Ask nobody any more."""
        self._stopped = True

    def plan(self, changes: Iterable[Entity]) -> None:
        """Tell the alarm when the next timer of these sessions rings."""
        for row in changes:
            if isinstance(row, Session) and row.due_ms is not None:
                self._earliest(row.due_ms)

    async def ring(self) -> None:
        """Ask every session whose timer has rung; then set the alarm to the next one.

        Safe to call at any time and as often as one likes: the rows say what is due.
        """
        await self._uptime.keep()  # first: what is told by it must not be forgotten by a crash
        if self._stays_set_back():
            await self._ask_all(lambda now_ms: self._store.ahead_of_time(now_ms + STEP_MS, RING_SESSIONS))
        await self._ask_all(lambda now_ms: self._store.due_sessions(now_ms, now_ms + HORIZON_MS, RING_SESSIONS))
        self._ring_ms = None
        next_ms = await self._store.next_due_ms()
        if next_ms is not None:
            self._earliest(max(next_ms, self._clock.now_ms() + 1))

    async def time_passed(self, ms: int) -> None:
        """Time was let pass by `ms`: what is due now is looked at now."""
        self._uptime.add(ms)
        await self.ring()

    def _stays_set_back(self) -> bool:
        """Whether the wall clock was set back a while ago, since the last start or before it, and is left so."""
        before_ms, now_s = self._ahead_ms, self._clock.monotonic()
        self._ahead_ms = self._clock.now_ms() - round(now_s * 1000)
        if self._ahead_ms < before_ms - STEP_MS:
            self._look_s = now_s + GRACE_S
        if self._look_s is None or now_s < self._look_s:
            return False
        self._look_s = None
        return True

    async def _ask_all(self, find: Callable[[int], Awaitable[tuple[Due, ...]]]) -> None:
        """Ask everybody who is found, each once."""
        rung: set[Due] = set()
        while not self._stopped:
            fresh = [each for each in await find(self._clock.now_ms()) if each not in rung]
            if not fresh:
                return
            rung.update(fresh)
            await asyncio.gather(*(self._ask(each) for each in fresh))

    async def _ask(self, due: Due) -> None:
        # With the moment of asking: work postpones a step, and once it is done the same due time stands there again.
        key = f"timer:{due.session_id}:{due.idle_epoch}:{due.due_ms}:{self._clock.now_ms()}"
        event = events.TimerDue(
            source_keys=(key,), session_id=due.session_id, idle_epoch=due.idle_epoch, up_ms=self._uptime.ms
        )
        try:
            await self._accept(event)
        except StoreError as error:
            log.warning("a timer waits for the store", session=due.session_id, code=error.code)

    def _earliest(self, due_ms: int) -> None:
        if self._ring_ms is None or due_ms < self._ring_ms:
            self._ring_ms = due_ms
            self._ring_at(due_ms)
