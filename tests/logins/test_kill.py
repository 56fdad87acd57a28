"""The whole story with the real program, a real browser's cookies and redirects, and kill -9 at every moment of it.

Asked once, answered once: one card, one login, one answer, and no secret anywhere but at the tool server and, sealed,
in the database.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.kit.browser_plain import PlainBrowser
from tests.kit.oauth_provider import CANARY
from tests.kit.oauth_server import ToolHouse
from tests.kit.process import Bot, Claude, until
from tests.kit.tools import free_port

ANSWER = "You have three open issues."
MOMENTS = ("asked", "linked", "opened", "left", "signed in")
_LINK = re.compile(r"http://[^\s)]+/connect/\w+")


def use(name: str) -> dict[str, object]:
    """Give a model's answer that asks for a tool."""
    block = {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}
    return {"text": "", "stop_reason": "tool_use", "blocks": [block]}


@dataclass
class Stage:
    """The program, its model, its tool server, and somebody's browser."""

    bot: Bot
    claude: Claude
    browser: PlainBrowser
    folder: Path
    thread: str = ""

    async def messages(self) -> list[dict[str, object]]:
        """What Alice sees."""
        return await self.bot.thread(self.thread, "alice")

    async def button(self, label: str) -> tuple[str, str] | None:
        """Find the message and the id of the newest button with this label."""
        for message in reversed(await self.messages()):
            buttons = message["buttons"]
            assert isinstance(buttons, list)
            for each in buttons:
                if each["label"] == label:
                    return str(message["id"]), str(each["id"])
        return None

    async def link(self) -> str | None:
        """Find the newest link that Alice was told."""
        found = [_LINK.search(str(each["text"])) for each in await self.messages()]
        return next((each[0] for each in reversed(found) if each is not None), None)

    async def answer(self) -> str | None:
        """Find the finished answer."""
        done = [str(each["text"]) for each in await self.messages() if each["state"] == "done"]
        return next((each for each in done if ANSWER in each), None)


@pytest.fixture
async def stage(house: ToolHouse, tmp_path: Path) -> AsyncIterator[Stage]:
    """Give everything, running."""
    config = tmp_path / "rejoinder.toml"
    config.write_text(f'[tools.jira]\nurl = "{house.url}"\nauth = "oauth"\n')
    async with aiohttp.ClientSession() as http, PlainBrowser() as browser:
        claude = Claude(http)
        await claude.start({"queue": [use("jira__connect"), use("jira__open_issues")], "default": {"text": ANSWER}})
        environment: Mapping[str, str] = {
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
            "REJOINDER_CONFIG": str(config),
            "REJOINDER_HTTP_PORT": str(free_port()),
        }
        bot = Bot(http, tmp_path / "data", environment)
        try:
            await bot.start()
            yield Stage(bot=bot, claude=claude, browser=browser, folder=tmp_path)
        finally:
            await bot.kill()
            await claude.end()


@pytest.mark.parametrize("moment", MOMENTS)
async def test_asked_once_answered_once(stage: Stage, house: ToolHouse, moment: str) -> None:
    """A deploy or a crash around a sign-in costs the question, asks again, or answers twice."""

    async def maybe_die(now: str) -> None:
        if now == moment:
            await stage.bot.kill()
            await stage.bot.start()

    stage.thread = await stage.bot.say("alice", "what is open?", key="k1")
    await until(lambda: stage.button("Sign in"))
    await maybe_die("asked")
    message, button = await until(lambda: stage.button("Sign in"))
    await stage.bot.press("alice", message, button, key="p1")
    link = await until(stage.link)
    await maybe_die("linked")
    await stage.browser.open(link)
    await maybe_die("opened")
    await stage.browser.submit()
    await maybe_die("left")
    page = await stage.browser.submit(person="alice@example.com")
    assert "Signed in at jira" in page.text
    await maybe_die("signed in")
    await until(stage.answer)
    await until(lambda: stage.button("Not me"))
    said = [str(each["text"]) for each in await stage.messages()]
    assert sum(ANSWER in each for each in said) == 1
    assert sum("jira" in each and "http" not in each for each in said) == 1
    assert house.provider.counts["exchanged"] == 1
    assert await stage.bot.stop() == 0
    await no_secret_is_anywhere(stage)


async def no_secret_is_anywhere(stage: Stage) -> None:
    """Look for every secret in files, logs, and what the model and the person got."""
    cookie = stage.browser.cookie
    link = next(each.rpartition("/")[2] for each in stage.browser.trail if "/connect/" in each)
    state = next(each.partition("state=")[2].partition("&")[0] for each in stage.browser.trail if "state=" in each)
    places = {each.name: each.read_bytes() for each in (stage.folder / "data").rglob("*") if each.is_file()}
    places["log"] = stage.bot.said.encode()
    places["model"] = str(await stage.claude.calls()).encode()
    for secret in (CANARY, cookie, link, state):
        assert secret
        assert [name for name, found in places.items() if secret.encode() in found] == [], secret
    assert b"alice@example.com" in b"".join(places.values())
