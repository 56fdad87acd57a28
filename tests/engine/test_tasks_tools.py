"""Tasks whose steps use tools of a real MCP server, and tools that begin a task or add to one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.domain.decision import Form, Policy
from core.domain.entities import Phase
from core.domain.tasking import ADD_STEPS, START_TASK, StepState, TaskState
from core.drivers.mcp_tools import McpTools
from tests.engine.test_idle import session_of
from tests.engine.test_tasks import CUT, begin, card, labels, reply, states, work, works
from tests.kit.planner import ANSWER, CHAT, PLAN, Planner, chain, plan, result_of
from tests.kit.scripted import Use
from tests.kit.tools import ToolProcess
from tests.kit.world import World

HOUR_S = 3_600.0
LOOKS = 200
NOTE = "kit__create_note"
SLOW = "kit__slow_create"


def using(*tools: str) -> str:
    """A plan of two steps that may use these tools."""
    return plan(("one", ()), ("two", (1,)), tools=tools)


def offered(model: Planner, call: int) -> set[str]:
    """The names of the tools that a request offers."""
    return {str(each["name"]) for each in json.loads(model.requests[call].tools or "[]")}


async def returned(world: World) -> int:
    """How many calls have given a result."""
    sql = "SELECT count(*) FROM tool_call WHERE state = 'done'"
    return await world.store.read(lambda conn: int(conn.execute(sql).fetchone()[0]))


async def proposed(path: Path, tools: McpTools, tool: str = NOTE) -> tuple[World, Planner]:
    """A house with a plan that may change something, whose first step wants to."""
    world, model = await begin(path, using(tool), tools=tools)
    arguments = {"text": "hello"} | ({"seconds": 2.0} if tool == SLOW else {})
    model.mishaps["one"].append(("Let me.", Use(tool, arguments)))
    await world.command("alice", "task write it down")
    await world.settle()
    return world, model


async def waiting(path: Path, tools: McpTools, tool: str = NOTE) -> tuple[World, Planner]:
    """The same, started: the first step waits for its person."""
    world, model = await proposed(path, tools, tool)
    await world.press("alice", "Start")
    await world.settle()
    return world, model


async def test_a_step_uses_the_tools_of_its_plan_and_no_others(
    tmp_path: Path, tools: McpTools, server: ToolProcess
) -> None:
    """A step of a plan that only reads can send mail, or cannot read."""
    world, model = await begin(tmp_path, using("kit__look_up"), tools=tools)
    model.mishaps["one"].append((Use("kit__look_up", {"word": "abc"}), Use(NOTE, {"text": "evil"})))
    await world.command("alice", "task find out")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert server.calls() == {"look_up": 1}
    assert not model.requests[0].tools, "a plan is made, not worked on"
    assert "kit__look_up: Look a word up" in str(model.requests[0].messages)
    assert offered(model, 1) == offered(model, 2) == {"kit__look_up", ADD_STEPS}
    assert START_TASK not in offered(model, -1)
    await world.close()


async def test_a_plan_that_may_change_something_is_shown_first(
    tmp_path: Path, tools: McpTools, server: ToolProcess
) -> None:
    """A misunderstanding is carried out before anybody has seen the plan."""
    world, model = await proposed(tmp_path, tools)
    assert (await work(world)).task.state is TaskState.PROPOSED
    assert labels(await card(world)) == ["Start", "Change", "Cancel"]
    assert model.calls == {PLAN: 1}
    assert "Only the person" in reply(await world.press("bob", "Start"))
    await world.press("alice", "Cancel")
    await world.settle()
    assert (await work(world)).task.state is TaskState.STOPPED
    assert server.calls() == {}
    await world.close()


async def test_a_tool_named_without_its_server_is_that_tool(tmp_path: Path, tools: McpTools) -> None:
    """A plan that calls a tool by its plain name runs unasked, and without it."""
    world, model = await begin(tmp_path, using("create_note"), tools=tools)
    await world.command("alice", "task write it down")
    await world.settle()
    assert (await work(world)).task.state is TaskState.PROPOSED
    await world.press("alice", "Start")
    await world.settle()
    assert offered(model, 1) == {NOTE, ADD_STEPS}
    await world.close()


async def test_a_plan_in_plain_words_is_shown_first_where_tools_change_something(
    tmp_path: Path, tools: McpTools
) -> None:
    """A list without a word about tools runs with all of them, unasked."""
    world, _ = await begin(tmp_path, "1. one\n2. two", tools=tools)
    await world.command("alice", "task write it down")
    await world.settle()
    assert (await work(world)).task.state is TaskState.PROPOSED
    await world.close()


async def test_change_makes_another_plan_with_the_persons_wish(tmp_path: Path, tools: McpTools) -> None:
    """[Change] does nothing, or loses the goal."""
    world, model = await proposed(tmp_path, tools)
    accepted = await world.press("alice", "Change")
    form = accepted.decision.reply
    assert isinstance(form, Form)
    model.plan = using("kit__look_up")
    await world.press_id("alice", form.submit.id, value=json.dumps({"text": "only read"}))
    await world.settle()
    assert "<wish>\\nonly read" in json.dumps(model.requests[1].messages)
    assert (await work(world)).task.version == 2
    assert len((await work(world)).steps) == 2
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


async def test_a_step_waits_for_its_person_and_goes_on_by_itself(
    tmp_path: Path, tools: McpTools, server: ToolProcess
) -> None:
    """A task writes without being allowed to, or needs a second click after the first."""
    world, model = await waiting(tmp_path, tools)
    assert await states(world) == [StepState.WAITING_FOR_YOU, StepState.WAITING]
    assert "Waiting at step 1 of 2. A tool needs your word" in (await card(world)).text
    asked = (await world.answers())[-1]
    assert asked.startswith("For step 1 of 2, one:")
    assert server.calls() == {}
    world = await world.reborn()
    await world.press("alice", "Approve")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert server.calls() == {"create_note": 1}
    assert model.calls == {PLAN: 1, "one": 2, "two": 1, ANSWER: 1}
    assert (await work(world)).steps[0].result == f"Let me.\n\n{result_of('one')}"
    await world.close()


async def test_a_call_that_may_have_happened_is_not_repeated(
    tmp_path: Path, tools: McpTools, server: ToolProcess
) -> None:
    """A deploy in the middle of a step writes twice."""
    world, _ = await waiting(tmp_path, tools, SLOW)
    await world.press("alice", "Approve")
    while not server.calls():
        await world.run(0.2)
    world = await world.reborn()
    await world.settle()
    assert await states(world) == [StepState.UNKNOWN, StepState.WAITING]
    assert "do not know whether it happened" in (await card(world)).text
    await world.press("alice", "It happened")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert server.calls() == {"slow_create": 1}
    await world.close()


async def test_stop_takes_the_question_back(tmp_path: Path, tools: McpTools, server: ToolProcess) -> None:
    """A stopped task still asks, and writes when somebody clicks."""
    world, model = await waiting(tmp_path, tools)
    await world.press("alice", "Stop")
    await world.settle()
    assert (await work(world)).task.state is TaskState.STOPPED
    assert not [each for post in await world.posts() for each in post.buttons]
    assert server.calls() == {}
    assert ANSWER not in model.calls
    await world.close()


async def test_pause_keeps_what_a_running_tool_returns(tmp_path: Path, tools: McpTools, server: ToolProcess) -> None:
    """A pause in the middle of a call makes the call twice."""
    world, model = await waiting(tmp_path, tools, SLOW)
    await world.press("alice", "Approve")
    while not server.calls():
        await world.run(0.2)
    await world.press("alice", "Pause")
    await world.settle()
    assert await states(world) == [StepState.WAITING, StepState.WAITING]
    assert model.calls["one"] == 1
    await world.press("alice", "Resume at step 1")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert server.calls() == {"slow_create": 1}
    await world.close()


async def test_a_step_that_waits_can_be_left_out(tmp_path: Path, tools: McpTools, server: ToolProcess) -> None:
    """Who does not want to answer cannot go on."""
    world, _ = await waiting(tmp_path, tools)
    await world.press("alice", "Pause")
    await world.settle()
    await world.press("alice", "Skip")
    await world.settle()
    assert await states(world) == [StepState.SKIPPED, StepState.DONE]
    assert (await work(world)).task.state is TaskState.DONE
    assert server.calls() == {}
    assert not [each for post in await world.posts() for each in post.buttons]
    await world.close()


async def test_people_talk_while_a_step_waits(tmp_path: Path, tools: McpTools, server: ToolProcess) -> None:
    """A word in between takes the step's question away, as it does with the question of an answer."""
    world, _ = await waiting(tmp_path, tools)
    await world.say("alice", "are you there?")
    await world.settle()
    assert "Hello there." in await world.answers()
    await world.press("alice", "Approve")
    await world.settle()
    assert server.calls() == {"create_note": 1}
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


