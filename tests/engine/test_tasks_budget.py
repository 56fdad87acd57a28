"""Today's budget runs out within a task: it pauses there, says why and since when it works again, and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.domain.decision import Form, Policy
from core.domain.rules.budget import STEP_TOKENS, price_of_turn
from core.domain.tasking import START_TASK, StepState, TaskState
from core.drivers.mcp_tools import McpTools
from tests.engine.test_tasks import CUT, SIDE_BY_SIDE, THREE, begin, card, labels, reply, states, work
from tests.engine.test_tasks_tools import using
from tests.kit.planner import ANSWER, CHAT, PLAN, Planner, result_of
from tests.kit.scripted import Use
from tests.kit.world import World

DAY_S = 86_400.0
CALL = price_of_turn(Policy(), STEP_TOKENS)  # the scripted model takes a millionth for each character
USED_UP = "Your budget for 24 Nov is used up. A new one begins on 25 Nov, 00:00 UTC"


def after(*titles: str, more: int = -1) -> int:
    """A budget that is just not enough for another step after the plan and these steps."""
    return CALL + len(THREE) + sum(len(result_of(each)) for each in titles) + more


async def spent(world: World) -> None:
    """Whatever else the person does has used up the rest of the day's budget."""
    await world.store.submit(lambda conn: conn.execute("UPDATE spend SET settled = ?", (10**9,)))


async def broke(path: Path) -> tuple[World, Planner]:
    """A house in which the money goes out in the middle of the second of three steps."""
    world, model = await begin(path, policy=Policy(budget_person_day=after("one", more=0)))
    model.mishaps["two"].append(("The result of", CUT))
    await world.command("alice", "task compare three apples")
    await world.settle()
    return world, model


async def test_the_task_pauses_where_the_money_ends(tmp_path: Path) -> None:
    """Further steps begin, the answer is made of what is missing, or nobody knows why the task stands still."""
    world, model = await broke(tmp_path)
    assert (await work(world)).task.state is TaskState.PAUSED
    assert model.calls == {PLAN: 1, "one": 1, "two": 1}
    text = (await card(world)).text
    assert f"Paused at step 2 of 3. {USED_UP}" in text
    assert "failed" not in text
    assert labels(await card(world)) == ["Resume at step 2", "Retry", "Skip", "Stop"]
    assert len(await world.answers()) == 1
    await world.close()


@pytest.mark.parametrize("label", ["Resume at step 2", "Retry"])
async def test_a_click_without_money_says_so_and_loses_nothing(tmp_path: Path, label: str) -> None:
    """Resume says "I go on." and does not, or Retry throws away words that were paid for and then cannot begin."""
    world, model = await broke(tmp_path)
    told = reply(await world.press("alice", label))
    assert USED_UP in told
    assert "I go on." not in told
    await world.settle()
    await world.clock.advance(DAY_S)
    await world.settle()
    assert model.calls["two"] == 1, "nothing goes on by itself"
    before = len(model.requests)
    assert reply(await world.press("alice", "Resume at step 2")) == "I go on."
    await world.settle()
    assert "[Continue]" in str(model.requests[before].messages)
    assert (await work(world)).task.state is TaskState.DONE
    assert [each.result for each in (await work(world)).steps] == [result_of(each) for each in ("one", "two", "three")]
    assert model.calls == {PLAN: 1, "one": 1, "two": 2, "three": 1, ANSWER: 1}
    await world.close()


async def test_the_card_names_the_day_that_it_means(tmp_path: Path) -> None:
    """A card from yesterday says that today's budget is used up."""
    world, _ = await broke(tmp_path)
    await world.clock.advance(DAY_S)
    await world.settle()
    await world.say("alice", "hello")
    await world.settle()
    await world.command("alice", "new")
    await world.settle()
    assert USED_UP in (await card(world)).text
    await world.close()


async def test_what_was_paused_by_its_person_says_that_the_money_is_gone(tmp_path: Path) -> None:
    """The card says "You paused it" for ever, and Resume does nothing."""
    world, _ = await begin(tmp_path, policy=Policy(budget_person_day=2 * CALL))
    await world.command("alice", "task compare three apples")
    await world.run(2.5)
    await world.press("alice", "Pause")
    await world.run(2.0)
    assert "You paused it." in (await card(world)).text
    await spent(world)
    label = labels(await card(world))[0]
    assert USED_UP in reply(await world.press("alice", label))
    await world.settle()
    assert USED_UP in (await card(world)).text
    await world.close()


async def test_skip_without_money_leaves_the_step_out_and_says_what_is_missing(tmp_path: Path) -> None:
    """Skip says "Left out." of a task that stands still."""
    world, model = await broke(tmp_path)
    assert f"Paused at step 3 of 3. {USED_UP}" in reply(await world.press("alice", "Skip"))
    await world.settle()
    assert await states(world) == [StepState.DONE, StepState.SKIPPED, StepState.WAITING]
    assert model.calls == {PLAN: 1, "one": 1, "two": 1}
    await world.close()


async def test_steps_side_by_side_wait_for_what_the_others_have_reserved(tmp_path: Path) -> None:
    """A task stands still for a day because its own steps had reserved more than they needed."""
    world, model = await begin(tmp_path, SIDE_BY_SIDE, policy=Policy(budget_person_day=2 * CALL + 1_000))
    await world.command("alice", "task compare three apples")
    await world.run(0.5)
    assert await states(world) == [StepState.RUNNING] * 2 + [StepState.WAITING] * 3
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert [model.calls[each] for each in ("one", "two", "three", "four", "five")] == [1] * 5
    await world.close()


