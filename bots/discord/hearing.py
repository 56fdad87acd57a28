"""What people write, from the payload to the engine's commit.

Knows: the way of a message: is it for us, where was it said, accept; what happens when it cannot be taken. Must not
know: sockets, sequence numbers. A message is taken when its commit stands, or when it is not for us; whatever is not
taken comes again, from Discord's replay or from the history. Messages of one channel are taken in their order.

What never reaches the engine: bots, Discord's own announcements, and unmentioned words in places where nobody has
called us: a busy server costs us one look per message, and no row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

import structlog

from bots.discord import ids, wire
from bots.discord.directory import Directory
from bots.discord.faults import Denied
from bots.discord.fields import Raw
from bots.discord.threads import Threads
from bots.discord.wire import Said, Spot
from core.domain.codes import normalize
from core.domain.decision import Private
from core.domain.errors import Closing, OutsideError, StoreError, StoreFull
from core.domain.events import MessageReceived
from core.domain.keys import PersonKey, Place
from core.engine.lanes import Lanes
from core.engine.ports import Clock, Intake

T = TypeVar("T")

LOOK_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
_CODE_WORD = "resume "

log = structlog.get_logger("rejoinder.discord")


class Aside(Protocol):
    """What is said beside the conversation."""

    async def whisper(self, person: PersonKey, reply: Private) -> None:
        """To one person, in their direct messages; quietly nothing when those are closed."""
        ...

    async def full(self, place: Place) -> None:
        """The disk is full: said once for a while in each place."""
        ...

    async def blank(self, place: Place) -> None:
        """Something was said that we cannot read: how to talk to us, once in each place."""
        ...


class Hearing:
    """Takes messages. `content`: whether we may read what does not mention us."""

    def __init__(self, directory: Directory, threads: Threads, aside: Aside, clock: Clock, *, bot_name: str) -> None:
        self.intake: Intake | None = None
        self.content: Callable[[], bool] = lambda: True
        self.missed_since_ms: int | None = None  # the oldest message that could not be taken
        self._directory = directory
        self._threads = threads
        self._aside = aside
        self._clock = clock
        self._bot_name = bot_name
        self._lanes = Lanes()

    @property
    def me(self) -> str:
        """Our own user id."""
        return self._directory.me

    async def hear(self, raw: Raw, *, caught_up: bool = False) -> bool:
        """Take a message; False when it could not be, and has to come again. Raises `BadInput`."""
        message = wire.said(raw, self.me)
        if message is None:
            return True
        self._directory.said_in(message.channel, message.id)
        if self._is_noise(message):
            return True
        async with self._lanes.enter(message.channel):
            taken = await self._take(message, caught_up=caught_up)
        if not taken:
            self.missed(ids.made_ms(message.id))
        return taken

    def missed(self, since_ms: int) -> None:
        """Something said then, or later, could not be taken: it is read again from the history."""
        self.missed_since_ms = min(self.missed_since_ms or since_ms, since_ms)

    def _is_noise(self, message: Said) -> bool:
        """Whether it is surely not for us, by what is known without asking anybody."""
        if not message.guild or message.mentions_us or message.roles or self._is_code(message):
            return False
        return self._directory.is_plain_channel(message.channel) and message.answers_user != self.me

    def _is_code(self, message: Said) -> bool:
        words = message.content.strip()
        return words.lower().startswith(_CODE_WORD) and normalize(words[len(_CODE_WORD) :]) is not None

    async def _take(self, message: Said, *, caught_up: bool) -> bool:
        try:
            spot = await self._patiently(lambda: self.spot(message))
        except Denied as no:
            log.info("discord_not_heard", code=no.code, channel=message.channel)
            return True
        except OutsideError as error:
            log.warning("discord_not_heard", code=error.code, channel=message.channel)
            return False
        if not self._for_us(message, spot):
            return True
        if message.blank:
            await self._blank(message, spot)
            return True
        return await self._accept(message, spot, caught_up=caught_up)

    def _for_us(self, message: Said, spot: Spot) -> bool:
        if not message.guild or self._is_code(message) or wire.mentions_us(message, spot.bot_role):
            return True
        thread = spot.place.thread
        if thread in ("", message.id):  # in the channel itself: nobody is spoken to who is not named
            return message.answers_user == self.me
        return spot.ours or self._directory.joined(thread)

    async def _accept(self, message: Said, spot: Spot, *, caught_up: bool) -> bool:
        assert self.intake is not None  # noqa: S101  (nothing is heard before `connect`)
        event = self._received(message, spot, caught_up=caught_up)
        if spot.place.thread == message.id:
            self._threads.begins(message.id, event.text)
            self._directory.opened(message.id, message.user)
        try:
            accepted = await self.intake.accept(event)
        except StoreFull:
            await self._aside.full(spot.place)
            return False
        except (Closing, StoreError) as error:
            log.warning("discord_not_taken", code=error.code)
            return False
        reply = accepted.decision.reply
        if isinstance(reply, Private):
            await self._aside.whisper(event.author.key, reply)
        return True

    def event(self, message: Said, spot: Spot, *, also: str) -> MessageReceived:
        """The event of a message that came by another way, too."""
        return self._received(message, spot, also=(also,))

    def _received(
        self, message: Said, spot: Spot, *, caught_up: bool = False, also: tuple[str, ...] = ()
    ) -> MessageReceived:
        event = wire.received(message, spot, me=self.me, bot_name=self._bot_name, caught_up=caught_up, also=also)
        return replace(event, author=replace(event.author, locale=self._directory.locale(message.user)))

    async def _blank(self, message: Said, spot: Spot) -> None:
        """A sticker, a poll; or words that the missing intent keeps from us."""
        if not self.content() and spot.ours:
            await self._aside.blank(spot.place)
        else:
            log.debug("discord_blank", channel=message.channel)

    async def spot(self, message: Said) -> Spot:
        """Where a message was said. Raises what a look-up raises."""
        if not message.guild:
            place = ids.direct(message.channel)
            return Spot(place=place, audience=await self._directory.audience(place))
        room = await self._directory.spoken_in(message.channel, message.guild)
        server = await self._directory.server(message.guild)
        readers = await self._directory.readers(room)
        if room.is_thread:
            place = ids.room(message.guild, room.parent, room.id)
            opener = await self._directory.opener(room)
            return Spot(
                place=place,
                audience=readers,
                ours=room.owner == self.me,
                opener=opener,
                bot_role=server.bot_role,
                locale=server.locale,
            )
        if message.answers and (message.answers_thread or self._directory.knows(message.answers)):
            place = ids.room(message.guild, room.id, message.answers)
            thread = await self._directory.spoken_in(message.answers, message.guild)
            ours = thread.owner == self.me
            opener = await self._directory.opener(thread) if ours else ""
            return Spot(
                place=place, audience=readers, ours=ours, opener=opener, bot_role=server.bot_role, locale=server.locale
            )
        threads = await self._directory.opens_threads(room)
        place = ids.room(message.guild, room.id, message.id if threads else "")
        return Spot(
            place=place,
            audience=readers,
            ours=threads,
            opener=message.user,
            bot_role=server.bot_role,
            locale=server.locale,
        )

    async def _patiently(self, look: Callable[[], Awaitable[T]]) -> T:
        """A look-up that must not be guessed: Discord may be slow, or down for a while."""
        for pause_s in LOOK_PAUSES_S:
            try:
                return await look()
            except Denied:
                raise
            except OutsideError as error:
                log.info("discord_look_again", code=error.code)
                await self._clock.sleep(pause_s)
        return await look()
