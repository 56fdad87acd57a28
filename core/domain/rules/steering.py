"""What a person does with a task: begin, start, change, pause, resume, retry, skip, stop.

Knows: who may (the asker, and the owner of the session), and that a button about a step that is not the one at which
the task stands any more changes nothing. Theory of the way back:

* `[Resume at step N]` goes on from what is kept of the step: its words so far, what its tools returned;
* `[Retry]` begins the step anew; `[Skip]` leaves it out, and later steps and the answer are told so;
* a finished step is never touched by any of them;
* what today's budget cannot pay is not even tried: whoever presses is told why, and since when it works again.

Must not know: how a task goes on by itself (see `tasks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.domain.decision import Decision, Form, FormField, Private, View
from core.domain.entities import Button, ButtonStyle, Phase, Session, Turn, TurnState
from core.domain.events import ButtonPressed, CommandIssued
from core.domain.keys import ButtonId
from core.domain.rules import looping, moving, people, progress, returning, tasks
from core.domain.rules.beginning import GOAL_CHARS, RUNNING_MAX
from core.domain.rules.forms import field
from core.domain.rules.making import Making, new_session
from core.domain.rules.replies import private
from core.domain.stamp import Stamp
from core.domain.tasking import AT_WORK, BUSY, OPEN, Step, StepState, TaskState, Work
from core.domain.words import say

WISH_CHARS = 1_000

_Rule = Callable[[Making, Work, ButtonPressed], str]


def on_task(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/task GOAL`: plan it, show the plan, work on it."""
    goal = event.rest.strip()
    if view.person is None or not goal:
        return private(view, "task.usage")
    if len(goal) > GOAL_CHARS:
        return private(view, "task.too_long")
    if view.busy_tasks >= RUNNING_MAX:
        return private(view, "task.too_many", most=RUNNING_MAX)
    key = moving.key_at(view, event.place, event.author.key)
    session = view.session
    gone = session is None or session.phase in (Phase.CLOSED, Phase.ERASED) or moving.has_left(view, key)
    if session is None or gone:
        session = replace(new_session(key, view.person, stamp), audience=event.audience)
    making = Making(view, stamp, session)
    making.put(*people.remember(view.person, newcomer=view.newcomer))
    returning.come_back(making)
    begun = tasks.begin(making, goal, event.author.key, event.author.name)
    return making.done(_told(making, begun.id, "task.begun"))


def on_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """A button of a task's card, after the check of who pressed it and what it is about."""
    work, session, person = view.work, view.session, view.person
    if work is None or session is None or person is None or session.phase is Phase.ERASED:
        return private(view, "private.gone")
    if not people.owns(person, session) and person.key != work.task.asker:
        return private(view, "private.not_yours")
    verb = event.button.verb
    if work.task.state not in WHEN[verb] or not _still_meant(work, event.button):
        return Decision(reply=Private(text=progress.state(work, view.policy.language)))
    if verb == "task_change":
        return Decision(reply=_wish_form(work, view.policy.language))
    if verb in _GO_ON and work.task.state not in BUSY and view.busy_tasks >= RUNNING_MAX:
        return private(view, "task.too_many", most=RUNNING_MAX)
    making = Making(view, stamp, session)
    return making.done(_steer(making, work, event))


def _steer(making: Making, work: Work, event: ButtonPressed) -> Private:
    """Do what the button says, if it can be paid; what whoever pressed is told."""
    verb, language = event.button.verb, making.view.policy.language
    if verb not in _GO_ON:
        returning.act(making)
        return Private(text=say(language, _STEER[verb](making, work, event)))
    at_home = moving.key_at(making.view, event.place, event.author.key) == making.session.home
    returning.act(making, reopens=at_home)
    code = tasks.unpaid(making, work, anew=verb == "task_retry") if verb in _PAID else ""
    if code:
        return _cannot_pay(making, work, code)
    return _told(making, work.task.id, _STEER[verb](making, work, event))


def _still_meant(work: Work, button: ButtonId) -> bool:
    if button.verb in ("task_retry", "task_skip", "task_resume"):
        stands_at = work.stands_at
        return button.version == (stands_at.n if stands_at is not None and not work.unplanned else 0)
    return button.verb != "task_start" or button.version == work.task.version


def _cannot_pay(making: Making, work: Work, code: str) -> Private:
    """Nobody can pay for it now: a paused task says so from now on, one that never ran is left as it is."""
    language = making.view.policy.language
    task = replace(work.task, reason=code, paused_ms=making.now_ms)
    if task.state is not TaskState.PAUSED:
        return Private(text=progress.why(task, language))
    tasks.save(making, replace(work, task=task))
    return Private(text=progress.state(making.works[task.id], language))


def _told(making: Making, task_id: str, reply: str) -> Private:
    """What somebody is told who set a task going: how it stands, when it could not go on."""
    work, language = making.works[task_id], making.view.policy.language
    stands = work.task.state is TaskState.PAUSED
    return Private(text=progress.state(work, language) if stands else say(language, reply))


def _wish_form(work: Work, language: str) -> Form:
    submit = ButtonId(verb="task_changed", subject=work.task.id, version=work.task.version)
    label = say(language, "task.button.change", n=0)
    return Form(
        title=label,
        submit=Button(id=str(submit), label=label, style=ButtonStyle.PRIMARY),
        fields=(FormField(id="text", label=say(language, "task.wish_field"), max_chars=WISH_CHARS, long=True),),
    )


# ------------------------------------------------------------------------------------------ going on


def _start(making: Making, work: Work, event: ButtonPressed) -> str:
    del event
    tasks.run(making, work)
    return "task.started"


