"""Whose browser it is: what a browser carries is believed as far as it was found out, and no further."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.keys import PersonKey
from core.domain.links import LIFE_MS, digest_of_link, new_link
from core.domain.secret import Secret
from core.domain.stamp import Stamp
from core.domain.tooling import Login, LoginState
from core.drivers import browsers
from core.drivers.browsers import Browsers, Whose
from core.drivers.oauth_login import OAuthLogins
from core.engine.vault import Step, about_browser
from storage.rows import LOGIN
from storage.sealing import Keys
from tests.kit.clock import ManualClock
from tests.logins.desk import BASE, Desk

ALICE = PersonKey(platform="slack", workspace="T1", user="UALICE")
BOB = PersonKey(platform="slack", workspace="T1", user="UBOB")
ELSEWHERE = PersonKey(platform="slack", workspace="T2", user="UBOB")
BOB_AT_DISCORD = PersonKey(platform="discord", workspace="", user="42")


def login_of(person: PersonKey, owner: str) -> Login:
    """Give a question to sign in."""
    return Login(id=f"login-of-{owner}", owner=owner, asker=person, session_id="s1", server="jira", created_ms=1)


OF_ALICE = login_of(ALICE, "owner-of-alice")


async def known(desk: Desk, *accounts: PersonKey) -> str:
    """Give the cookie of a browser of which its platform has said that it is theirs."""
    cookie = ""
    for each in accounts:
        cookie = Browsers(desk.parts).by_platform(cookie, each).reveal()
    return cookie


async def link_for(desk: Desk, person: PersonKey, owner: str) -> str:
    """Give somebody a one-time link."""
    stamp = Stamp(now_ms=desk.clock.now_ms(), seed=f"link-for-{person}-{owner}")
    link = new_link(stamp)
    login = replace(
        login_of(person, owner), link=digest_of_link(link), expires_ms=stamp.now_ms + LIFE_MS, created_ms=stamp.now_ms
    )
    await desk.sql(LOGIN.upsert, *LOGIN.encode(login))
    return link


@pytest.mark.parametrize(
    ("accounts", "whose"),
    [
        ((), Whose.NOBODY),
        ((ALICE,), Whose.OWNER),
        ((BOB,), Whose.OTHER),
        ((ELSEWHERE,), Whose.NOBODY),
        ((BOB_AT_DISCORD,), Whose.NOBODY),
        ((ELSEWHERE, BOB_AT_DISCORD, ALICE), Whose.OWNER),
        ((ALICE, BOB), Whose.OTHER),
    ],
)
async def test_whose_it_is(desk: Desk, accounts: tuple[PersonKey, ...], whose: Whose) -> None:
    """Bob's browser signs in for Alice; or somebody who is in two workspaces is a stranger to themselves."""
    assert await Browsers(desk.parts).whose(await known(desk, *accounts), OF_ALICE) is whose


async def test_linked_accounts_are_one_person(desk: Desk) -> None:
    """Alice, who signed in from Discord, is a stranger when the link comes from Slack."""
    names = await desk.store.read(lambda conn: [row[1] for row in conn.execute("PRAGMA table_info(person)")])
    sql = f"INSERT INTO person ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    values = {"key": str(BOB_AT_DISCORD), "identity": OF_ALICE.owner}
    await desk.sql(sql, *(values.get(name, "") for name in names))
    assert await Browsers(desk.parts).whose(await known(desk, BOB_AT_DISCORD), OF_ALICE) is Whose.OWNER


async def test_in_the_web_chat_nobody_is_a_stranger(desk: Desk) -> None:
    """Somebody who tries two people in one browser, where names are only said, is refused."""
    bob, alice = (PersonKey(platform="local", workspace="home", user=user) for user in ("bob", "alice"))
    login = login_of(alice, "owner-of-alice")
    assert await Browsers(desk.parts, {"local"}).whose(await known(desk, bob), login) is Whose.NOBODY
    assert await Browsers(desk.parts).whose(await known(desk, bob), login) is Whose.OTHER


@pytest.mark.parametrize("cookie", ["made-up", "AAAA", "x" * 5000, "ä", "="])
async def test_a_made_up_cookie_is_worth_nothing(desk: Desk, cookie: str) -> None:
    """Anybody writes a cookie that says who they are, or a broken one is an error of ours."""
    assert await Browsers(desk.parts).whose(cookie, OF_ALICE) is Whose.NOBODY


