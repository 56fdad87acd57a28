"""A browser's way to Slack's own sign-in and back: only what left comes back, once, and for its own link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest

from bots.slack.proof import SlackProver
from core.domain.keys import PersonKey
from core.domain.secret import Secret
from core.drivers.oauth_login import OAuthLogins
from core.engine.vault import Back, Page, Step
from tests.kit.browser_plain import PlainBrowser
from tests.kit.platform_signin import SECRET
from tests.kit.slack_server import CLIENT_ID, SlackServer
from tests.kit.slack_state import TEAM
from tests.logins.desk import BASE, Desk
from tests.logins.test_browsers import link_for

ALICE = PersonKey(platform="slack", workspace=TEAM, user="U0ALICE")


@dataclass
class Gate:
    """The sign-in, which asks Slack whose browser it is."""

    desk: Desk
    slack: SlackServer
    logins: OAuthLogins

    async def away(self, link: str, person: str = "alice") -> tuple[Back, str]:
        """Leave for Slack and sign in there: what comes back, and the cookie."""
        page = await self.logins.leave(link, "")
        assert page.proof is not None
        async with PlainBrowser() as browser:
            await browser.open(page.goto)
            back = await browser.submit_and_stop(person=person)
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        return Back(state=query["state"], code=Secret(query.get("code", ""))), page.proof.reveal()

    async def back(self, back: Back, proof: str, *, platform: str = "slack") -> Page:
        """Come back from there."""
        return await self.logins.proven(platform, back, proof=proof)


@pytest.fixture
async def gate(desk: Desk) -> AsyncIterator[Gate]:
    """Give a sign-in that asks Slack."""
    async with SlackServer() as slack:
        prover = SlackProver(
            CLIENT_ID, Secret(SECRET), desk.clock, api=slack.url, authorize=f"{slack.host}/openid/connect/authorize"
        )
        provers = {"slack": prover, "discord": prover}
        yield Gate(desk, slack, OAuthLogins(desk.parts, accept=desk.accept, base=lambda: BASE, provers=provers))
        await prover.close()


async def test_what_left_comes_back(gate: Gate) -> None:
    """The owner is refused, or what Slack is asked says more of us than it needs."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    assert (await gate.logins.open(link, "")).asks_proof
    back, proof = await gate.away(link)
    page = await gate.back(back, proof)
    assert (page.step, page.proof, bool(page.known), bool(page.browser)) == (Step.LEAVE, None, True, True)
    (asked,) = gate.slack.sign_in.asked
    assert (asked["scope"], asked["team"], asked["redirect_uri"]) == ("openid", TEAM, f"{BASE}/oauth/slack")


async def test_only_what_left_comes_back(gate: Gate) -> None:
    """Mallory lets Bob's browser come back with a code of hers, and Bob counts as Mallory."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    back, proof = await gate.away(link)
    other, _ = await gate.away(link)
    changed = proof[:-6] + "AAAAAA"
    for came, cookie in ((other, proof), (back, ""), (back, changed), (back, "made-up")):
        assert (await gate.back(came, cookie)).step is Step.GONE
    assert (await gate.back(back, proof, platform="discord")).step is Step.GONE
    assert (await gate.back(Back(state="", code=back.code), proof)).step is Step.GONE
    assert (await gate.back(back, proof)).step is Step.LEAVE


async def test_a_code_works_once(gate: Gate) -> None:
    """Somebody keeps the cookie and the address, and is the owner for ever."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    back, proof = await gate.away(link)
    assert (await gate.back(back, proof)).step is Step.LEAVE
    again = await gate.back(back, proof)
    assert (again.step, bool(again.known), bool(again.browser)) == (Step.UNPROVEN, False, False)


async def test_a_second_browser_of_the_owners_is_told_so(gate: Gate) -> None:
    """Two browsers hold one link."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    first, second = await gate.away(link), await gate.away(link)
    assert (await gate.back(*first)).step is Step.LEAVE
    assert (await gate.back(*second)).step is Step.ELSEWHERE
    assert (await gate.logins.open(link, "")).step is Step.ELSEWHERE
    assert (await gate.logins.leave(link, "")).step is Step.ELSEWHERE


async def test_a_link_that_was_replaced_meanwhile_is_over(gate: Gate) -> None:
    """Whoever has an old link gets in by way of Slack."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    back, proof = await gate.away(link)
    await gate.desk.sql("UPDATE login SET expires_ms = 1000")
    assert (await gate.back(back, proof)).step is Step.GONE


async def test_somebody_else_is_known_and_the_link_is_free(gate: Gate) -> None:
    """Bob's browser keeps Alice's link, or has to ask Slack again at his own."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    page = await gate.back(*await gate.away(link, "bob"))
    assert (page.step, bool(page.browser)) == (Step.STRANGER, False)
    assert gate.desk.strayed == ["login-of-owner-of-alice"]
    bob = PersonKey(platform="slack", workspace=TEAM, user="U0BOB")
    own = await link_for(gate.desk, bob, "owner-of-bob")
    assert not (await gate.logins.open(own, "", known=page.known.reveal())).asks_proof
    assert (await gate.back(*await gate.away(link))).step is Step.LEAVE


async def test_a_slack_that_cannot_be_asked_is_told_so(gate: Gate) -> None:
    """Slack is down, and the page shows an error of ours or lets everybody in."""
    link = await link_for(gate.desk, ALICE, "owner-of-alice")
    back, proof = await gate.away(link)
    await gate.slack.stop()
    page = await gate.back(back, proof)
    assert (page.step, bool(page.known)) == (Step.NO_PROOF, False)
    assert gate.desk.told == []
