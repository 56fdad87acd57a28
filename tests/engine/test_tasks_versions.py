"""Tasks that another release has left behind, as it stored them: `tests/fixtures/tasks`, one file for each form.

Knows: rows as plain values, loaded into today's tables. Must not know: how that release worked.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from core.codec import from_plain
from core.domain.decision import Policy
from core.domain.tasking import FORM, StepState, TaskState
from storage import open_store, rows
from storage.migrate import prepare
from tests.engine.test_tasks import card, labels, states, work
from tests.kit.clock import ManualClock
from tests.kit.planner import ANSWER, Planner, result_of
from tests.kit.world import KEYS, World

FOLDER = Path(__file__).parents[1] / "fixtures" / "tasks"
TABLES = {each.name: each for each in vars(rows).values() if isinstance(each, rows.Table)}


async def left_behind(fixture: Path, path: Path) -> None:
    """Put the rows of a fixture into a new database."""
    prepare(path)
    store = await open_store(path, code_keys=KEYS)

    def unit(conn: sqlite3.Connection) -> None:
        for each in json.loads(fixture.read_text("utf-8")):
            table = TABLES[each["table"]]
            rows.put(conn, table.insert, table.encode(from_plain(table.kind, each["row"])))

    await store.submit(unit)
    await store.close()


async def found(path: Path) -> tuple[World, Planner]:
    """Today's release on that database: another model, another clock."""
    clock = ManualClock()
    await clock.leap(60.0)
    model = Planner(clock, "no plan is needed")
    return await World.open(path, clock=clock, model=model, policy=Policy(model="claude-of-tomorrow")), model


def test_every_form_has_its_fixture() -> None:
    """A new form is released, and nobody knows whether tasks of the one before it still go on."""
    assert sorted(each.stem for each in FOLDER.glob("*.json")) == [f"form{n}" for n in range(1, FORM + 1)]


@pytest.mark.parametrize("form", range(1, FORM + 1))
async def test_a_task_of_every_release_is_finished_by_this_one(form: int, tmp_path: Path) -> None:
    """An update in the middle of a task loses it, or pays for its finished steps again."""
    path = tmp_path / "tasks.db"
    await left_behind(FOLDER / f"form{form}.json", path)
    world, model = await found(path)
    before = await states(world)
    assert before == [StepState.DONE, StepState.RUNNING, StepState.RUNNING, StepState.WAITING]
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert model.calls == {"two": 1, "three": 1, "four": 1, ANSWER: 1}
    assert [each.result for each in (await work(world)).steps[1:]] == [result_of(n) for n in ("two", "three", "four")]
    going_on = [str(each.messages) for each in model.requests[:2]]
    assert all("[Continue]" in each for each in going_on), "what was said before the update is not said again"
    assert (await world.answers())[-1] == "Here is the answer."
    await world.close()


async def test_a_task_of_a_newer_release_waits_for_it(tmp_path: Path) -> None:
    """After a step back to an older release, a task is worked on by one that does not understand it."""
    path = tmp_path / "tasks.db"
    await left_behind(FOLDER / f"form{FORM}.json", path)
    with sqlite3.connect(path) as conn:
        conn.execute("UPDATE step SET form = ? WHERE n = 4", (FORM + 1,))
    conn.close()
    world, model = await found(path)
    await world.settle()
    assert (await states(world))[3] is StepState.WAITING
    assert "four" not in model.calls
    assert "newer release" in (await card(world)).text
    assert "Stop" in labels(await card(world))
    await world.close()
