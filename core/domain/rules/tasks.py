"""Long tasks: a plan, its steps, and the answer that is composed of their results.

Knows: how a task goes on by itself. Theory:

* a step is a hidden turn: drafts, continuation, attempts and budgets are those of every turn. Its result is committed
  with the turn's end, in the same commit in which the next steps begin; a finished step is never begun again;
* steps that do not need one another run side by side, at most three; one that failed pauses the task: what runs is
  finished, nothing new begins until the person says how to go on;
* a death of ours is no reason for a pause: a model call goes on from its draft;
* a step that today's budget cannot pay has not failed: it waits as it was, and the task pauses before it. What is only
  reserved by steps beside it comes back when they end, so those are waited for first. The answer is paid the same way;
* when all steps are over, the goal becomes a message of the history, and the turn that answers it is an ordinary one;
* the card follows, by the decision in which something changed.

Must not know: what a person presses (see `steering`), how a card reads (see `progress`), how a plan is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.domain.entities import Forgotten, Level, Turn, TurnState, Waiting
from core.domain.keys import PersonKey
from core.domain.rules import budget, planning, progress
from core.domain.rules.making import Making
from core.domain.rules.outcomes import stand
from core.domain.rules.planning import Planned
from core.domain.rules.titles import title_of
from core.domain.tasking import AT_WORK, FORM, NEWER, Step, StepState, Task, TaskState, Work, may_use, ready
from core.domain.tokens import estimate

SIDE_BY_SIDE = 3  # steps of one task at a time
ROUNDS_MAX = "rounds_max"  # the remark under an answer that went around with its tools for too long: no result
REPAIRS_MAX = 1  # how often an unreadable plan is asked for again


def plans(turn: Turn) -> bool:
    """Whether the turn makes a plan."""
    return turn.step_id != "" and turn.step_id == turn.task_id


def may_strip(turn: Turn, code: str) -> bool:
    """Whether a request that was refused with this code may be put in a plainer form: for a plan, in free words."""
    return code == "model_bound_thinking" or plans(turn)


# ------------------------------------------------------------------------------------------ beginning


def begin(making: Making, goal: str, asker: PersonKey, author: str) -> Task:
    """A new task: its card appears, and the model is asked for a plan."""
    task = Task(
        id=making.stamp.ulid("task"),
        session_id=making.session.id,
        asker=asker,
        author=author,
        goal=goal,
        created_ms=making.now_ms,
    )
    making.session = replace(making.session, title=making.session.title or title_of(goal))
    plan(making, Work(task=task))
    return task


def plan(making: Making, work: Work) -> None:
    """Ask the model for a plan, or for another one."""
    turn = _hidden(making, work.task, work.task.id)
    task = replace(work.task, state=TaskState.PLANNING, reason="", paused_ms=None, turn_id=turn.id, ended_ms=None)
    save(making, replace(work, task=task))
    _ask(making, turn)


def _planned(making: Making, work: Work, text: str) -> None:
    """The model has answered: with a plan, or with something else."""
    steps, task = planning.parse(text), work.task
    if steps:
        adopt(making, work, steps)
    elif task.repairs < REPAIRS_MAX:
        plan(making, replace(work, task=replace(task, repairs=task.repairs + 1)))
    else:
        _close(making, work, TaskState.FAILED, "no_plan")


def adopt(making: Making, work: Work, planned: Iterable[Planned]) -> None:
    """The plan takes the place of what has not begun; what has is kept, under its number."""
    kept = tuple(each for each in work.steps if each.state is not StepState.WAITING or each.turn_id)
    offset = max((each.n for each in kept), default=0)
    steps = tuple(_new_step(making, work.task, offset, n, each) for n, each in enumerate(planned, start=1))
    task = replace(work.task, version=work.task.version + 1, repairs=0, wish="", state=TaskState.RUNNING)
    work = Work(task=task, steps=(*kept, *steps))
    if any(may_use(step, tool) for step in steps for tool in making.careful):
        save(making, replace(work, task=replace(task, state=TaskState.PROPOSED)))
    else:
        run(making, work)


def grow(making: Making, work: Work, planned: Iterable[Planned]) -> bool:
    """More steps at the end of the plan; what they depend on are numbers of the whole plan. Whether there is room."""
    first = max(each.n for each in work.steps) + 1
    more = tuple(
        replace(_new_step(making, work.task, 0, n, each), depends=tuple(other for other in each.depends if other < n))
        for n, each in enumerate(planned, start=first)
    )
    if len(work.steps) + len(more) > planning.STEPS_MAX:
        return False
    task = replace(work.task, version=work.task.version + 1)
    save(making, Work(task=task, steps=(*work.steps, *more)))
    return True


def _new_step(making: Making, task: Task, offset: int, n: int, planned: Planned) -> Step:
    return Step(
        id=making.stamp.ulid(f"step:{task.id}:{task.version}:{n}"),
        task_id=task.id,
        session_id=task.session_id,
        n=offset + n,
        title=planned.title,
        instruction=planned.instruction,
        tools=planned.tools,
        depends=tuple(offset + each for each in planned.depends),
    )


# ---------------------------------------------------------------------------------------- going on


def run(making: Making, work: Work) -> None:
    """The task runs: whatever may begin now begins; when nothing is left, the answer is written."""
    task = work.task
    if max(task.form, *(each.form for each in work.steps)) > FORM:
        pause(making, work, NEWER)
        return
    started_ms = task.started_ms if task.started_ms is not None else making.now_ms
    work = replace(work, task=replace(task, state=TaskState.RUNNING, reason="", paused_ms=None, started_ms=started_ms))
    save(making, work)
    if work.over == len(work.steps):
        _compose(making, work)
        return
    for step in ready(work.steps, SIDE_BY_SIDE):
        if _now(making, work).task.state is not TaskState.RUNNING or _pays_later(making, _now(making, work), step):
            break
        work_on(making, _now(making, work), step, kept_turn(making, step))
    work, stuck = _now(making, work), _now(making, work).stands_at
    if work.task.state is TaskState.RUNNING and not work.at_work and stuck is not None:
        pause(making, work, stuck.failure)


def _pays_later(making: Making, work: Work, step: Step) -> bool:
    """Whether a step that runs has reserved what this one needs, and will give back what it does not use."""
    runs = any(each.state is StepState.RUNNING for each in work.steps)
    return runs and making.unpaid(_turn_of(making, work, step)) == budget.TIED


def unpaid(making: Making, work: Work, *, anew: bool = False) -> str:
    """The code of the budget that cannot pay what the task needs next, "" when it can or needs nothing.

    `anew`: the step at which the task stands shall begin anew.
    """
    step = work.stands_at
    if step is not None and step.state in AT_WORK and not anew:
        return ""
    return making.unpaid(_turn_of(making, work, step, anew=anew))


def _turn_of(making: Making, work: Work, step: Step | None, *, anew: bool = False) -> Turn:
    """The turn that is asked for next: of the step, of the plan, or of the answer when no step is left."""
    kept = kept_turn(making, step) if step is not None and not anew else None
    if kept is not None:
        return kept
    return _hidden(making, work.task, step.id if step is not None else "" if work.steps else work.task.id)


def kept_turn(making: Making, step: Step) -> Turn | None:
    """The step's turn, when it was stopped or failed and so has something to go on from."""
    turn = next((each for each in making.view.task_turns if each.id == step.turn_id), None)
    return turn if turn is not None and turn.state in (TurnState.STOPPED, TurnState.FAILED) else None


