"""A forwarded sign-in link attaches nobody's account, on Slack and Discord with the real program and real browsers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.kit.browser_plain import PlainBrowser
from tests.kit.oauth_server import ToolHouse
from tests.kit.process import Bot, Claude, until
from tests.kit.slack_state import TEAM
from tests.kit.tools import free_port
from tests.logins.faces import Vouching, vouching
from tests.logins.test_kill import ANSWER, use

PLATFORMS = pytest.mark.parametrize("name", ["slack", "discord"])
CONNECT, ISSUES = use("jira__connect"), use("jira__open_issues")
OWN, OTHER = "alice@example.com", "mallory@example.com"


@dataclass
class Stage:
    """The program, a platform, and the tool server."""

    bot: Bot
    face: Vouching
    house: ToolHouse

    async def dies(self) -> None:
        """Kill -9, and the next start."""
        await self.bot.kill()
        await self.bot.start()

    async def link(self) -> str:
        """Alice presses [Sign in] when she is asked to; her link."""

        async def asked() -> bool | None:
            return "Sign in" in await self.face.labels(self.bot) or None

        await until(asked)
        link = await self.face.link(self.bot)
        assert link is not None
        return link

    async def answered(self, *, times: int = 1) -> None:
        """Return when the answer is there."""

        async def there() -> bool | None:
            return sum(ANSWER in each for each in await self.face.texts(self.bot)) == times or None

        await until(there)

    async def whispered(self, words: str) -> None:
        """Return when Alice has been told in private."""

        async def told() -> bool | None:
            return any(words in each for each in await self.face.whispers()) or None

        await until(told)


@asynccontextmanager
async def staged(
    name: str, house: ToolHouse, folder: Path, *queue: Mapping[str, object], proof: bool = True
) -> AsyncIterator[Stage]:
    """Give everything, running; the platform says whose browser it is, with `proof`."""
    config = folder / "rejoinder.toml"
    config.write_text(f'[tools.jira]\nurl = "{house.url}"\nauth = "oauth"\n')
    async with aiohttp.ClientSession() as http, vouching(name) as platform:
        claude = Claude(http)
        await claude.start({"queue": list(queue), "default": {"text": ANSWER}})
        environment = {
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
            "REJOINDER_CONFIG": str(config),
            "REJOINDER_HTTP_PORT": str(free_port()),
            **platform.environment,
            **(platform.proof if proof else {}),
        }
        bot = Bot(http, folder / "data", environment)
        try:
            await bot.start()
            yield Stage(bot=bot, face=platform, house=house)
        finally:
            await bot.kill()
            await claude.end()


@PLATFORMS
async def test_the_owner_proves_it_once_across_deaths(house: ToolHouse, tmp_path: Path, name: str) -> None:
    """A death while the platform confirms costs Alice her link; or her browser has to prove itself at every login."""
    async with staged(name, house, tmp_path, CONNECT, ISSUES) as stage, PlainBrowser() as browser:
        await stage.face.ask(stage.bot, "what is open?")
        link = await stage.link()
        first = await browser.open(link)
        assert f"{name.capitalize()} confirms that it is you" in first.text
        await browser.submit()
        assert len(stage.face.sign_in.asked) == 1
        assert house.provider.counts["authorized"] == 0
        await stage.dies()  # at the platform's page
        await browser.submit(person="alice")
        assert house.provider.counts["authorized"] == 1
        await stage.dies()  # at the tool server's page
        assert "Signed in at jira" in (await browser.submit(person=OWN)).text
        await stage.answered()
        await stage.face.press("Not me")
        again = await browser.open(await stage.link())
        assert "confirms" not in again.text
        await browser.submit()
        assert "Signed in at jira" in (await browser.submit(person=OWN)).text
        assert len(stage.face.sign_in.asked) == 1
        assert await stage.bot.stop() == 0
        places = {each.name: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
        places["log"] = stage.bot.said.encode()
        assert [where for where, found in places.items() if b"kanarienvogel" in found] == []
        assert any(OWN.encode() in found for found in places.values())  # the search finds what is there


@PLATFORMS
async def test_a_stranger_who_is_first_attaches_nothing(house: ToolHouse, tmp_path: Path, name: str) -> None:
    """Bob gets Alice's link before she has opened it, and she works with his account; or she is locked out of it."""
    async with staged(name, house, tmp_path, CONNECT, ISSUES) as stage, PlainBrowser() as bob, PlainBrowser() as alice:
        await stage.face.ask(stage.bot, "what is open?")
        link = await stage.link()
        await bob.open(link)
        await bob.submit()
        back = await bob.submit_and_stop(person="bob")
        refused = await bob.open(back)
        assert (refused.status, "This link is for somebody else" in refused.text) == (403, True)
        assert (await bob.open(back)).status == 410
        again = await bob.open(link)
        assert (again.status, "This link is for somebody else" in again.text) == (403, True)
        assert house.provider.counts["authorized"] == 0
        await stage.whispered("No account was attached")
        assert len(await stage.face.whispers()) == 1
        await alice.open(link)
        await alice.submit()
        await alice.submit(person="alice")
        assert (await bob.open(link)).status == 403
        assert "Signed in at jira" in (await alice.submit(person=OWN)).text
        await stage.answered()
        assert house.calls == [("open_issues", OWN)]


