"""The pages of a sign-in, over HTTP, as a browser meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from bots.web.connect import COOKIE, KNOWN, Connect
from bots.web.guard import GuardPolicy
from bots.web.server import WebServer
from core.drivers.oauth_login import OAuthLogins
from core.engine.vault import Page, Step
from tests.kit.browser_plain import PlainBrowser
from tests.kit.oauth_server import ToolHouse
from tests.logins.desk import OWNER, Desk


async def ready() -> str:
    """Be ready."""
    return ""


@pytest.fixture
async def url(desk: Desk) -> AsyncIterator[str]:
    """Give the address of a server that serves the pages."""
    places: list[str] = []
    logins = OAuthLogins(desk.parts, accept=desk.accept, base=lambda: places[0])
    server = WebServer(
        "127.0.0.1",
        0,
        Connect(logins, "en", secure=False).routes(),
        guard_policy=GuardPolicy(),
        ready=ready,
        registry=CollectorRegistry(),
    )
    await server.start()
    places.append(server.url)
    yield server.url
    await server.stop()


async def test_a_person_signs_in(desk: Desk, url: str) -> None:
    """The page does not say who will hold the login, or what happened in the end."""
    link = f"{url}/connect/{await desk.link()}"
    async with PlainBrowser() as browser:
        first = await browser.open(link)
        assert "alice (web chat, workspace home) will hold this login" in first.text
        assert "I am alice, go on" in first.text
        await browser.submit()
        last = await browser.submit(person="alice@example.com")
        assert last.status == 200
        assert "Signed in at jira" in last.text
        assert "alice@example.com" in last.text
        again = await browser.open(last.url)
        assert (again.status, "This link is over" in again.text) == (410, True)
    assert (await desk.credential()).account == "alice@example.com"


async def test_a_forwarded_link_attaches_nobody(desk: Desk, url: str) -> None:
    """Bob opens the link that Alice was given and had opened, and Alice works with Bob's account."""
    link = f"{url}/connect/{await desk.link()}"
    async with PlainBrowser() as alice, PlainBrowser() as bob:
        await alice.open(link)
        seen = await bob.open(link)
        assert (seen.status, "belongs to another browser" in seen.text) == (403, True)
        await alice.submit()
        back = await alice.submit_and_stop(person="mallory@example.com")
        caught = await bob.open(back)
        assert caught.status == 403
        assert await desk.rows.credential(OWNER, "jira") is None
        assert "Signed in" in (await alice.open(back)).text


async def test_a_link_checker_uses_nothing_up(desk: Desk, url: str) -> None:
    """Something looks at the link before the person does, and the person is locked out."""
    link = f"{url}/connect/{await desk.link()}"
    async with aiohttp.ClientSession() as http, http.head(link) as answer:
        assert (answer.status, COOKIE in answer.cookies) == (405, False)
    async with PlainBrowser() as browser:
        assert (await browser.sign_in(link, "alice@example.com")).status == 200


async def test_the_cookie_is_the_browsers_alone(desk: Desk, url: str) -> None:
    """A script reads the cookie, or another site's form sends it along."""
    link = f"{url}/connect/{await desk.link()}"
    async with aiohttp.ClientSession() as http, http.get(link) as answer:
        cookie = answer.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_browser_is_known_after_a_login(desk: Desk, url: str) -> None:
    """A script reads whose browser it is, another site's form sends it along, or it is forgotten tomorrow."""
    cookie, goto = await desk.leave(await desk.link())
    back = await desk.way_back(goto)
    query = {"state": back.state, "code": back.code.reveal()}
    async with aiohttp.ClientSession(cookies={COOKIE: cookie}) as http:
        async with http.get(f"{url}/oauth/callback", params=query) as answer:
            known = answer.cookies[KNOWN]
            assert (known["httponly"], known["samesite"], known["path"]) == (True, "Lax", "/")
            assert int(known["max-age"]) > 30 * 24 * 3600
            assert "alice" not in known.value
        async with http.get(f"{url}/connect/{await desk.link()}") as answer:
            assert "Sign in at jira?" in await answer.text()


async def test_made_up_addresses_end_in_plain_words(desk: Desk, url: str) -> None:
    """A typo in the address shows a stack trace."""
    async with PlainBrowser() as browser:
        for path in (
            "/connect/made-up",
            "/oauth/callback",
            "/oauth/callback?state=%00&code=x",
            "/connect/%F0%9F%A6%86",
        ):
            page = await browser.open(url + path)
            assert (page.status, "This link is over" in page.text) == (410, True), path


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.LEAVE])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_has_its_words_and_nothing_else(desk: Desk, step: Step, language: str) -> None:
    """A page shows a code, a placeholder, or runs what somebody is called."""
    holder = "<script>alert(1)</script>"
    connect = Connect(desk.logins, language, secure=True)
    text = connect.text(Page(step=step, server="jira", holder=holder, platform="slack", workspace="T1", account="a"))
    assert "<script" not in text
    assert "{" not in text.partition("</style>")[2]
    assert f'lang="{language}"' in text


async def test_who_declines_reads_so(desk: Desk, url: str, house: ToolHouse) -> None:
    """Somebody presses Cancel and reads about an error."""
    link = f"{url}/connect/{await desk.link()}"
    async with PlainBrowser() as browser:
        page = await browser.sign_in(link, "")
        assert "It was declined at jira" in page.text
