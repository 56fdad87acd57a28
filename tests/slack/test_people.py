"""Threads with people in them: the bot speaks only when it is spoken to."""

from __future__ import annotations

import pytest

from core.domain import events
from core.domain.decide import decide
from core.domain.decision import Decision, View
from core.domain.stamp import Stamp
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, BOB, CAROL, DM, GENERAL, SECRET, SHARED, SlackWorld


async def spoke(world: SlackWorld, root: str, channel: str = GENERAL) -> int:
    """How many messages of the bot stand in a thread once everything has come to rest."""
    await world.settle()
    return len(world.ours(root, channel))


async def test_a_channel_message_to_nobody_is_left_alone(world: SlackWorld) -> None:
    """People who talk in a channel are not answered."""
    root = world.people.say(ALICE, GENERAL, "lunch?")
    world.people.say(BOB, GENERAL, "yes", root)
    assert await spoke(world, root) == 0


async def test_a_bystander_in_a_thread_is_left_alone(world: SlackWorld) -> None:
    """Who has not addressed the bot in this thread is not answered there."""
    root = world.ask("hello")
    assert await spoke(world, root) == 1
    world.people.say(BOB, GENERAL, "interesting", root)
    assert await spoke(world, root) == 1


async def test_two_people_with_the_bot_are_both_answered(world: SlackWorld) -> None:
    """Two people talk with the bot in one thread; each has a conversation of their own."""
    root = world.ask("hello")
    await world.settle()
    world.ask("me too", user=BOB, thread=root)
    await world.settle()
    world.people.say(BOB, GENERAL, "and more", root)
    assert await spoke(world, root) == 3
    assert len(await world.sessions()) == 2


async def test_a_human_talking_to_a_human_is_not_interrupted(world: SlackWorld) -> None:
    """A message that begins with somebody else's name is not for the bot, even from who talks with it."""
    root = world.ask("hello")
    await world.settle()
    world.people.say(ALICE, GENERAL, f"<@{BOB}> what do you think?", root)
    assert await spoke(world, root) == 1


async def test_bots_are_never_answered(world: SlackWorld) -> None:
    """Another app's message, even one that mentions us, does not begin a conversation; two bots would never stop."""
    root = world.people.say(ALICE, GENERAL, "hm")
    world.people.bot_says(GENERAL, f"{MENTION} hello", root)
    world.people.bot_says(GENERAL, f"{MENTION} hello")
    assert await spoke(world, root) == 0
    assert list(world.server.slack.bots_messages()) == []


async def test_our_own_echo_is_not_a_message(world: SlackWorld) -> None:
    """Slack tells the bot of its own answers; it does not talk to itself."""
    root = world.ask("hello")
    assert await spoke(world, root) == 1
    echoes = [each for each in world.server.feed.log if each.payload["event"].get("bot_id")]
    assert echoes
    assert all(each.acked.is_set() for each in echoes)


async def test_a_message_to_another_bot_is_not_for_us(world: SlackWorld) -> None:
    """A mention of another app is not ours."""
    world.server.slack.add_user("U0OTHERBOT", "Other")
    root = world.people.say(ALICE, GENERAL, "<@U0OTHERBOT> hello")
    assert await spoke(world, root) == 0


async def test_what_was_said_before_is_known(world: SlackWorld) -> None:
    """Mentioned in the middle of a thread, the bot knows what people had said there, with their names."""
    model = world.script(["I see."])
    root = world.people.say(BOB, GENERAL, "The launch is on Friday.")
    world.people.say(CAROL, GENERAL, "At noon.", root)
    world.ask("when is it?", thread=root)
    await world.settle()
    asked = str(model.requests[0].messages)
    assert "The launch is on Friday." in asked
    assert "At noon." in asked
    assert "Bob" in asked


async def test_a_thread_that_cannot_be_read_is_said(world: SlackWorld) -> None:
    """When Slack does not let the bot read the thread, the answer says so."""
    world.server.slack.channels[GENERAL].unreadable = "missing_scope"
    root = world.people.say(BOB, GENERAL, "The launch is on Friday.")
    world.ask("when is it?", thread=root)
    await world.settle()
    assert "could not read" in world.answers(root)[0]


async def test_one_gesture_is_one_message(world: SlackWorld) -> None:
    """A mention comes as two events, and a retry comes twice: it is answered once."""
    root = world.ask("hello")
    await world.settle()
    mention = world.server.feed.log[0].payload
    world.server.feed.send("events_api", mention)
    assert await spoke(world, root) == 1


async def test_two_timestamps_of_one_gesture_are_one_message(world: SlackWorld) -> None:
    """Slack has been seen to make two messages of one press of Enter; they share a client id."""
    root = world.people.say(ALICE, DM, "hello")
    await world.settle()
    first = world.server.feed.log[0].payload["event"]
    twin = {**first, "ts": world.server.slack.ts()}
    world.server.feed.send("events_api", world.people.callback(twin, world.server.slack.channels[DM]))
    await world.settle()
    assert len(world.ours(root, DM)) == 1
    assert len(list(world.server.slack.bots_messages())) == 1


async def test_an_edit_that_adds_a_mention_is_heard(world: SlackWorld) -> None:
    """Who forgot to mention the bot adds it, and is answered."""
    root = world.people.say(ALICE, GENERAL, "what is it?")
    await world.settle()
    event = {
        "type": "app_mention", "user": ALICE, "text": f"{MENTION} what is it?", "ts": root, "channel": GENERAL,
        "edited": {"user": ALICE, "ts": root}, "event_ts": root,
    }  # fmt: skip
    world.people.emit("app_mention", event)
    assert await spoke(world, root) == 1


async def test_audiences_are_known(world: SlackWorld) -> None:
    """A history never lands in a more visible place unasked, so the bot knows who reads where."""
    for channel in (GENERAL, SECRET, SHARED):
        world.ask("hello", channel=channel)
    world.people.say(ALICE, DM, "hello")
    await world.settle()
    seen = {each.home.channel: each.audience.value for each in await world.sessions()}
    assert seen == {GENERAL: "public", SECRET: "private", SHARED: "shared", DM: "dm"}


@pytest.mark.parametrize("flag", ["is_restricted", "is_ultra_restricted", "is_stranger", ""])
async def test_a_guest_is_known_as_one(world: SlackWorld, flag: str) -> None:
    """Somebody who was let into one channel only would count as a member of the workspace."""
    heard: dict[str, bool] = {}

    def noting(view: View, event: events.Event, stamp: Stamp) -> Decision:
        if isinstance(event, events.Arrival):
            heard[event.author.key.user] = event.author.guest
        return decide(view, event, stamp)

    await world.stop()
    world.rule = noting
    await world.start()
    world.server.slack.restricted[BOB] = (flag,) if flag else ()
    world.ask("hello", user=BOB)
    await world.settle()
    world.ask("hello")
    await world.settle()
    assert heard == {BOB: bool(flag), ALICE: False}