def work_on(making: Making, work: Work, step: Step, turn: Turn | None = None) -> None:
    """A step begins; with `turn` it goes on from what is kept of that turn."""
    again = turn is not None
    turn = making.reopen(turn) if turn is not None else _hidden(making, work.task, step.id, step.n)
    begun = replace(
        step,
        state=StepState.RUNNING,
        turn_id=turn.id,
        attempts=step.attempts + (not again),
        failure="",
        started_ms=step.started_ms if step.started_ms is not None else making.now_ms,
    )
    save(making, changed(work, begun))
    _ask(making, turn)


def runs(making: Making, turn: Turn) -> bool:
    """Whether the task of a hidden turn goes on: a paused one keeps what its tools have returned for later."""
    work = making.works.get(turn.task_id)
    return work is not None and work.task.state in (TaskState.RUNNING, TaskState.PLANNING)


def follow(making: Making, turn: Turn) -> None:
    """A step's turn goes on, or waits for its person: the step says so."""
    work = making.works.get(turn.task_id)
    step = work.step(turn.step_id) if work is not None else None
    if work is None or step is None or step.turn_id != turn.id or step.state not in AT_WORK:
        return
    waits_for = turn.activity.removeprefix("awaits:") if turn.awaits_since_ms is not None else ""
    state = StepState.UNKNOWN if waits_for == "unknown" else StepState.WAITING_FOR_YOU
    now = replace(step, state=state if waits_for else StepState.RUNNING, failure=waits_for)
    if now != step:
        save(making, changed(work, now))


