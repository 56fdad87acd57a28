"""Servers and channels as far as we need them: who reads there, and what we may do there. Pure.

Knows: how permissions add up (docs: topics/permissions). Must not know: payloads, REST. Nothing here names a member:
only @everyone, our own roles and ourselves are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.domain.keys import Audience

DM, GROUP = 1, 3
TEXT, NEWS = 0, 5
PUBLIC_THREAD, PRIVATE_THREAD = 11, 12
THREADS = (10, PUBLIC_THREAD, PRIVATE_THREAD)
OPENS_THREADS = (TEXT, NEWS)  # channels whose messages can have a thread

ADMINISTRATOR, VIEW = 1 << 3, 1 << 10
NEWER = 1 << 31  # rights above came with threads: Discord gives some of them to everybody
PUBLIC_THREADS, SEND_IN_THREADS = 1 << 35, 1 << 38
_ALL = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What a channel allows and denies to a role or a member."""

    subject: str
    allow: int
    deny: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A channel, a thread or a direct conversation. `guild` is "" for the last."""

    id: str
    kind: int
    guild: str = ""
    parent: str = ""
    owner: str = ""
    name: str = ""
    overwrites: tuple[Overwrite, ...] = ()
    last_message: str = ""
    archived: bool = False
    locked: bool = False
    joined: bool = False  # we are a member of this thread

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread; its rights and readers are those of its parent, but for a private one."""
        return self.kind in THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A guild: permission bits by role, and our own roles there."""

    id: str
    name: str = ""
    roles: Mapping[str, int] = field(default_factory=dict)
    mine: tuple[str, ...] = ()
    bot_role: str = ""  # the role that Discord made for us; people mention it by mistake
    locale: str = ""  # that its people have chosen


def readers(server: Server, home: Room, room: Room) -> Audience:
    """Who can read in `room`; `home` is its parent for a thread, else itself."""
    if room.kind == DM:
        return Audience.DM
    if room.kind in (GROUP, PRIVATE_THREAD):
        return Audience.PRIVATE
    everyone = server.roles.get(server.id, VIEW if server.id else 0)  # where nobody tells, nothing is hidden
    return Audience.PUBLIC if _after(everyone, home, (server.id,)) & VIEW else Audience.PRIVATE


def our_rights(server: Server, home: Room, me: str) -> int:
    """Our permission bits in a channel; `home` is the parent for a thread."""
    base = server.roles.get(server.id, 0)
    for role in server.mine:
        base |= server.roles.get(role, 0)
    if base & ADMINISTRATOR:
        return _ALL
    bits = _after(base, home, (server.id,))
    allow = deny = 0
    for each in home.overwrites:
        if each.subject in server.mine:
            allow, deny = allow | each.allow, deny | each.deny
    return _after((bits & ~deny) | allow, home, (me,))


def opens_threads(server: Server, room: Room, me: str) -> bool:
    """Whether a conversation begun in this channel gets a thread of its own.

    Rights that nobody can have thought about count for nothing: then Discord's own answer says whether we may.
    """
    if room.kind not in OPENS_THREADS:
        return False
    wanted = PUBLIC_THREADS | SEND_IN_THREADS
    return not _thought_about(server) or our_rights(server, room, me) & wanted == wanted


def _thought_about(server: Server) -> bool:
    return any(bits >= NEWER or bits & ADMINISTRATOR for bits in server.roles.values())


def _after(bits: int, home: Room, subjects: tuple[str, ...]) -> int:
    for each in home.overwrites:
        if each.subject in subjects:
            bits = (bits & ~each.deny) | each.allow
    return bits
