"""What it costs to go on with a task: five equal steps, interrupted after three."""

from __future__ import annotations

from pathlib import Path

from core.domain.rules.attempts import ATTEMPTS_MAX
from core.domain.tasking import StepState, TaskState
from tests.engine.test_tasks import CUT, begin, states, work
from tests.kit.planner import ANSWER, PLAN, Planner, chain

TITLES = ("one", "two", "three", "four", "five")
MOST = 0.45  # of the tokens of all step calls, for the last two of five


def spent(model: Planner) -> int:
    """Tokens of all calls for steps so far."""
    return sum(model.tokens_in[each] for each in TITLES)


async def test_going_on_after_three_of_five_steps_costs_two(tmp_path: Path) -> None:
    """A pause in the middle of a task is paid for with the finished steps."""
    whole = tmp_path / "whole"
    whole.mkdir()
    world, model = await begin(whole, chain(*TITLES))
    await world.command("alice", "task compare five vendors")
    await world.settle()
    full = spent(model)
    await world.close()

    world, model = await begin(tmp_path, chain(*TITLES))
    model.mishaps["four"] += [(CUT,)] * ATTEMPTS_MAX
    await world.command("alice", "task compare five vendors")
    await world.settle()
    assert await states(world) == [StepState.DONE] * 3 + [StepState.FAILED, StepState.WAITING]
    calls, tokens = dict(model.calls), spent(model)
    world = await world.reborn()
    await world.press("alice", "Resume at step 4")
    await world.settle()
    assert (await work(world)).task.state is TaskState.DONE
    more = {name: count - calls.get(name, 0) for name, count in model.calls.items()}
    assert more == {PLAN: 0, "one": 0, "two": 0, "three": 0, "four": 1, "five": 1, ANSWER: 1}
    assert spent(model) - tokens <= MOST * full
    await world.close()
