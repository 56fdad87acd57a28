"""Places that we can no longer write in: their people are told once, by a direct message.

Knows: which refusals mean that a place is lost, and who was talking there as far as memory goes. Must not know: why we
wanted to write.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import structlog

from bots.slack import ids
from bots.slack.directory import Directory
from bots.slack.sender import Sender
from bots.slack.words import own
from bots.slack.writing import LOST_PLACE, Reader
from core.domain.errors import Ambiguous, OutsideError, Refused
from core.domain.keys import Place

_KEPT = 20_000

log = structlog.get_logger("rejoinder.slack")


class LostPlaces:
    """Remembers who talks where, and tells them when a place is lost."""

    def __init__(self, sender: Sender, directory: Directory, language: str) -> None:
        self._sender = sender
        self._directory = directory
        self._language = language
        self._readers: OrderedDict[str, Reader] = OrderedDict()  # by place: who wrote there last
        self._told: OrderedDict[str, None] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()

    def talks(self, place: Place, reader: Reader) -> None:
        """Somebody talks with us there."""
        self._readers[str(place)] = reader
        self._readers.move_to_end(str(place))
        if len(self._readers) > _KEPT:
            self._readers.popitem(last=False)

    def reader(self, place: Place) -> Reader:
        """Who talked with us there last, as far as we remember."""
        return self._readers.get(str(place), Reader())

    def refused(self, place: Place, user: str, error: Refused) -> None:
        """Slack refused us something there."""
        user = user or self.reader(place).user
        name = f"{place.channel} {user}"
        if error.code not in LOST_PLACE or ids.is_direct(place.channel) or not user or name in self._told:
            return
        self._told[name] = None
        if len(self._told) > _KEPT:
            self._told.popitem(last=False)
        log.warning("a place is lost; its conversations are kept", code=error.code)
        task = asyncio.create_task(self._tell(name, place.channel, user, error.code))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def back(self, place: Place) -> None:
        """We can write there again."""
        for name in [name for name in self._told if name.startswith(f"{place.channel} ")]:
            del self._told[name]

    def forget(self, place: Place) -> None:
        """Nothing of this thread stays in memory."""
        self._readers.pop(str(place), None)

    async def close(self) -> None:
        """Tell nobody any more."""
        telling = tuple(self._telling)
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    async def _tell(self, name: str, channel: str, user: str, code: str) -> None:
        text = own(self._language, "lost", channel=channel, code=code)
        direct = ""
        try:
            direct = await self._directory.direct(user)
            await self._sender.call("chat.postMessage", channel=direct, text=text, unfurl_links=False)
        except OutsideError as error:
            log.info("somebody was not told that a place is lost", code=error.code)
            if not direct or not isinstance(error, Ambiguous):  # else it may stand there, and twice would be worse
                self._told.pop(name, None)
