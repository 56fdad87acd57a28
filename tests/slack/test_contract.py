"""The platform contract, kept by Slack with and without streams, and by the built-in web chat."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.slack.adapter import SlackPlatform
from bots.slack.ids import Ref, place
from core.domain.keys import PersonKey, Place
from core.engine.ports import Piece, Platform
from tests.kit.platform_contract import PlatformContract, Seen
from tests.kit.slack_state import BOT_TOKEN, TEAM, Message
from tests.kit.slack_world import ALICE, DM, GENERAL, SlackWorld


def read(message: Message) -> str:
    """What a reader reads; sections of one text are shown as one."""
    sections = [block["text"]["text"] for block in message.blocks if block["type"] == "section"]
    return "".join(sections) or message.shown


class SlackStage:
    """The adapter alone on a loopback Slack; the engine does not hear what is said there."""

    def __init__(self, world: SlackWorld, channel: str) -> None:
        self.world = world
        self.person = PersonKey(platform="slack", workspace=TEAM, user=ALICE)
        self._channel = channel
        self.platform: Platform = self._new()

    def _new(self) -> SlackPlatform:
        return SlackPlatform(BOT_TOKEN, self.world.clock, api_url=self.world.server.url)

    async def say(self, text: str, *, file: bytes | None = None) -> tuple[Place, str, str]:
        """See `Stage`."""
        files: tuple[str, ...] = ()
        if file is not None:
            files = (self.world.people.add_file("a.txt", "text/plain", file, self.world.server.host),)
        ts = self.world.people.say(ALICE, self._channel, text, files=files)
        ref = str(Ref(channel=self._channel, ts=ts, thread=ts))
        return place(TEAM, self._channel, ts), ref, files[0] if files else ""

    async def write(self, ref: str, piece: Piece) -> str:
        """See `Stage`; whether a file is shared is looked at for some seconds."""
        writing = asyncio.create_task(self.platform.write_answer(ref, piece))
        while not writing.done():
            await self.world.clock.advance(0.5)
            await asyncio.sleep(0.002)
        return await writing

    async def files(self, place: Place) -> list[tuple[str, bytes]]:
        """See `Stage`."""
        return self.world.files(place.thread, place.channel)

    async def seen(self, place: Place) -> list[Seen]:
        """See `Stage`."""
        await self.world.run(10.0, step=1.0)
        channel = self.world.server.slack.channels[place.channel]
        messages = channel.thread(place.thread) if place.thread else channel.roots()
        return [
            Seen(html.unescape(read(each)), [button["text"]["text"] for button in each.buttons])
            for each in messages
            if each.ours and not each.files
        ]

    async def forget_everything(self) -> None:
        """See `Stage`."""
        await self.world.run(3.0)
        old = self.platform
        self.platform = self._new()
        assert isinstance(old, SlackPlatform)
        for answer in list(old.answers._live.values()):  # noqa: SLF001  (a crash: nothing is ended)
            await answer.stop()
        old.answers._live.clear()  # noqa: SLF001
        await old.close()

    def now_ms(self) -> int:
        """See `Stage`."""
        return self.world.clock.now_ms()

    async def close(self) -> None:
        """End it."""
        assert isinstance(self.platform, SlackPlatform)
        await self.platform.close()


@pytest.fixture(params=["channel", "direct", "without streams", "without markdown"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SlackStage]:
    """Slack's ways to write an answer."""
    world = await SlackWorld.open(tmp_path, start=False)
    world.server.slack.agent = not request.param.startswith("without")
    world.server.slack.blocks_refused = {"markdown"} if request.param == "without markdown" else set()
    stage = SlackStage(world, DM if request.param == "direct" else GENERAL)
    yield stage
    await stage.close()
    await world.close()
    assert world.server.slack.violations == []


class TestSlack(PlatformContract):
    """Slack keeps the contract."""
