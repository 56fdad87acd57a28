"""The whole story on each platform with the real program, a browser's cookies and redirects, and kill -9 all along.

Asked once, answered once: one card, one login, one answer, and no secret anywhere but at the tool server and, sealed,
in the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.kit.browser_plain import PlainBrowser
from tests.kit.oauth_provider import CANARY
from tests.kit.oauth_server import ToolHouse
from tests.kit.process import Bot, Claude, until
from tests.kit.tools import free_port
from tests.logins.faces import Face, face

ANSWER = "You have three open issues."


def use(name: str) -> dict[str, object]:
    """Give a model's answer that asks for a tool."""
    block = {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}
    return {"text": "", "stop_reason": "tool_use", "blocks": [block]}


@dataclass
class Stage:
    """The program, its model, a platform, and somebody's browser."""

    bot: Bot
    claude: Claude
    face: Face
    browser: PlainBrowser
    folder: Path

    async def dies(self) -> None:
        """Kill -9, and the next start."""
        await self.bot.kill()
        await self.bot.start()

    async def shows(self, label: str) -> bool | None:
        """Whether a button with this label is there."""
        return label in await self.face.labels(self.bot) or None

    async def answered(self) -> bool | None:
        """Whether the answer is there."""
        return any(ANSWER in each for each in await self.face.texts(self.bot)) or None


@asynccontextmanager
async def staged(name: str, house: ToolHouse, folder: Path) -> AsyncIterator[Stage]:
    """Give everything, running."""
    config = folder / "rejoinder.toml"
    config.write_text(f'[tools.jira]\nurl = "{house.url}"\nauth = "oauth"\n')
    async with aiohttp.ClientSession() as http, PlainBrowser() as browser, face(name) as platform:
        claude = Claude(http)
        await claude.start({"queue": [use("jira__connect"), use("jira__open_issues")], "default": {"text": ANSWER}})
        environment = {
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
            "REJOINDER_CONFIG": str(config),
            "REJOINDER_HTTP_PORT": str(free_port()),
        }
        bot = Bot(http, folder / "data", environment | dict(platform.environment))
        try:
            await bot.start()
            yield Stage(bot=bot, claude=claude, face=platform, browser=browser, folder=folder)
        finally:
            await bot.kill()
            await claude.end()


# Slack and Discord are connected to more and more slowly after deaths in a row, so they see three: before the login,
# during it, after it.
@pytest.mark.parametrize(("name", "deaths"), [("local", 5), ("slack", 3), ("discord", 3)])
async def test_asked_once_answered_once(house: ToolHouse, tmp_path: Path, name: str, deaths: int) -> None:
    """A deploy or a crash around a sign-in costs the question, asks again, or answers twice."""
    async with staged(name, house, tmp_path) as stage:
        each_moment = deaths == 5
        await stage.face.ask(stage.bot, "what is open?")
        await until(lambda: stage.shows("Sign in"))
        await stage.dies()  # asked
        await until(lambda: stage.shows("Sign in"))
        link = await stage.face.link(stage.bot)
        assert link is not None
        if each_moment:
            await stage.dies()  # told the link
        await stage.browser.open(link)
        if each_moment:
            await stage.dies()  # opened
        await stage.browser.submit()
        await stage.dies()  # at the tool server's own page
        page = await stage.browser.submit(person="alice@example.com")
        assert "Signed in at jira" in page.text
        await stage.dies()  # signed in, and going on
        await until(stage.answered)
        await until(lambda: stage.shows("Not me"))
        said = await stage.face.texts(stage.bot)
        assert sum(ANSWER in each for each in said) == 1
        assert [each for each in said if "http" in each or "/connect/" in each] == []
        assert sum("jira" in each for each in said) == 1
        assert house.provider.counts["exchanged"] == 1
        assert await stage.bot.stop() == 0
        await no_secret_is_anywhere(stage, said)


async def no_secret_is_anywhere(stage: Stage, said: list[str]) -> None:
    """Look for every secret in files, logs, and what the model and the people got."""
    link = next(each.rpartition("/")[2] for each in stage.browser.trail if "/connect/" in each)
    state = next(each.partition("state=")[2].partition("&")[0] for each in stage.browser.trail if "state=" in each)
    places = {each.name: each.read_bytes() for each in (stage.folder / "data").rglob("*") if each.is_file()}
    places["log"] = stage.bot.said.encode()
    places["model"] = str(await stage.claude.calls()).encode()
    places["posts"] = str(said).encode()
    for secret in (CANARY, stage.browser.cookie, link, state):
        assert secret
        assert [name for name, found in places.items() if secret.encode() in found] == [], secret
    assert b"alice@example.com" in b"".join(places.values())  # the search finds what is there
