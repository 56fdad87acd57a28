"""A platform whose calls go wrong now and then, in front of the real one.

Knows: the port `Platform` and the three ways in which a call can fail. Must not know: what is called for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from bots.local.adapter import LocalPlatform
from core.domain.effects import MarkKind
from core.domain.entities import Card
from core.domain.errors import Ambiguous, NotSent
from core.domain.keys import Audience, PersonKey, Place
from core.engine.ports import Clock, Heard, Piece, Unreadable

T = TypeVar("T")

FAULT = "platform_cut"
_RETRY_MS = 2_000


class Wobble(StrEnum):
    """How one platform call goes wrong."""

    NOT_SENT = "not sent"  # 429: nothing happened, try again in two seconds
    LOST = "lost"  # the connection broke before it happened; nobody knows
    UNHEARD = "unheard"  # it happened, and the answer was lost


class Shaky:
    """Implements `Platform`. `wobbles` are used up, one a call."""

    name = LocalPlatform.name

    def __init__(self, real: LocalPlatform, clock: Clock, wobbles: deque[Wobble], part_chars: int) -> None:
        self.limits = replace(real.limits, max_text_chars=part_chars, block_max_chars=3 * part_chars)
        self._real = real
        self._clock = clock
        self._wobbles = wobbles

    async def _call(self, do: Callable[[], Awaitable[T]]) -> T:
        wobble = self._wobbles.popleft() if self._wobbles else None
        if wobble is Wobble.NOT_SENT:
            raise NotSent(code="platform_busy", retry_ms=self._clock.now_ms() + _RETRY_MS)
        if wobble is Wobble.LOST:
            raise Ambiguous(code=FAULT)
        result = await do()
        if wobble is Wobble.UNHEARD:
            raise Ambiguous(code=FAULT)
        return result

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """See `Platform`."""
        return await self._call(lambda: self._real.open_answer(place, key, reply_to, piece))

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """See `Platform`."""
        return await self._call(lambda: self._real.write_answer(ref, piece))

    async def show(self, place: Place, key: str, card: Card, ref: str) -> str:
        """See `Platform`."""
        return await self._call(lambda: self._real.show(place, key, card, ref))

    async def mark(self, ref: str, mark: MarkKind) -> None:
        """See `Platform`."""
        await self._call(lambda: self._real.mark(ref, mark))

    async def find(self, place: Place, key: str, since_ms: int) -> str | Unreadable | None:
        """See `Platform`."""
        return await self._call(lambda: self._real.find(place, key, since_ms))

    async def audience(self, place: Place) -> Audience:
        """See `Platform`."""
        return await self._real.audience(place)

    async def read_thread(self, place: Place, limit: int) -> tuple[Heard, ...] | Unreadable:
        """See `Platform`."""
        return await self._real.read_thread(place, limit)

    async def fetch_file(self, handle: str, cap_bytes: int) -> bytes:
        """See `Platform`."""
        return await self._call(lambda: self._real.fetch_file(handle, cap_bytes))

    async def open_private(self, person: PersonKey) -> Place | None:
        """See `Platform`."""
        return await self._real.open_private(person)

    async def forgotten(self, places: Sequence[Place], before_ms: int) -> None:
        """See `Platform`."""
        await self._real.forgotten(places, before_ms)