def on_step_over(making: Making, turn: Turn, text: str) -> None:
    """A hidden turn is over: its text is the plan, or the result of its step."""
    work = making.works.get(turn.task_id)
    if work is None or turn.id not in (work.task.turn_id, *(each.turn_id for each in work.steps)):
        return
    work = replace(work, task=replace(work.task, cost=work.task.cost + turn.cost))
    step = work.step(turn.step_id)
    if step is not None:
        _step_over(making, work, step, turn, text)
    elif work.task.state is not TaskState.PLANNING:
        save(making, work)
    elif turn.state is TurnState.ANSWERED:
        _planned(making, work, text)
    else:
        pause(making, work, "person" if turn.state is TurnState.STOPPED else turn.failure)


def _step_over(making: Making, work: Work, step: Step, turn: Turn, text: str) -> None:
    step = replace(step, cost=step.cost + turn.cost)
    failure = turn.failure or (ROUNDS_MAX if turn.finish_note == ROUNDS_MAX else "")
    if turn.state is TurnState.ANSWERED and not failure:
        done = replace(
            step,
            state=StepState.DONE,
            result=text,
            tokens=estimate(text),
            failure="",
            ended_ms=making.now_ms,
        )
        work = changed(work, done)
        if work.task.state is TaskState.RUNNING:
            run(making, work)
        else:
            save(making, work)
    elif turn.state is TurnState.STOPPED and work.task.state is TaskState.RUNNING:
        work_on(making, work, step, turn)  # the person wanted it to go on before it had stopped
    elif turn.state is TurnState.STOPPED:
        save(making, changed(work, replace(step, state=StepState.WAITING, failure="")))
    else:
        state = StepState.WAITING if failure in budget.CODES else StepState.FAILED
        pause(making, changed(work, replace(step, state=state, failure=failure)), failure)


def pause(making: Making, work: Work, reason: str) -> None:
    """Nothing new begins until the person says how to go on; what is over stays over."""
    if work.task.state in (TaskState.STOPPED, TaskState.PAUSED):
        save(making, work)
    else:
        paused = replace(work.task, state=TaskState.PAUSED, reason=reason, paused_ms=making.now_ms)
        save(making, replace(work, task=paused))


# ------------------------------------------------------------------------------------------- the end


def _compose(making: Making, work: Work) -> None:
    """The goal becomes a message that is answered from the results: now, or after the answer that is running."""
    task = work.task
    idle = making.view.running is None
    if idle and (code := unpaid(making, work)):
        pause(making, work, code)
        return
    save(making, replace(work, task=replace(task, state=TaskState.COMPOSING)))
    message = Waiting(
        id=making.stamp.ulid(f"answer:{task.id}"),
        session_id=task.session_id,
        author=task.author,
        asker=task.asker,
        text=task.goal,
        ref="",
        received_ms=making.now_ms,
        task_id=task.id,
    )
    if idle:
        making.open_turn((message,), pause_ms=0)
    else:
        making.put(message)


