"""One thread for each conversation: opened on the message that began it, so its id is known before it exists.

Knows: that opening it twice gives one thread (160004 says that it is there), and what to do where none can be opened.
Must not know: what is said in it. The place of a conversation names its thread from the first event on; the thread
itself comes into being with the first post, by whichever process makes it.
"""

from __future__ import annotations

from collections import OrderedDict

import structlog

from bots.discord import faults, ids
from bots.discord.directory import Directory
from bots.discord.faults import Denied
from bots.discord.fields import mapping, text
from bots.discord.render import thread_name
from bots.discord.rest import Rest
from bots.discord.rooms import PUBLIC_THREAD
from core.domain.keys import Place

ARCHIVE_MIN = 4_320  # three days: longer than anybody sleeps on a question, shorter than the longest (10,080)
NAMES_KEPT = 1_000
# A no without a number comes from something that does not know the route.
NO_THREADS = frozenset({faults.THREADS_FULL, *faults.NO_ACCESS})

log = structlog.get_logger("rejoinder.discord")


class Threads:
    """Opens threads when something is to be posted in them."""

    def __init__(self, rest: Rest, directory: Directory, language: str) -> None:
        self._rest = rest
        self._directory = directory
        self._language = language
        self._names: OrderedDict[str, str] = OrderedDict()  # of threads that are not opened yet, as far as we know
        self._without: OrderedDict[str, None] = OrderedDict()  # conversations that had to stay in their channel

    def begins(self, thread: str, words: str) -> None:
        """A conversation begins on this message."""
        self._names[thread] = words
        if len(self._names) > NAMES_KEPT:
            self._names.popitem(last=False)

    def forget(self, thread: str) -> None:
        """Keep none of its words."""
        if thread in self._names:
            self._names[thread] = ""

    async def channel(self, place: Place) -> str:
        """Where to post at a place; opens the thread of a conversation that has just begun."""
        if not place.thread or place.thread in self._without:
            return place.channel
        if place.thread in self._names and not self._directory.knows(place.thread):
            return await self.open(place)
        return place.thread

    async def open(self, place: Place) -> str:
        """Open the thread of a place, or find it open; where that cannot be, the channel itself serves."""
        words = self._names.get(place.thread)
        if words is None:
            words = await self._first_words(place)
        name = thread_name(words, self._language)
        path = f"/channels/{place.channel}/messages/{place.thread}/threads"
        try:
            made = await self._rest.surely("POST", path, {"name": name, "auto_archive_duration": ARCHIVE_MIN})
            self._directory.learn({**self._surely(place), **mapping(made)}, place.workspace)
        except Denied as no:
            if no.number in NO_THREADS or not no.number:
                log.warning("discord_no_thread", code=no.code, channel=place.channel)
                self._without[place.thread] = None
                if len(self._without) > NAMES_KEPT:
                    self._without.popitem(last=False)
                return place.channel
            if no.number != faults.THREAD_EXISTS:
                raise
        self._names.pop(place.thread, None)
        return place.thread

    def _surely(self, place: Place) -> dict[str, object]:
        """What is true of a thread of ours, whatever an answer leaves out."""
        return {"id": place.thread, "type": PUBLIC_THREAD, "parent_id": place.channel, "owner_id": self._directory.me}

    async def _first_words(self, place: Place) -> str:
        """After a restart: what the message says that the thread hangs on; it is only for the thread's name."""
        path = f"/channels/{place.channel}/messages/{place.thread}"
        try:
            found = mapping(await self._rest.call("GET", path))
        except Denied as no:
            if no.number:
                raise
            return ""
        return text(found, "content").replace(f"<@{self._directory.me}>", "")


def reply_in(channel: str, reply_to: str) -> str:
    """The message to reply to, if it stands in the channel that is posted to; "" else."""
    if not reply_to:
        return ""
    there, message = ids.parse_ref(reply_to)
    return message if there == channel else ""
