"""The way to sign in: one link, one browser, one use, and nobody else's account."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from core.domain.links import LIFE_MS
from core.domain.secret import Secret
from core.engine.vault import Back, Step
from tests.logins.desk import BASE, OWNER, Desk


def query_of(url: str) -> dict[str, str]:
    """Give what stands behind the question mark."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_the_whole_way(desk: Desk) -> None:
    """Somebody signs in and the login is not there, or not theirs."""
    page = await desk.sign_in()
    assert (page.step, page.server, page.account) == (Step.DONE, "jira", "alice@example.com")
    row = await desk.credential()
    assert (row.owner, row.account, row.version, row.renewable) == (OWNER, "alice@example.com", 1, True)
    assert row.expires_ms is not None


async def test_what_the_authorization_server_is_asked(desk: Desk) -> None:
    """A code can be used by whoever catches it, or the token works at other servers too."""
    _, goto = await desk.leave(await desk.link())
    asked = query_of(goto)
    assert asked["code_challenge_method"] == "S256"
    assert (asked["resource"], asked["redirect_uri"]) == (desk.house.url, f"{BASE}/oauth/callback")
    assert len(asked["state"]) > 60
    assert len(asked["code_challenge"]) == 43


async def test_the_program_registers_once(desk: Desk) -> None:
    """Every sign-in leaves another client at the server."""
    await desk.sign_in()
    again = await desk.reborn()
    await again.sign_in()
    assert again.house.provider.counts["registered"] == 1
    await again.close()


async def test_a_server_that_forgot_us_is_registered_at_anew(desk: Desk) -> None:
    """The server has lost its clients, and nobody can ever sign in there again."""
    await desk.sign_in()
    desk.house.provider.forget_clients()
    await desk.let_expire()
    assert await desk.vault.bearer(OWNER, "jira") is None
    assert (await desk.sign_in()).step is Step.DONE
    assert desk.house.provider.counts["registered"] == 2


async def test_the_page_says_who_will_hold_the_login(desk: Desk) -> None:
    """A forwarded link looks as if it were one's own."""
    page = await desk.logins.open(await desk.link(), "")
    assert (page.step, page.holder, page.workspace, page.server) == (Step.CONFIRM, "alice", "home", "jira")


async def test_a_link_belongs_to_the_first_browser(desk: Desk) -> None:
    """Bob opens the link that Alice has opened, signs in, and Alice works with his account; or the other way round."""
    link = await desk.link()
    first = (await desk.logins.open(link, "")).browser.reveal()
    assert (await desk.logins.open(link, first)).step is Step.CONFIRM
    assert (await desk.logins.open(link, "")).step is Step.ELSEWHERE
    assert (await desk.logins.open(link, "cookie-of-bob")).step is Step.ELSEWHERE
    assert (await desk.logins.leave(link, "cookie-of-bob")).step is Step.ELSEWHERE
    assert (await desk.logins.leave(link, "")).step is Step.ELSEWHERE
    assert (await desk.logins.leave(link, first)).step is Step.LEAVE


async def test_a_way_back_needs_the_browser_that_left(desk: Desk) -> None:
    """Mallory lets Bob's browser open a way back with Mallory's code, and Bob's words go to Mallory's account."""
    cookie, goto = await desk.leave(await desk.link())
    back = await desk.way_back(goto, "mallory@example.com")
    for other in ("", "cookie-of-bob"):
        assert (await desk.logins.back(back, other)).step is Step.ELSEWHERE
    assert await desk.rows.credential(OWNER, "jira") is None
    assert (await desk.logins.back(back, cookie)).step is Step.DONE


async def test_a_way_back_works_once(desk: Desk) -> None:
    """A callback that is loaded again, or by two tabs at once, signs in twice."""
    link = await desk.link()
    cookie, goto = await desk.leave(link)
    back = await desk.way_back(goto)
    pages = await asyncio.gather(*(desk.logins.back(back, cookie) for _ in range(5)))
    assert sorted(page.step for page in pages) == [Step.DONE, *[Step.GONE] * 4]
    assert (await desk.logins.back(back, cookie)).step is Step.GONE
    assert (await desk.logins.open(link, cookie)).step is Step.GONE
    assert desk.house.provider.counts["exchanged"] == 1


Forge = Callable[[Desk, Back], Awaitable[Back]]


async def _other_state(_desk: Desk, back: Back) -> Back:
    return dataclasses.replace(back, state=back.state[:-4] + "AAAA")


async def _no_state(_desk: Desk, back: Back) -> Back:
    return dataclasses.replace(back, state="")


async def _of_another_login(desk: Desk, back: Back) -> Back:
    _, goto = await desk.leave(await desk.link())
    return dataclasses.replace(back, state=query_of(goto)["state"])


@pytest.mark.parametrize("forge", [_other_state, _no_state, _of_another_login])
async def test_a_way_back_needs_its_state(desk: Desk, forge: Forge) -> None:
    """A code of somebody else is slipped in."""
    cookie, goto = await desk.leave(await desk.link())
    back = await desk.way_back(goto)
    assert (await desk.logins.back(await forge(desk, back), cookie)).step in (Step.GONE, Step.ELSEWHERE)
    assert await desk.rows.credential(OWNER, "jira") is None


async def test_a_link_is_good_for_ten_minutes(desk: Desk) -> None:
    """A link that lies about for a day still signs somebody in."""
    link = await desk.link()
    cookie, goto = await desk.leave(link)
    back = await desk.way_back(goto)
    await desk.sql("UPDATE login SET expires_ms = expires_ms - ?", LIFE_MS)
    assert (await desk.logins.open(link, cookie)).step is Step.GONE
    assert (await desk.logins.leave(link, cookie)).step is Step.GONE
    assert (await desk.logins.back(back, cookie)).step is Step.GONE
    assert (await desk.logins.open("made-up", "")).step is Step.GONE
    assert (await desk.logins.open("", "")).step is Step.GONE


async def test_who_says_no_is_told_so(desk: Desk) -> None:
    """Somebody presses Cancel at the server and reads about an error of ours."""
    cookie, goto = await desk.leave(await desk.link())
    back = await desk.way_back(goto, person="")
    assert back.error == "access_denied"
    assert (await desk.logins.back(back, cookie)).step is Step.DECLINED
    assert [each.failure for each in desk.told] == ["declined"]


async def test_a_server_that_is_down_is_told_so(desk: Desk) -> None:
    """The server does not answer, and the person sees a stack trace or waits for ever."""
    link = await desk.link()
    cookie, goto = await desk.leave(link)
    back = await desk.way_back(goto)
    desk.house.failing = [503]
    assert (await desk.logins.back(back, cookie)).step is Step.DOWN
    link = await desk.link()
    cookie = (await desk.logins.open(link, "")).browser.reveal()
    await desk.house.stop()
    assert (await desk.logins.leave(link, cookie)).step is Step.DOWN
    await desk.house.start()
    assert (await desk.logins.leave(link, cookie)).step is Step.LEAVE


async def test_a_made_up_code_is_told_so(desk: Desk) -> None:
    """A code that the server does not know ends in an error of ours."""
    cookie, goto = await desk.leave(await desk.link())
    forged = Back(state=query_of(goto)["state"], code=Secret("made-up"))
    assert (await desk.logins.back(forged, cookie)).step is Step.FAILED
    assert await desk.rows.credential(OWNER, "jira") is None


async def test_who_it_is_may_stay_unsaid(desk: Desk) -> None:
    """A server that does not name people cannot be signed in at."""
    desk.house.names_people = False
    page = await desk.sign_in()
    assert (page.step, page.account) == (Step.DONE, "")
