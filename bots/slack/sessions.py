"""Slack's agent sessions: what people see of a thread as a whole.

Knows: processing, active, suspended, closed; a title given with a status counts only when that creates the session,
later it takes a renaming, which is refused where there is no session yet. All of it is best effort and is left alone
for a while where Slack refuses it. People may rename a thread, too: we do only when its conversation has changed its
title, or has come from elsewhere.
Must not know: how an answer is written, what a conversation is called and why.
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
        self._titles: OrderedDict[str, str] = OrderedDict()  # of threads whose session is still to be created
        self._names: OrderedDict[str, str] = OrderedDict()  # by thread: whose conversation gives it its name

    def begun(self, place: Place, title: str) -> None:
        """A thread begins with these words."""
        flat = _flat(title)
        if flat:
            _keep(self._titles, place, flat)

    async def titled(self, place: Place, user: str, title: str) -> None:
        """The conversation of `user` there is called so from now on.

        Several people may have one each in a thread: whoever we hear of first gives it its name.
        """
        flat = _flat(title)
        if not place.thread or not flat or self._names.get(str(place), user) != user:
            return
        _keep(self._names, place, user)
        if str(place) in self._titles:
            _keep(self._titles, place, flat)
        elif self._clock.monotonic() >= self._until_s:
            await self._rename(place, flat)

    async def name(self, place: Place) -> None:
        """Create the session of a new thread under its title; without one there is nothing to do."""
        if str(place) in self._titles:
            await self.show(place, PROCESSING)

    async def _rename(self, place: Place, title: str) -> None:
        try:
            await self._sender.call(
                "agents.sessions.rename", channel_id=place.channel, thread_ts=place.thread, title=title
            )
        except Refused as error:
            _keep(self._titles, place, title)  # there is no session yet: it will be created under this title
            log.info("a thread was not renamed", code=error.code)
        except OutsideError as error:
            log.info("a thread was not renamed", code=error.code)

    async def show(self, place: Place, status: str) -> None:
        """Set the status."""
        title = self._titles.pop(str(place), "")
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
        self._names.pop(str(place), None)


def _flat(title: str) -> str:
    return " ".join(title.split())[: limits.SESSION_TITLE_MAX_CHARS]


def _keep(known: OrderedDict[str, str], place: Place, value: str) -> None:
    known[str(place)] = value
    known.move_to_end(str(place))
    while len(known) > _TITLES_KEPT:
        known.popitem(last=False)
