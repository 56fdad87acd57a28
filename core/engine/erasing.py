"""The performer that forgets: cards say so, what runs is ended, the disk is cleared, a scan proves it.

Knows: the order. Cards first, because afterwards nobody knows where they stand; they are best effort and bounded in
time, the deletion is neither. A death in between repeats all of it, which does no harm.
Must not know: which tables and files there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace

import structlog

from core.domain.decision import Policy
from core.domain.effects import Erase
from core.domain.entities import Card, EffectRow
from core.domain.errors import OutsideError, StoreError
from core.domain.events import EffectDone, Outcome
from core.domain.words import say
from core.engine.points import Point
from core.engine.ports import Doomed, Platform, Store

FAREWELL_S = 10.0  # for all cards of one deletion together; nobody waits for a platform that is away

log = structlog.get_logger(__name__)

Quiet = Callable[[Collection[str], str], None]


class Erasing:
    """Performs Erase. `quiet(session_ids, but)` ends whatever runs for these sessions, except the effect `but`."""

    def __init__(
        self, store: Store, platforms: Mapping[str, Platform], policy: Policy, quiet: Quiet, point: Point
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._policy = policy
        self._quiet = quiet
        self._point = point

    async def erase(self, row: EffectRow, effect: Erase) -> Outcome:
        """Delete what the effect names; it is gone from the disk when this returns."""
        doomed = await self._store.doomed(effect.kind, effect.key)
        self._quiet(doomed.sessions, row.id)
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await asyncio.gather(*(self._farewell(each) for each in doomed.cards))
        self._point("erase.before")
        try:
            erased = await self._store.erase(effect.kind, effect.key, row.created_ms)
        except StoreError:  # perhaps only the proof: the next attempt finds no rows that say where the words stood
            await self._forgotten(doomed, row)
            raise
        self._point("erase.after")
        await self._forgotten(doomed, row)
        if erased.hits:
            log.error("forgotten, but traces are left", kind=effect.kind, rows=erased.rows, hits=erased.hits)
        else:
            log.info("forgotten", kind=effect.kind, rows=erased.rows)
        return EffectDone(session_id=row.session_id)

    async def _forgotten(self, doomed: Doomed, row: EffectRow) -> None:
        """Nothing of it stays in memory."""
        self._quiet(doomed.sessions, row.id)
        for platform in self._platforms.values():
            await platform.forgotten(doomed.places, row.created_ms)

    async def _farewell(self, card: Card) -> None:
        platform = self._platforms.get(card.place.platform)
        if platform is None or not card.ref:
            return
        gone = replace(card, text=say(self._policy.language, "forget.card"), buttons=())
        with suppress(OutsideError):
            await platform.show(card.place, f"{card.session_id}:{card.key}", gone, card.ref)
