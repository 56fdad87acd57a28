"""One story with its deaths: the program, a platform, a model, tools, a browser, and how people wait for things.

Knows: who takes part, and when a person does something again. Must not know: what is told (see `stories`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.crash.fuse import Spot
from tests.deaths.mortal import KILLED, Mortal
from tests.deaths.on_discord import OnDiscord
from tests.deaths.on_slack import OnSlack
from tests.deaths.seats import Act, Seat
from tests.kit.browser_plain import PlainBrowser
from tests.kit.claude_server import ClaudeServer
from tests.kit.discord_server import DiscordServer
from tests.kit.oauth_server import ToolHouse, tool_house
from tests.kit.slack_server import SlackServer
from tests.kit.tools import ToolProcess, free_port

LOOK_S = 0.05
PATIENCE_S = 90.0  # for anything that has to be seen; a machine with others on it, two deaths, their waits at the door
QUIET_LOOKS = 3
AGAIN_S = 6.0  # after a death a person looks so long for what they were promised, then acts once more
OPEN = "SELECT count(*) FROM effect WHERE state IN ('pending', 'started') AND kind <> 'Mark'"


def plain(text: str) -> str:
    """A text without the stars of a heading that is bold here and a block's title there."""
    return text.lstrip("*")


@dataclass(slots=True, kw_only=True)
class Stage:
    """What a story is told with."""

    seat: Seat
    mortal: Mortal
    house: ToolHouse
    shop: ToolProcess | None
    browser: PlainBrowser

    async def until(self, look: Callable[[], bool], what: str) -> None:
        """Wait for something to see. Raises `AssertionError`."""
        await self.get(lambda: None, look, what)

    async def get(self, act: Callable[[], Act | None], look: Callable[[], bool], what: str) -> None:
        """Do something and wait for what comes of it; do it again when it has failed, or died with the program."""
        clock = asyncio.get_running_loop()
        end, done, at, deaths = clock.time() + PATIENCE_S, None, 0.0, 0
        while not look():
            if clock.time() > end:
                threads = {each: self.seat.texts(each) for each in self.seat.threads()}
                raise AssertionError(f"never came: {what}; {threads}")
            lost = self.mortal.deaths > deaths and clock.time() > at + AGAIN_S
            if done is None or (not done.kept and (done.failed or lost)):
                done = act()
                at, deaths = clock.time(), self.mortal.deaths
            await asyncio.sleep(LOOK_S)

    async def press(self, who: str, thread: str, label: str, look: Callable[[], bool]) -> None:
        """Press a button that stands in a thread, and wait for what it does."""
        await self.get(lambda: self.seat.press(who, thread, label), look, f"{label!r}")

    async def press_away(self, who: str, thread: str, label: str) -> None:
        """Press a button, and wait until it is gone."""
        await self.press(who, thread, label, lambda: label not in self.seat.labels(thread))

    async def answered(self, thread: str, text: str) -> None:
        """Wait for an answer that is whole and written to its end."""
        await self.until(lambda: text in self.seat.texts(thread) and "Stop" not in self.seat.labels(thread), text)

    def begins(self, text: str) -> list[str]:
        """The threads in which a message of the bot begins like this."""
        return [
            each for each in self.seat.threads() if any(plain(said).startswith(text) for said in self.seat.texts(each))
        ]

    def one(self, sql: str, *values: str) -> int:
        """A number from the program's database; 0 while that is not there yet."""
        database = self.mortal.bot.database
        if not database.exists():
            return 0
        try:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
                row = conn.execute(sql, values).fetchone()
        except sqlite3.OperationalError:  # it dies, or begins, at this very moment
            return 0
        return 0 if row is None else int(row[0])

    async def local(self, person: str, text: str, key: str, thread: str | None = None) -> str:
        """Say something in the web chat beside the platform, again until it is taken; the thread."""
        for _ in range(round(PATIENCE_S)):
            try:
                return await self.mortal.bot.say(person, text, key=key, thread=thread)
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.2)
        raise AssertionError("the web chat does not take it")

    async def sign_in(self, link: str) -> None:
        """Go the way through the browser as far as it goes; a page that a death ended is not there."""
        try:
            await self.browser.open(link)
            await self.browser.submit()
            await self.browser.submit(person="alice@example.com")
        except (aiohttp.ClientError, OSError, AssertionError):
            await asyncio.sleep(1.0)

    async def rest(self) -> None:
        """Wait until nothing is left to do, and end the program calmly."""
        await self._quiet()
        while (code := await self.mortal.stop()) == KILLED:
            await self.mortal.start()
            await self._quiet()
        if code:
            self.mortal.wrong.append(f"it ended with {code}: {self.mortal.bot.said[-1000:]}")
        self.mortal.wrong.extend(self.seat.problems)

    async def _quiet(self) -> None:
        quiet = 0
        for _ in range(round(PATIENCE_S / 0.1)):
            quiet = quiet + 1 if self.mortal.alive and not self.one(OPEN) else 0
            if quiet > QUIET_LOOKS:
                return
            await asyncio.sleep(0.1)
        self.mortal.wrong.append("it does not come to rest")


@asynccontextmanager
async def platform(name: str) -> AsyncIterator[Seat]:
    """Slack or Discord."""
    if name == "slack":
        async with SlackServer() as slack:
            yield OnSlack(slack)
    else:
        async with DiscordServer() as discord:
            yield OnDiscord(discord)


@asynccontextmanager
async def shopping(folder: Path, *, wanted: bool) -> AsyncIterator[ToolProcess | None]:
    """A tool server that wants no login and outlives the program."""
    shop = ToolProcess(folder / "shop") if wanted else None
    try:
        if shop is not None:
            await asyncio.to_thread(shop.wait)
        yield shop
    finally:
        if shop is not None:
            shop.kill()


@asynccontextmanager
async def staged(
    name: str,
    folder: Path,
    script: Mapping[str, object],
    settings: Mapping[str, str],
    spots: Sequence[Spot] = (),
    *,
    tools: bool = False,
) -> AsyncIterator[Stage]:
    """Give everything, running; nothing of it is left. `tools`: there are two tool servers."""
    async with (
        aiohttp.ClientSession() as http,
        PlainBrowser() as browser,
        tool_house() as house,
        shopping(folder, wanted=tools) as shop,
        ClaudeServer(script) as claude,
        platform(name) as seat,
    ):
        config = folder / "rejoinder.toml"
        shops = "" if shop is None else f'[tools.shop]\nurl = "{shop.url}"\n'
        config.write_text(f'[tools.jira]\nurl = "{house.url}"\nauth = "oauth"\n{shops}' if tools else "")
        environment = {
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
            "REJOINDER_CONFIG": str(config),
            "REJOINDER_HTTP_PORT": str(free_port()),
            **seat.environment,
            **settings,
        }
        mortal = Mortal(http, folder, environment, spots)
        try:
            await mortal.start()
            yield Stage(seat=seat, mortal=mortal, house=house, shop=shop, browser=browser)
        finally:
            await mortal.kill()
