"""A task as its card shows it: plan, progress, why it waits and what a click will do.

Knows: a piece of work. The same text for every platform, in Markdown, and the same once more as an outline, for those
that can draw steps; goal and titles are words of people and models and are shown as such. Must not know: platforms, who
may press.
"""

from __future__ import annotations

from core.domain.entities import Button, ButtonStyle, Session
from core.domain.keys import ButtonId
from core.domain.outline import Line, Outline
from core.domain.rules.budget import next_day_ms
from core.domain.rules.telling import day, hour, quoted
from core.domain.rules.telling import short as one_line
from core.domain.tasking import ASKS, Step, StepState, Task, TaskState, Work
from core.domain.words import failure, say
from core.domain.words.en import WORDS

GOAL_CHARS = 160
SHORT_CHARS = 60
TITLE_CHARS = (100, 60, 40, 24, 12)  # as many as let the card fit; an outline has the first
CARD_CHARS = 1_900  # the smallest message of a platform takes 1,980 (Discord): the end, which says why, is never cut
_SIGNS = {
    StepState.WAITING: "○",
    StepState.RUNNING: "▸",
    StepState.DONE: "✓",
    StepState.FAILED: "✗",
    StepState.SKIPPED: "\u2013",
    StepState.UNKNOWN: "?",
    StepState.WAITING_FOR_YOU: "⧗",
}
_TOLD = (StepState.FAILED, StepState.SKIPPED, StepState.UNKNOWN, StepState.WAITING_FOR_YOU)
_AWAITED = ("asking", "sign_in", "unknown")  # as in `Turn.activity`
_MICRO = 1_000_000
_PLAIN, _PRIMARY, _DANGER = ButtonStyle.PLAIN, ButtonStyle.PRIMARY, ButtonStyle.DANGER


def text(work: Work, language: str, now_ms: int) -> str:
    """The card's text."""
    shown = ""
    for most in TITLE_CHARS:
        head = f"**{quoted(work.task.goal, min(GOAL_CHARS, 2 * most))}**"
        steps = "\n".join(_line(each, language, most) for each in work.steps)
        shown = "\n\n".join(each for each in (head, steps, _foot(work, language, now_ms)) if each)
        if len(shown) <= CARD_CHARS:
            break
    return shown


def outline(work: Work, language: str, now_ms: int) -> Outline | None:
    """The same as steps; None while there is no plan."""
    if not work.steps:
        return None
    lines = tuple(
        Line(n=each.n, title=one_line(each.title, TITLE_CHARS[0]), state=each.state, detail=_detail(each, language))
        for each in work.steps
    )
    return Outline(title=one_line(work.task.goal, GOAL_CHARS), lines=lines, foot=_foot(work, language, now_ms))


def _foot(work: Work, language: str, now_ms: int) -> str:
    """How it stands, and what it has taken."""
    return "\n\n".join(filter(None, (state(work, language), _spent(work, language, now_ms))))


def _detail(step: Step, language: str) -> str:
    """How a step stands where its mark does not say it all; how long it took when it is done."""
    if step.state in _TOLD:
        return say(language, f"task.step_{step.state.value}")
    if step.state is StepState.DONE and step.started_ms is not None and step.ended_ms is not None:
        return lasted(language, step.ended_ms - step.started_ms)
    return ""


def state(work: Work, language: str) -> str:
    """How it stands in one or two sentences: why it waits, and what a click will do."""
    task, step = work.task, work.stands_at
    where = {"n": step.n if step is not None else len(work.steps), "of": len(work.steps)}
    match task.state:
        case TaskState.PAUSED:
            if step is None or work.unplanned:
                click = "task.click_plan" if work.unplanned else "task.click_answer"
                return f"{why(task, language)} {say(language, click)}"
            return (
                f"{say(language, 'task.paused', **where)} {why(task, language)} {say(language, 'task.click', **where)}"
            )
        case TaskState.RUNNING if work.waits_for_person:
            return f"{say(language, 'task.waits', **where)} {say(language, f'task.awaits_{_awaited(work)}')}"
        case TaskState.FAILED:
            return say(language, f"task.failed_{task.reason}")
        case TaskState.RUNNING:
            return say(language, "task.running", done=work.over, of=len(work.steps))
        case other:
            return say(language, f"task.{other.value}")


