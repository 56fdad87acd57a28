"""Other commands and notices know of tasks, and the card keeps a reader's pace."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.decision import Policy, Private
from core.domain.tasking import TaskState
from tests.engine.test_tasks import CUT, begin, card, labels, poisoned, reply, work
from tests.kit.planner import ANSWER, PLAN, plan


async def test_stop_stops_what_runs_here(tmp_path: Path) -> None:
    """`/stop` says that nothing runs, while a task does."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(1.0)
    assert reply(await world.command("alice", "stop")).startswith("Stopped.")
    await world.settle()
    assert (await work(world)).task.state is TaskState.STOPPED
    assert model.calls == {PLAN: 1, "one": 1}
    assert reply(await world.command("alice", "stop")) == "Nothing is running here."
    await world.close()


async def test_new_pauses_what_runs_in_the_old_conversation(tmp_path: Path) -> None:
    """A task of a conversation that was ended answers into the new one."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(1.0)
    assert "paused" in reply(await world.command("alice", "new"))
    await world.settle()
    assert (await work(world)).task.state is TaskState.PAUSED
    assert ANSWER not in model.calls
    await world.close()


async def test_why_and_sessions_know_of_tasks(tmp_path: Path) -> None:
    """Somebody who asks how things are is not told what waits for them."""
    world, _ = await poisoned(tmp_path)
    assert "waits for you at step 2 of 3" in reply(await world.command("alice", "why"))
    assert "Waiting for you" in reply(await world.command("alice", "sessions"))
    await world.press("alice", "Skip")
    await world.run(0.5)
    assert "is running: 2 of 3 steps are over" in reply(await world.command("alice", "why"))
    assert "Waiting for you" not in reply(await world.command("alice", "sessions"))
    await world.close()


async def test_the_notice_names_a_task_that_waits_and_comes_not_while_one_runs(tmp_path: Path) -> None:
    """A conversation is parked in the middle of a task, or a paused one is forgotten."""
    policy = Policy(idle_warning_ms=5_000, idle_park_ms=60_000, idle_min_exchanges=9)
    world, model = await begin(tmp_path, policy=policy)
    model.mishaps["two"] += [(CUT,)] * 3
    model.mishaps["one"] += [("Slow ", 30.0, "result.")]
    await world.command("alice", "task compare three apples")
    await world.run(20.0)
    await world.engine.ring()
    assert len(await world.answers()) == 1
    await world.run(20.0)
    await world.engine.ring()
    await world.run(5.0)
    assert "waits for you at step 2 of 3" in (await world.answers())[-1]
    await world.close()


async def test_a_card_is_edited_at_a_readers_pace_and_ends_right(tmp_path: Path) -> None:
    """A plan of many quick steps floods the platform with edits, or the card stays behind."""
    world, model = await begin(tmp_path, plan(*((f"s{n}", ()) for n in range(20))))
    for n in range(20):
        model.mishaps[f"s{n}"].append((0.1, f"Result {n}."))
    await world.command("alice", "task compare three apples")
    edits: set[str] = set()
    for _ in range(30):
        await world.run(0.1)
        edits.add((await card(world)).text)
    assert len(edits) <= 4
    await world.settle()
    assert "Done." in (await card(world)).text
    await world.close()


@pytest.mark.parametrize("what", ["this", "everything"])
async def test_a_forgotten_task_keeps_no_money_reserved(tmp_path: Path, what: str) -> None:
    """Whoever forgets a task that runs has used up a part of the day's budget until midnight."""
    world, _ = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(2.0)
    asked = (await world.command("alice", f"forget {what}")).decision.reply
    assert isinstance(asked, Private)
    await world.press_id("alice", asked.buttons[0].id)
    await world.settle()
    sql = "SELECT account, reserved, settled FROM spend"
    found = await world.store.read(lambda conn: [tuple(row) for row in conn.execute(sql)])
    assert {reserved for _, reserved, _ in found} == {0}
    assert all(settled > 100_000 for _, _, settled in found), "forgetting is not the way around a budget"
    assert found
    await world.close()


@pytest.mark.parametrize("another", [True, False])
async def test_a_task_of_an_ended_conversation_goes_on(tmp_path: Path, *, another: bool) -> None:
    """Resume on an old card wakes a conversation that nobody reaches, beside the one that lives there now."""
    world, model = await begin(tmp_path)
    await world.command("alice", "task compare three apples")
    await world.run(3.0)
    await world.command("alice", "new")
    await world.settle()
    if another:
        await world.say("alice", "something else")
        await world.settle()
    label = labels(await card(world))[0]
    await world.press("alice", label)
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    assert model.calls[ANSWER] == 1
    sql = "SELECT s.phase, EXISTS (SELECT 1 FROM binding AS b WHERE b.session_id = s.id) FROM session AS s ORDER BY num"
    found = await world.store.read(lambda conn: [tuple(row) for row in conn.execute(sql)])
    assert found == ([("closed", 0), ("active", 1)] if another else [("active", 1)])
    await world.say("alice", "who hears this?")
    await world.settle()
    assert ("something else" in str(model.requests[-1].messages)) is another
    await world.close()
