"""The operator's allow-lists on Slack: a refusal is private, once, and leaves nothing in the channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.decision import Policy
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SECRET, SlackWorld

SORRY = "Sorry, I am not here for you in this place"


@pytest.fixture
async def only(tmp_path: Path) -> AsyncIterator[SlackWorld]:
    """A bot that is for Alice alone, in #general and in direct messages."""
    policy = Policy(allow_channels=(GENERAL, "dm"), allow_people=(ALICE,))
    world = await SlackWorld.open(tmp_path, policy=policy)
    yield world
    await world.close()
    assert world.server.slack.violations == []


async def test_who_is_on_the_list_is_served(only: SlackWorld) -> None:
    """The lists would keep out those whom they name."""
    root = only.ask("hello")
    await only.settle()
    assert only.answers(root) == ["Hello."]
    direct = only.people.say(ALICE, DM, "hello")
    await only.settle()
    assert only.answers(direct, DM) == ["Hello."]


@pytest.mark.parametrize(("user", "channel"), [(BOB, GENERAL), (ALICE, SECRET)], ids=["person", "channel"])
async def test_a_mention_from_outside_gets_one_private_refusal(only: SlackWorld, user: str, channel: str) -> None:
    """The channel would read who may talk with the bot, or the person would wait for an answer."""
    first = only.ask("hello", user=user, channel=channel)
    await only.settle()
    only.people.say(user, channel, "anybody there?", first)
    only.ask("hello again", user=user, channel=channel)
    await only.settle()
    assert only.ours(first, channel) == []
    told = [each for each in only.server.slack.bots_messages() if SORRY in each.shown]
    assert [each.channel for each in told] == [f"D0{user.removeprefix('U0')}"]
    assert [each.shown for each in only.server.slack.bots_messages()] == [told[0].shown]
    assert await only.sessions() == []


async def test_the_home_of_somebody_from_outside_says_so_and_costs_nothing(only: SlackWorld) -> None:
    """Bob opens the app's Home: it stays empty or invites him, or his question of the day is refused without a word."""
    for _ in range(2):
        only.server.slack.homes.clear()
        only.people.open_home(BOB)
        await only.settle()
        assert "I am not here for you" in str(only.server.slack.homes[BOB])
        assert "Write to me" not in str(only.server.slack.homes[BOB])
    only.ask("hello", user=BOB)
    await only.settle()
    assert any(SORRY in each.shown for each in only.server.slack.bots_messages())


async def test_a_home_without_conversations_is_for_everybody_else(only: SlackWorld) -> None:
    """Alice, who has no conversations yet, is shown nothing, or counts as somebody who has spoken."""
    only.people.open_home(ALICE)
    await only.settle()
    assert "Write to me" in str(only.server.slack.homes[ALICE])
    people = await only.store.read(lambda conn: conn.execute("SELECT count(*) FROM person").fetchone())
    assert people == (0,)


async def test_a_command_from_outside_is_refused_and_leaves_no_thread(only: SlackWorld) -> None:
    """A code brought by somebody from outside would open a thread, and perhaps a conversation."""
    envelope = only.people.command(BOB, GENERAL, "/resume", "ABCD-EFGH-JKMN-PQR7")
    await only.settle()
    assert SORRY in str(envelope.response)
    assert list(only.server.slack.bots_messages()) == []
