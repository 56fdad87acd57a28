"""What the engine counts, and the books of people's messages: received = answered + queued + refused.

Knows: counters by name; `event.X` counts events of class X. Must not know: who reads them.
The books are of this process: what waited when it began counts as received then.
"""

from __future__ import annotations

from collections import Counter

import structlog

from core.domain.errors import StoreError
from core.domain.events import Event, MessageReceived
from core.domain.rules.account import account
from core.engine.ports import Accepted, Store

BOOKS = ("received", "answered", "queued", "refused")  # the first is the sum of the others

log = structlog.get_logger(__name__)


class Books:
    """Counters that anybody may read."""

    def __init__(self, store: Store) -> None:
        self.counts: Counter[str] = Counter()
        self._store = store

    async def begin(self) -> None:
        """What waits since an earlier process was received then."""
        self.counts["received"] = self.counts["queued"] = await self._store.queued()

    def taken(self, event: Event, accepted: Accepted) -> None:
        """An event was committed."""
        self.counts[f"event.{type(event).__name__}"] += 1
        self.counts["duplicates"] += accepted.duplicate
        self.counts["stale"] += accepted.stale
        booked = account(event, accepted.decision)
        for name in BOOKS:
            self.counts[name] += getattr(booked, name)

    def turned_away(self, event: Event) -> None:
        """Nothing is taken in now, and whoever wrote is told so."""
        if isinstance(event, MessageReceived):
            self.counts["received"] += 1
            self.counts["refused"] += 1

    async def recount(self) -> None:
        """Something was forgotten, and with it perhaps what waited: that left the queue by its author's wish."""
        try:
            gone = self.counts["queued"] - await self._store.queued()
        except StoreError as error:
            log.warning("the queue is not counted anew", code=error.code)
            return
        self.counts["queued"] -= gone
        self.counts["refused"] += gone
