"""What is told on a return, and when: before the answer, and what is true."""

from __future__ import annotations

from dataclasses import replace

from core.domain.entities import Level
from tests.engine.resuming import DM, HOUR, MINUTE, pass_time, press, session, talk
from tests.kit.scripted import ScriptedModel
from tests.kit.world import World

SUMMARY = "I have a summary of our conversation"
EVERYTHING = "I have everything that was said here."
LONG = "A long story about the garden and the house. " * 8


def sent(world: World) -> str:
    """What the model was sent last."""
    assert isinstance(world.model, ScriptedModel)
    return str(world.model.requests[-1].messages)


async def test_the_level_is_read_before_the_answer(world: World) -> None:
    """Somebody reads an answer and learns below it that most of the conversation was not known to it."""
    await talk(world, "My app is called Lumen.")
    await pass_time(world, 72 * HOUR)  # overdue by so long that nothing was posted
    await talk(world, "Where were we?")
    answers = await world.answers()
    assert [SUMMARY in each for each in answers] == [False, True, False]


async def test_whoever_is_faster_than_the_alarm_gets_the_same(world: World) -> None:
    """After a night of downtime the first message costs as much as the whole conversation, and nobody is told."""
    for each in _points():
        await talk(world, each)
    await world.clock.leap(25 * HOUR)  # and no ring
    await talk(world, "Where were we?")
    assert "<summary>" in sent(world)
    assert SUMMARY in sent(world)
    assert any(SUMMARY in each for each in await world.answers())


async def test_a_running_answer_is_not_overslept(world: World) -> None:
    """A clock that jumps while an answer is written does not make a stranger of whoever is talking."""
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = [["Slow ", 5.0, "answer."], ["Hello."]]
    await world.say("alice", "one")
    await world.run(1.0)
    world.clock.step_wall(round(25 * HOUR * 1000))
    await world.say("alice", "two")
    await world.settle()
    assert not any(SUMMARY in each for each in await world.answers())


async def test_what_was_parked_as_a_summary_is_not_called_everything(world: World) -> None:
    """An operator lets less history in, and a conversation that is parked by then says that everything is there."""
    for n in range(3):
        await talk(world, f"{n}: {LONG}")
    before = (await session(world)).level
    small = await world.reborn(policy=replace(world.policy, recall_budget_tokens=300))
    await pass_time(small, 61 * MINUTE)
    assert (await session(small)).level is Level.SUMMARY
    await talk(small, "Where were we?")
    assert EVERYTHING not in sent(small)
    assert "<summary>" in sent(small)
    assert "Back: everything kept." not in await small.answers()
    assert before is Level.FULL


async def test_continue_here_can_be_pressed_once(world: World) -> None:
    """A question that was answered stands there for ever, with a button that does nothing any more."""
    await talk(world, "My app is called Lumen.", thread=f"home/{DM}/t1")
    await world.clock.leap(HOUR)
    await ask_anew(world, "Something else")
    await press(world, "alice", "Continue", thread=f"home/{DM}/t2")
    assert "“My app is called Lumen.” goes on here." in await world.answers(f"home/{DM}/t2")
    buttons = [button.label for post in await world.posts(f"home/{DM}/t2") for button in post.buttons]
    assert "Continue" not in buttons
    await talk(world, "What is it called?", thread=f"home/{DM}/t2")
    assert "My app is called Lumen." in sent(world)


async def ask_anew(world: World, text: str) -> None:
    """Alice writes a new root message in her direct channel."""
    await world.say("alice", text, thread=f"home/{DM}/t2", root=True)
    await world.settle()


def _points() -> list[str]:
    return [f"Point {n}: the code word is number{n}." for n in range(12)]
