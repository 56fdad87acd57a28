"""Questions about tools and the card of a task on Slack and Discord: the real program, kill -9, the wrong person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from core.domain.words.en import WORDS
from tests.kit.planner import chain
from tests.kit.process import Bot, Claude, until
from tests.kit.tools import ToolProcess, free_port
from tests.logins.faces import Busy, busy

PLATFORMS = pytest.mark.parametrize("name", ["slack", "discord"])
ANSWER = "It is as you wanted."
TASK: Mapping[str, object] = {
    "rules": [
        {"when": "[Plan]", "text": chain("one", "two", "three", "four")},
        {"when": "Your step is 2, ", "fault": "early_end", "after": 0, "times": 3},
        {"when": "Your step is 4, ", "fault": "early_end", "after": 0, "times": 3},
        *({"when": f"Your step is {n}, ", "text": f"Result {n}."} for n in (1, 2, 3, 4)),
        {"when": "[Results]", "text": ANSWER},
    ]
}

SLOW: Mapping[str, object] = {
    "rules": [
        {"when": "[Plan]", "text": chain("one", "two")},
        {"when": "Your step is 1, ", "words": 200, "delay_ms": 500, "times": 0},
    ]
}


def asks_for(tool: str, **given: object) -> Mapping[str, object]:
    """A model that uses a tool once, and then answers."""
    block = {"type": "tool_use", "id": "toolu_1", "name": f"notes__{tool}", "input": given}
    return {"queue": [{"text": "", "stop_reason": "tool_use", "blocks": [block]}], "default": {"text": ANSWER}}


@dataclass
class Stage:
    """The program, a platform, and a tool server."""

    bot: Bot
    face: Busy
    tools: ToolProcess

    async def dies(self) -> None:
        """Kill -9, and the next start."""
        await self.bot.kill()
        await self.bot.start()

    async def shows(self, label: str) -> None:
        """Wait until a button with this label is the newest card's."""

        async def look() -> bool | None:
            return label in await self.face.labels(self.bot) or None

        await until(look)

    async def says(self, words: str, *, times: int = 1) -> None:
        """Wait until it is said in the thread, so often."""

        async def look() -> bool | None:
            return sum(words in each for each in await self.face.texts(self.bot)) == times or None

        await until(look)


@asynccontextmanager
async def staged(name: str, folder: Path, script: Mapping[str, object]) -> AsyncIterator[Stage]:
    """Give everything, running."""
    config = folder / "rejoinder.toml"
    tools = ToolProcess(folder / "calls")
    try:
        tools.wait()
        config.write_text(f'[tools.notes]\nurl = "{tools.url}"\n')
        async with aiohttp.ClientSession() as http, busy(name) as platform:
            claude = Claude(http)
            await claude.start(script)
            environment = {
                "ANTHROPIC_API_KEY": "sk-ant-test",
                "ANTHROPIC_BASE_URL": claude.url,
                "REJOINDER_CONFIG": str(config),
                "REJOINDER_HTTP_PORT": str(free_port()),
            }
            bot = Bot(http, folder / "data", environment | dict(platform.environment))
            try:
                await bot.start()
                yield Stage(bot=bot, face=platform, tools=tools)
            finally:
                await bot.kill()
                await claude.end()
    finally:
        tools.kill()


@PLATFORMS
async def test_a_call_is_approved_by_who_asked_after_a_crash(tmp_path: Path, name: str) -> None:
    """Bob approves what Alice asked for, the card is dead after a restart, or the tool runs twice or unasked."""
    async with staged(name, tmp_path, asks_for("wipe_everything")) as stage:
        await stage.face.ask(stage.bot, "tidy up")
        await stage.shows("Approve")
        assert "Only" in await stage.face.refused("Approve")
        await stage.dies()
        assert stage.tools.calls() == {}
        await stage.face.press("Approve")
        await stage.says(ANSWER)
        await stage.says("Approved: ")
        assert stage.tools.calls() == {"wipe_everything": 1}
        assert await stage.bot.stop() == 0


@PLATFORMS
async def test_what_may_have_happened_is_asked_and_not_done_again(tmp_path: Path, name: str) -> None:
    """The program dies in a call that writes: it is done again by itself, or Bob says what became of Alice's."""
    async with staged(name, tmp_path, asks_for("slow_create", text="milk", seconds=30)) as stage:
        await stage.face.ask(stage.bot, "note it down")
        await stage.shows("Approve")
        await stage.face.press("Approve")

        async def called() -> bool | None:
            return stage.tools.calls()["slow_create"] == 1 or None

        await until(called)
        await stage.dies()
        await stage.shows("It happened")
        assert "Only" in await stage.face.refused("Run again")
        await stage.dies()
        await stage.face.press("It happened")
        await stage.says(ANSWER)
        await stage.says(WORDS["unsure.happened"].partition(":")[0])
        assert stage.tools.calls() == {"slow_create": 1}


@PLATFORMS
async def test_a_task_is_steered_by_its_card(tmp_path: Path, name: str) -> None:
    """A button of the card is dead after a crash, does something else than it says, or obeys Bob."""
    async with staged(name, tmp_path, TASK) as stage:
        await stage.face.task(stage.bot, "compare four vendors")
        await stage.says("Paused at step 2 of 4.")
        assert await stage.face.labels(stage.bot) == ["Resume at step 2", "Retry", "Skip", "Stop"]
        for label in ("Resume at step 2", "Skip", "Stop"):
            assert "Only" in await stage.face.refused(label)
        await stage.dies()
        await stage.face.press("Skip")
        await stage.says("Paused at step 4 of 4.")
        await stage.dies()
        await stage.face.press("Resume at step 4")
        await stage.says(ANSWER)
        await stage.says("Done.")


@PLATFORMS
async def test_a_running_task_is_paused_and_stopped_by_its_card(tmp_path: Path, name: str) -> None:
    """Pause or Stop waits for the step's end, is forgotten by the next start, or can be pressed by Bob."""
    async with staged(name, tmp_path, SLOW) as stage:
        await stage.face.task(stage.bot, "compare two vendors")
        await stage.shows("Pause")
        assert "Only" in await stage.face.refused("Pause")
        await stage.face.press("Pause")
        await stage.says("Paused at step 1 of 2.")
        await stage.dies()
        await stage.says("Paused at step 1 of 2.")
        await stage.face.press("Resume at step 1")
        await stage.shows("Pause")
        await stage.face.press("Stop")
        await stage.says(WORDS["task.stopped"])
        await stage.dies()
        assert {"Pause", "Resume at step 1"}.isdisjoint(await stage.face.labels(stage.bot))
