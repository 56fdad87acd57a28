"""Where many people begin tasks and read their answers: the web chat, Slack and Discord.

Knows: how a task is begun there, and which messages are its card and its answers. Must not know: who is killed.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from tests.kit.discord_server import DiscordServer
from tests.kit.process import Bot
from tests.kit.slack_people import MENTION
from tests.kit.slack_server import SlackServer
from tests.kit.slack_state import StreamState
from tests.kit.slack_world import GENERAL


class Office(Protocol):
    """One platform. `texts` is None while something in a thread is being written."""

    environment: Mapping[str, str]

    async def begin(self, bot: Bot, n: int) -> str:
        """The `n`-th person begins a task "goal n"; its thread."""
        ...

    async def texts(self, bot: Bot, n: int, thread: str) -> list[str] | None:
        """What the bot says there."""
        ...

    @property
    def problems(self) -> list[str]:
        """What the platform had to complain about."""
        ...


class LocalOffice:
    """The built-in web chat."""

    environment: Mapping[str, str] = {}
    problems: list[str] = []  # noqa: RUF012 -- there is none, ever

    async def begin(self, bot: Bot, n: int) -> str:
        """See `Office`."""
        return await bot.say(f"p{n}", f"/task goal {n}", key="k")

    async def texts(self, bot: Bot, n: int, thread: str) -> list[str] | None:
        """See `Office`."""
        messages = [each for each in await bot.thread(thread, f"p{n}") if each["bot"]]
        return [str(each["text"]) for each in messages] if all(each["state"] == "done" for each in messages) else None


class SlackOffice:
    """A loopback Slack: each in a thread of #general."""

    def __init__(self, server: SlackServer) -> None:
        self._server = server
        self.environment: Mapping[str, str] = server.environment

    async def begin(self, bot: Bot, n: int) -> str:
        """See `Office`."""
        user = f"U0P{n}"
        self._server.slack.add_user(user, f"P{n}")
        self._server.slack.channels[GENERAL].members.add(user)
        return self._server.people.say(user, GENERAL, f"{MENTION} /task goal {n}")

    async def texts(self, bot: Bot, n: int, thread: str) -> list[str] | None:
        """See `Office`."""
        ours = [each for each in self._server.slack.channels[GENERAL].thread(thread) if each.ours]
        live = any(each.stream is not None and each.stream.state is StreamState.LIVE for each in ours)
        return None if live else [html.unescape(each.shown) for each in ours]

    @property
    def problems(self) -> list[str]:
        """See `Office`."""
        return self._server.slack.violations


class DiscordOffice:
    """A loopback Discord: each by a command in #general, which opens a thread."""

    def __init__(self, server: DiscordServer) -> None:
        self._server = server
        server.people.channel("general")
        self.environment: Mapping[str, str] = server.environment

    async def begin(self, bot: Bot, n: int) -> str:
        """See `Office`."""
        channel = self._server.people.channel("general")
        await self._server.told(self._server.people.slash(f"p{n}", channel, "task", goal=f"goal {n}"))
        while True:
            for each in self._server.world.channels.values():
                if each.is_thread and any(text.startswith(f"**goal {n}**") for text in self._server.texts(each)):
                    return each.id
            await asyncio.sleep(0.05)

    async def texts(self, bot: Bot, n: int, thread: str) -> list[str] | None:
        """See `Office`."""
        ours = self._server.ours(thread)
        return None if any("Stop" in str(each["components"]) for each in ours) else [each["content"] for each in ours]

    @property
    def problems(self) -> list[str]:
        """See `Office`."""
        return self._server.oracle.problems if self._server.oracle else []


@asynccontextmanager
async def office(name: str) -> AsyncIterator[Office]:
    """A platform by its name."""
    if name == "slack":
        async with SlackServer() as slack:
            yield SlackOffice(slack)
    elif name == "discord":
        async with DiscordServer() as discord:
            yield DiscordOffice(discord)
    else:
        yield LocalOffice()
