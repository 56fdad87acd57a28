"""Conversations through the whole house on Slack: mentions, threads, direct messages, stop, crash."""

from __future__ import annotations

import asyncio

from core.domain.errors import Ambiguous, Refused
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SlackWorld


async def test_a_mention_is_answered_in_its_thread(world: SlackWorld) -> None:
    """Somebody mentions the bot in a channel and gets one answer below it, streamed."""
    world.script(["Hello, ", "Alice."])
    root = world.ask("hi")
    await world.settle()
    assert world.answers(root) == ["Hello, Alice."]
    assert world.server.slack.status(GENERAL, root) == "active"
    assert len(world.server.called("chat.startStream")) == 1
    model = world.script([""])
    assert [block["text"] for block in model.requests[0].messages[-1]["content"]] == ["hi"]  # type: ignore[attr-defined]


async def test_a_thread_goes_on_without_a_mention(world: SlackWorld) -> None:
    """Who has addressed the bot in a thread need not mention it again there."""
    world.script(["One."], ["Two."])
    root = world.ask("first")
    await world.settle()
    world.people.say(ALICE, GENERAL, "second", root)
    await world.settle()
    assert world.answers(root) == ["One.", "Two."]


async def test_a_direct_message_is_answered_below_it(world: SlackWorld) -> None:
    """In the Messages tab every message is for the bot, and is answered in its thread."""
    world.script(["Here."], ["Still here."])
    root = world.people.say(ALICE, DM, "are you there?")
    await world.settle()
    world.people.say(ALICE, DM, "and now?", root)
    await world.settle()
    assert world.answers(root, DM) == ["Here.", "Still here."]
    assert world.server.slack.sessions[DM, root].title == "are you there?"


async def test_an_answer_grows_before_ones_eyes(world: SlackWorld) -> None:
    """The answer is streamed: it is there in part while the model speaks, and the session says that it works."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(3.0)
    assert world.answers(root) == ["The first half "]
    assert len(world.streaming()) == 1
    assert world.server.slack.status(GENERAL, root) == "processing"
    gate.set()
    await world.settle()
    assert world.answers(root) == ["The first half and the second."]
    assert world.streaming() == []


async def test_slacks_own_stop_keeps_what_was_said(world: SlackWorld) -> None:
    """Slack's Stop button ends the answer at once and keeps it."""
    world.script(["So far ", asyncio.Event()])
    root = world.ask("go")
    await world.run(3.0)
    world.people.stop(ALICE, GENERAL, root)
    await world.settle()
    (answer,) = world.answers(root)
    assert answer == "So far \n\n_Stopped. What was said so far is kept._"
    assert world.server.slack.status(GENERAL, root) == "active"


async def test_a_stop_whose_event_is_lost_is_noticed_all_the_same(world: SlackWorld) -> None:
    """An app that was not told of the Stop sees it at its next append."""
    world.people.subscribed.discard("agent_session_stopped")
    gate = asyncio.Event()
    world.script(["So far ", gate, "more ", asyncio.Event()])
    root = world.ask("go")
    await world.run(3.0)
    world.people.stop(ALICE, GENERAL, root)
    gate.set()
    await world.settle()
    (answer,) = world.answers(root)
    assert answer.startswith("So far")
    assert answer.endswith("_Stopped. What was said so far is kept._")


async def test_a_failed_answer_can_be_tried_again(world: SlackWorld) -> None:
    """When nothing helps the person is told why; a button tries again in the same message."""
    cut = Ambiguous(code="model_silent")
    world.script([cut], [cut], [cut], ["At last."])
    root = world.ask("go")
    await world.settle()
    failed = world.with_button(root, "Try again")
    assert "silent" in failed.shown
    world.people.press(ALICE, failed, "Try again")
    await world.settle()
    assert world.answers(root) == ["At last."]


async def test_a_button_is_only_for_whom_it_is_meant(world: SlackWorld) -> None:
    """The Try-again button of my question is not shown to others."""
    world.script([Refused(code="model_auth")])
    root = world.ask("go")
    await world.settle()
    (button,) = world.with_button(root, "Try again").buttons
    assert button["visible_to_user_ids"] == [ALICE]


async def test_a_crash_in_mid_answer_is_finished_in_the_same_message(world: SlackWorld) -> None:
    """Kill the process while it speaks: after the restart the same message is complete."""
    world.script(["Once upon a time ", asyncio.Event()])
    root = world.ask("story")
    await world.run(3.0)
    (before,) = world.ours(root)
    assert before.shown == "Once upon a time "
    await world.reborn(["there was a bot."])
    await world.settle()
    (after,) = world.ours(root)
    assert after.ts == before.ts
    assert after.shown == "Once upon a time there was a bot."


async def test_a_crash_before_the_first_word_leaves_one_message(world: SlackWorld) -> None:
    """The empty stream of a process that died is used by the next one."""
    world.script([asyncio.Event()])
    root = world.ask("story")
    await world.run(2.0)
    assert world.answers(root) == [""]
    await world.reborn(["Here it is."])
    await world.settle()
    assert world.answers(root) == ["Here it is."]


async def test_what_was_said_during_downtime_is_answered(world: SlackWorld) -> None:
    """The bot was down when somebody asked: the answer comes when it is back."""
    root = world.ask("first")
    await world.settle()
    await world.stop()
    world.server.feed.paused = True
    world.people.say(ALICE, GENERAL, "are you back?", root)
    other = world.ask("somebody else", user=BOB)
    await world.clock.leap(3_600)
    world.server.feed.paused = False
    world.script(["Back."], ["To you, too."])
    await world.start()
    await world.settle()
    assert world.answers(root)[1:] != []
    assert len(world.answers(root)) == 2
    assert len(world.answers(other)) == 1


async def test_a_person_is_called_by_name(world: SlackWorld) -> None:
    """The model sees names, not ids."""
    model = world.script(["Hi."])
    world.ask(f"greet <@{BOB}> in <#C0RANDOM|random>, see <https://example.com|the page>")
    await world.settle()
    said = str(model.requests[0].messages[-1])
    assert "greet @Bob in #random, see [the page](https://example.com)" in said


async def test_an_empty_mention_is_a_call_for_help(world: SlackWorld) -> None:
    """Whoever only says the bot's name is told what it can do, privately."""
    world.people.say(ALICE, GENERAL, MENTION)
    await world.settle()
    told = [each for each in world.server.slack.bots_messages() if each.channel == DM]
    assert "/rejoinder sessions" in told[0].shown


async def test_an_edited_message_is_known_as_edited(world: SlackWorld) -> None:
    """Who corrects a message talks about the corrected one from then on."""
    model = world.script(["Ok."])
    root = world.ask("My app is called Lumi.")
    await world.settle()
    world.people.edit(GENERAL, root, f"{MENTION} My app is called Lumen.")
    await world.settle()
    world.people.say(ALICE, GENERAL, "what is it called?", root)
    await world.settle()
    asked = str(model.requests[-1].messages)
    assert "My app is called Lumen." in asked
    assert "Lumi." not in asked


async def test_a_deleted_message_is_gone(world: SlackWorld) -> None:
    """What somebody takes back is not sent to the model any more, also where somebody else had it as heard."""
    model = world.script(["Ok."])
    secret = world.people.say(BOB, GENERAL, "The password is hunter2.")
    world.ask("summarise this", thread=secret)
    await world.settle()
    assert "hunter2" in str(model.requests[-1].messages)
    world.people.remove(GENERAL, secret)
    await world.settle()
    world.ask("and now?", thread=secret)
    await world.settle()
    assert "hunter2" not in str(model.requests[-1].messages)
