"""Slack's agent sessions: what people see of a thread as a whole.

Knows: processing, active, suspended, closed; a title counts only when a session is created; all of it is best effort
and is left alone for a while where Slack refuses it. Must not know: how an answer is written.
"""

from __future__ import annotations

from collections import OrderedDict

import structlog

from bots.slack import limits
from bots.slack.sender import Sender
from core.domain.errors import OutsideError, Refused
from core.domain.keys import Place
from core.engine.ports import Clock

PROCESSING, ACTIVE, SUSPENDED, CLOSED = "processing", "active", "suspended", "closed"
REFUSED_S = 3_600.0  # an app that is no agent is asked again after an hour
_PLACE_CODES = frozenset(
    {"channel_not_found", "not_in_channel", "is_archived", "thread_not_found", "message_not_found"}
)
_TITLES_KEPT = 2_000

log = structlog.get_logger("rejoinder.slack")


class Sessions:
    """Status and title of threads. Nothing here raises."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._until_s = 0.0
        self._titles: OrderedDict[str, str] = OrderedDict()  # of threads that have just begun

    def begun(self, place: Place, title: str) -> None:
        """A thread begins with these words."""
        flat = " ".join(title.split())[: limits.SESSION_TITLE_MAX_CHARS]
        if flat:
            self._titles[str(place)] = flat
            while len(self._titles) > _TITLES_KEPT:
                self._titles.popitem(last=False)

    async def name(self, place: Place) -> None:
        """Create the session of a new thread under its title; without one there is nothing to do."""
        title = self._titles.pop(str(place), "")
        if title:
            await self.show(place, PROCESSING, title)

    async def show(self, place: Place, status: str, title: str = "") -> None:
        """Set the status."""
        if not place.thread or self._clock.monotonic() < self._until_s:
            return
        try:
            await self._sender.call(
                "agents.sessions.setStatus",
                channel_id=place.channel,
                thread_ts=place.thread,
                status=status,
                title=title,
            )
        except Refused as error:
            if error.code not in _PLACE_CODES:
                self._until_s = self._clock.monotonic() + REFUSED_S
                log.warning("Slack refuses session states; going on without", code=error.code)
        except OutsideError as error:
            log.info("a session state was not shown", code=error.code)

    def forget(self, place: Place) -> None:
        """Nothing of this thread stays in memory."""
        self._titles.pop(str(place), None)
