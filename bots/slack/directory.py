"""Who people are and what conversations are, as far as it is known; asked in the background, waited for shortly.

Knows: users.info, conversations.info, conversations.open, and that an event must be committed even if Slack does not
answer: a name that does not come in time is the id. Must not know: events.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bots.slack import ids, limits
from bots.slack.payload import Payload, at, text_at
from bots.slack.sender import Sender
from bots.slack.words_in import storable
from core.domain.errors import OutsideError, Refused
from core.domain.keys import Audience
from core.engine.ports import Clock

NAME_AGE_S = 86_400.0
CHANNEL_AGE_S = 600.0
AGAIN_S = 300.0  # after an answer that did not come
_KEPT = 20_000
_NAME_MAX_CHARS = 80
_GUEST = ("is_restricted", "is_ultra_restricted", "is_stranger")  # guests, and people of other organisations
_BY_TYPE = {"im": Audience.DM, "mpim": Audience.PRIVATE, "group": Audience.PRIVATE, "channel": Audience.PUBLIC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a payload says of the conversation it comes from."""

    channel: str
    kind: str = ""  # channel_type
    shared: bool = False  # with another organisation


class Directory:
    """Names by user id, audiences by channel id, direct conversations by user id."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self.guests: set[str] = set()  # people of whom Slack says that they are let into some channels only
        self._locales: OrderedDict[str, str] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()
        self._named_s: dict[str, float] = {}  # when a name may be asked for again
        self._audiences: OrderedDict[str, tuple[Audience, float]] = OrderedDict()
        self._direct: OrderedDict[str, str] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}

    @property
    def names(self) -> Mapping[str, str]:
        """Display names of the people who are known."""
        return self._names

    def locale(self, user: str) -> str:
        """In which language this person uses Slack; "" while it is not known."""
        return self._locales.get(user, "")

    async def know(self, users: Iterable[str]) -> None:
        """Ask for names that are not known, and wait for them a moment."""
        now = self._clock.monotonic()
        wanted = [each for each in dict.fromkeys(users) if ids.is_id(each) and self._named_s.get(each, 0.0) <= now]
        waited = [self._ask(f"user {each}", self._name(each)) for each in wanted]
        missing = [task for task, user in zip(waited, wanted, strict=True) if user not in self._names]
        if missing:
            await asyncio.wait(missing, timeout=limits.LOOK_UP_S)

    async def audience(self, hint: Hint) -> Audience:
        """Who can read there: as the payload says, else as it is known, else as Slack says within a moment."""
        if ids.is_direct(hint.channel):
            return Audience.DM
        if hint.shared:
            return self._learn(hint.channel, Audience.SHARED)
        if hint.kind in _BY_TYPE:
            known = self._audiences.get(hint.channel)
            if known is not None and known[0] is Audience.SHARED:
                return known[0]  # the payload's type does not tell who else is in the channel
            return self._learn(hint.channel, _BY_TYPE[hint.kind])
        known = self._audiences.get(hint.channel)
        if known is None or known[1] <= self._clock.monotonic():
            task = self._ask(f"channel {hint.channel}", self._channel(hint.channel))
            await asyncio.wait([task], timeout=limits.LOOK_UP_S)
        found = self._audiences.get(hint.channel)
        return Audience.PUBLIC if found is None else found[0]

    async def audience_now(self, channel: str) -> Audience:
        """Who can read there, as Slack says. Raises `Refused`, `NotSent`, `Ambiguous`."""
        if ids.is_direct(channel):
            return Audience.DM
        answer = await self._sender.call("conversations.info", channel=channel)
        return self._learn(channel, _audience(at(answer, "channel")))

    async def direct(self, user: str) -> str:
        """The conversation with one person. Raises `Refused`, `NotSent`, `Ambiguous`."""
        if user not in self._direct:
            answer = await self._sender.call("conversations.open", users=user)
            channel = text_at(answer, "channel", "id")
            if not ids.is_direct(channel):
                raise Refused(code="no_direct_conversation", detail="conversations.open names none")
            self.met(user, channel)
        return self._direct[user]

    def met(self, user: str, channel: str) -> None:
        """A person and the bot have this direct conversation."""
        if ids.is_direct(channel):
            self._direct[user] = channel
            _trim(self._direct)

    def _learn(self, channel: str, audience: Audience) -> Audience:
        self._audiences[channel] = (audience, self._clock.monotonic() + CHANNEL_AGE_S)
        _trim(self._audiences)
        return audience

    def _ask(self, name: str, asking: asyncio._CoroutineLike[None]) -> asyncio.Task[None]:
        running = self._asking.get(name)
        if running is not None:
            asking.close()
            return running
        task = asyncio.create_task(asking, name=f"slack {name.split(maxsplit=1)[0]}")
        self._asking[name] = task
        task.add_done_callback(lambda _: self._asking.pop(name, None))
        return task

    async def _name(self, user: str) -> None:
        self._named_s[user] = self._clock.monotonic() + AGAIN_S
        if self._sender.budget.wait_s("lookup", limits.LOOKUPS_A_MINUTE):
            return
        try:
            answer = await self._sender.call("users.info", user=user, include_locale=True)
        except OutsideError:
            return
        self._note_guest(user, at(answer, "user"))
        self._locales[user] = text_at(answer, "user", "locale")
        _trim(self._locales)
        name = _name(at(answer, "user"))
        if name:
            self._names[user] = name
            self._named_s[user] = self._clock.monotonic() + NAME_AGE_S
            _trim(self._names)

    def _note_guest(self, user: str, found: Payload) -> None:
        if any(found.get(each) is True for each in _GUEST):
            self.guests.add(user)
        else:
            self.guests.discard(user)

    async def _channel(self, channel: str) -> None:
        try:
            await self.audience_now(channel)
        except OutsideError:
            self._audiences.setdefault(channel, (Audience.PUBLIC, self._clock.monotonic() + AGAIN_S))

    async def close(self) -> None:
        """Ask nothing more."""
        asking = tuple(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


def _name(user: Payload) -> str:
    profile = at(user, "profile")
    found = text_at(profile, "display_name") or text_at(profile, "real_name") or text_at(user, "name")
    return " ".join(storable(found, _NAME_MAX_CHARS).split())


def _audience(channel: Payload) -> Audience:
    def is_(name: str) -> bool:
        return channel.get(name) is True

    if is_("is_im"):
        return Audience.DM
    if is_("is_ext_shared") or is_("is_pending_ext_shared"):
        return Audience.SHARED
    return Audience.PRIVATE if is_("is_private") or is_("is_mpim") or is_("is_group") else Audience.PUBLIC


def _trim(kept: OrderedDict[str, object] | OrderedDict[str, str] | OrderedDict[str, tuple[Audience, float]]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