async def test_words_that_wait_leave_a_steps_questions_alone(
    tmp_path: Path, tools: McpTools, server: ToolProcess
) -> None:
    """Who says something while an answer is written loses the second of two questions of a step."""
    world, model = await begin(tmp_path, using(NOTE), tools=tools)
    model.mishaps["one"].append((Use(NOTE, {"text": "a"}), Use(NOTE, {"text": "b"})))
    await world.command("alice", "task write it down")
    await world.settle()
    await world.press("alice", "Start")
    await world.settle()
    model.mishaps[CHAT].append(("A long", 300.0, " answer."))
    await world.say("alice", "are you there?")
    await world.run(1.0)
    await world.say("alice", "hello?")
    await world.press("alice", "Approve")
    for _ in range(LOOKS):
        if not await returned(world):
            await world.run(0.1)
    assert await returned(world) == 1, "it is stored while the answer is still being written"
    assert await states(world) == [StepState.WAITING_FOR_YOU, StepState.WAITING]
    await world.press("alice", "Approve")
    await world.settle(seconds=400)
    assert server.calls() == {"create_note": 2}
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


async def test_a_waiting_step_keeps_a_conversation_open_for_a_day(tmp_path: Path, tools: McpTools) -> None:
    """The conversation is parked an hour after a question of ours, or is never parked again."""
    world, _ = await waiting(tmp_path, tools)
    for hours, phase in ((2, Phase.ACTIVE), (23, Phase.EXPIRED)):
        await world.clock.leap(hours * HOUR_S)
        await world.engine.ring()
        await world.settle()
        assert (await session_of(world)).phase is phase
    await world.close()


