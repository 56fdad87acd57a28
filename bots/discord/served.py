"""Discord as the wiring sees it: made from settings, connected, caught up, let go.

Knows: who of this package needs whom, and the order of coming and going. Must not know: the store, the engine's inside.

Coming: log in, commands if they have changed, the gateway (with the session of the process before, if Discord still has
it), then what no replay tells. If Discord cannot be reached now, the program starts all the same and this goes on
behind it. Going: the gateway first, so that nothing more comes in; posting and editing work until `close`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

import discord
import structlog
from aiohttp import web

from bots.discord import commands, ids, render
from bots.discord.acting import Acting
from bots.discord.adapter import DiscordPlatform
from bots.discord.aside import Asides
from bots.discord.catch_up import CatchUp, Homes
from bots.discord.connection import Connection
from bots.discord.directory import Directory
from bots.discord.following import Following
from bots.discord.hearing import Hearing
from bots.discord.inbox import Inbox
from bots.discord.memory import GatewayMemory
from bots.discord.replying import Replying
from bots.discord.rest import API, Rest
from bots.discord.sender import Sender
from bots.discord.suggests import Suggests
from bots.discord.threads import Threads
from core.domain.errors import OutsideError, StoreError
from core.domain.keys import Place
from core.engine.ports import Clock, Intake

ARRIVE_S = 20.0  # so long the program's start waits for Discord; a cold RESUME takes 0.1 s, a log-in 1 to 3 s
AGAIN_S = 30.0  # how often what could not be taken is tried once more
COMMANDS_KEY = "discord:commands"
BOT_NAME = "Rejoinder"

log = structlog.get_logger("rejoinder.discord")


@runtime_checkable
class CatchesUp(Protocol):
    """An intake that wants to know when everything said meanwhile has been told."""

    async def caught_up(self, platform: str) -> None:
        """See `Engine.caught_up`."""
        ...


async def _nowhere(_since_ms: int) -> tuple[Place, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator chooses, and what the wiring brings along."""

    token: str
    api: str = API
    gateway: str = ""
    catch_up_age: timedelta = timedelta(hours=6)
    language: str = "en"
    commands: tuple[str, ...] = ()
    reveal: render.Reveal = str
    suggests: Suggests | None = None
    homes: Homes = _nowhere


