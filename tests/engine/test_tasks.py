"""Long tasks in the running house: planned, worked on step by step, paused, steered, answered once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.domain.decision import Policy, Private
from core.domain.errors import Ambiguous, Refused
from core.domain.rules.budget import STEP_TOKENS, price_of_turn
from core.domain.tasking import StepState, TaskState, Work
from core.drivers.mcp_tools import McpTools
from core.engine.ports import Accepted, Post
from storage.tasking import all_works
from tests.kit.clock import ManualClock
from tests.kit.planner import ANSWER, CHAT, PLAN, Planner, chain, plan, result_of
from tests.kit.world import World

SIDE_BY_SIDE = plan(("one", ()), ("two", ()), ("three", ()), ("four", ()), ("five", (1, 4)))
THREE = chain("one", "two", "three")
CUT = Ambiguous(code="model_cut")


async def begin(
    path: Path, made: str = THREE, *, policy: Policy | None = None, tools: McpTools | None = None
) -> tuple[World, Planner]:
    """A house whose model makes this plan."""
    clock = ManualClock()
    model = Planner(clock, made)
    return await World.open(path / "tasks.db", clock=clock, model=model, policy=policy, tools=tools), model


async def works(world: World) -> tuple[Work, ...]:
    """All tasks of the house."""

    def read(conn: object) -> tuple[Work, ...]:
        ids = [row[0] for row in conn.execute("SELECT id FROM session ORDER BY num")]  # type: ignore[attr-defined]
        return tuple(work for each in ids for work in all_works(conn, each))  # type: ignore[arg-type]

    return await world.store.read(read)


async def work(world: World) -> Work:
    """The only task of the house."""
    (found,) = await works(world)
    return found


async def states(world: World) -> list[StepState]:
    """How far the steps of the only task are."""
    return [each.state for each in (await work(world)).steps]


async def card(world: World, thread: str = "t1") -> Post:
    """The only card of a task in the thread."""
    (found,) = [each for each in await world.posts(thread) if each.card and ":task:" in each.key]
    return found


def labels(post: Post) -> list[str]:
    """What can be pressed."""
    return [each.label for each in post.buttons]


def reply(accepted: Accepted) -> str:
    """The private answer to what somebody did."""
    assert isinstance(accepted.decision.reply, Private)
    return accepted.decision.reply.text


async def test_a_task_is_planned_worked_on_and_answered_once(tmp_path: Path) -> None:
    """A goal comes back as nothing, as several messages, or without its results."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.settle()
    found = await work(world)
    assert found.task.state is TaskState.DONE
    assert [each.result for each in found.steps] == [result_of(each) for each in ("one", "two", "three")]
    assert (await world.answers())[-1] == "Here is the answer."
    assert len(await world.answers()) == 2
    assert not (await card(world)).buttons
    assert model.calls == {PLAN: 1, "one": 1, "two": 1, "three": 1, ANSWER: 1}
    await world.close()


async def test_a_step_gets_the_results_that_it_needs_and_no_others(tmp_path: Path) -> None:
    """A step works on nothing, or is paid for words that it has no use for."""
    world, model = await begin(tmp_path, SIDE_BY_SIDE)
    await world.command("alice", "task compare three apples")
    await world.settle()
    last = next(each for each in model.requests if "Your step is 5, five" in str(each.messages))
    assert [result_of(each) in str(last.messages) for each in ("one", "two", "three", "four")] == [1, 0, 0, 1]
    answer = model.requests[-1]
    assert all(result_of(each) in str(answer.messages) for each in ("one", "two", "three", "four", "five"))
    await world.close()


async def test_independent_steps_run_side_by_side_three_at_a_time(tmp_path: Path) -> None:
    """Five vendors take five times as long as one, or a plan of twenty steps asks the model twenty times at once."""
    world, _ = await begin(tmp_path, SIDE_BY_SIDE)
    await world.command("alice", "task compare three apples")
    await world.run(0.5)
    assert await states(world) == [StepState.RUNNING] * 3 + [StepState.WAITING] * 2
    await world.settle()
    assert await states(world) == [StepState.DONE] * 5
    await world.close()


