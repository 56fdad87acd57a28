"""The way across: a conversation begun elsewhere goes on in Discord by its code, and is brought back.

Elsewhere is Slack, with both adapters in one process; and (soak) the built-in web chat.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from bots.slack.boots import FILE
from tests.cli.program import Running
from tests.kit.claude_script import Behaviour
from tests.kit.claude_server import ClaudeServer
from tests.kit.discord_program import Installation, installed
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Channel
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import Message
from tests.kit.slack_world import ALICE, GENERAL

T = TypeVar("T")

PATIENCE = 600  # looks
LOOK_S = 0.05
_CODE = re.compile(r"/resume ([0-9A-Z-]{19})")


class Elsewhere(Protocol):
    """Alice's thread on another platform."""

    async def say(self, text: str) -> None:
        """Alice writes in it; the first time, she begins it."""
        ...

    async def says(self, text: str) -> None:
        """Wait until the bot says so there."""
        ...

    async def code(self) -> str:
        """The code that the notice shows."""
        ...

    async def press(self, label: str) -> None:
        """Alice presses a button of the bot's there."""
        ...


class InSlack:
    """A thread of #general."""

    def __init__(self, slack: SlackServer) -> None:
        self._slack = slack
        self._root = ""

    async def say(self, text: str) -> None:
        """See `Elsewhere`."""
        said = self._slack.people.say(ALICE, GENERAL, f"{MENTION} {text}", thread=self._root)
        self._root = self._root or said

    async def says(self, text: str) -> None:
        """See `Elsewhere`."""
        await self._find(lambda message: text in message.shown or None)

    async def code(self) -> str:
        """See `Elsewhere`."""
        return (await self._find(lambda message: _CODE.search(message.shown)))[1]

    async def press(self, label: str) -> None:
        """See `Elsewhere`."""

        def look(message: Message) -> Message | None:
            return message if any(each["text"]["text"] == label for each in message.buttons) else None

        self._slack.people.press(ALICE, await self._find(look), label)

    async def _find(self, look: Callable[[Message], T | None]) -> T:
        for _ in range(PATIENCE):
            for message in reversed(self._slack.slack.channels[GENERAL].thread(self._root)):
                if message.ours and (seen := look(message)):
                    return seen
            await asyncio.sleep(LOOK_S)
        raise AssertionError([each.shown for each in self._slack.slack.channels[GENERAL].thread(self._root)])


class InTheWebChat:
    """A thread of #general at home, in whichever process runs now."""

    def __init__(self, bot: Installation) -> None:
        self._bot = bot
        self._thread = ""

    @property
    def _page(self) -> Running:
        assert self._bot.process is not None
        return self._bot.process

    async def say(self, text: str) -> None:
        """See `Elsewhere`."""
        body = {"person": "alice", "channel": "general", "text": text}
        if self._thread:
            body["thread"] = self._thread
        status, answer = await asyncio.to_thread(self._page.ask, "/api/messages", body)
        assert status == 202, answer
        self._thread = str(answer["thread"])

    async def says(self, text: str) -> None:
        """See `Elsewhere`."""
        await self._find(lambda message: text in str(message["text"]) or None)

    async def code(self) -> str:
        """See `Elsewhere`."""
        return (await self._find(lambda message: _CODE.search(str(message["text"]))))[1]

    async def press(self, label: str) -> None:
        """See `Elsewhere`."""

        def look(message: dict[str, object]) -> tuple[str, str] | None:
            buttons = message["buttons"]
            assert isinstance(buttons, list)
            return next(((str(message["id"]), each["id"]) for each in buttons if each["label"] == label), None)

        message, button = await self._find(look)
        body = {"person": "alice", "message": message, "button": button}
        status, answer = await asyncio.to_thread(self._page.ask, "/api/actions", body)
        assert status == 200, answer

    async def _find(self, look: Callable[[dict[str, object]], T | None]) -> T:
        for _ in range(PATIENCE):
            for message in reversed(await asyncio.to_thread(self._page.thread, self._thread)):
                if message["author"] == "Rejoinder" and (seen := look(message)):
                    return seen
            await asyncio.sleep(LOOK_S)
        raise AssertionError(await asyncio.to_thread(self._page.thread, self._thread))


SETTINGS = {"REJOINDER_IDLE_WARNING": "3s", "REJOINDER_IDLE_PARK": "2h"}
CALM = {"REJOINDER_IDLE_WARNING": "1h"}  # from the second process on: each notice has a new code, and ends the older


async def test_from_slack_to_discord_and_back(discord: DiscordServer, tmp_path: Path) -> None:
    """Chat in Slack, press Resume, `/resume CODE` in Discord, consent there, go on, bring it back; killed each time."""
    async with SlackServer() as slack:
        tokens = slack.environment
        async with installed(tmp_path, discord, **SETTINGS, **tokens) as (bot, claude):
            await across(discord, bot, claude, InSlack(slack))
        assert slack.slack.violations == []


@pytest.mark.soak
async def test_from_the_web_chat_to_discord_and_back(discord: DiscordServer, tmp_path: Path) -> None:
    """The same from the built-in web chat."""
    async with installed(tmp_path, discord, **SETTINGS, REJOINDER_LOCAL_CHAT="on") as (bot, claude):
        await across(discord, bot, claude, InTheWebChat(bot))


def whole(discord: DiscordServer, thread: Channel, text: str) -> bool:
    """Whether an answer stands that does not grow any more: it has no Stop button."""
    return any(each["content"] == text and not each["components"] for each in discord.ours(thread))


async def across(discord: DiscordServer, bot: Installation, claude: ClaudeServer, there: Elsewhere) -> None:
    """The journey, killed after each of its steps."""

    async def killed() -> None:
        await bot.kill()
        # Six crashes in a minute are a crash loop, and Slack's door is braked for that; here they are six bad days.
        (bot.program.data_dir / FILE).unlink(missing_ok=True)
        await bot.start()

    await bot.start()
    claude.push(Behaviour(text="Noted."))
    await there.say("My app is called Lumen.")
    await there.says("Noted.")
    code = await there.code()
    bot.program.more.update(CALM)
    await killed()

    await there.press("Resume")
    await there.says("Back: everything kept.")
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
    await discord.until(lambda: whole(discord, thread, "It is Lumen."))
    assert "My app is called Lumen." in str(claude.log[-1].body)
    await killed()

    await there.press("Bring it back here")
    await discord.until(lambda: "continues in" in discord.texts(thread)[-1])  # the thread says where it went
    await killed()
    claude.push(Behaviour(text="Still Lumen."))
    await there.say("And now?")
    await there.says("Still Lumen.")
    assert "What is my app called?" in str(claude.log[-1].body)
    files = (bot.program.data_dir).rglob("*.db*")
    assert not any(code in file.read_bytes().decode("latin-1") for file in files)
    assert code not in bot.log
