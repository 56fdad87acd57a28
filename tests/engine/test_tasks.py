"""Long tasks in the running house: planned, worked on step by step, answered once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.kit.scripted import ScriptedModel
from tests.kit.world import World


def plan(*steps: tuple[str, Sequence[int]]) -> str:
    """A plan as a model writes it."""
    return json.dumps(
        {"steps": [{"title": t, "instruction": f"Do {t}.", "tools": [], "depends_on": list(d)} for t, d in steps]}
    )


CHAIN = plan(("one", ()), ("two", (1,)), ("three", (2,)))


async def test_a_task_is_planned_worked_on_and_answered_once(tmp_path: Path) -> None:
    """A goal comes back as nothing, as several messages, or without its results."""
    world = await World.open(tmp_path / "a.db")
    assert isinstance(world.model, ScriptedModel)
    world.model.scripts = [[CHAIN], ["First result."], ["Second result."], ["Third result."], ["The answer."]]
    await world.command("alice", "task compare three apples")
    await world.settle()
    texts = await world.answers()
    assert texts[-1] == "The answer."
    await world.close()