async def test_a_cookie_that_was_sealed_for_something_else_is_worth_nothing(desk: Desk) -> None:
    """What is sealed for one use opens another."""
    for text in ('[["slack/T1/UALICE"]]', "7", "null"):
        sealed = desk.seal.seal(Secret(text), about_browser())
        assert await Browsers(desk.parts).whose(browsers.to_cookie(sealed), OF_ALICE) is Whose.NOBODY
    mine = browsers.from_cookie(await known(desk, ALICE))
    other = desk.seal.seal(desk.seal.unseal(mine, about_browser()), "proof")
    assert await Browsers(desk.parts).whose(browsers.to_cookie(other), OF_ALICE) is Whose.NOBODY


async def test_a_cookie_under_a_lost_key_is_worth_nothing(desk: Desk) -> None:
    """After a lost key nobody can sign in any more."""
    cookie = await known(desk, ALICE)
    again = await desk.reborn(keys=Keys(b"x" * 32))
    assert await Browsers(again.parts).whose(cookie, OF_ALICE) is Whose.NOBODY
    await again.close()


async def test_it_is_believed_for_half_a_year(desk: Desk) -> None:
    """A browser that was given away years ago is still Alice's."""
    clock = ManualClock()
    parts = replace(desk.parts, clock=clock)
    cookie = Browsers(parts).by_platform("", ALICE).reveal()
    await clock.advance(browsers.LIFE_MS / 1000 - 1)
    assert await Browsers(parts).whose(cookie, OF_ALICE) is Whose.OWNER
    await clock.advance(1)
    assert await Browsers(parts).whose(cookie, OF_ALICE) is Whose.NOBODY


async def test_a_login_makes_its_browser_known_until_it_is_disowned(desk: Desk) -> None:
    """A browser is Alice's because somebody signed in with it and she said that this was not she."""
    done = replace(OF_ALICE, state=LoginState.DONE, browser="digest")
    cookie = Browsers(desk.parts).by_login("", done).reveal()
    assert await Browsers(desk.parts).whose(cookie, OF_ALICE) is Whose.NOBODY
    for state, browser, whose in (
        (LoginState.DONE, "digest", Whose.OWNER),
        (LoginState.HELD, "digest", Whose.NOBODY),
        (LoginState.DONE, "of-another", Whose.NOBODY),
        (LoginState.DONE, "", Whose.NOBODY),
    ):
        await desk.sql(LOGIN.upsert, *LOGIN.encode(replace(done, state=state, browser=browser)))
        assert await Browsers(desk.parts).whose(cookie, OF_ALICE) is whose
        assert await Browsers(desk.parts).whose(cookie, OF_ALICE, proven=True) is Whose.NOBODY
    assert await Browsers(desk.parts).whose(await known(desk, ALICE), OF_ALICE, proven=True) is Whose.OWNER


async def test_a_cookie_stays_small(desk: Desk) -> None:
    """Who is in many workspaces has a cookie that no browser keeps."""
    places = [PersonKey(platform="slack", workspace=f"T{n:09}", user=f"U{n:09}") for n in range(20)]
    cookie = await known(desk, *places)
    assert len(cookie) < 2048
    assert await Browsers(desk.parts).whose(cookie, login_of(places[-1], "o")) is Whose.OWNER
    assert await Browsers(desk.parts).whose(cookie, login_of(places[0], "o")) is Whose.NOBODY


async def test_a_stranger_goes_nowhere_and_uses_nothing_up(desk: Desk) -> None:
    """Bob's browser takes Alice's link, so that she cannot use it any more; or it comes back with his account."""
    logins = OAuthLogins(desk.parts, accept=desk.accept, base=lambda: BASE)
    link = await link_for(desk, ALICE, "owner-of-alice")
    bob = await known(desk, BOB)
    assert (await logins.open(link, "", known=bob)).step is Step.STRANGER
    assert (await logins.leave(link, "", known=bob)).step is Step.STRANGER
    assert desk.strayed == ["login-of-owner-of-alice"] * 2
    opened = (await logins.open(link, "")).browser.reveal()
    back = await desk.way_back((await logins.leave(link, opened)).goto)
    assert (await logins.back(back, opened, known=bob)).step is Step.STRANGER
    assert desk.house.provider.counts["exchanged"] == 0
    done = await logins.back(back, opened)
    assert (done.step, bool(done.known)) == (Step.DONE, True)


async def test_a_browser_of_the_owners_is_not_made_known_again(desk: Desk) -> None:
    """What the platform has said of a browser is replaced by less."""
    logins = OAuthLogins(desk.parts, accept=desk.accept, base=lambda: BASE)
    link = await link_for(desk, ALICE, "owner-of-alice")
    mine = await known(desk, ALICE)
    opened = (await logins.open(link, "", known=mine)).browser.reveal()
    back = await desk.way_back((await logins.leave(link, opened, known=mine)).goto)
    done = await logins.back(back, opened, known=mine)
    assert (done.step, bool(done.known)) == (Step.DONE, False)
    assert [each.known for each in desk.told] == [True]
