"""Slack's own faults stay invisible: replies lost, 429, 5xx, dead tokens, lost places."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.kit.slack_faults import Wrong
from tests.kit.slack_state import BOT_USER
from tests.kit.slack_world import ALICE, DM, GENERAL, SlackWorld

MINUTE = 60.0
WRITES = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.postMessage", "chat.update")
STORMS = [
    pytest.param(wrong, id=wrong.value)
    for wrong in (Wrong.LOST, Wrong.LOST_5XX, Wrong.GARBAGE, Wrong.CUT, Wrong.HTML_5XX, Wrong.JSON_5XX)
]


async def one_answer(world: SlackWorld, root: str, text: str, channel: str = GENERAL) -> None:
    """Exactly one message of the bot stands in the thread, and it reads like this."""
    await world.settle(seconds=1_200)
    assert world.answers(root, channel) == [text]
    assert world.streaming() == []


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("wrong", STORMS)
async def test_one_bad_call_leaves_one_answer(world: SlackWorld, method: str, wrong: Wrong) -> None:
    """Whatever becomes of one call, and whether or not it was done: the answer is there, once."""
    if method in ("chat.postMessage", "chat.update"):
        world.server.slack.agent = False
    gate = asyncio.Event()
    world.server.faults.add(method, wrong)
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(6.0)
    gate.set()
    await one_answer(world, root, "The first half and the second.")


@pytest.mark.parametrize("streams", [True, False], ids=["streams", "posts"])
@pytest.mark.parametrize("wrong", STORMS)
async def test_a_storm_leaves_one_answer(world: SlackWorld, wrong: Wrong, *, streams: bool) -> None:
    """Slack answers every call with the same fault for a while: in the end there is one answer, not two."""
    world.server.slack.agent = streams
    world.server.faults.add("*", wrong, times=25)
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(20.0)
    gate.set()
    await one_answer(world, root, "The first half and the second.")


@pytest.mark.parametrize("method", WRITES)
async def test_a_rate_limit_is_obeyed(world: SlackWorld, method: str) -> None:
    """After a 429 the method is not called before its time (see the fixture), and then the answer arrives."""
    if method in ("chat.postMessage", "chat.update"):
        world.server.slack.agent = False
    world.server.faults.add(method, Wrong.RATE, seconds=30.0)
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(10.0)
    gate.set()
    await one_answer(world, root, "The first half and the second.")
    assert any(call.outcome == "rate" for call in world.server.called(method))


async def test_a_rate_limit_storm_is_obeyed(world: SlackWorld) -> None:
    """Every method is closed, again and again: each is left alone for as long as it says."""
    world.server.faults.add("*", Wrong.RATE, times=12, seconds=20.0)
    world.script(["Here."])
    root = world.ask("go")
    await one_answer(world, root, "Here.")


async def test_many_answers_at_once_stay_within_slacks_tiers(world: SlackWorld) -> None:
    """Twenty-five people ask in the same minute: everybody is answered, and no method is called before its time."""
    world.script(["A short answer to that."])
    roots = [world.ask(f"question {n}") for n in range(25)]
    await world.settle(seconds=1_200)
    assert [world.answers(root) for root in roots] == [["A short answer to that."]] * 25


async def test_streams_share_slacks_patience(world: SlackWorld) -> None:
    """Eight long answers grow at the same time; together they append less than a hundred times a minute."""
    world.script([step for n in range(60) for step in (f"Sentence number {n}. ", 1.0)])
    roots = [world.ask(f"question {n}") for n in range(8)]
    await world.run(61.0, step=0.5)
    appended = [call for call in world.server.called("chat.appendStream") if call.outcome == "ok"]
    assert 60 <= len(appended) <= 100
    assert [call for call in world.server.calls if call.outcome == "ratelimited"] == []
    await world.settle(seconds=600)
    assert all(len(world.answers(root)) == 1 for root in roots)


async def test_a_dead_token_parks_what_is_to_be_said(world: SlackWorld) -> None:
    """The token is revoked in mid-answer and works again later: the answer was kept and is there."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(3.0)
    world.server.slack.revoked = "token_revoked"
    gate.set()
    await world.run(30.0)
    world.server.slack.revoked = ""
    await one_answer(world, root, "The first half and the second.")


