"""Conversations in which the model uses tools of a real MCP server, through the whole house."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from core import codec
from core.domain.decision import Policy
from core.domain.effects import CallTool
from core.domain.entities import EffectRow
from core.domain.events import ToolReturned
from core.drivers.mcp_tools import McpTools
from core.engine.calling import Calling
from core.engine.points import nowhere
from core.engine.toolbox import Toolbox
from core.tool_settings import ToolServer
from tests.engine.test_turns import script
from tests.kit.scripted import ScriptedModel, Step, Use
from tests.kit.tools import ToolProcess, connected, http
from tests.kit.world import World


@pytest.fixture
async def world(tmp_path: Path, tools: McpTools) -> AsyncIterator[World]:
    """A running house with that server's tools."""
    world = await World.open(tmp_path / "rejoinder.db", tools=tools)
    yield world
    await world.close()


def results(model: ScriptedModel, call: int = -1) -> list[dict[str, object]]:
    """The tool results of the last message of a request."""
    content = model.requests[call].messages[-1]["content"]
    assert isinstance(content, list)
    return [each for each in content if each["type"] == "tool_result"]


async def test_a_tool_is_called_and_its_result_answered(world: World, server: ToolProcess) -> None:
    """Somebody asks for something that a tool knows, and reads the answer in one message."""
    model = script(world, ["Let me look.", Use("kit__look_up", {"word": "abc"})], ["It means cba."])
    await world.say("alice", "what is abc?")
    await world.settle()
    assert await world.answers() == ["Let me look.\n\nIt means cba."]
    assert server.calls() == {"look_up": 1}
    (result,) = results(model)
    assert result["content"] == [{"type": "text", "text": "abc means cba."}]
    names = [each["name"] for each in json.loads(model.requests[0].tools)]
    assert {"now", "search_my_conversations", "kit__look_up"} <= set(names)


async def test_several_calls_run_side_by_side(world: World, server: ToolProcess) -> None:
    """Three slow look-ups take as long as one, and each result stands with its own question."""
    uses: list[Step] = [Use("kit__slow", {"seconds": each}) for each in (1.5, 1.4, 1.3)]
    model = script(world, uses, ["Done."])
    await world.say("alice", "look three times")
    await world.run(1.0)
    counting = "SELECT count(*) FROM effect WHERE kind = 'CallTool' AND state = 'started'"
    assert await world.store.read(lambda conn: conn.execute(counting).fetchone()[0]) == 3
    await world.settle()
    assert server.calls() == {"slow": 3}
    assert [each["content"][0]["text"] for each in results(model)] == ["after 1.5 s", "after 1.4 s", "after 1.3 s"]  # type: ignore[index]
    assert await world.answers() == ["Done."]


async def test_a_tool_that_fails_is_told_to_the_model(world: World) -> None:
    """The model learns that the tool failed, and says so in its own words."""
    model = script(world, [Use("kit__fail", {"why": "no luck"})], ["It failed."])
    await world.say("alice", "try it")
    await world.settle()
    (result,) = results(model)
    assert result["is_error"] is True
    assert await world.answers() == ["It failed."]


async def test_a_tool_that_is_not_there_ends_nothing(world: World) -> None:
    """A model that invents a tool is told so, and the person gets an answer."""
    model = script(world, [Use("kit__invented")], ["There is no such tool."])
    await world.say("alice", "do it")
    await world.settle()
    assert results(model)[0]["is_error"] is True
    assert await world.answers() == ["There is no such tool."]


async def test_later_turns_see_what_the_tools_gave(world: World) -> None:
    """Somebody asks again about what a tool had found, and the model still has it, exactly as it was sent."""
    model = script(world, [Use("kit__look_up", {"word": "abc"})], ["It means cba."], ["As I said, cba."])
    await world.say("alice", "what is abc?")
    await world.settle()
    await world.say("alice", "and again?")
    await world.settle()
    first, second = model.requests[1].messages, model.requests[2].messages
    assert second[: len(first)] == first
    assert [each["role"] for each in second] == ["user", "assistant", "user", "assistant", "user"]


async def test_calls_that_no_round_begins_are_not_kept(world: World) -> None:
    """A reply that was cut in the middle of a call leaves a call without a result: no later question is accepted."""
    cut: list[Step] = ["Let me look.", Use("kit__look_up", {"word": "a"}), "<stop_reason>stop_sequence"]
    model = script(world, cut, ["Hello again."])
    await world.say("alice", "what is abc?")
    await world.settle()
    await world.say("alice", "and?")
    await world.settle()
    assert "tool_use" not in json.dumps([*model.requests[-1].messages])
    assert await world.answers() == ["Let me look.", "Hello again."]


async def test_whole_calls_are_made_whatever_the_reply_calls_its_end(world: World, server: ToolProcess) -> None:
    """A model asks for a tool and says that it has ended: the person waits for an answer that never comes."""
    script(world, ["Look.", Use("kit__look_up", {"word": "a"}), "<stop_reason>end_turn"], ["Found."])
    await world.say("alice", "what is abc?")
    await world.settle()
    assert server.calls() == {"look_up": 1}
    assert await world.answers() == ["Look.\n\nFound."]