def _change(making: Making, work: Work, event: ButtonPressed) -> str:
    wish = field(event.value, "text")[:WISH_CHARS]
    if not wish:
        return "task.no_wish"
    tasks.plan(making, replace(work, task=replace(work.task, wish=wish, repairs=0)))
    return "task.changing"


def _resume(making: Making, work: Work, event: ButtonPressed) -> str:
    del event
    step = work.stands_at
    if work.unplanned:
        tasks.plan(making, replace(work, task=replace(work.task, repairs=0)))
        return "task.resumed"
    work = _awake(making, work)
    if step is not None and step.state is StepState.FAILED:
        tasks.work_on(making, work, step, tasks.kept_turn(making, step))
    _rest(making, work)
    return "task.resumed"


def _retry(making: Making, work: Work, step: Step) -> str:
    work = _awake(making, work)
    tasks.work_on(making, work, step)
    _rest(making, work)
    return "task.retried"


def _skip(making: Making, work: Work, step: Step) -> str:
    skipped = replace(step, state=StepState.SKIPPED, failure="", ended_ms=making.now_ms)
    tasks.run(making, tasks.changed(work, skipped))
    return "task.skipped"


def _about_step(rule: Callable[[Making, Work, Step], str]) -> _Rule:
    """A rule about the step at which the task stands, once nothing of it runs."""

    def checked(making: Making, work: Work, event: ButtonPressed) -> str:
        del event
        work, step = _freed(making, work)
        return "task.still_runs" if step is None or step.state in AT_WORK else rule(making, work, step)

    return checked


def _freed(making: Making, work: Work) -> tuple[Work, Step | None]:
    """The step at which the task stands; one that only waits for its person does not wait any more."""
    step = work.stands_at
    if step is not None and step.state in (StepState.WAITING_FOR_YOU, StepState.UNKNOWN):
        for turn in making.view.task_turns:
            if turn.id == step.turn_id:
                _end(making, turn, for_good=True)
        work = making.works[work.task.id]
        step = work.step(step.id)
    return work, step


def _awake(making: Making, work: Work) -> Work:
    """The work as running again; steps that failed side by side with the one in question wait for their turn."""
    running = replace(work, task=replace(work.task, state=TaskState.RUNNING, reason="", paused_ms=None))
    tasks.save(making, running)
    return running


def _rest(making: Making, work: Work) -> None:
    """What else may begin, begins."""
    work = making.works[work.task.id]
    if work.task.state is TaskState.RUNNING:
        tasks.run(making, work)


# ------------------------------------------------------------------------------------------ stopping


def _pause(making: Making, work: Work, event: ButtonPressed) -> str:
    del event
    pause(making, work)
    return "task.pausing"


def _stop(making: Making, work: Work, event: ButtonPressed) -> str:
    del event
    stop(making, work)
    return "task.stopping"


def pause(making: Making, work: Work) -> None:
    """Pause at once: calls that run are ended, what they have said is kept."""
    tasks.pause(making, work, "person")
    _interrupt(making, work, for_good=False)


def stop(making: Making, work: Work) -> None:
    """Stop for good, at once."""
    tasks.stop(making, work)
    _interrupt(making, work, for_good=True)


def _interrupt(making: Making, work: Work, *, for_good: bool) -> None:
    """End the task's open turns: model calls that run by their performers, the others here.

    A turn whose tools run or wait for the person is left for a pause: what they return is kept (see `answer.go_on`).
    """
    for turn in making.view.task_turns:
        if turn.task_id == work.task.id and turn.state is TurnState.OPEN:
            _end(making, turn, for_good=for_good)


def _end(making: Making, turn: Turn, *, for_good: bool) -> None:
    at_its_tools = looping.asking_of(making.view, turn) is None and turn.activity
    if for_good or not at_its_tools:
        looping.stop(making, turn)


# ------------------------------------------------------------------------------- commands of others


def newest_busy(view: View) -> Work | None:
    """The task that `/stop` means: the newest that goes on here."""
    return next((each for each in reversed(view.works) if each.task.state in BUSY), None)


def on_stop(view: View, session: Session, work: Work, stamp: Stamp) -> Decision:
    """`/stop`, while no answer is being written."""
    if view.person is None or not (people.owns(view.person, session) or view.person.key == work.task.asker):
        return private(view, "private.not_yours")
    making = Making(view, stamp, session)
    returning.act(making)
    stop(making, work)
    return making.done(Private(text=say(view.policy.language, "task.stopping")))


def pause_all(making: Making) -> int:
    """The conversation is closed: what goes on in it waits. How many tasks that were."""
    busy = [each for each in making.view.works if each.task.state in (TaskState.PLANNING, TaskState.RUNNING)]
    for work in busy:
        pause(making, work)
    return len(busy)


_ANY_TIME = tuple(OPEN)
WHEN: Mapping[str, tuple[TaskState, ...]] = {
    "task_start": (TaskState.PROPOSED,),
    "task_change": (TaskState.PROPOSED,),
    "task_changed": (TaskState.PROPOSED,),
    "task_cancel": (TaskState.PROPOSED,),
    "task_pause": (TaskState.RUNNING,),
    "task_resume": (TaskState.PAUSED,),
    "task_retry": (TaskState.PAUSED,),
    "task_skip": (TaskState.PAUSED,),
    "task_stop": _ANY_TIME,
}
_STEER: Mapping[str, _Rule] = {
    "task_start": _start,
    "task_changed": _change,
    "task_cancel": _stop,
    "task_pause": _pause,
    "task_resume": _resume,
    "task_retry": _about_step(_retry),
    "task_skip": _about_step(_skip),
    "task_stop": _stop,
}
_PAID = ("task_start", "task_changed", "task_resume", "task_retry")
_GO_ON = (*_PAID, "task_skip")
BUTTONS = tuple(WHEN)
