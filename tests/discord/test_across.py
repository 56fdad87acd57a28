"""The way across: a conversation begun elsewhere goes on in Discord by its code, and is brought back.

Elsewhere is the built-in web chat here; with Slack beside Discord the same journey stands in its place.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.cli.program import Running
from tests.kit.claude_script import Behaviour
from tests.kit.discord_program import Installation, installed
from tests.kit.discord_server import DiscordServer

T = TypeVar("T")

_CODE = re.compile(r"/resume ([0-9A-Z-]{19})")


class Elsewhere:
    """The web chat of whichever process runs now."""

    def __init__(self, bot: Installation) -> None:
        self._bot = bot
        self.thread = ""

    @property
    def page(self) -> Running:
        """The running process."""
        assert self._bot.process is not None
        return self._bot.process

    async def say(self, text: str) -> None:
        """Alice writes in #general at home."""
        body = {"person": "alice", "channel": "general", "text": text}
        if self.thread:
            body["thread"] = self.thread
        status, answer = await asyncio.to_thread(self.page.ask, "/api/messages", body)
        assert status == 202, answer
        self.thread = str(answer["thread"])

    async def find(self, look: Callable[[dict[str, object]], T | None]) -> T:
        """The first message of ours in the thread in which there is something to see."""
        for _ in range(600):
            for message in reversed(await asyncio.to_thread(self.page.thread, self.thread)):
                if message["author"] == "Rejoinder" and (seen := look(message)):
                    return seen
            await asyncio.sleep(0.05)
        raise AssertionError(await asyncio.to_thread(self.page.thread, self.thread))

    async def says(self, text: str) -> None:
        """Wait until we say so there."""
        await self.find(lambda message: text in str(message["text"]) or None)

    async def code(self) -> str:
        """The code that the notice shows."""
        return (await self.find(lambda message: _CODE.search(str(message["text"]))))[1]

    async def press(self, label: str) -> None:
        """Alice presses a button."""

        def look(message: dict[str, object]) -> tuple[str, str] | None:
            buttons = message["buttons"]
            assert isinstance(buttons, list)
            return next(((str(message["id"]), each["id"]) for each in buttons if each["label"] == label), None)

        message, button = await self.find(look)
        body = {"person": "alice", "message": message, "button": button}
        status, answer = await asyncio.to_thread(self.page.ask, "/api/actions", body)
        assert status == 200, answer


async def test_a_conversation_crosses_over_and_comes_back(discord: DiscordServer, tmp_path: Path) -> None:
    """Chat there, `/resume CODE` in Discord, consent there, go on in Discord, bring it back; killed after each step."""
    settings = {"REJOINDER_LOCAL_CHAT": "on", "REJOINDER_IDLE_WARNING": "3s", "REJOINDER_IDLE_PARK": "2h"}
    async with installed(tmp_path, discord, **settings) as (bot, claude):
        await bot.start()
        there = Elsewhere(bot)

        async def killed() -> None:
            await bot.kill()
            await bot.start()

        claude.push(Behaviour(text="Noted."))
        await there.say("My app is called Lumen.")
        await there.says("Noted.")
        code = await there.code()
        await killed()

        channel = discord.people.channel("other")
        asked = await discord.told(discord.people.slash("ally", channel, "resume", code=code))
        assert asked.ephemeral
        starter = (await discord.until(lambda: discord.ours(channel)))[0]
        await killed()

        await there.press("Allow")
        thread = await discord.until(lambda: discord.world.channels.get(starter["id"]))
        await killed()

        claude.push(Behaviour(text="It is Lumen."))
        discord.people.say("ally", thread, "What is my app called?")
        await discord.until(lambda: "It is Lumen." in discord.texts(thread))
        assert "My app is called Lumen." in str(claude.log[-1].body)
        await killed()

        await there.press("Bring it back here")
        claude.push(Behaviour(text="Still Lumen."))
        await killed()
        await there.say("And now?")
        await there.says("Still Lumen.")
        assert "What is my app called?" in str(claude.log[-1].body)
        everything = " ".join(file.read_bytes().decode("latin-1") for file in (tmp_path / "data").rglob("*.db*"))
        assert code not in everything
        assert code not in bot.log