async def test_what_a_model_must_not_say_does_not_silence_the_conversation(world: World) -> None:
    """An id that stands twice, or an input that is no object, is refused by the provider with every later question."""
    now = Use("now", {}, id="same")
    model = script(world, [now, now], [now, Use("now", [1, 2], id="not allowed!")], ["Now."])
    await world.say("alice", "when?")
    await world.settle()
    blocks = [block for each in model.requests[-1].messages for block in _blocks(each)]
    uses = [each for each in blocks if each["type"] == "tool_use"]
    ids = [str(each["id"]) for each in uses]
    assert len(set(ids)) == len(ids) == 4
    assert ids == [each["tool_use_id"] for each in blocks if each["type"] == "tool_result"]
    assert all(isinstance(each["input"], dict) for each in uses)
    assert all(each.replace("_", "").isalnum() for each in ids)
    assert await world.answers() == ["Now."]


def _blocks(message: Mapping[str, object]) -> list[dict[str, object]]:
    content = message["content"]
    assert isinstance(content, list)
    return content


async def test_a_loop_comes_to_an_end(world: World) -> None:
    """A model that never stops calling tools is stopped, and the person is told."""
    script(world, [Use("now")])
    await world.say("alice", "loop")
    await world.settle(seconds=600)
    (answer,) = await world.answers()
    assert "many steps" in answer
    assert isinstance(world.model, ScriptedModel)
    assert len(world.model.requests) == 25


async def test_a_dead_process_repeats_what_only_reads(world: World, server: ToolProcess) -> None:
    """We are killed while a tool looks something up: it is looked up again, and the answer comes."""
    model = script(world, [Use("kit__slow", {"seconds": 0.4})], ["Done."])
    await world.say("alice", "look")
    while not server.calls():
        await world.run(0.2)
    later = await world.reborn()
    await later.settle()
    assert server.calls() == {"slow": 2}
    assert results(model)[0]["content"] == [{"type": "text", "text": "after 0.4 s"}]
    assert await later.answers() == ["Done."]


async def test_stop_ends_a_running_tool(world: World, server: ToolProcess) -> None:
    """Somebody presses Stop while a tool takes long: it is over at once, and the conversation goes on."""
    model = script(world, ["Wait.", Use("kit__slow", {"seconds": 2.5})], ["Fine."])
    await world.say("alice", "look")
    while not server.calls():
        await world.run(0.2)
    await world.press("alice", "Stop")
    await asyncio.wait_for(world.settle(), 2.0)
    assert (await world.answers())[0].startswith("Wait.")
    await world.say("alice", "never mind")
    await world.settle()
    assert (await world.answers())[-1] == "Fine."
    last = model.requests[-1].messages
    assert last[2]["content"][0]["type"] == "tool_result"  # type: ignore[index]


async def test_what_was_stopped_as_it_began_is_not_done(world: World, server: ToolProcess) -> None:
    """Stop and the start of a call cross: the call is looked at once more before it is made."""
    script(world, [Use("kit__slow", {"seconds": 2.5})], ["Fine."])
    await world.say("alice", "look")
    while not server.calls():
        await world.run(0.2)
    await world.press("alice", "Stop")
    await world.settle()
    text, session = await world.store.read(
        lambda conn: conn.execute("SELECT effect, session_id FROM effect WHERE kind = 'CallTool'").fetchone()
    )
    effect = codec.loads(CallTool, text)
    row = EffectRow(id="late", session_id=session, effect=effect, created_ms=0)
    calling = Calling(world.store, Toolbox((), world.tools), None, Policy(), slow=_never, point=nowhere)
    outcome = await calling.perform(row, effect)
    assert isinstance(outcome, ToolReturned)
    assert outcome.failure == "stopped"
    assert server.calls() == {"slow": 1}


async def _never(_turn_id: str) -> None:
    """Nobody is told."""


async def test_a_conversation_keeps_the_tools_that_it_began_with(world: World, server: ToolProcess) -> None:
    """A server's list changes: the pinned one stays, so thinking and cache stay; what is gone is told when called."""
    uses: list[Step] = [Use("kit__look_up", {"word": "abc"})]
    model = script(world, ["One."], uses, ["Gone."], ["New."], ["Back."])
    await world.say("alice", "one")
    await world.settle()
    world.tools = await connected(kit=ToolServer(url=server.url, allow=("slow",)))
    later = await world.reborn()
    await later.say("alice", "two")
    await later.settle()
    assert "not available" in str(results(model)[0]["content"]) or "no tool" in str(results(model)[0]["content"])
    await later.say("alice", "three", thread="t2")
    await later.settle()
    first, second, _, elsewhere = (each.tools for each in model.requests)
    assert first == second
    assert "look_up" not in elsewhere
    await later.clock.advance(2 * 3_600)
    await later.engine.ring()
    await later.settle()
    await later.say("alice", "four")
    await later.settle()
    assert model.requests[-1].tools == elsewhere, "after a break the tools are looked at anew"
    await world.tools.close()


async def test_a_server_that_was_away_at_first_is_not_missing_for_ever(tmp_path: Path, server: ToolProcess) -> None:
    """A conversation began while the tool server was down: once it is there, the next question can use it."""
    world = await World.open(tmp_path / "rejoinder.db")
    model = script(world, ["One."], ["Two."])
    await world.say("alice", "one")
    await world.settle()
    world.tools = await connected(kit=http(server.url))
    later = await world.reborn()
    await later.say("alice", "two")
    await later.settle()
    assert ["kit__" in each.tools for each in model.requests] == [False, True]
    await world.close()
    await world.tools.close()
