"""Who can read where on the board.

Knows: channels and who was brought into a private thread. Must not know: HTTP, what the bot does.
A direct message has one reader. A thread of a private channel is read by whoever wrote in it or was named
(`@carol`) there by somebody who could read it, and by those for whom a button of ours stands there. Everything else
is open to all of its workspace.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

from bots.local import ids
from core.domain.keys import Audience, Place
from core.engine.ports import Board, Post

THREAD_LIMIT = 1_000  # posts of one thread that are read at once
_KEPT = 1_000  # private threads whose readers are remembered

_MENTION = re.compile(r"(?<![\w@])@(\w[\w.-]{0,63})")


def audience(place: Place) -> Audience:
    """How far a place can be read."""
    if ids.is_dm(place):
        return Audience.DM
    return Audience.PRIVATE if ids.is_private(place) else Audience.PUBLIC


def readers(posts: tuple[Post, ...]) -> set[str]:
    """Who can read a private thread: who wrote in it, whom they named, and for whom a button of ours is."""
    found: set[str] = set()
    for post in posts:
        found.update(each.for_user for each in post.buttons if each.for_user)
        if post.author:
            found.add(post.author)
            found.update(name.rstrip(".-") for name in _MENTION.findall(post.text))
    return found


class Rooms:
    """Who can read where, with the readers of private threads remembered."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._readers: OrderedDict[Place, set[str]] = OrderedDict()

    async def readable_by(self, place: Place) -> Callable[[str], bool]:
        """A test whether a person can read the thread."""
        match audience(place):
            case Audience.DM:
                owner = place.channel.partition(":")[2]
                return lambda person: person == owner
            case Audience.PRIVATE:
                invited = await self._invited(place)
                return lambda person: person in invited
            case _:
                return lambda _: True

    async def _invited(self, place: Place) -> set[str]:
        known = self._readers.get(place)
        if known is None:
            known = self._readers[place] = readers(await self._board.thread(place, THREAD_LIMIT))
            if len(self._readers) > _KEPT:
                self._readers.popitem(last=False)
        return known

    def heard(self, post: Post) -> None:
        """Take note of a new post: it may bring somebody in."""
        if post.place in self._readers:
            self._readers[post.place] |= readers((post,))

    def forget(self, place: Place) -> None:
        """The thread has changed under us: who can read it is looked up again."""
        self._readers.pop(place, None)