async def test_people_talk_meanwhile_and_the_answer_waits_for_its_place(tmp_path: Path) -> None:
    """A running task makes the bot deaf, or its answer breaks into another one."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(0.5)
    await world.say("alice", "are you there?")
    await world.run(4.0)
    assert "Hello there." in await world.answers()
    await world.run(1.0)
    model.mishaps[CHAT].append(("A long", 20.0, " answer."))
    await world.say("alice", "still?")
    await world.run(1.0)
    await world.say("alice", "and now?")
    await world.run(8.0)
    await world.say("alice", "and then?")
    await world.settle()
    assert [each for each in await world.answers() if not each.startswith("**")] == [
        "Hello there.",
        "A long answer.",
        "Hello there.",
        "Here is the answer.",
        "Hello there.",
    ]
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


async def test_what_is_no_plan_is_asked_for_once_more_and_then_told(tmp_path: Path) -> None:
    """A model that talks instead of planning is asked for ever, or the goal is simply gone."""
    world, model = await begin(tmp_path, "I would rather not.")
    await world.command("alice", "task compare three apples")
    await world.settle()
    assert model.calls == {PLAN: 2}
    assert "could not make a plan" in (await card(world)).text
    assert not (await card(world)).buttons
    await world.close()


async def test_half_a_plan_is_made_anew_and_not_continued(tmp_path: Path) -> None:
    """A connection that breaks while a plan is made leaves two halves of two plans, which nobody can read."""
    world, model = await begin(tmp_path)
    model.mishaps[PLAN].append((THREE[:40], CUT))
    await world.command("alice", "task compare three apples")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert model.calls[PLAN] == 2
    assert "[Continue]" not in str(model.requests[1].messages)
    await world.close()


async def test_a_numbered_list_is_a_plan_too(tmp_path: Path) -> None:
    """A model without structured output can do no task."""
    world, model = await begin(tmp_path, "Sure:\n1. one\n2. two\n3. three")
    await world.command("alice", "task compare three apples")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert model.calls["two"] == 1
    await world.close()


async def test_a_provider_that_takes_no_schema_is_asked_in_plain_words(tmp_path: Path) -> None:
    """A server that speaks the Messages API of last year cannot plan."""
    world, model = await begin(tmp_path)
    model.mishaps[PLAN].append((Refused(code="model_invalid"),))
    await world.command("alice", "task compare three apples")
    await world.settle()
    assert [bool(each.schema) for each in model.requests[:2]] == [True, False]
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


# --- when a step goes wrong -------------------------------------------------------------------------------


async def poisoned(path: Path) -> tuple[World, Planner]:
    """A house in which the second step has failed three times."""
    world, model = await begin(path)
    model.mishaps["two"] += [(CUT,)] * 3
    await world.command("alice", "task compare three apples")
    await world.settle()
    return world, model


async def test_a_poison_step_pauses_the_task_after_three_attempts(tmp_path: Path) -> None:
    """A step that cannot work is paid for again and again, or the task hangs without a word."""
    world, model = await poisoned(tmp_path)
    assert model.calls == {PLAN: 1, "one": 1, "two": 3}
    assert await states(world) == [StepState.DONE, StepState.FAILED, StepState.WAITING]
    post = await card(world)
    assert labels(post) == ["Resume at step 2", "Retry", "Skip", "Stop"]
    assert "Paused at step 2 of 3." in post.text
    assert "broke three times" in post.text
    await world.close()


@pytest.mark.parametrize("label", ["Resume at step 2", "Retry"])
async def test_a_paused_task_goes_on_without_what_is_done(tmp_path: Path, label: str) -> None:
    """A click starts the whole task over, and it is paid for twice."""
    world, model = await poisoned(tmp_path)
    await world.press("alice", label)
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert model.calls == {PLAN: 1, "one": 1, "two": 4, "three": 1, ANSWER: 1}
    await world.close()


async def test_skip_leaves_the_step_out_and_says_so(tmp_path: Path) -> None:
    """What was left out is missing without a word."""
    world, model = await poisoned(tmp_path)
    await world.press("alice", "Skip")
    await world.settle()
    assert await states(world) == [StepState.DONE, StepState.SKIPPED, StepState.DONE]
    assert model.calls == {PLAN: 1, "one": 1, "two": 3, "three": 1, ANSWER: 1}
    assert "(left out)" in str(model.requests[-1].messages)
    assert "2. two (left out)" in (await card(world)).text
    await world.close()


async def test_stop_ends_the_task_without_an_answer(tmp_path: Path) -> None:
    """A task that nobody wants any more asks for a click for ever."""
    world, model = await poisoned(tmp_path)
    await world.press("alice", "Stop")
    await world.settle()
    assert (await work(world)).task.state is TaskState.STOPPED
    assert not (await card(world)).buttons
    assert ANSWER not in model.calls
    await world.close()


async def test_resume_goes_on_from_the_words_of_a_failed_step_and_retry_does_not(tmp_path: Path) -> None:
    """Half a step is thrown away by Resume, or a step that went astray is continued by Retry."""
    for label, partial in (("Resume at step 2", True), ("Retry", False)):
        (tmp_path / label).mkdir()
        world, model = await begin(tmp_path / label)
        model.mishaps["two"] += [("The result of", CUT)] + [(CUT,)] * 3
        await world.command("alice", "task compare three apples")
        await world.settle()
        before = len(model.requests)
        await world.press("alice", label)
        await world.settle()
        assert ("[Continue]" in str(model.requests[before].messages)) is partial
        assert (await work(world)).steps[1].result == result_of("two")
        await world.close()


async def test_two_steps_that_fail_side_by_side_are_both_brought_back(tmp_path: Path) -> None:
    """The second failure is forgotten, and the task stands still without saying so."""
    world, model = await begin(tmp_path, SIDE_BY_SIDE)
    model.mishaps["one"] += [(CUT,)] * 3
    model.mishaps["two"] += [(CUT,)] * 3
    await world.command("alice", "task compare three apples")
    await world.settle()
    await world.press("alice", "Resume at step 1")
    await world.settle()
    assert labels(await card(world))[0] == "Resume at step 2"
    await world.press("alice", "Resume at step 2")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert [model.calls[each] for each in ("one", "two", "three", "four", "five")] == [4, 4, 1, 1, 1]
    await world.close()


async def test_a_budget_that_is_used_up_pauses_and_the_next_day_goes_on(tmp_path: Path) -> None:
    """A task runs beyond what its person may spend, or dies of it."""
    one_call = price_of_turn(Policy(), STEP_TOKENS)
    world, model = await begin(tmp_path, policy=Policy(budget_person_day=one_call + 60))
    await world.command("alice", "task compare three apples")
    await world.settle()
    assert "budget" in (await card(world)).text
    assert (await work(world)).task.state is TaskState.PAUSED
    done = [each.n for each in (await work(world)).steps if each.state is StepState.DONE]
    await world.clock.advance(86_400)
    world = await world.reborn(policy=Policy())
    for label in [each for each in labels(await card(world)) if each.startswith("Resume")]:
        await world.press("alice", label)
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert all(model.calls[name] == 1 for n, name in enumerate(("one", "two", "three"), start=1) if n in done)
    await world.close()


# --- the person -------------------------------------------------------------------------------------------


async def test_pause_is_prompt_and_resume_goes_on_in_the_middle_of_the_word(tmp_path: Path) -> None:
    """Pause waits for the end of a step, or what was worked out so far is lost."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(4.5)
    assert reply(await world.press("alice", "Pause")) == "Paused. What was worked out so far is kept."
    await world.run(0.2)
    assert await states(world) == [StepState.DONE, StepState.WAITING, StepState.WAITING]
    await world.run(3.0)
    assert "You paused it." in (await card(world)).text
    await world.press("alice", "Resume at step 2")
    await world.settle()
    assert (await work(world)).steps[1].result == result_of("two")
    assert model.calls == {PLAN: 1, "one": 1, "two": 2, "three": 1, ANSWER: 1}
    assert any("[Continue]" in str(each.messages) for each in model.requests)
    await world.close()