async def test_after_a_day_one_notice_names_the_step_that_waits(tmp_path: Path, tools: McpTools) -> None:
    """The conversation of a step that waits is parked without a word, without a button and without a code."""
    world, _ = await waiting(tmp_path, tools)
    for hours in (24.1, 1, 24):
        await world.clock.leap(hours * HOUR_S)
        await world.engine.ring()
        await world.settle()
    (notice,) = [each for each in await world.posts() if ":idle:" in each.key]
    assert "waits for you at step 1 of 2." in notice.text
    assert "/resume" in notice.text
    assert "Resume" in labels(notice)
    await world.close()


@pytest.mark.parametrize("label", ["Approve", "Deny", "Pause", "Stop"])
async def test_whoever_answers_after_days_is_back(tmp_path: Path, tools: McpTools, label: str) -> None:
    """The question is answered, and beside it the notice still says that the conversation is parked."""
    world, model = await begin(tmp_path, using(NOTE), tools=tools)
    await world.say("alice", "hello")
    await world.settle()
    model.mishaps["one"].append(("Let me.", Use(NOTE, {"text": "hello"})))
    await world.command("alice", "task write it down")
    await world.settle()
    await world.press("alice", "Start")
    await world.settle()
    await world.clock.leap(24.1 * HOUR_S)
    await world.engine.ring()
    await world.settle()
    assert (await session_of(world)).phase is Phase.EXPIRED
    await world.press("alice", label)
    await world.settle()
    assert (await session_of(world)).phase is Phase.ACTIVE
    (notice,) = [each for each in await world.posts() if ":idle:" in each.key]
    assert notice.text.startswith("Back. I have a summary")
    await world.close()