@pytest.mark.parametrize("how", ["archived", "kicked"])
async def test_a_lost_place_is_told_to_its_person(world: SlackWorld, how: str) -> None:
    """The channel was archived, or the bot thrown out: nothing is deleted, and whoever was talking there is told."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("first")
    await world.run(3.0)
    channel = world.server.slack.channels[GENERAL]
    channel.archived = how == "archived"
    if how == "kicked":
        channel.members.discard(BOT_USER)
    gate.set()
    await world.settle()
    (told,) = [each for each in world.server.slack.channels[DM].messages.values() if each.ours]
    assert "can no longer write in <#C0GENERAL>" in told.text
    (session,) = await world.sessions()
    assert session.next_seq == 3, "the answer is kept"
    assert world.answers(root) == ["The first half "]


async def test_a_deleted_answer_is_written_anew(world: SlackWorld) -> None:
    """Somebody deleted the bot's message while it was being written: the whole answer stands in a new one."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(3.0)
    (message,) = world.ours(root)
    del world.server.slack.channels[GENERAL].messages[message.ts]
    gate.set()
    await one_answer(world, root, "The first half and the second.")


async def test_a_deleted_notice_is_shown_anew(world: SlackWorld) -> None:
    """Somebody deleted the idle notice: the next step of the conversation is still told."""
    root = world.ask("hello")
    await world.settle()
    await world.pass_time(31 * MINUTE)
    notice = world.with_button(root, "Resume")
    del world.server.slack.channels[GENERAL].messages[notice.ts]
    await world.pass_time(31 * MINUTE)
    assert "parked" in world.with_button(root, "Resume").shown


async def test_a_lost_reply_to_a_notice_leaves_one_notice(world: SlackWorld) -> None:
    """Slack posted the notice and did not say so: it is found, not posted again."""
    root = world.ask("hello")
    await world.settle()
    world.server.faults.add("chat.postMessage", Wrong.LOST)
    await world.pass_time(31 * MINUTE)
    assert len(world.ours(root)) == 2


async def test_streams_that_are_refused_become_ordinary_messages(world: SlackWorld) -> None:
    """In a workspace without agent features the answer grows in a message that is edited, with a Stop button."""
    world.server.slack.agent = False
    world.script(["The first half ", asyncio.Event()])
    root = world.ask("go")
    await world.run(6.0)
    growing = world.with_button(root, "Stop")
    assert growing.shown == "The first half "
    world.people.press(ALICE, growing, "Stop")
    await one_answer(world, root, "The first half \n\n_Stopped. What was said so far is kept._")


async def test_a_stream_is_not_tried_again_for_a_while(world: SlackWorld) -> None:
    """An app that may not stream does not ask for it with every answer."""
    world.server.slack.agent = False
    for n in range(3):
        root = world.ask(f"question {n}")
        await one_answer(world, root, "Hello.")
    assert len(world.server.called("chat.startStream")) == 1


async def test_slack_that_is_down_at_the_start_is_tried_on(tmp_path: Path) -> None:
    """The bot starts while Slack is down: the program runs, and Slack is served as soon as it is back."""
    world = await SlackWorld.open(tmp_path, start=False)
    try:
        world.server.faults.add("auth.test", Wrong.HTML_5XX, times=3)
        await world.start()
        await world.run(20.0)
        root = world.ask("hello")
        await one_answer(world, root, "Hello.")
    finally:
        await world.close()


async def test_an_answer_arrives_where_no_blocks_are_taken(world: SlackWorld) -> None:
    """A workspace that takes no Block Kit from us would get no answer at all; now it gets the whole text."""
    world.server.slack.agent = False
    world.server.slack.blocks_refused = {"markdown", "section", "actions"}
    world.script(["**Bold** & plain,\n\n```\nx < y\n```\n" + "many words " * 60])
    root = world.ask("go")
    await world.settle(seconds=1_200)
    (answer,) = world.ours(root)
    assert answer.blocks == []
    assert answer.text.startswith("*Bold* &amp; plain,\n\n```\nx &lt; y\n```\nmany words")
    assert answer.text.count("many words") == 60


async def test_buttons_work_where_markdown_blocks_are_unknown(world: SlackWorld) -> None:
    """The notice would not come, and with it no Resume button."""
    world.server.slack.agent = False
    world.server.slack.blocks_refused = {"markdown"}
    root = world.ask("hello")
    await world.settle()
    await world.pass_time(31 * MINUTE)
    world.people.press(ALICE, world.with_button(root, "Resume"), "Resume")
    await world.settle()
    assert "Back: everything kept" in world.answers(root)[-1]
