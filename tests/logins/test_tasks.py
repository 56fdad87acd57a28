"""A task stops at the step that needs a login, and goes on from there when its person has signed in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.tasking import StepState, TaskState
from core.engine.vault import Step as Page
from tests.engine.test_tasks import card, states, work
from tests.kit.oauth_server import ToolHouse
from tests.kit.planner import ANSWER, PLAN, Planner, plan
from tests.logins.people import CONNECT, ISSUES, People

TITLES = ("one", "two", "three", "four")
STEPS = plan(*((title, (n,) if n else ()) for n, title in enumerate(TITLES)), tools=["jira__connect", ISSUES.name])


@pytest.fixture
async def people(house: ToolHouse, tmp_path: Path) -> AsyncIterator[People]:
    """Give a house in which a task has come to its fourth step, which needs a login."""
    opened = await People.open(house, tmp_path / "rejoinder.db", plan=STEPS)
    planner(opened).mishaps["four"] += [(CONNECT,), (ISSUES,)]
    await opened.world.command("alice", "task tell me what is open")
    await opened.world.settle()
    yield opened
    await opened.close()


def planner(people: People) -> Planner:
    """The model."""
    model = people.world.model
    assert isinstance(model, Planner)
    return model


async def test_a_task_waits_for_a_login_and_goes_on_by_itself(people: People) -> None:
    """Three finished steps are lost, or paid for again, because the fourth needs a login."""
    assert await states(people.world) == [StepState.DONE] * 3 + [StepState.WAITING_FOR_YOU]
    assert "Waiting at step 4 of 4. You have to sign in" in (await card(people.world)).text
    (question,) = await people.cards()
    assert question.text.startswith("For step 4 of 4, four:\n**jira** needs a login of yours")
    await people.reborn()
    assert (await people.sign_in()).step is Page.DONE
    await people.world.settle()
    assert (await work(people.world)).task.state is TaskState.DONE
    assert people.house.calls == [("open_issues", "alice@example.com")]
    assert planner(people).calls == {PLAN: 1, "one": 1, "two": 1, "three": 1, "four": 3, ANSWER: 1}
    assert "Done." in (await card(people.world)).text


async def test_a_step_goes_on_without_a_login(people: People) -> None:
    """Who does not want to sign in has a task that waits for ever."""
    planner(people).mishaps["four"].clear()
    await people.world.press("alice", "Go on without it")
    await people.world.settle()
    assert (await work(people.world)).task.state is TaskState.DONE
    assert "chose not to sign in" in str(planner(people).requests[-2].messages)
    assert people.house.calls == []


async def test_a_step_that_is_left_out_takes_no_question_from_the_one_beside_it(
    house: ToolHouse, tmp_path: Path
) -> None:
    """Two steps wait for one login; [Skip] of one takes the question away, and the other waits for ever."""
    both = plan(("one", ()), ("two", ()), tools=["jira__connect", ISSUES.name])
    opened = await People.open(house, tmp_path / "both.db", plan=both)
    for title in ("one", "two"):
        planner(opened).mishaps[title] += [(CONNECT,), (ISSUES,)]
    await opened.world.command("alice", "task tell me what is open")
    await opened.world.settle()
    assert await states(opened.world) == [StepState.WAITING_FOR_YOU] * 2
    await opened.world.press("alice", "Pause")
    await opened.world.settle()
    await opened.world.press("alice", "Skip")
    await opened.world.settle()
    assert await states(opened.world) == [StepState.SKIPPED, StepState.WAITING_FOR_YOU]
    assert (await opened.sign_in()).step is Page.DONE
    await opened.world.settle()
    assert (await work(opened.world)).task.state is TaskState.DONE
    assert opened.house.calls == [("open_issues", "alice@example.com")]
    await opened.close()


async def test_a_stopped_task_asks_nobody_to_sign_in(people: People) -> None:
    """The question stays after the task that asked it, and signing in brings nothing."""
    await people.world.press("alice", "Stop")
    await people.world.settle()
    assert (await work(people.world)).task.state is TaskState.STOPPED
    (question,) = await people.cards()
    assert not question.buttons
