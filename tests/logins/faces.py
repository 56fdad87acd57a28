"""The same story on the web chat, Slack and Discord: how somebody asks, sees, and presses there.

Knows: the loopback of each platform, and the program's environment for it. Must not know: what is tested.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Payload
from tests.kit.platform_signin import SECRET, SignIn
from tests.kit.process import Bot, until
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import CLIENT_ID, SlackServer
from tests.kit.slack_state import Message
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL

_LINK = re.compile(r"http://127[^\s)|>]+/connect/\w+")


class Face(Protocol):
    """One platform."""

    environment: Mapping[str, str]

    async def ask(self, bot: Bot, text: str) -> None:
        """Alice asks something in a channel."""
        ...

    async def texts(self, bot: Bot) -> list[str]:
        """What the bot says in the thread, where everybody reads it."""
        ...

    async def labels(self, bot: Bot) -> list[str]:
        """The buttons of the newest message that has any."""
        ...

    async def link(self, bot: Bot) -> str | None:
        """Alice presses [Sign in]; the link that she alone is told."""
        ...


class Local:
    """The built-in web chat."""

    environment: Mapping[str, str] = {}

    def __init__(self) -> None:
        self._thread = ""
        self._presses = 0

    async def ask(self, bot: Bot, text: str) -> None:
        """See `Face`."""
        self._thread = await bot.say("alice", text, key="k1")

    async def texts(self, bot: Bot) -> list[str]:
        """See `Face`: as Bob reads it, so that what is told privately is not among it."""
        return [str(each["text"]) for each in await bot.thread(self._thread, "bob") if each["author"] != "alice"]

    async def labels(self, bot: Bot) -> list[str]:
        """See `Face`."""
        return [label for _, label, _ in await self._buttons(bot)]

    async def link(self, bot: Bot) -> str | None:
        """See `Face`."""
        message, _, button = next(each for each in await self._buttons(bot) if each[1] == "Sign in")
        self._presses += 1
        await bot.press("alice", message, button, key=f"press-{self._presses}")
        told = [_LINK.search(str(each["text"])) for each in await bot.thread(self._thread, "alice")]
        return next((found[0] for found in reversed(told) if found is not None), None)

    async def _buttons(self, bot: Bot) -> list[tuple[str, str, str]]:
        for message in reversed(await bot.thread(self._thread, "alice")):
            buttons = message["buttons"]
            assert isinstance(buttons, list)
            if buttons:
                return [(str(message["id"]), str(each["label"]), str(each["id"])) for each in buttons]
        return []


class Busy(Face, Protocol):
    """A platform on which buttons of every kind are pressed, and tasks begun."""

    async def task(self, bot: Bot, goal: str) -> None:
        """Alice begins a task."""
        ...

    async def press(self, label: str) -> None:
        """Alice presses the newest button with this label."""
        ...

    async def refused(self, label: str) -> str:
        """Bob presses it; what he alone is told."""
        ...


class Vouching(Busy, Protocol):
    """A platform that says whose browser it is."""

    sign_in: SignIn
    proof: Mapping[str, str]  # the program's environment for it

    async def whispers(self) -> list[str]:
        """What the bot says to Alice alone, by itself."""
        ...

    async def answer_whisper(self, label: str) -> None:
        """Alice presses a button there."""
        ...


class OnSlack:
    """A loopback Slack."""

    def __init__(self, server: SlackServer) -> None:
        self.server = server
        self._root = ""
        self.environment: Mapping[str, str] = {
            **server.environment,
        }
        self.sign_in = server.sign_in
        self.proof: Mapping[str, str] = {
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": SECRET,
            "SLACK_AUTHORIZE_URL": f"{server.host}/openid/connect/authorize",
        }

    async def ask(self, bot: Bot, text: str, files: tuple[str, ...] = ()) -> None:
        """See `Face`."""
        self._root = self.server.people.say(ALICE, GENERAL, f"{MENTION} {text}", files=files)

    async def texts(self, bot: Bot) -> list[str]:
        """See `Face`."""
        return [html.unescape(each.shown) for each in self._ours()]

    async def labels(self, bot: Bot) -> list[str]:
        """See `Face`."""
        found = next((each for each in reversed(self._ours()) if each.buttons), None)
        return [] if found is None else [each["text"]["text"] for each in found.buttons]

    async def link(self, bot: Bot) -> str | None:
        """See `Face`."""
        card = next(each for each in reversed(self._ours()) if "Sign in" in str(each.buttons))
        self.server.people.close_modals(ALICE)
        self.server.people.press(ALICE, card, "Sign in")

        async def told() -> str | None:
            views = [each.view for each in self.server.slack.modals.values() if each.user == ALICE]
            found = [_LINK.search(str(each)) for each in views]
            return next((each[0] for each in found if each is not None), None)

        return await until(told)

    async def task(self, bot: Bot, goal: str) -> None:
        """See `Busy`."""
        await self.ask(bot, f"/task {goal}")

    async def press(self, label: str) -> None:
        """See `Busy`."""
        self.server.people.press(ALICE, self._with(label), label)

    async def refused(self, label: str) -> str:
        """See `Busy`: an old client shows him the button all the same."""
        card = self._with(label)
        for button in card.buttons:
            button.pop("visible_to_user_ids", None)
        self.server.people.press(BOB, card, label)

        async def told() -> str | None:
            return next((str(each.view) for each in self.server.slack.modals.values() if each.user == BOB), None)

        return await until(told)

    async def whispers(self) -> list[str]:
        """See `Vouching`."""
        return [html.unescape(each.shown) for each in self._private()]

    async def answer_whisper(self, label: str) -> None:
        """See `Vouching`."""
        self.server.people.press(ALICE, self._private()[-1], label)

    def _private(self) -> list[Message]:
        found = self.server.slack.channels[DM].messages
        return [each for _, each in sorted(found.items()) if each.ours]

    def _with(self, label: str) -> Message:
        found = (each for each in reversed(self._ours()) if any(b["text"]["text"] == label for b in each.buttons))
        return next(found)

    def _ours(self) -> list[Message]:
        thread = self.server.slack.channels[GENERAL].thread(self._root)
        return [each for each in thread if each.ours]


class OnDiscord:
    """A loopback Discord."""

    def __init__(self, server: DiscordServer) -> None:
        self.server = server
        self._thread = ""
        server.people.channel("general")
        self.environment: Mapping[str, str] = {
            **server.environment,
        }
        self.sign_in = server.sign_in
        self.proof: Mapping[str, str] = {
            "DISCORD_CLIENT_SECRET": SECRET,
            "DISCORD_AUTHORIZE_URL": f"{server.host}/oauth2/authorize",
        }

    async def ask(self, bot: Bot, text: str, files: Sequence[tuple[str, str, bytes]] = ()) -> None:
        """See `Face`."""
        channel = self.server.people.channel("general")
        self._thread = self.server.people.say("alice", channel, f"@bot {text}", files=files)["id"]

    async def texts(self, bot: Bot) -> list[str]:
        """See `Face`."""
        return self.server.texts(self._thread)

    async def labels(self, bot: Bot) -> list[str]:
        """See `Face`."""
        for message in reversed(self.server.ours(self._thread)):
            found = [each["label"] for row in message["components"] for each in row["components"] if "label" in each]
            if found:
                return found
        return []

    async def link(self, bot: Bot) -> str | None:
        """See `Face`."""
        card = next(each for each in reversed(self.server.ours(self._thread)) if "Sign in" in str(each["components"]))
        told = await self.server.told(self.server.people.press("alice", card, "Sign in"))
        assert told.ephemeral
        found = _LINK.search(told.text)
        return None if found is None else found[0]

    async def task(self, bot: Bot, goal: str) -> None:
        """See `Busy`."""
        channel = self.server.people.channel("general")
        await self.server.told(self.server.people.slash("alice", channel, "task", goal=goal))
        self._thread = str(self.server.ours(channel)[-1]["id"])
        await self.server.until(lambda: self.server.world.channels.get(self._thread))

    async def press(self, label: str) -> None:
        """See `Busy`."""
        await self.server.told(self.server.people.press("alice", self._with(label), label))

    async def refused(self, label: str) -> str:
        """See `Busy`."""
        told = await self.server.told(self.server.people.press("bob", self._with(label), label))
        assert told.ephemeral
        return told.text

    async def whispers(self) -> list[str]:
        """See `Vouching`."""
        return self.server.texts(self.server.people.dm("alice"))

    async def answer_whisper(self, label: str) -> None:
        """See `Vouching`."""
        card = self.server.ours(self.server.people.dm("alice"))[-1]
        await self.server.told(self.server.people.press("alice", card, label))

    def _with(self, label: str) -> Payload:
        return next(each for each in reversed(self.server.ours(self._thread)) if label in str(each["components"]))


@asynccontextmanager
async def busy(name: str) -> AsyncIterator[Busy]:
    """Slack or Discord."""
    async with face(name) as platform:
        assert isinstance(platform, OnSlack | OnDiscord)
        yield platform


@asynccontextmanager
async def vouching(name: str) -> AsyncIterator[Vouching]:
    """Slack or Discord."""
    async with face(name) as platform:
        assert isinstance(platform, OnSlack | OnDiscord)
        yield platform


@asynccontextmanager
async def face(name: str) -> AsyncIterator[Face]:
    """A platform by its name."""
    if name == "slack":
        async with SlackServer() as slack:
            yield OnSlack(slack)
            assert slack.slack.violations == []
    elif name == "discord":
        async with DiscordServer() as discord:
            yield OnDiscord(discord)
            assert "\n".join(discord.oracle.problems if discord.oracle else []) == ""
    else:
        yield Local()
