"""Saves what running answers have said so far, for whoever goes on after a crash.

Knows: one low-priority unit for all streams at a time. Must not know: who writes them, who reads them.
"""

from __future__ import annotations

from collections import Counter

import structlog

from core.domain.errors import StoreError
from core.engine.live import LiveAnswers
from core.engine.points import Point
from core.engine.ports import Clock, Store

TICK_S = 0.5  # drafts of all streams are saved together this often

log = structlog.get_logger(__name__)


class Drafts:
    """The tick that saves drafts and parts."""

    def __init__(self, store: Store, live: LiveAnswers, clock: Clock, counts: Counter[str], point: Point) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._counts = counts
        self._point = point

    async def keep_saving(self) -> None:
        """Save at every tick in which something was said."""
        while True:
            await self._live.something_unsaved()
            await self._clock.sleep(TICK_S)
            await self.save()

    async def save(self) -> None:
        """Save the drafts and parts of all streams in one low-priority unit."""
        unsaved = self._live.unsaved()
        if not unsaved.drafts and not unsaved.parts:
            return
        self._point("tick.before_save")
        try:
            await self._store.progress(unsaved.drafts, unsaved.parts)
        except StoreError as error:
            # Drafts are insurance: the answer itself is still in memory and is stored when it is final.
            self._counts["drafts_late"] += 1
            self._live.not_saved(unsaved)
            log.warning("drafts not saved", code=error.code)
            return
        self._live.saved(unsaved)
        self._point("tick.after_save")