def _awaited(work: Work) -> str:
    """What the first step that waits for its person waits for."""
    step = work.stands_at
    return step.failure if step is not None and step.failure in _AWAITED else "asking"


def short(work: Work, language: str) -> str:
    """One sentence about a task that is not over, for lists and notices."""
    goal = quoted(work.task.goal, SHORT_CHARS)
    step = work.stands_at
    if (work.task.state is TaskState.PAUSED or work.waits_for_person) and step is not None:
        return say(language, "task.short_paused", goal=goal, n=step.n, of=len(work.steps))
    code = "task.short_asks" if work.task.state in ASKS else "task.short_runs"
    return say(language, code, goal=goal, done=work.over, of=len(work.steps))


def why(task: Task, language: str) -> str:
    """Why it is paused."""
    known = f"task.why_{task.reason}"
    at_ms = task.paused_ms if task.paused_ms is not None else task.created_ms
    days = {"day": day(at_ms), "next": f"{day(next_day_ms(at_ms))}, {hour(next_day_ms(at_ms))} UTC"}
    return say(language, known, **days) if known in WORDS else failure(language, task.reason)


def _line(step: Step, language: str, most: int) -> str:
    told = f" ({say(language, f'task.step_{step.state.value}')})" if step.state in _TOLD else ""
    return f"- {_SIGNS[step.state]} {step.n}. {quoted(step.title, most)}{told}"


def _spent(work: Work, language: str, now_ms: int) -> str:
    """Since when it runs, or how long it took; and what it has cost. Of a card that may stand for days, no duration."""
    task, parts = work.task, []
    if task.ended_ms is not None:
        since_ms = task.started_ms if task.started_ms is not None else task.created_ms
        parts.append(say(language, "task.took", time=lasted(language, task.ended_ms - since_ms)))
    elif task.started_ms is not None and (task.state is TaskState.PAUSED or work.waits_for_person):
        parts.append(say(language, "task.begun_at", at=f"{day(task.started_ms)}, {hour(task.started_ms)}"))
    elif task.started_ms is not None:
        time, since = lasted(language, now_ms - task.started_ms), hour(task.started_ms)
        parts.append(say(language, "task.since", time=time, since=since))
    if task.cost:
        parts.append(say(language, "task.cost", dollars=f"{task.cost / _MICRO:.4f}"))
    return " ".join(parts)


def lasted(language: str, ms: int) -> str:
    """A duration as people say it, in its two largest units."""
    seconds = max(ms, 0) // 1000
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return say(language, "task.hours", hours=hours, minutes=minutes)
    if minutes:
        return say(language, "task.minutes", minutes=minutes, seconds=seconds)
    return say(language, "task.seconds", seconds=seconds)


# ---------------------------------------------------------------------------------------------- buttons


def buttons(work: Work, session: Session, language: str) -> tuple[Button, ...]:
    """What can be pressed now. A button about a step names the step's number, so a stale one touches no other step."""
    task, step = work.task, work.stands_at
    n = step.n if step is not None else 0

    def button(verb: str, style: ButtonStyle = _PLAIN, version: int = 0, label: str = "") -> Button:
        return Button(
            id=str(ButtonId(verb=f"task_{verb}", subject=task.id, version=version)),
            label=say(language, f"task.button.{label or verb}", n=n),
            style=style,
            for_user=session.home.user,
        )

    stop = button("stop", _DANGER)
    match task.state:
        case TaskState.PROPOSED:
            return (button("start", _PRIMARY, task.version), button("change"), button("cancel"))
        case TaskState.RUNNING:
            return (button("pause"), stop)
        case TaskState.PLANNING | TaskState.COMPOSING:
            return (stop,)
        case TaskState.PAUSED if step is None or work.unplanned:
            return (button("resume", _PRIMARY, 0, "replan" if work.unplanned else "answer"), stop)
        case TaskState.PAUSED:
            return (button("resume", _PRIMARY, n), button("retry", version=n), button("skip", version=n), stop)
        case _:
            return ()