class DiscordServed:
    """Implements `Served`."""

    def __init__(self, options: Options, clock: Clock, kept: GatewayMemory) -> None:
        language = options.language
        self._options = options
        self._clock = clock
        self._kept = kept
        self._rest = Rest(options.token, clock, api=options.api)
        self._sender = Sender(self._rest)
        self._directory = Directory(self._rest)
        threads = Threads(self._rest, self._directory, language)
        asides = Asides(
            rest=self._rest,
            sender=self._sender,
            threads=threads,
            kept=kept,
            clock=clock,
            reveal=options.reveal,
            language=language,
        )
        self.platform = DiscordPlatform(
            rest=self._rest,
            clock=clock,
            directory=self._directory,
            threads=threads,
            sender=self._sender,
            asides=asides,
            reveal=options.reveal,
            language=language,
        )
        self._hearing = Hearing(self._directory, threads, asides, clock, bot_name=BOT_NAME)
        self._acting = Acting(
            directory=self._directory,
            threads=threads,
            sender=self._sender,
            replying=Replying(self._rest, clock, options.reveal, language),
            hearing=self._hearing,
            direct=asides,
            language=language,
        )
        self._acting.suggests = options.suggests
        self._following = Following(self._directory, asides, bot_name=BOT_NAME, language=language)
        self._inbox = Inbox(self._directory, self._hearing, self._acting, self._following, clock)
        self._catch_up = CatchUp(self._directory, self._hearing, options.homes, self._sender, clock, self._age_ms)
        self._connection = Connection(
            options.token,
            self._rest,
            clock,
            kept,
            told=self._inbox.told,
            on_login=self._on_login,
            gateway_url=options.gateway,
        )
        self._inbox.listen_to(self._connection)
        self._hearing.content = lambda: self._connection.content
        self._connection.heard_all_until_ms = self._heard_all_until_ms
        self._inbox.on_fresh = self._on_fresh
        self._tasks: set[asyncio.Task[None]] = set()
        self._down_since_ms: int | None = None
        self._fresh: set[int] = set()
        self._caught_up = False

    # -------------------------------------------------------------------------------------- Served

    def routes(self) -> Sequence[web.RouteDef]:
        """Nothing: we connect outwards."""
        return ()

    def trouble(self) -> str:
        """See `Served`."""
        failure = self._connection.failure
        return "" if failure is None else failure.detail or failure.code

    def end_streams(self) -> None:
        """Nothing is served."""

    async def connect(self, intake: Intake) -> None:
        """See `Served`."""
        self._hearing.intake = self._acting.intake = self._following.intake = intake
        self._inbox.live_from_ms = self._clock.now_ms()
        with suppress(StoreError):
            self._directory.lived_in(await self._options.homes(0))
        await self._connection.start()
        self._down_since_ms = self._connection.latest_saved_ms()
        if not await self._arrived(ARRIVE_S):
            log.warning("discord_not_there_yet", hint="the program starts without; Discord is tried on")
            self._spawn(self._arrive_later(intake))
            return
        await self._first_catch_up()

    async def disconnect(self) -> None:
        """Take nothing more in; posting and editing still work."""
        self._inbox.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._inbox.settle()
        await self._connection.close()

    async def close(self) -> None:
        """End everything; called after the engine's last post."""
        await self.platform.editor.close()
        await self._connection.close()
        await self._rest.close()

    async def abandon(self) -> None:
        """End everything at once and save nothing: what a crash does, for tests."""
        for task in tuple(self._tasks):
            task.cancel()
        await self._inbox.abandon()
        await self._connection.abandon()
        await self.platform.editor.abandon()
        await self._rest.close()

    # ------------------------------------------------------------------------------------ arriving

    async def _arrived(self, seconds: float) -> bool:
        """Whether every shard is there; raises `Refused` when none will ever be."""
        here = asyncio.create_task(self._inbox.arrived.wait())
        ended = asyncio.create_task(self._connection.ended.wait())
        try:
            await asyncio.wait((here, ended), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            here.cancel()
            ended.cancel()
        self._connection.patient = True
        if self._connection.ended.is_set() and self._connection.failure is not None:
            raise self._connection.failure
        return self._inbox.arrived.is_set()

    async def _arrive_later(self, intake: Intake) -> None:
        await self._inbox.arrived.wait()
        await self._first_catch_up()
        if isinstance(intake, CatchesUp):
            await intake.caught_up(ids.PLATFORM)

    async def _first_catch_up(self) -> None:
        """What was said while we were away: replayed, or read from the history where a shard began anew."""
        fresh, self._fresh = self._fresh, set()
        if self._down_since_ms is not None:
            await self._catch_up.run(self._down_since_ms, away=True, replayed=not fresh)
        await self._inbox.settle()
        self._connection.gap_filled()
        self._caught_up = True
        self._spawn(self._again())
        log.info("discord_connected", shards=self._connection.shards, content=self._connection.content)

    def _on_login(self, me: str, app: str) -> None:
        self._directory.me = self._sender.me = me
        self._spawn(self._register(app))

    def _on_fresh(self, shard: int) -> None:
        """A shard began a new session: whatever was said in between is in no replay (trap 12)."""
        if not self._caught_up:
            self._fresh.add(shard)
            return
        self._spawn(self._fill_gap())

    async def _fill_gap(self) -> None:
        await self._catch_up.run(self._heard_all_until_ms(), away=False)
        self._connection.gap_filled()

    async def _again(self) -> None:
        """What could not be taken (a full disk) is read again from the history until it could."""
        while True:
            await self._clock.sleep(AGAIN_S)
            since_ms, self._hearing.missed_since_ms = self._hearing.missed_since_ms, None
            if since_ms is not None:
                await self._catch_up.run(since_ms, away=False)

    def _heard_all_until_ms(self) -> int:
        """Until when everything is in the inbox."""
        if not self._caught_up:
            return self._connection.alive_ms if self._down_since_ms is None else self._down_since_ms
        open_since = (self._hearing.missed_since_ms, self._connection.lost_ms)
        return min((self._connection.alive_ms, *(each for each in open_since if each is not None)))

    def _age_ms(self) -> int:
        return round(self._options.catch_up_age.total_seconds() * 1000)

    # ------------------------------------------------------------------------------------ commands

    async def _register(self, app: str) -> None:
        """Send the commands if they are others than last time; never a reason not to run."""
        wanted = commands.payload(self._options.commands)
        digest = commands.digest(wanted, discord.__version__)
        try:
            known = await self._kept.get(COMMANDS_KEY)
            if known == [app, digest]:
                return
            await self._rest.call("PUT", f"/applications/{app}/commands", wanted)
            await self._kept.put(COMMANDS_KEY, [app, digest])
            log.info("discord_commands_sent", count=len(wanted))
        except (OutsideError, StoreError) as error:
            log.warning("discord_commands_not_sent", code=error.code, detail=error.detail)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
