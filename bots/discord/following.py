"""What people change afterwards: edited and deleted messages, deleted threads and channels, servers that are left.

Knows: which event says so. Must not know: what is done about it: that is the core's, through `Follows`; as long as the
core has no such door, it is only noted in the log, by ids.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from bots.discord import fields, ids, wire
from bots.discord.directory import Directory
from bots.discord.fields import Raw
from core.domain.keys import Place

log = structlog.get_logger("rejoinder.discord")


class Follows(Protocol):
    """Who is told what people have changed on a platform. Telling it twice does no harm."""

    async def edited(self, ref: str, text: str, source_key: str) -> None:
        """The message `ref` of a person reads `text` now."""
        ...

    async def deleted(self, refs: tuple[str, ...]) -> None:
        """These messages were deleted."""
        ...

    async def place_gone(self, place: Place) -> None:
        """Nothing can be said there any more: a thread, a channel (with its threads) or a server was closed to us.

        `place.thread` "" is the whole channel, `place.channel` "" the whole server.
        """
        ...


class Following:
    """Tells `follows`, when there is one."""

    def __init__(self, directory: Directory, *, bot_name: str) -> None:
        self.follows: Follows | None = None
        self._directory = directory
        self._bot_name = bot_name

    async def follow(self, event: str, raw: Raw) -> bool:
        """Take an event; always taken. Raises `BadInput`."""
        match event:
            case "MESSAGE_UPDATE":
                await self._edited(raw)
            case "MESSAGE_DELETE":
                await self._deleted(raw, (fields.required(raw, "id"),))
            case "MESSAGE_DELETE_BULK":
                given = raw.get("ids")
                found = tuple(str(each) for each in given) if isinstance(given, list) else ()
                await self._deleted(raw, tuple(each for each in found if ids.is_snowflake(each)))
            case _:
                await self._gone(event, raw)
        return True

    async def _edited(self, raw: Raw) -> None:
        message = wire.said(raw, self._directory.me)
        if message is None or not message.edited or message.blank or self.follows is None:
            return
        text = wire.clean(message, self._directory.me, self._bot_name)
        await self.follows.edited(ids.ref(message.channel, message.id), text, ids.edit_key(message.id, message.edited))

    async def _deleted(self, raw: Raw, messages: tuple[str, ...]) -> None:
        channel = fields.required(raw, "channel_id")
        if messages and self.follows is not None:
            await self.follows.deleted(tuple(ids.ref(channel, each) for each in messages))

    async def _gone(self, event: str, raw: Raw) -> None:
        gone = fields.required(raw, "id")
        if event == "GUILD_DELETE":
            place = ids.room(gone, "")
        elif event == "THREAD_DELETE":
            place = ids.room(fields.snowflake(raw, "guild_id"), fields.snowflake(raw, "parent_id"), gone)
        else:
            place = ids.room(fields.snowflake(raw, "guild_id"), gone)
        log.info("discord_place_gone", place=str(place))
        if self.follows is not None:
            await self.follows.place_gone(place)
