"""The whole house on the loopback Discord, in one process: real store, real engine, the real adapter, real sockets.

Knows: how the parts fit, how they stop calmly, crash and come back. Must not know: what is tested. Time is real; a test
that needs hours moves the product's clock forward (`pass_time`) or Discord's (`discord.time.advance`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from bots.app import Suggesting
from bots.discord.served import DiscordServed, Options
from core.domain.codes import reveal
from core.domain.decision import Policy
from core.domain.rules.commands import COMMANDS
from core.drivers.clock import SystemClock
from core.engine.loop import Engine
from core.engine.points import Point, nowhere
from core.engine.ports import Model, Platform
from core.engine.tool_ports import Tools
from storage import open_store
from storage.memory import SqliteMemory
from storage.sqlite import SqliteStore
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Channel, Payload
from tests.kit.scripted import ScriptedModel, Step
from tests.kit.world import KEYS

QUICK = Policy(debounce_ms=30)

_BOOTS = itertools.count(1)


class House:
    """One installation: `start`, then `stop` or `crash`, and `start` again on the same file."""

    def __init__(self, path: Path, discord: DiscordServer, *, policy: Policy = QUICK) -> None:
        self.path = path
        self.discord = discord
        self.policy = policy
        self.clock = SystemClock()
        self.model: Model = ScriptedModel(self.clock)
        self.catch_up_age = timedelta(hours=6)
        self.point: Point = nowhere
        self.running = False
        self.tools: Tools | None = None
        self.store: SqliteStore
        self.engine: Engine
        self.served: DiscordServed

    def script(self, *scripts: Sequence[Step]) -> ScriptedModel:
        """What the model says in its next calls."""
        self.model = ScriptedModel(self.clock, scripts)
        if self.running:
            self.engine._asking._model = self.model  # noqa: SLF001  (a model is given once, in production)
        return self.model

    async def start(self) -> None:
        """Open the file, recover, connect, catch up."""
        self.store = await open_store(self.path, code_keys=KEYS, on_point=self.point)
        platforms: dict[str, Platform] = {}
        self.engine = Engine(
            store=self.store,
            model=self.model,
            platforms=platforms,
            clock=self.clock,
            policy=self.policy,
            code_keys=KEYS,
            boot=f"boot-{next(_BOOTS)}",
            point=self.point,
            tools=self.tools,
        )
        options = Options(
            token=self.discord.token,
            api=self.discord.api_url,
            gateway=self.discord.gateway_url,
            catch_up_age=self.catch_up_age,
            commands=tuple(COMMANDS),
            reveal=partial(reveal, KEYS),
            suggests=Suggesting(self.store, self.clock, "en"),
            homes=partial(self.store.homes, "discord"),
        )
        self.served = DiscordServed(options, self.clock, SqliteMemory(self.store))
        platforms["discord"] = self.served.platform
        self.running = True
        await self.engine.start()
        await self.served.connect(self.engine)
        await self.engine.caught_up("discord")

    async def stop(self) -> None:
        """End calmly, as SIGTERM does."""
        if self.running:
            self.running = False
            await self.served.disconnect()
            await self.engine.drain(5.0)
            await self.engine.close()
            await self.served.close()
            await self.store.close()

    async def crash(self) -> None:
        """Drop everything at once; nothing more is written or sent."""
        if self.running:
            self.running = False
            await self.engine.abandon()
            await self.served.abandon()
            await self.store.close()

    async def pass_time(self, **ago: float) -> None:
        """Let hours pass for the product, and ring whoever is due; work that is under way would put it off."""
        await self.discord.until(lambda: self.engine.idle)
        self.clock.advance(round(timedelta(**ago).total_seconds() * 1000))
        await self.engine.ring()

    async def answered(self, channel: Channel | str, *texts: str) -> list[Payload]:
        """The bot's messages in a channel, once they read so and none is growing any more."""
        wanted = list(texts)

        def look() -> list[Payload]:
            ours = self.discord.ours(channel)
            return ours if [each["content"] for each in ours] == wanted else []

        try:
            return await self.discord.until(look)
        except AssertionError:
            raise AssertionError(f"wanted {wanted}, stands {self.discord.texts(channel)}") from None
