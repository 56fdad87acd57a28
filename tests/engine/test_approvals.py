"""Tools that change something run only when their person says so, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.decision import Policy, Private
from core.domain.tooling import ToolKind
from core.drivers.mcp_tools import McpTools
from tests.engine.resuming import AWAY, HERE, carried, press, resume, talk
from tests.engine.test_resume_links import labels
from tests.engine.test_turns import script
from tests.kit.scripted import ScriptedModel, Use
from tests.kit.tools import ToolProcess, connected, http
from tests.kit.world import World

HOUR_S = 3_600


@pytest.fixture
async def world(tmp_path: Path, tools: McpTools) -> AsyncIterator[World]:
    """A running house with that server's tools."""
    world = await World.open(tmp_path / "rejoinder.db", tools=tools)
    yield world
    await world.close()


def told(model: ScriptedModel, call: int = -1) -> list[str]:
    """What the tools gave, as the model reads it."""
    content = model.requests[call].messages[-1]["content"]
    assert isinstance(content, list)
    return [each["content"][0]["text"] for each in content if each["type"] == "tool_result"]


async def cards(world: World, thread: str = "t1") -> list[tuple[str, list[str]]]:
    """The cards that stand in a thread, and their buttons."""
    posts = await world.posts(thread)
    return [(post.text, [button.label for button in post.buttons]) for post in posts if post.card]


CREATE = Use("kit__create_note", {"text": "buy milk"})


async def test_nothing_is_changed_before_it_is_allowed(world: World, server: ToolProcess) -> None:
    """A note is created only after Alice has seen what it says and pressed Approve."""
    script(world, ["I make a note.", CREATE], ["It is made."])
    await world.say("alice", "note: buy milk")
    await world.run(3.0)
    ((text, buttons),) = await cards(world)
    assert "kit: create_note" in text
    assert "buy milk" in text
    assert buttons == ["Approve", "Deny", "Always here"]
    assert "I wait for your word" in (await world.answers())[0]
    assert not server.calls()
    await world.press("alice", "Approve")
    await world.settle()
    assert server.calls() == {"create_note": 1}
    ((text, buttons),) = await cards(world)
    assert text.startswith("Approved")
    assert not buttons
    assert (await world.answers())[0] == "I make a note.\n\nIt is made."


async def test_a_denied_call_is_not_made(world: World, server: ToolProcess) -> None:
    """Alice presses Deny: nothing happens, and the model learns that it was her."""
    model = script(world, [CREATE], ["Then I do not."])
    await world.say("alice", "note it")
    await world.run(3.0)
    await world.press("alice", "Deny")
    await world.settle()
    assert not server.calls()
    assert "did not allow" in told(model)[0]
    assert "Then I do not." in await world.answers()


async def test_nobody_else_may_allow_it(world: World, server: ToolProcess) -> None:
    """Bob presses Alice's Approve: he is told that it is hers, and nothing happens."""
    script(world, [CREATE], ["Made."])
    await world.say("alice", "note it")
    await world.run(3.0)
    pressed = await world.press("bob", "Approve")
    await world.run(3.0)
    assert isinstance(pressed.decision.reply, Private)
    assert pressed.decision.reply.text == "Only the person who asked can do that."
    assert not server.calls()


async def test_a_button_works_once(world: World, server: ToolProcess) -> None:
    """Alice presses Approve twice: the note is made once."""
    script(world, [CREATE], ["Made."])
    await world.say("alice", "note it")
    await world.run(3.0)
    (button,) = [b.id for post in await world.posts() for b in post.buttons if b.label == "Approve"]
    await world.press_id("alice", button)
    again = await world.press_id("alice", button)
    await world.settle()
    late = await world.press_id("alice", button)
    assert [each.decision.reply for each in (again, late)] == [Private(text="That is done already.")] * 2
    assert server.calls() == {"create_note": 1}


async def test_a_question_survives_a_restart(world: World, server: ToolProcess) -> None:
    """We are killed while Alice thinks about it: the same button still works, and the answer goes on."""
    script(world, [CREATE], ["Made."])
    await world.say("alice", "note it")
    await world.run(3.0)
    later = await world.reborn()
    await later.run(1.0)
    await later.press("alice", "Approve")
    await later.settle()
    assert server.calls() == {"create_note": 1}
    assert (await later.answers())[0] == "Made."


