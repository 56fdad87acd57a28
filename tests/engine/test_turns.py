"""One conversation through the whole house."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.domain.decision import Private
from core.domain.errors import Ambiguous, Closing, NotSent, Refused, StoreFull
from core.domain.words import say
from core.engine.delivering import NOTHING_MORE
from tests.kit.scripted import ScriptedModel, Step
from tests.kit.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house with an empty store."""
    world = await World.open(tmp_path / "rejoinder.db")
    yield world
    await world.close()


def script(world: World, *scripts: list[Step]) -> ScriptedModel:
    """Tell the world's model what to do in its next calls."""
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = list(scripts)
    return world.model


async def test_a_message_is_answered_in_its_thread(world: World) -> None:
    """Somebody writes and gets an answer."""
    script(world, ["Hello, ", "Alice."])
    await world.say("alice", "hi")
    await world.settle()
    assert await world.answers() == ["Hello, Alice."]


async def test_three_quick_messages_are_one_turn(world: World) -> None:
    """Somebody who presses Enter three times is answered once, with all three in view."""
    model = script(world, ["All three."])
    for text in ("one", "two", "three"):
        await world.say("alice", text)
        await world.clock.advance(0.1)
    await world.settle()
    assert await world.answers() == ["All three."]
    content = model.requests[0].messages[-1]["content"]
    assert [block["text"] for block in content] == ["one", "two", "three"]  # type: ignore[attr-defined]


async def test_what_arrives_while_answering_joins_the_next_turn(world: World) -> None:
    """A second question during an answer is not lost and not answered twice."""
    gate = asyncio.Event()
    script(world, ["First", gate, "."], ["Second."])
    await world.say("alice", "one")
    await world.run(1.0)
    await world.say("alice", "two")
    gate.set()
    await world.settle()
    assert await world.answers() == ["First.", "Second."]


async def test_the_same_delivery_twice_is_one_message(world: World) -> None:
    """A redelivered message does not get a second answer."""
    await world.say("alice", "hi", key="k1")
    again = await world.say("alice", "hi", key="k1")
    await world.settle()
    assert again.duplicate
    assert await world.answers() == ["Hello."]


async def test_an_answer_that_is_taken_back_leaves_no_empty_message(world: World) -> None:
    """A long answer is refused at its end: a platform would be asked for an empty message, again and again."""
    paragraph = "Some words of a very long answer.\n\n" * 2_000
    script(world, [paragraph, paragraph, 2.0, "The end.", 2.0, "<stop_reason>refusal"])
    await world.say("alice", "go")
    await world.run(3.5)
    assert [len(text) > 10_000 for text in await world.answers()] == [True, True]
    await world.settle()
    assert await world.answers() == ["The language model declined to answer this.", NOTHING_MORE]
    posts = [post for post in await world.posts() if not post.author]
    assert [(post.state, post.buttons) for post in posts] == [("failed", ()), ("done", ())]


async def test_a_damaged_history_is_told_to_the_model_too(world: World) -> None:
    """The person reads that it starts afresh, and the model does as if it knew everything, now and later."""
    model = script(world, ["One."], ["Two."], ["Three."])
    await world.say("alice", "first")
    await world.settle()
    await world.store.submit(lambda conn: conn.execute("UPDATE message SET blocks = '[' WHERE role = 'assistant'"))
    for text in ("second", "third"):
        await world.say("alice", text)
        await world.settle()
    fresh = say("en", "memory.fresh")
    for request in model.requests[1:]:
        assert [each["role"] for each in request.messages][:1] == ["user"]
        assert request.messages[0]["content"][0]["text"] == f"[{fresh}]\nsecond"  # type: ignore[index]
    sums = "SELECT s.tokens, (SELECT sum(tokens) FROM message WHERE id >= (s.num << 24) + 3) FROM session AS s"
    kept, stands = await world.store.read(lambda conn: conn.execute(sums).fetchone())
    assert kept == stands


async def test_before_the_disk_is_full_nothing_new_is_taken(world: World) -> None:
    """The running answer would have no room to be stored, and nobody would know that the bot is in trouble."""
    gate = asyncio.Event()
    script(world, ["So ", gate, "it ends."])
    await world.say("alice", "one")
    await world.run(1.0)
    assert world.store.room.shortage() == ""
    world.store.room.floor_bytes = 1 << 62
    assert "MB are free" in world.store.room.shortage()
    with pytest.raises(StoreFull):
        await world.say("bob", "two", thread="t2")
    assert await world.posts("t2") == ()
    gate.set()
    await world.settle()
    assert await world.answers() == ["So it ends."]
    world.store.room.floor_bytes = 0
    await world.say("bob", "three", thread="t2")
    await world.settle()
    assert await world.answers("t2") == ["So it ends."]


async def test_a_cut_answer_goes_on_in_the_same_message(world: World) -> None:
    """The connection breaks in the middle; the reader sees one whole answer."""
    model = script(world, ["The quick brown ", Ambiguous(code="model_cut")], ["fox jumps."])
    await world.say("alice", "go")
    await world.settle()
    assert await world.answers() == ["The quick brown fox jumps."]
    assert [each["role"] for each in model.requests[1].messages] == ["user", "assistant", "user"]


