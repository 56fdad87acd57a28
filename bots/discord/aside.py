"""What is said beside the conversation: to one person alone, or once in a place.

Knows: direct messages, and what was told already. Must not know: sessions, the engine. Best effort: a person whose
direct messages are closed is not told, and nothing else depends on it.
"""

from __future__ import annotations

from collections import OrderedDict

import structlog

from bots.discord import ids, render
from bots.discord.fields import mapping, required
from bots.discord.memory import GatewayMemory, texts
from bots.discord.rest import Rest
from bots.discord.sender import Sender
from bots.discord.threads import Threads
from bots.discord.words import say
from core.codec import Json
from core.domain.decision import Private
from core.domain.errors import BadInput, OutsideError, Refused, StoreError
from core.domain.keys import PersonKey, Place
from core.domain.words import say as say_core
from core.engine.ports import Clock

HINTS = "discord:hinted"
HINTS_KEPT = 500
FULL_EVERY_S = 300.0
OPENED_KEPT = 10_000

log = structlog.get_logger("rejoinder.discord")


class Asides:
    """Implements `hearing.Aside`; opens direct messages for whoever needs them."""

    def __init__(
        self,
        *,
        rest: Rest,
        sender: Sender,
        threads: Threads,
        kept: GatewayMemory,
        clock: Clock,
        reveal: render.Reveal,
        language: str,
    ) -> None:
        self._rest = rest
        self._sender = sender
        self._threads = threads
        self._kept = kept
        self._clock = clock
        self._reveal = reveal
        self._language = language
        self._opened: OrderedDict[str, str] = OrderedDict()  # user -> channel
        self._full: dict[str, float] = {}
        self._lists: dict[str, list[str]] = {}
        self._count = 0

    async def open_private(self, person: PersonKey) -> Place | None:
        """The person's direct conversation with us; None when it is closed to us."""
        if person.user not in self._opened:
            try:
                made = mapping(await self._rest.call("POST", "/users/@me/channels", {"recipient_id": person.user}))
                self._opened[person.user] = required(made, "id")
            except (Refused, BadInput):
                return None
            if len(self._opened) > OPENED_KEPT:
                self._opened.popitem(last=False)
        return ids.direct(self._opened[person.user])

    async def whisper(self, person: PersonKey, reply: Private) -> None:
        """See `hearing.Aside`."""
        try:
            place = await self.open_private(person)
            if place is not None:
                self._count += 1
                body = render.body(self._reveal(reply.text), reply.buttons, language=self._language)
                key = f"whisper:{person}:{self._clock.now_ms()}:{self._count}"
                await self._sender.post(place.channel, key, body)
        except OutsideError as error:
            log.info("discord_not_whispered", code=error.code)

    async def full(self, place: Place) -> None:
        """See `hearing.Aside`."""
        now = self._clock.monotonic()
        if now - self._full.get(str(place), -FULL_EVERY_S) < FULL_EVERY_S:
            return
        self._full = {name: at for name, at in self._full.items() if now - at < FULL_EVERY_S} | {str(place): now}
        await self._post(place, f"full:{place}:{self._clock.now_ms()}", say_core(self._language, "refused.full"))

    async def blank(self, place: Place) -> None:
        """See `hearing.Aside`."""
        if await self._noted(HINTS, str(place), HINTS_KEPT):
            await self._post(place, f"hint:{place}", say(self._language, "hint"))

    async def _post(self, place: Place, key: str, text: str) -> None:
        try:
            channel = await self._threads.channel(place)
            await self._sender.post(channel, key, render.body(text, (), language=self._language), silent=True)
        except OutsideError as error:
            log.info("discord_not_posted", code=error.code)

    async def _list(self, name: str) -> list[str]:
        if name not in self._lists:
            try:
                self._lists[name] = texts(await self._kept.get(name))
            except StoreError:
                self._lists[name] = []
        return self._lists[name]

    async def _noted(self, name: str, what: str, most: int) -> bool:
        """Remember it; False when it was remembered already."""
        known = await self._list(name)
        if what in known:
            return False
        known.append(what)
        del known[:-most]
        plain: Json = list(known)
        try:
            await self._kept.put(name, plain)
        except StoreError as error:
            log.warning("discord_memory", code=error.code)
        return True