async def test_what_others_have_reserved_is_told_as_that(tmp_path: Path) -> None:
    """Somebody is told to come back tomorrow, and half a minute would have been enough."""
    world, model = await begin(tmp_path, policy=Policy(budget_person_day=CALL + 100_000))
    model.mishaps[CHAT].append((3.0, "Hello."))
    await world.say("alice", "hello")
    await world.run(1.0)
    assert "reserved" in reply(await world.command("alice", "task compare three apples"))
    await world.settle()
    assert "reserved" in (await card(world)).text
    await world.press("alice", "Resume")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


@pytest.mark.parametrize("talking", [False, True])
async def test_an_answer_that_cannot_be_paid_waits_for_a_click(tmp_path: Path, *, talking: bool) -> None:
    """All steps are done and paid, and their answer never comes, or costs the steps again."""
    world, model = await begin(tmp_path, policy=Policy(budget_person_day=4 * CALL))
    model.mishaps["three"].append(("The result of", 5.0, " three is here."))
    await world.command("alice", "task compare three apples")
    await world.run(7.0)
    if talking:  # the answer of the task would wait for the end of another one
        model.mishaps[CHAT].append((9.0, "Hello there."))
        await world.say("alice", "still?")
        await world.run(1.0)
        assert model.calls[CHAT] == 1
    await spent(world)
    await world.settle()
    assert await states(world) == [StepState.DONE] * 3
    assert ANSWER not in model.calls
    assert labels(await card(world)) == ["Write the answer", "Stop"]
    assert USED_UP in (await card(world)).text
    assert USED_UP in reply(await world.press("alice", "Write the answer"))
    await world.clock.advance(DAY_S)
    await world.press("alice", "Write the answer")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert (await world.answers())[-1] == "Here is the answer."
    assert model.calls == {PLAN: 1, "one": 1, "two": 1, "three": 1, ANSWER: 1} | ({CHAT: 1} if talking else {})
    await world.close()


async def test_a_task_that_cannot_be_planned_says_so_at_once(tmp_path: Path) -> None:
    """A plan is promised, and none is made."""
    world, model = await begin(tmp_path, policy=Policy(budget_person_day=CALL))
    await world.say("alice", "hello")
    await world.settle()
    await world.say("alice", "and then?")
    await world.settle()
    told = reply(await world.command("alice", "task compare three apples"))
    assert USED_UP in told
    assert "Resume plans it once more." in told
    await world.settle()
    assert reply(await world.press("alice", "Resume")) == told
    await world.clock.advance(DAY_S)
    await world.press("alice", "Resume")
    await world.run(1.0)
    assert model.calls[PLAN] == 1
    await world.close()


async def test_the_model_is_told_that_its_task_does_not_begin(tmp_path: Path) -> None:
    """The model promises an answer that nobody works on."""
    world, model = await begin(tmp_path, policy=Policy(budget_person_day=CALL))
    model.mishaps[CHAT] += [("All right. ", Use(START_TASK, {"goal": "compare three vendors"})), ("It waits.",)]
    await world.say("alice", "compare three vendors please")
    await world.settle()
    assert "it is paused before its plan" in str(model.requests[-1].messages)
    assert "Resume plans it once more." in (await card(world)).text
    await world.close()


async def test_a_plan_is_neither_begun_nor_changed_without_money(tmp_path: Path, tools: McpTools) -> None:
    """[Start] on a plan says "I start.", or a plan that could not be changed is begun as it was."""
    world, model = await begin(tmp_path, using("kit__create_note"), tools=tools, policy=Policy(budget_person_day=CALL))
    await world.command("alice", "task write it down")
    await world.settle()
    assert USED_UP in reply(await world.press("alice", "Start"))
    form = (await world.press("alice", "Change")).decision.reply
    assert isinstance(form, Form)
    changed = await world.press_id("alice", form.submit.id, value=json.dumps({"text": "only read"}))
    assert USED_UP in reply(changed)
    assert (await work(world)).task.state is TaskState.PROPOSED
    assert model.calls == {PLAN: 1}
    await world.close()


async def test_a_change_that_was_interrupted_is_planned_and_not_begun(tmp_path: Path, tools: McpTools) -> None:
    """Resume begins the plan that its person wanted changed, without their [Start]."""
    world, model = await begin(tmp_path, using("kit__create_note"), tools=tools)
    await world.command("alice", "task write it down")
    await world.settle()
    form = (await world.press("alice", "Change")).decision.reply
    assert isinstance(form, Form)
    model.mishaps[PLAN].append((5.0, "never mind"))
    await world.press_id("alice", form.submit.id, value=json.dumps({"text": "only read"}))
    await world.run(0.5)
    await world.command("alice", "new")
    await world.settle()
    assert labels(await card(world)) == ["Resume", "Stop"]
    await world.press("alice", "Resume")
    await world.settle()
    assert model.calls == {PLAN: 3}
    assert "<wish>\\nonly read" in json.dumps(model.requests[-1].messages)
    assert (await work(world)).task.state is TaskState.PROPOSED
    await world.close()
