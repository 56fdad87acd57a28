"""A new gateway session is saved before anything that it tells is taken, and a slow or full disk holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from bots.discord.budget import STARTS
from bots.discord.memory import session_key
from bots.discord.served import DiscordServed, Options
from core.codec import Json
from core.domain.decision import Decision
from core.domain.errors import StoreError
from core.domain.events import Event, MessageReceived
from core.drivers.clock import SystemClock
from core.engine.ports import Accepted, Claim
from tests.kit.discord_memory import NoMemory
from tests.kit.discord_server import DiscordServer

T = TypeVar("T")


class Ears:
    """An intake that only listens."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Note what was said."""
        if isinstance(event, MessageReceived):
            self.heard.append(event.text)
        return Accepted(decision=Decision())


class Disk(NoMemory):
    """Remembers; `put` of a key in `held` waits for its event, with `broken` set it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, asyncio.Event] = {}
        self.broken = False

    async def get(self, key: str) -> Json:
        """See `GatewayMemory`; starts are not counted here, so that nobody waits for the next."""
        return None if key == STARTS else await super().get(key)

    async def put(self, key: str, value: Json) -> None:
        """See `GatewayMemory`."""
        if self.broken:
            raise StoreError(code="store_full")
        if key in self.held:
            await self.held[key].wait()
        await super().put(key, value)


@asynccontextmanager
async def adapter(discord: DiscordServer, disk: Disk, ears: Ears) -> AsyncIterator[DiscordServed]:
    """The adapter alone."""
    options = Options(token=discord.token, api=discord.api_url, gateway=discord.gateway_url)
    served = DiscordServed(options, SystemClock(), disk)
    await served.connect(ears)
    try:
        yield served
    finally:
        for each in disk.held.values():
            each.set()
        await served.disconnect()
        await served.close()


async def soon(discord: DiscordServer, look: Callable[[], T | None]) -> T:
    """What `look` gives, a while before a disk is given up."""
    return await discord.until(look, patience_s=10)


async def test_nothing_is_taken_before_the_session_is_saved(discord: DiscordServer) -> None:
    """A process that dies young has taken no direct message that nobody could find again."""
    disk, ears = Disk(), Ears()
    held = disk.held[session_key(0)] = asyncio.Event()
    async with adapter(discord, disk, ears):
        discord.people.say("alice", discord.people.dm("alice"), "hello")
        await asyncio.sleep(0.3)
        assert ears.heard == []
        held.set()
        await soon(discord, lambda: ears.heard == ["hello"])
        assert await disk.get(session_key(0)) is not None


async def test_a_disk_that_hangs_holds_up_nobody_for_long(discord: DiscordServer) -> None:
    """The save never ends: people are answered all the same."""
    disk, ears = Disk(), Ears()
    disk.held[session_key(0)] = asyncio.Event()
    async with adapter(discord, disk, ears):
        discord.people.say("alice", discord.people.dm("alice"), "hello")
        await soon(discord, lambda: ears.heard == ["hello"])


async def test_a_disk_that_fails_holds_up_nobody(discord: DiscordServer) -> None:
    """The save fails: people are answered all the same."""
    disk, ears = Disk(), Ears()
    disk.broken = True
    async with adapter(discord, disk, ears):
        discord.people.say("alice", discord.people.dm("alice"), "hello")
        await soon(discord, lambda: ears.heard == ["hello"])


@pytest.mark.parametrize("late", [0, 1])
async def test_each_shard_waits_for_its_own_session(discord: DiscordServer, late: int) -> None:
    """One shard's slow save neither holds up the other nor is forgotten because of it."""
    discord.gateway.shards = 2
    channels = [discord.people.channel(f"room{n}", guild=f"guild{n}") for n in range(2)]
    while {(int(each.guild_id) >> 22) % 2 for each in channels} != {0, 1}:  # the shard of a server follows from its id
        await asyncio.sleep(0.003)
        n = len(discord.world.guilds)
        channels[1] = discord.people.channel(f"room{n}", guild=f"guild{n}")
    by_shard = {(int(each.guild_id) >> 22) % 2: each for each in channels}
    disk, ears = Disk(), Ears()
    held = disk.held[session_key(late)] = asyncio.Event()
    async with adapter(discord, disk, ears):
        for shard in (late, 1 - late):
            discord.people.mention("alice", by_shard[shard], f"to {shard}")
        await soon(discord, lambda: f"to {1 - late}" in ears.heard)
        held.set()
        await soon(discord, lambda: len(ears.heard) == 2)
        assert ears.heard[-1] == f"to {late}"
