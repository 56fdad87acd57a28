"""What people change afterwards: edited and deleted messages, deleted threads and channels, servers that are left.

Knows: which event says so, and at which places a message may be held. Must not know: what is done about it: the core
follows. Edits in places where nobody has called us are not even looked at. A thread of ours that somebody deletes takes
no conversation with it: whom it was opened for is told once, in private, how to go on.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from bots.discord import fields, ids, wire
from bots.discord.directory import Directory
from bots.discord.fields import Raw
from bots.discord.words import say
from core.domain.decision import Private
from core.domain.errors import Closing, Refused, StoreError
from core.domain.events import MessageChanged
from core.domain.keys import PersonKey, Place
from core.engine.ports import Intake

log = structlog.get_logger("rejoinder.discord")


class Whispers(Protocol):
    """Says something to one person."""

    async def whisper(self, person: PersonKey, reply: Private) -> None:
        """See `hearing.Aside`."""
        ...


class Following:
    """Tells the engine."""

    def __init__(self, directory: Directory, whispers: Whispers, *, bot_name: str, language: str) -> None:
        self.intake: Intake | None = None
        self._directory = directory
        self._whispers = whispers
        self._bot_name = bot_name
        self._language = language

    async def follow(self, event: str, raw: Raw) -> bool:
        """Take an event; False when it could not be, and has to come again. Raises `BadInput`."""
        match event:
            case "MESSAGE_UPDATE":
                return await self._edited(raw)
            case "MESSAGE_DELETE":
                return await self._changed(raw, fields.required(raw, "id"), "")
            case "MESSAGE_DELETE_BULK":
                given = raw.get("ids")
                found = [str(each) for each in given] if isinstance(given, list) else []
                taken = [await self._changed(raw, each, "") for each in found if ids.is_snowflake(each)]
                return all(taken)
            case _:
                return True

    async def _edited(self, raw: Raw) -> bool:
        message = wire.said(raw, self._directory.me)
        if message is None or not message.edited or message.blank:
            return True
        return await self._changed(raw, message.id, wire.clean(message, self._directory.me, self._bot_name))

    async def _changed(self, raw: Raw, message: str, text: str) -> bool:
        channel, guild = fields.required(raw, "channel_id"), fields.snowflake(raw, "guild_id")
        try:
            for place in await self._places(channel, guild, message):
                await self._accept(MessageChanged(place=place, ref=ids.ref(channel, message), text=text))
        except Refused as no:
            log.info("discord_not_followed", code=no.code, channel=channel)
        except (Closing, StoreError) as error:
            log.warning("discord_not_followed", code=error.code, channel=channel)
            return False
        return True

    async def _accept(self, event: MessageChanged) -> None:
        assert self.intake is not None  # noqa: S101  (nothing comes before `connect`)
        await self.intake.accept(event)

    async def _places(self, channel: str, guild: str, message: str) -> list[Place]:
        """Where a message may be held; none where nobody has called us."""
        if not guild:
            return [ids.direct(channel)]
        if self._directory.is_plain_channel(channel):
            threaded = ids.room(guild, channel, message)
            opens = await self._directory.opens_threads(await self._directory.spoken_in(channel, guild))
            return [threaded] if self._directory.knows(message) or opens else [threaded, ids.room(guild, channel)]
        room = await self._directory.spoken_in(channel, guild)
        return [ids.room(guild, room.parent, room.id)] if self._directory.joined(room.id) else []

    # ----------------------------------------------------------------------------------- gone places

    async def gone(self, room_id: str) -> bool:
        """A thread or channel was deleted; the directory still knows it."""
        for thread, person in self._directory.threads_of_ours(room_id):
            log.info("discord_thread_gone", thread=thread)
            await self._whispers.whisper(ids.person(person), Private(text=say(self._language, "gone")))
        self._directory.drop(room_id)
        return True
