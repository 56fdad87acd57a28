"""The real program with a real tool server and the real client of the model, killed in the middle of tool calls."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.kit.process import Bot, Claude, until
from tests.kit.tools import ToolProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The program and what it stands on."""

    bot: Bot
    claude: Claude
    server: ToolProcess

    async def answer(self, thread: str, *, state: str = "done") -> str:
        """The text of the bot's answer when it is in this state; a card is no answer."""

        async def look() -> str | None:
            said = [each for each in await self.bot.thread(thread, "alice") if each["author"] == "Rejoinder"]
            found = [str(each["text"]) for each in said if each["state"] == state and "kit: " not in str(each["text"])]
            return found[0] if found else None

        return await until(look)

    async def press(self, thread: str, label: str) -> None:
        """Press the newest button with this label as soon as it is there."""

        async def look() -> tuple[str, str] | None:
            for message in reversed(await self.bot.thread(thread, "alice")):
                buttons = message["buttons"]
                assert isinstance(buttons, list)
                for each in buttons:
                    if each["label"] == label:
                        return str(message["id"]), str(each["id"])
            return None

        message, button = await until(look)
        await self.bot.press("alice", message, button, key=f"{label}:{message}")

    async def called(self, tool: str, times: int = 1) -> None:
        """Return when the tool was called so often."""

        async def look() -> bool | None:
            return True if self.server.calls()[tool] >= times else None

        await until(look)

    async def violations(self) -> list[object]:
        """Requests that the Messages API would have refused."""
        return [call["status"] for call in await self.claude.calls() if call["status"] != 200]


def use(name: str, **arguments: object) -> dict[str, object]:
    """A block that asks for a tool."""
    return {"type": "tool_use", "id": f"toolu_{name}", "name": f"kit__{name}", "input": arguments}


@asynccontextmanager
async def house(
    folder: Path, *uses: Mapping[str, object], piped: bool = False, seconds: int = 5
) -> AsyncIterator[House]:
    """The program, whose model first asks for these tools and then answers; both times it thinks."""
    log = folder / "calls"
    server = ToolProcess(log)
    server.wait()
    config = folder / "rejoinder.toml"
    way = (
        f'command = ["{sys.executable}", "-m", "tests.kit.tool_server", "{log}"]' if piped else f'url = "{server.url}"'
    )
    config.write_text(f"[tools.kit]\n{way}\ntimeout = '{seconds}s'\n", "utf-8")
    asks = {"when": "please", "text": "Let me see.", "thinking": "hm", "blocks": uses, "stop_reason": "tool_use"}
    async with AsyncExitStack() as stack:
        stack.callback(server.kill)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        claude = Claude(http)
        stack.push_async_callback(claude.end)
        await claude.start({"default": {"text": "That is all.", "thinking": "aha"}, "rules": [asks]})
        environment = {
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
            "REJOINDER_CONFIG": str(config),
            "PYTHONPATH": str(Path.cwd()),
        }
        bot = Bot(http, folder / "data", environment)
        stack.push_async_callback(bot.kill)
        await bot.start()
        yield House(bot=bot, claude=claude, server=server)


@pytest.mark.parametrize("piped", [False, True], ids=["http", "stdio"])
async def test_a_tool_answers_a_question(tmp_path: Path, *, piped: bool) -> None:
    """An operator adds a tool server to the file, and a question is answered with it; the next one knows of it."""
    async with house(tmp_path, use("look_up", word="abc"), use("look_up", word="xyz"), piped=piped) as it:
        thread = await it.bot.say("alice", "please look it up", key="1")
        assert await it.answer(thread) == "Let me see.\n\nThat is all."
        assert it.server.calls() == {"look_up": 2}
        await it.bot.say("alice", "thank you", key="2", thread=thread)

        async def answered() -> bool | None:
            return True if len(await it.claude.calls()) == 3 else None

        await until(answered)
        assert await it.violations() == []