async def test_a_conversation_without_a_word_comes_back_whole(tmp_path: Path, tools: McpTools) -> None:
    """A summary of nothing is promised, and the last 1 messages of none."""
    world, _ = await waiting(tmp_path, tools)
    await world.clock.leap(24.1 * HOUR_S)
    await world.engine.ring()
    await world.settle()
    await world.press("alice", "Deny")
    await world.settle()
    (notice,) = [each for each in await world.posts() if ":idle:" in each.key]
    assert notice.text == "Back: everything kept."
    await world.close()


# --- begun and added to by the model ----------------------------------------------------------------------


async def test_the_model_begins_a_task_and_the_answer_comes_by_itself(tmp_path: Path) -> None:
    """A goal in plain words is answered with a promise, or worked on twice."""
    world, model = await begin(tmp_path)
    model.mishaps[CHAT] += [("All right. ", Use(START_TASK, {"goal": "compare three vendors"})), ("I have begun.",)]
    await world.say("alice", "please compare three vendors thoroughly")
    await world.settle()
    found = await work(world)
    assert (found.task.goal, found.task.state) == ("compare three vendors", TaskState.DONE)
    texts = [each for each in await world.answers() if not each.startswith("**")]
    assert texts == ["All right. \n\nI have begun.", "Here is the answer."]
    assert START_TASK in offered(model, 0)
    assert ADD_STEPS not in offered(model, 0)
    await world.close()


async def test_the_model_cannot_begin_more_than_a_person_may(tmp_path: Path) -> None:
    """The limit of running tasks is gone around by asking nicely."""
    world, model = await begin(tmp_path)
    goals = [Use(START_TASK, {"goal": f"goal {n}"}) for n in range(3)]
    model.mishaps[CHAT] += [(goals[0],), (goals[1],), (goals[2], Use(START_TASK, {"goal": ""})), ("Sorry.",)]
    await world.say("alice", "do three things")
    await world.settle()
    assert len(await works(world)) == 2
    assert "2 tasks of this person are running" in str(model.requests[3].messages) or any(
        "2 tasks of this person are running" in str(each.messages) for each in model.requests
    )
    await world.close()


async def test_a_plan_may_grow_and_loses_nothing(tmp_path: Path) -> None:
    """A step that finds out that more is needed cannot say so, or the finished ones run again."""
    world, model = await begin(tmp_path, chain("one", "two"))
    more = {"steps": [{"title": "three", "instruction": "Do three.", "tools": [], "depends_on": [2, 3, 9]}]}
    model.mishaps["two"].append((Use(ADD_STEPS, more),))
    await world.command("alice", "task find out")
    await world.settle()
    found = await work(world)
    assert [(each.title, each.depends) for each in found.steps] == [("one", ()), ("two", (1,)), ("three", (2,))]
    assert found.task.state is TaskState.DONE
    assert model.calls == {PLAN: 1, "one": 1, "two": 2, "three": 1, ANSWER: 1}
    await world.close()


async def test_a_plan_does_not_grow_beyond_its_limit(tmp_path: Path) -> None:
    """A step adds steps for ever."""
    world, model = await begin(tmp_path, chain("one", "two"))
    step = {"title": "more", "instruction": "More.", "tools": [], "depends_on": []}
    model.mishaps["two"].append((Use(ADD_STEPS, {"steps": [step] * 19}),))
    await world.command("alice", "task find out")
    await world.settle()
    assert len((await work(world)).steps) == 2
    assert "at most 20 steps" in str(model.requests[-2].messages)
    await world.close()


async def test_a_step_that_goes_round_in_circles_pauses(tmp_path: Path) -> None:
    """A step that calls tools for ever is paid for for ever, or counts as done with nothing."""
    world, model = await begin(tmp_path, plan(("one", ()), ("two", (1,)), tools=["now"]), policy=Policy())
    model.mishaps["one"] += [(Use("now"),)] * 30
    await world.command("alice", "task find out")
    await world.settle(seconds=600)
    assert await states(world) == [StepState.FAILED, StepState.WAITING]
    assert "again and again" in (await card(world)).text
    assert CUT.code not in (await card(world)).text
    await world.close()
