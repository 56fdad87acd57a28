"""The model begins a task, or adds steps to the one that it works on, by a built-in tool.

Knows: that what follows is decided in the commit that stores the tool's result, so that a repeated call after a crash
begins nothing twice. Must not know: how a task goes on.
"""

from __future__ import annotations

import json
from dataclasses import replace

from core.domain.entities import Turn
from core.domain.events import ToolReturned
from core.domain.rules import planning, tasks
from core.domain.rules.making import Making
from core.domain.rules.tool_texts import content
from core.domain.tasking import ADD_STEPS, START_TASK, TaskState
from core.domain.tooling import ToolCall

RUNNING_MAX = 2  # tasks of one person that go on at the same time
GOAL_CHARS = 8_000

_PAUSED = (
    "The task stands on a card in this thread, but it is paused before its plan: today's budget is used up or "
    "reserved. The card says from when on its button works. Tell the person in one sentence; do not work on it here."
)
_BEGUN = (
    "The task is begun. A card in this thread shows its plan and its progress, and its answer comes by itself in a "
    "message of its own. Tell the person in one sentence; do not work on it here."
)


def carried_out(making: Making, turn: Turn, call: ToolCall, event: ToolReturned) -> ToolReturned:
    """The result of a built-in tool, after what it asks for is done."""
    if call.server or event.is_error or event.failure:
        return event
    if call.tool == START_TASK:
        return _told(event, _start(making, turn, call))
    return _told(event, _grow(making, turn, call)) if call.tool == ADD_STEPS else event


def _start(making: Making, turn: Turn, call: ToolCall) -> tuple[str, bool]:
    goal, asker = str(_input(call).get("goal", "")).strip(), making.view.asker
    if turn.task_id:
        return "A task cannot begin another one.", False
    if not goal or len(goal) > GOAL_CHARS or asker is None:
        return "A task needs a goal, in some sentences at most.", False
    if making.view.busy_tasks >= RUNNING_MAX:
        return f"{RUNNING_MAX} tasks of this person are running. Tell them to wait for one, or to stop one.", False
    begun = tasks.begin(making, goal, call.asker, asker.name)
    if making.works[begun.id].task.state is TaskState.PAUSED:
        return _PAUSED, False
    return _BEGUN, True


def _grow(making: Making, turn: Turn, call: ToolCall) -> tuple[str, bool]:
    work = making.works.get(turn.task_id)
    if work is None or not turn.step_id:
        return "There is no plan that could be added to.", False
    more = planning.additions(_input(call), len(work.steps))
    if not more or not tasks.grow(making, work, more):
        return f"Nothing was added. A plan has at most {planning.STEPS_MAX} steps, each with an instruction.", False
    return f"Added: {len(more)}.", True


def _told(event: ToolReturned, told: tuple[str, bool]) -> ToolReturned:
    text, done = told
    return replace(event, content=content(text), is_error=not done)


def _input(call: ToolCall) -> dict[str, object]:
    try:
        found = json.loads(call.input)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