async def test_killed_in_a_call_that_only_reads(tmp_path: Path) -> None:
    """Kill -9 while a tool looks something up: after the start it looks again, and the same message is finished."""
    async with house(tmp_path, use("slow", seconds=1.5)) as it:
        thread = await it.bot.say("alice", "please look", key="1")
        await it.called("slow")
        await it.bot.kill()
        await it.bot.start()
        assert await it.answer(thread) == "Let me see.\n\nThat is all."
        assert it.server.calls() == {"slow": 2}
        assert len([m for m in await it.bot.thread(thread, "alice") if m["author"] == "Rejoinder"]) == 1
        assert await it.violations() == []


async def test_killed_in_a_call_that_changes_something(tmp_path: Path) -> None:
    """Kill -9 while a note is made: it is not made again; Alice says that it happened, and the answer goes on."""
    async with house(tmp_path, use("slow_create", text="milk", seconds=1.5)) as it:
        thread = await it.bot.say("alice", "please note milk", key="1")
        await it.press(thread, "Approve")
        await it.called("slow_create")
        await it.bot.kill()
        await it.bot.start()
        await it.press(thread, "It happened")
        assert await it.answer(thread) == "Let me see.\n\nThat is all."
        assert it.server.calls() == {"slow_create": 1}
        assert await it.violations() == []


async def test_killed_while_a_question_is_open(tmp_path: Path) -> None:
    """Kill -9 before Alice has decided: the question is still there, once, and works."""
    async with house(tmp_path, use("create_note", text="milk")) as it:
        thread = await it.bot.say("alice", "please note milk", key="1")

        async def asked() -> bool | None:
            found = [m for m in await it.bot.thread(thread, "alice") if "create_note" in str(m["text"])]
            return True if found else None

        await until(asked)
        await it.bot.kill()
        await it.bot.start()
        await it.press(thread, "Approve")
        assert await it.answer(thread) == "Let me see.\n\nThat is all."
        assert it.server.calls() == {"create_note": 1}
        cards = [m for m in await it.bot.thread(thread, "alice") if "create_note" in str(m["text"])]
        assert len(cards) == 1
        assert cards[0]["buttons"] == []


@pytest.mark.soak  # a drain waits for twenty seconds
@pytest.mark.parametrize("piped", [False, True], ids=["http", "stdio"])
async def test_stopped_calmly_in_a_long_call(tmp_path: Path, *, piped: bool) -> None:
    """SIGTERM while a tool hangs: the program still ends by itself, and the call is made again after the start."""
    async with house(tmp_path, use("slow", seconds=60.0), piped=piped, seconds=30) as it:
        thread = await it.bot.say("alice", "please look", key="1")
        await it.called("slow")
        assert await it.bot.stop() == 0
        await it.bot.start()
        assert (await it.answer(thread)).startswith("Let me see.\n\nThat is all.")
        assert it.server.calls()["slow"] == 2


@pytest.mark.parametrize("tool", ["die", "slow", "huge"])
async def test_a_server_that_does_not_answer(tmp_path: Path, tool: str) -> None:
    """The server dies in the call, hangs, or sends fifty megabytes: the answer says so and goes on."""
    arguments: dict[str, object] = {"slow": {"seconds": 60.0}, "huge": {"megabytes": 50}}.get(tool, {})  # type: ignore[assignment]
    async with house(tmp_path, use(tool, **arguments)) as it:
        thread = await it.bot.say("alice", "please try", key="1")
        answer = await it.answer(thread)
        assert answer == "Let me see.\n\nThat is all.\n\n_kit did not work this time._"
        assert await it.violations() == []


async def test_a_server_that_is_away_stops_no_start(tmp_path: Path) -> None:
    """A tool server is down: the bot starts all the same, and the answer says that its tool did not work."""
    async with house(tmp_path, use("look_up", word="abc")) as it:

        async def remembered() -> bool | None:
            with closing(sqlite3.connect(it.bot.database)) as conn:
                return True if conn.execute("SELECT 1 FROM meta WHERE key = 'tools:kit'").fetchone() else None

        await until(remembered)
        await it.bot.kill()
        it.server.kill()
        await it.bot.start()
        thread = await it.bot.say("alice", "please look", key="1")
        assert (await it.answer(thread)).endswith("_kit did not work this time._")
