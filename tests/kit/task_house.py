"""The real program as a person with a long task sees it: web chat, a scripted Messages API, perhaps a tool server.

Knows: how a task's plan is scripted, how buttons are found and pressed. Must not know: what is tested.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp

from tests.kit.process import Bot, Claude, until
from tests.kit.tools import ToolProcess

Message = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHouse:
    """The program and what it stands on; what one person sees of it, and does."""

    bot: Bot
    claude: Claude
    server: ToolProcess | None
    workspace: str = "home"
    _keys: count[int] = field(default_factory=count)

    def key(self) -> str:
        """A key that was not used before."""
        return f"key{next(self._keys)}"

    async def say(self, text: str, *, person: str = "alice", thread: str = "", workspace: str = "home") -> str:
        """Say something; the thread's id."""
        body = {"person": person, "channel": "general", "workspace": workspace, "text": text, "key": self.key()}
        return str((await self.bot.ask("/api/messages", body | ({"thread": thread} if thread else {})))["thread"])

    async def told(self, text: str, *, person: str = "alice", thread: str = "", workspace: str = "home") -> str:
        """The private answer to a command or a code."""
        body = {"person": person, "channel": "general", "workspace": workspace, "text": text, "key": self.key()}
        return said_privately(await self.bot.ask("/api/messages", body | ({"thread": thread} if thread else {})))

    async def seen(self, thread: str, words: str, *, person: str = "alice") -> Message:
        """The newest post of the bot with these words, as soon as there is one."""

        async def look() -> Message | None:
            for each in reversed(await self.bot.thread(thread, person)):
                if each["bot"] and not each.get("private") and words in str(each["text"]):
                    return each
            return None

        return await until(look)

    async def press(self, thread: str, label: str, *, person: str = "alice", seen_by: str = "") -> str:
        """Press the newest button with this label as soon as it is there; what is answered privately.

        `seen_by`: whoever sees the button, when somebody else presses it.
        """

        async def look() -> tuple[str, str] | None:
            for message in reversed(await self.bot.thread(thread, seen_by or person)):
                for each in buttons_of(message):
                    if each["label"] == label:
                        return str(message["id"]), str(each["id"])
            return None

        return await self.press_id(*await until(look), person=person)

    async def press_id(self, message: str, button: str, *, person: str = "alice", value: str = "") -> str:
        """Press a button by its id; what is answered privately."""
        body = {"person": person, "message": message, "button": button, "key": self.key()}
        return said_privately(await self.bot.ask("/api/actions", body | ({"value": value} if value else {})))

    async def let_pass(self, by: str) -> None:
        """Let time pass, as the page's button does."""
        await self.bot.ask("/api/time", {"by": by})

    async def asked(self, words: str) -> int:
        """How often the model was asked with these words in the last message."""
        return sum(words in str(call["body"]["messages"][-1]) for call in await self.claude.calls())  # type: ignore[index]


def buttons_of(message: Message) -> Sequence[Mapping[str, object]]:
    """The buttons below a message."""
    buttons = message["buttons"]
    assert isinstance(buttons, list)
    return buttons


def labels(message: Message) -> list[str]:
    """What can be pressed below a message."""
    return [str(each["label"]) for each in buttons_of(message)]


def said_privately(answer: Mapping[str, object]) -> str:
    """The text of a private answer, "" when there is none."""
    reply = answer.get("reply")
    return str(reply.get("text", "")) if isinstance(reply, Mapping) else ""


@asynccontextmanager
async def task_house(
    folder: Path, rules: Sequence[Mapping[str, object]], *, tools: bool = False, **settings: str
) -> AsyncIterator[TaskHouse]:
    """The program, whose model answers by these rules, each as often as it is asked unless `times` says otherwise."""
    async with AsyncExitStack() as stack:
        server = None
        environment = dict(settings)
        if tools:
            server = ToolProcess(folder / "calls")
            stack.callback(server.kill)
            server.wait()
            (folder / "rejoinder.toml").write_text(f"[tools.kit]\nurl = '{server.url}'\ntimeout = '5s'\n", "utf-8")
            environment["REJOINDER_CONFIG"] = str(folder / "rejoinder.toml")
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start(
            {"default": {"text": "That is all."}, "rules": [{"times": 0} | dict(each) for each in rules]}
        )
        environment |= {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": claude.url}
        bot = Bot(http, folder / "data", environment)
        stack.push_async_callback(bot.kill)
        await bot.start()
        yield TaskHouse(bot=bot, claude=claude, server=server)