@PLATFORMS
async def test_a_platform_that_says_no_or_nothing_costs_no_link(house: ToolHouse, tmp_path: Path, name: str) -> None:
    """Somebody presses Cancel there, or the platform is down, and the link is gone or lets anybody in."""
    async with staged(name, house, tmp_path, CONNECT, ISSUES) as stage, PlainBrowser() as browser:
        await stage.face.ask(stage.bot, "what is open?")
        link = await stage.link()
        platform = stage.face.sign_in

        async def tried(person: str) -> tuple[int, bool]:
            await browser.open(link)
            await browser.submit()
            page = await browser.submit(person=person)
            return page.status, "The link still works" in page.text

        assert await tried("") == (403, True)
        platform.down = True
        assert await tried("alice") == (503, True)
        platform.down = False
        if name == "slack":
            platform.other_nonce = True
            assert await tried("alice") == (403, True)
            platform.other_nonce, platform.team = False, "T0OTHER"
            assert (await tried("alice"))[0] == 403
            platform.team = TEAM
        assert house.provider.counts["authorized"] == 0
        async with PlainBrowser() as fresh:
            await fresh.open(link)
            await fresh.submit()
            await fresh.submit(person="alice")
            assert "Signed in at jira" in (await fresh.submit(person=OWN)).text
        await stage.answered()


@PLATFORMS
async def test_without_proof_a_doubtful_account_waits_for_a_word(house: ToolHouse, tmp_path: Path, name: str) -> None:
    """Nothing is configured, a stranger signs in with Alice's link, and her next answer comes from their account."""
    queue = (CONNECT, ISSUES, {"text": ANSWER}, ISSUES)
    async with staged(name, house, tmp_path, *queue, proof=False) as stage:
        await stage.face.ask(stage.bot, "what is open?")
        async with PlainBrowser() as alice:
            assert "Signed in at jira" in (await alice.sign_in(await stage.link(), OWN)).text
        await stage.answered()
        house.provider.revoke_access()
        house.provider.revoke_refresh()
        await stage.face.ask(stage.bot, "and now?")
        async with PlainBrowser() as mallory:
            page = await mallory.sign_in(await stage.link(), OTHER)
            assert "Until they say yes, I do not use it" in page.text
        await stage.whispered(f"signed in as {OTHER}. Is that you?")
        assert not [each for each in await stage.face.texts(stage.bot) if OTHER in each]
        assert ("open_issues", OTHER) not in house.calls
        await stage.dies()
        await stage.face.answer_whisper("Yes, use it")
        await stage.answered()
        assert house.calls[-1] == ("open_issues", OTHER)
