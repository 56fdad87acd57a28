"""What is stored of long tasks: one frozen value per row.

Knows: the shape and the meaning of every field, and what follows from the rows alone: which step may start, at which
step a task stands. Must not know: models, cards, SQL.
Texts of people and of models stand only in `Task.goal`, `Task.wish`, `Step.title`, `Step.instruction` and
`Step.result`. A step is data, not a position in a program: `form` says in which form it was written, so that any later
release can go on with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.domain.keys import PersonKey

FORM = 1  # of the rows that this release writes
START_TASK = "start_task"  # built-in tools
ADD_STEPS = "add_steps"
NEWER = "newer"  # the reason of a pause: rows of a later release
ANY_TOOL = "*"  # in `Step.tools`: whatever the session has


class TaskState(StrEnum):
    """How far a task is. `PAUSED` waits for a person, the last three are over."""

    PLANNING = "planning"
    PROPOSED = "proposed"  # the plan waits for [Start]
    RUNNING = "running"
    PAUSED = "paused"
    COMPOSING = "composing"  # all steps are over, the answer is being written
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class StepState(StrEnum):
    """How far a step is. `DONE` is never left, `SKIPPED` neither."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"  # one of its tool calls may have happened: the person says
    WAITING_FOR_YOU = "waiting_for_you"  # for an approval or a login


OPEN = (TaskState.PLANNING, TaskState.PROPOSED, TaskState.RUNNING, TaskState.PAUSED, TaskState.COMPOSING)
BUSY = (TaskState.PLANNING, TaskState.RUNNING, TaskState.COMPOSING)  # something of ours goes on for it
ASKS = (TaskState.PROPOSED, TaskState.PAUSED)  # it waits for the person
SETTLED = (StepState.DONE, StepState.SKIPPED)
FOR_PERSON = (StepState.UNKNOWN, StepState.WAITING_FOR_YOU)
AT_WORK = (StepState.RUNNING, StepState.UNKNOWN, StepState.WAITING_FOR_YOU)  # its turn is open


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something that takes many steps. Its steps run with the rights of `asker`; its card is at the session's home."""

    id: str  # ULID, the subject of its buttons, key of the card `task:<id>`
    session_id: str
    asker: PersonKey
    author: str  # the asker's name, for the message of the history that asks for it
    goal: str
    created_ms: int
    state: TaskState = TaskState.PLANNING
    form: int = FORM
    version: int = 0  # of the plan: how often it was made or changed
    reason: str = ""  # code of the pause or of the failure
    wish: str = ""  # what the person wants changed in the plan that is being made
    repairs: int = 0  # how often the present plan was asked for again because it could not be read
    turn_id: str = ""  # the hidden turn that plans; later the turn that answers
    cost: int = 0  # millionths of a US dollar, of every model call for it
    paused_ms: int | None = None  # since when it is paused
    started_ms: int | None = None  # when its first step began
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a plan. Its work is a hidden turn; its result is stored in full."""

    id: str
    task_id: str
    session_id: str
    n: int  # 1, 2, 3 ... in the plan
    title: str
    instruction: str
    tools: tuple[str, ...] = ()  # what it may use; ("*",): whatever the session has
    depends: tuple[int, ...] = ()  # the steps whose results it needs
    state: StepState = StepState.WAITING
    form: int = FORM
    turn_id: str = ""  # its newest turn
    attempts: int = 0  # how often it was begun anew
    result: str = ""
    tokens: int = 0  # estimated, of the result
    cost: int = 0
    failure: str = ""  # stable code: why it failed, could not begin or go on, or what it waits for
    started_ms: int | None = None
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task and its steps, in the order of the plan."""

    task: Task
    steps: tuple[Step, ...] = ()

    @property
    def over(self) -> int:
        """How many steps are done or skipped."""
        return sum(each.state in SETTLED for each in self.steps)

    @property
    def at_work(self) -> tuple[Step, ...]:
        """The steps whose turns are open."""
        return tuple(each for each in self.steps if each.state in AT_WORK)

    @property
    def stands_at(self) -> Step | None:
        """The step that a person would name: the first that is stuck or under way, else the first that is not over."""
        left = [each for each in self.steps if each.state not in SETTLED]
        stuck = [each for each in left if each.state is not StepState.WAITING or each.failure]
        return next(iter((*stuck, *left)), None)

    @property
    def unplanned(self) -> bool:
        """Whether it needs a plan before anything: there is none, or one that was to be changed and never begun."""
        return not self.steps or (self.task.started_ms is None and self.task.reason != NEWER)

    @property
    def waits_for_person(self) -> bool:
        """Whether nothing of a running task moves before its person has answered something."""
        at_work = self.at_work
        return self.task.state is TaskState.RUNNING and bool(at_work) and all(s.state in FOR_PERSON for s in at_work)

    def step(self, step_id: str) -> Step | None:
        """The step with this id."""
        return next((each for each in self.steps if each.id == step_id), None)


def ready(steps: Iterable[Step], most: int) -> tuple[Step, ...]:
    """The steps that may start now, in order, so that at most `most` are at work."""
    steps = tuple(steps)
    settled = {each.n for each in steps if each.state in SETTLED}
    room = most - sum(each.state in AT_WORK for each in steps)
    waiting = [each for each in steps if each.state is StepState.WAITING and settled.issuperset(each.depends)]
    return tuple(waiting[: max(room, 0)])


def may_use(step: Step, tool: str) -> bool:
    """Whether the plan lets the step use a tool; a plan may name it without its server's prefix."""
    return any(each in (ANY_TOOL, tool) or tool.endswith(f"__{each}") for each in step.tools if each)
