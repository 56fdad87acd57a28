"""Places and rights that are lost: everything is kept, and whoever was talking there is told where that is possible."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.kit.slack_faults import Wrong
from tests.kit.slack_state import BOT_USER, Message
from tests.kit.slack_world import ALICE, DM, GENERAL, SlackWorld

REASONS = ("restricted_action_read_only_channel", "restricted_action_thread_locked", "no_permission")


def told(world: SlackWorld) -> list[Message]:
    """What Alice was told directly."""
    return [each for each in world.server.slack.channels[DM].messages.values() if each.ours]


def lose(world: SlackWorld, how: str) -> None:
    """The channel is archived, or the bot is thrown out of it."""
    channel = world.server.slack.channels[GENERAL]
    channel.archived = how == "archived"
    if how == "kicked":
        channel.members.discard(BOT_USER)


@pytest.mark.parametrize("reborn", [False, True], ids=["same", "reborn"])
@pytest.mark.parametrize("how", ["archived", "kicked"])
async def test_a_place_is_lost_while_nobody_talks(world: SlackWorld, how: str, *, reborn: bool) -> None:
    """The notice of a quiet conversation cannot be shown: its person never learns of it, or only before a restart."""
    world.ask("hello")
    await world.settle()
    lose(world, how)
    if reborn:
        await world.reborn()
    await world.pass_time(1_860.0)
    (message,) = told(world)
    assert "can no longer write in <#C0GENERAL>" in message.text
    assert len(await world.sessions()) == 1


async def test_a_place_that_comes_back_is_used_again(world: SlackWorld) -> None:
    """The bot was thrown out and is invited again: it says nothing, or has forgotten what was said."""
    root = world.ask("hello")
    await world.settle()
    lose(world, "kicked")
    await world.pass_time(1_860.0)
    world.server.slack.channels[GENERAL].members.add(BOT_USER)
    model = world.script(["Welcome back."])
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    assert world.answers(root)[-1] == "Welcome back."
    assert "hello" in str(model.requests[-1].messages)
    lose(world, "archived")
    await world.pass_time(1_860.0)
    assert len(told(world)) == 2, "a second loss is news again"


@pytest.mark.parametrize("code", REASONS)
async def test_a_channel_in_which_we_may_not_write(world: SlackWorld, code: str) -> None:
    """An admin has closed the channel or the thread: the answer is nowhere, and nobody says why."""
    world.server.faults.add("chat.startStream", Wrong.ERROR, code=code)
    world.ask("hello")
    await world.settle()
    (message,) = told(world)
    assert code in message.text
    (session,) = await world.sessions()
    assert session.next_seq == 3, "the answer is kept"


async def test_who_could_not_be_told_is_told_the_next_time(world: SlackWorld) -> None:
    """The one message that says that a place is lost meets a fault of Slack's, and nobody ever hears of it."""
    root = world.ask("hello")
    await world.settle()
    lose(world, "archived")
    world.server.faults.add("conversations.open", Wrong.ERROR, code="internal_error")
    await world.pass_time(1_860.0)
    assert told(world) == []
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    assert len(told(world)) == 1


@pytest.mark.parametrize("event", ["app_uninstalled", "tokens_revoked"])
async def test_an_app_that_is_installed_again_goes_on(world: SlackWorld, event: str) -> None:
    """The app was thrown out in mid-answer: it has lost the answer, or the conversation, when it comes back."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.people.say(ALICE, DM, "hello")
    await world.run(3.0)
    world.server.slack.revoked = "token_revoked" if event == "tokens_revoked" else "account_inactive"
    world.people.emit(event, {"type": event, "tokens": {"bot": [BOT_USER]}})
    gate.set()
    await world.run(30.0)
    assert world.slack.platform.sender.dead
    assert len(world.answers(root, DM)) == 1
    world.server.slack.revoked = ""
    await world.settle(seconds=1_000.0)
    assert world.answers(root, DM) == ["The first half and the second."]


async def test_a_right_that_was_taken_away_is_named_to_the_operator(world: SlackWorld) -> None:
    """The scope to write is gone: nobody can be told in Slack, so the log has to; the answer is kept for its return."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("hello")
    await world.run(3.0)
    world.server.slack.scopes -= {"chat:write"}
    with capture_logs() as logs:
        gate.set()
        await world.settle()
    assert any("missing_scope" in str(each) for each in logs)
    (session,) = await world.sessions()
    assert session.next_seq == 3, "the answer is kept"
    world.server.slack.scopes |= {"chat:write"}
    model = world.script(["Here again."])
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    assert world.answers(root)[-1] == "Here again."
    assert "and the second." in str(model.requests[-1].messages)


async def test_a_right_to_react_is_not_missed(world: SlackWorld) -> None:
    """An app without reactions does not answer any more."""
    world.server.slack.scopes -= {"reactions:write"}
    root = world.ask("hello")
    await world.settle()
    assert world.answers(root) == ["Hello."]