async def test_always_here_asks_no_more_and_can_be_taken_back(world: World, server: ToolProcess) -> None:
    """Alice allows a tool for this conversation; in another one she is asked again, and here after Ask me again."""
    script(world, [CREATE], ["One."], [CREATE], ["Two."], [CREATE], ["Three."])
    await world.say("alice", "first")
    await world.run(3.0)
    await world.press("alice", "Always here")
    await world.settle()
    await world.say("alice", "second")
    await world.settle()
    assert server.calls() == {"create_note": 2}
    await world.press("alice", "Ask me again")
    await world.say("alice", "third")
    await world.run(3.0)
    assert server.calls() == {"create_note": 2}
    assert [buttons for _, buttons in await cards(world) if buttons] == [["Approve", "Deny", "Always here"]]


async def test_always_here_is_for_this_conversation_only(world: World, server: ToolProcess) -> None:
    """What Alice allows in one thread is asked for in the next."""
    script(world, [CREATE], ["One."], [CREATE], ["Two."])
    await world.say("alice", "first")
    await world.run(3.0)
    await world.press("alice", "Always here")
    await world.settle()
    await world.say("alice", "second", thread="t2")
    await world.run(3.0)
    assert server.calls() == {"create_note": 1}


async def test_two_calls_of_a_round_are_decided_one_by_one(world: World, server: ToolProcess) -> None:
    """The model wants two notes: Alice allows one and denies the other."""
    model = script(world, [CREATE, Use("kit__unmarked", {"text": "x"})], ["Both decided."])
    await world.say("alice", "two things")
    await world.run(3.0)
    assert len(await cards(world)) == 2
    await world.press("alice", "Deny")
    await world.run(2.0)
    assert "I wait for your word" in (await world.answers())[0]
    await world.press("alice", "Approve")
    await world.settle()
    assert server.calls() == {"create_note": 1}
    assert told(model)[0] == "created: buy milk"
    assert "did not allow" in told(model)[1]


async def test_going_on_leaves_it_undone(world: World, server: ToolProcess) -> None:
    """Alice writes something else instead of deciding: that is answered, and the old question is closed."""
    model = script(world, ["A note?", CREATE], ["Sunny."])
    await world.say("alice", "note it")
    await world.run(3.0)
    await world.say("alice", "what is the weather?")
    await world.settle()
    ((text, buttons),) = await cards(world)
    assert text.startswith("No longer needed")
    assert not buttons
    first, *_, last = [each for each in await world.answers() if "No longer" not in each]
    assert first == "A note?\n\n_You went on before you had decided, so I left that undone._"
    assert last == "Sunny."
    assert not server.calls()
    assert "went on without deciding" in str(model.requests[-1].messages)


async def test_stop_closes_the_question(world: World, server: ToolProcess) -> None:
    """Alice presses Stop while a question is open: it is over, and an old Approve does nothing."""
    script(world, [CREATE], ["Never."])
    await world.say("alice", "note it")
    await world.run(3.0)
    (button,) = [b.id for post in await world.posts() for b in post.buttons if b.label == "Approve"]
    await world.press("alice", "Stop")
    await world.settle()
    await world.press_id("alice", button)
    await world.settle()
    assert not server.calls()
    assert (await cards(world))[0][0].startswith("No longer needed")


async def test_an_open_question_keeps_the_conversation_for_a_day(world: World, server: ToolProcess) -> None:
    """Nobody decides: the conversation is not parked for a day, then it is, and the answer says why."""
    script(world, ["A note?", CREATE], ["Never."])
    await world.say("alice", "note it")
    await world.run(3.0)
    for _ in range(23):
        await world.clock.advance(HOUR_S)
        await world.engine.ring()
        await world.flush()
    assert "I wait for your word" in (await world.answers())[0]
    for _ in range(4):
        await world.clock.advance(HOUR_S)
        await world.engine.ring()
        await world.run(3.0)
    assert "Nobody decided for a day" in (await world.answers())[0]
    session = await world.store.read(lambda conn: conn.execute("SELECT phase FROM session").fetchone()[0])
    assert session in ("parked", "expired")
    assert not server.calls()


async def test_a_call_that_may_have_happened_is_put_before_its_person(world: World, server: ToolProcess) -> None:
    """We are killed while a note is being made: it is not made twice, Alice is asked, and says that it happened."""
    model = script(world, [Use("kit__slow_create", {"text": "x", "seconds": 0.5})], ["Good."])
    await world.say("alice", "note it")
    await world.run(3.0)
    await world.press("alice", "Approve")
    while not server.calls():
        await world.run(0.2)
    later = await world.reborn()
    await later.run(3.0)
    asked, buttons = (await cards(later))[-1]
    assert "I do not know whether it happened" in asked
    assert buttons == ["It happened", "Run again", "Skip"]
    await later.press("alice", "It happened")
    await later.settle()
    assert server.calls() == {"slow_create": 1}
    assert "was carried out, once" in told(model)[0]
    assert "Good." in await later.answers()