def next_turn(making: Making) -> None:
    """What waited becomes the next turn. The answer of a task that nobody can pay waits with its task instead."""
    gone: list[str] = []
    for each in (waiting for waiting in making.view.waiting if not waiting.held):
        work = making.works.get(each.task_id)
        code = unpaid(making, work) if work is not None else ""
        if work is None or not code:
            break
        gone.append(each.id)
        pause(making, work, code)
    if gone:
        making.put(Forgotten(waiting=tuple(gone)))
    making.next_turn(but=gone)


def on_answer_over(making: Making, turn: Turn) -> None:
    """The answer that was composed from the results is over."""
    work = making.works.get(turn.task_id)
    if work is None:
        return
    work = replace(work, task=replace(work.task, cost=work.task.cost + turn.cost, turn_id=turn.id))
    match turn.state:
        case TurnState.ANSWERED:
            _close(making, work, TaskState.DONE, "")
        case TurnState.STOPPED:
            _close(making, work, TaskState.STOPPED, "")
        case _:
            _close(making, work, TaskState.FAILED, "no_answer")


def _close(making: Making, work: Work, state: TaskState, reason: str) -> None:
    save(making, replace(work, task=replace(work.task, state=state, reason=reason, ended_ms=making.now_ms)))


def stop(making: Making, work: Work) -> None:
    """The task is over for good, without an answer; what its steps have found is kept."""
    waits = tuple(each.id for each in making.view.waiting if each.task_id == work.task.id)
    if waits:
        making.put(Forgotten(waiting=waits))
    _close(making, work, TaskState.STOPPED, "")


# ------------------------------------------------------------------------------------------- moves


def save(making: Making, work: Work) -> None:
    """The work as it shall be; its card follows."""
    making.set_work(work)
    making.at_last(f"task:{work.task.id}", lambda: _show(making, work.task.id))


def changed(work: Work, step: Step) -> Work:
    """The work with this step in the place of the one with its id."""
    return replace(work, steps=tuple(step if each.id == step.id else each for each in work.steps))


def _now(making: Making, work: Work) -> Work:
    return making.works[work.task.id]


def _hidden(making: Making, task: Task, step_id: str, n: int = 0) -> Turn:
    """A turn that no message asks for and no message shows: an empty range of the history's end."""
    return Turn(
        id=making.stamp.ulid(f"turn:{task.id}:{n}"),
        session_id=task.session_id,
        asker=task.asker,
        place=making.session.home.place,
        reply_to="",
        created_ms=making.now_ms,
        first_seq=making.session.next_seq,
        last_seq=making.session.next_seq - 1,
        level=Level.SUMMARY if making.session.level is Level.SUMMARY else Level.FULL,
        model=making.view.policy.model,
        step_id=step_id,
        task_id=task.id,
    )


def _ask(making: Making, turn: Turn) -> None:
    """Ask the model for a hidden turn; when nobody can pay for it, it is over."""
    asked = making.ask(turn, not_before_ms=making.now_ms)
    making.put(asked)
    if asked.state is TurnState.FAILED:
        on_step_over(making, asked, "")


def _show(making: Making, task_id: str) -> None:
    """The task's card, where the conversation lives."""
    work, language = making.works[task_id], making.view.policy.language
    text = progress.text(work, language, making.now_ms)
    buttons = progress.buttons(work, making.session, language)
    outline = progress.outline(work, language, making.now_ms)
    known = next((each for each in making.view.task_cards if each.key == f"task:{task_id}"), None)
    stand(making, known, f"task:{task_id}", text, buttons, outline)