async def test_pause_and_resume_at_once_lose_nothing(tmp_path: Path) -> None:
    """Somebody who changes their mind within a second has a task that stands still."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(3.0)
    (pause,) = [each.id for each in (await card(world)).buttons if each.label == "Pause"]
    task_id = (await work(world)).task.id
    stands_at = (await work(world)).stands_at
    assert stands_at is not None
    resume = f"rj1:task_resume:{task_id}:{stands_at.n}"
    await asyncio.gather(world.press_id("alice", pause), world.press_id("alice", resume))
    assert (await work(world)).task.state is TaskState.RUNNING
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert model.calls[ANSWER] == 1
    await world.close()


async def test_only_the_asker_and_the_owner_steer(tmp_path: Path) -> None:
    """Anybody in the channel stops anybody's task."""
    world, _ = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(1.0)
    assert "Only the person" in reply(await world.press("bob", "Stop"))
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    await world.close()


async def test_an_old_button_says_how_things_are(tmp_path: Path) -> None:
    """A click on an old card skips a step that nobody meant."""
    world, model = await poisoned(tmp_path)
    old = {each.label: each.id for each in (await card(world)).buttons}
    model.mishaps["three"] += [(CUT,)] * 3
    await world.press("alice", "Skip")
    await world.settle()
    assert "Paused at step 3 of 3." in reply(await world.press_id("alice", old["Skip"]))
    assert (await states(world))[2] is StepState.FAILED
    await world.close()


async def test_at_most_two_tasks_of_a_person_run(tmp_path: Path) -> None:
    """One person's tasks take all there is."""
    world, _ = await begin(tmp_path)
    for thread in ("t1", "t2"):
        await world.command("alice", "task compare three apples", thread=thread)
    assert "2 of your tasks are running already" in reply(
        await world.command("alice", "task compare more", thread="t3")
    )
    await world.command("bob", "task compare three apples", thread="t4")
    await world.settle()
    assert [each.task.state for each in await works(world)] == [TaskState.DONE] * 3
    await world.command("alice", "task compare three apples", thread="t3")
    await world.settle()
    assert len(await works(world)) == 4
    await world.close()


async def test_a_task_without_a_goal_explains_itself(tmp_path: Path) -> None:
    """`/task` alone starts something, or nothing is said."""
    world, _ = await begin(tmp_path)
    assert "/task compare" in reply(await world.command("alice", "task"))
    assert not await works(world)
    await world.close()