async def test_a_crash_in_mid_answer_is_finished_in_the_same_message(world: World) -> None:
    """Kill the process while it speaks: after the restart the same message is complete."""
    gate = asyncio.Event()
    script(world, ["Once upon a time ", gate])
    await world.say("alice", "story")
    await world.run(2.0)
    again = await world.reborn(model=ScriptedModel(world.clock, [["there was a bot."]]))
    await again.settle()
    assert await again.answers() == ["Once upon a time there was a bot."]


async def test_stop_keeps_what_was_said(world: World) -> None:
    """Stop ends the answer at once and keeps it."""
    script(world, ["So far ", asyncio.Event()])
    await world.say("alice", "go")
    await world.run(1.0)
    await world.press("alice", "Stop")
    await world.settle()
    assert await world.answers() == ["So far \n\n_Stopped. What was said so far is kept._"]


async def test_only_the_asker_can_stop(world: World) -> None:
    """Another person in the thread cannot end my answer."""
    gate = asyncio.Event()
    script(world, ["Mine ", gate, "alone."])
    await world.say("alice", "go")
    await world.run(1.0)
    accepted = await world.press("bob", "Stop")
    assert isinstance(accepted.decision.reply, Private)
    gate.set()
    await world.settle()
    assert await world.answers() == ["Mine alone."]


async def test_a_busy_model_is_waited_for_and_said_once(world: World) -> None:
    """After 20 s of waiting the person is told when it is tried again; then the answer comes."""
    retry_ms = world.clock.now_ms() + 60_000
    script(world, [NotSent(code="model_busy", retry_ms=retry_ms)], ["Here."])
    await world.say("alice", "go")
    await world.run(5.0)
    assert "busy" in (await world.answers())[0]
    await world.settle()
    assert await world.answers() == ["Here."]


async def test_three_stalls_end_honestly_and_try_again_works(world: World) -> None:
    """When nothing helps the person is told why, and a button tries again in the same message."""
    cut = Ambiguous(code="model_silent")
    script(world, [cut], [cut], [cut], ["At last."])
    await world.say("alice", "go")
    await world.settle()
    assert "silent" in (await world.answers())[0]
    await world.press("alice", "Try again")
    await world.settle()
    assert await world.answers() == ["At last."]


async def test_a_wrong_key_is_said_plainly(world: World) -> None:
    """A definite no is told at once, in words a person understands."""
    script(world, [Refused(code="model_auth")])
    await world.say("alice", "go")
    await world.settle()
    assert "key for the language model" in (await world.answers())[0]


async def test_a_drain_checkpoints_and_the_next_start_continues(world: World) -> None:
    """A deploy in mid-answer: the old process stops calmly, the new one goes on."""
    script(world, ["Half ", asyncio.Event()])
    await world.say("alice", "go")
    await world.run(0.7)
    await world.engine.drain(0.01)
    with pytest.raises(Closing):
        await world.say("alice", "too late")
    await world.engine.close()
    again = await world.reborn(model=ScriptedModel(world.clock, [["and whole."]]))
    await again.settle()
    assert await again.answers() == ["Half and whole."]


@pytest.mark.parametrize("waits", ["just said", "pause", "busy"])
async def test_a_drain_does_not_wait_for_a_call_that_is_not_running(world: World, waits: str) -> None:
    """A deploy in the pause after a message, or while the provider is down, would take 20 seconds for nothing."""
    script(world, [NotSent(code="model_busy", retry_ms=600_000)], ["Here."])
    await world.say("alice", "go")
    await world.run({"just said": 0, "pause": 0.1, "busy": 1.0}[waits])
    async with asyncio.timeout(5):
        await world.engine.drain(30)
    await world.engine.close()
    again = await world.reborn(model=ScriptedModel(world.clock, [["Here."]]))
    await again.settle(seconds=700)
    assert await again.answers() == ["Here."]


async def test_a_drain_waits_until_an_answer_stands_in_its_place(world: World) -> None:
    """What the model has just finished would be shown only after the restart."""
    gate = asyncio.Event()
    script(world, ["Half ", gate, "and whole."])
    await world.say("alice", "go")
    await world.run(1.0)
    draining = asyncio.create_task(world.engine.drain(30))
    await world.flush()
    assert not draining.done()
    gate.set()
    async with asyncio.timeout(5):
        await draining
    assert await world.answers() == ["Half and whole."]
    assert world.engine.idle


async def test_an_operator_finds_a_refused_call_in_the_log(world: World) -> None:
    """A revoked key would be told to every person and not to whoever can mend it."""
    script(world, [Refused(code="model_auth", detail="sk-ant-secret")])
    with capture_logs() as lines:
        await world.say("alice", "go")
        await world.settle()
    told = [each for each in lines if each["event"] == "refused"]
    assert [(each["log_level"], each["code"]) for each in told] == [("warning", "model_auth")]
    assert "secret" not in str(lines)


async def test_what_becomes_due_while_the_store_is_asked_is_not_slept_over(world: World) -> None:
    """Two people who wrote in the same moment waited for the next sweep, five seconds, with the machine idle."""
    script(world, ["Here."])
    asked = world.store.next_effect_ms

    async def slow(now_ms: int) -> int | None:
        due_ms = await asked(now_ms)
        await world.clock.advance(max(0, (due_ms or 0) - world.clock.now_ms()) / 1000)
        return due_ms

    world.store.next_effect_ms = slow  # type: ignore[method-assign]
    await world.say("alice", "go")
    await world.run(1.0)
    assert await world.answers() == ["Here."]