@pytest.mark.parametrize(("label", "made", "said"), [("Run again", 2, "created: x"), ("Skip", 1, "not known")])
async def test_run_again_and_skip(world: World, server: ToolProcess, label: str, made: int, said: str) -> None:
    """Alice has looked and lets it run again, or leaves it."""
    model = script(world, [Use("kit__slow_create", {"text": "x", "seconds": 0.4})], ["Good."])
    await world.say("alice", "note it")
    await world.run(3.0)
    await world.press("alice", "Approve")
    while not server.calls():
        await world.run(0.2)
    later = await world.reborn()
    await later.run(3.0)
    await later.press("alice", label)
    await later.settle()
    assert server.calls() == {"slow_create": made}
    assert said in told(model)[0]


async def test_what_may_have_happened_is_asked_for_again(world: World, server: ToolProcess) -> None:
    """Alice lets a tool run unasked; when a call of it may have happened, the model cannot simply repeat it."""
    slow = Use("kit__slow_create", {"text": "x", "seconds": 30.0})
    model = script(world, [slow], [slow], ["Never twice."])
    await world.say("alice", "note it")
    await world.run(3.0)
    await world.press("alice", "Always here")
    await world.run(0.2)
    await asyncio.wait([each for each in asyncio.all_tasks() if each.get_name().startswith("CallTool:")])
    await world.run(3.0)
    assert "may or may not have been carried out" in told(model)[0]
    assert server.calls() == {"slow_create": 1}
    assert (await cards(world))[-1][1] == ["Approve", "Deny", "Always here"]


async def test_what_does_no_harm_twice_is_done_again(world: World, server: ToolProcess) -> None:
    """A tool that its server calls idempotent is asked for once, and simply repeated after our death."""
    script(world, [Use("kit__set_title", {"title": "x", "seconds": 0.4})], ["Set."])
    await world.say("alice", "title x")
    await world.run(3.0)
    await world.press("alice", "Approve")
    while not server.calls():
        await world.run(0.2)
    later = await world.reborn()
    await later.settle()
    assert server.calls() == {"set_title": 2}
    assert "Set." in await later.answers()


async def test_a_tool_that_became_dangerous_is_asked_for(world: World, server: ToolProcess) -> None:
    """Between the model's wish and the call the operator has marked the tool: the call waits for Alice."""
    script(world, [Use("kit__slow", {"seconds": 0.4})], ["Done."])
    await world.say("alice", "look")
    while not server.calls():
        await world.run(0.2)
    world.tools = await connected(kit=http(server.url, effects={"slow": ToolKind.DESTRUCTIVE}))
    later = await world.reborn()
    await later.run(5.0)
    assert server.calls() == {"slow": 1}
    assert (await cards(later))[-1][1] == ["Approve", "Deny", "Always here"]
    await later.press("alice", "Approve")
    await later.settle()
    assert server.calls() == {"slow": 2}
    await world.tools.close()


async def test_whoever_is_not_served_any_more_gets_nothing_done(world: World, server: ToolProcess) -> None:
    """The operator takes Alice off the list while her call waits: after the start it is not made."""
    model = script(world, [Use("kit__slow", {"seconds": 0.4})], ["Not possible."])
    await world.say("alice", "look")
    while not server.calls():
        await world.run(0.2)
    later = await world.reborn(policy=Policy(allow_people=("bob",)))
    await later.settle()
    assert server.calls() == {"slow": 1}
    assert "may not act for the person" in told(model)[0]


async def test_what_another_account_asked_for_dies_with_its_link(world: World, server: ToolProcess) -> None:
    """Alice presses That wasn't me: whoever took her conversation can approve nothing in it any more."""
    script(world, ["Hello."], [CREATE], ["It is made."])
    await talk(world, "hello")
    await resume(world, "ally", await carried(world), thread=AWAY)
    await world.say("ally", "note it", thread=AWAY)
    await world.run(3.0)
    assert (await labels(world, AWAY))[-3:] == ["Approve", "Deny", "Always here"]
    await press(world, "alice", "That wasn't me")
    assert "Approve" not in [*await labels(world, AWAY), *await labels(world, HERE)]
    states = "SELECT state FROM tool_call"
    assert await world.store.read(lambda conn: conn.execute(states).fetchall()) == [("skipped",)]
    await world.settle()
    assert not server.calls()
