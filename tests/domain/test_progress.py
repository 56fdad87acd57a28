"""A task's card: every state, in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.entities import Card, Session
from core.domain.keys import ButtonId, SessionKey
from core.domain.rules import progress, steering
from core.domain.rules.outcomes import newest
from core.domain.tasking import StepState, TaskState, Work
from core.domain.words import LANGUAGES
from tests.domain.builders import NOW, THREAD
from tests.domain.test_briefing import TASK, step

SESSION = Session(id="s", owner="o", home=SessionKey.at(THREAD, "alice"), created_ms=NOW)
REASONS = ("person", "died", "newer", "model_cut", "budget_person", "budget_workspace", "budget_tied", "something_new")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("state", list(TaskState))
def test_every_state_reads_and_offers_what_can_be_done(state: TaskState, language: str) -> None:
    """A card breaks in one state, or offers what is refused."""
    reasons = REASONS if state is TaskState.PAUSED else ("no_plan",)
    for reason in reasons:
        for steps in ((), tuple(replace(step(n), state=each) for n, each in enumerate(StepState, start=1))):
            task = replace(TASK, state=state, reason=reason, started_ms=NOW, cost=12_345)
            work = Work(task=task, steps=steps)
            assert progress.text(work, language, NOW + 61_000)
            assert progress.short(work, language)
            for button in progress.buttons(work, SESSION, language):
                verb = ButtonId.parse(button.id).verb
                assert state in steering.WHEN[verb], verb


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_pause_for_money_names_its_day_whenever_it_is_shown(language: str) -> None:
    """A card that is shown again a week later says that today's budget is used up."""
    task = replace(TASK, state=TaskState.PAUSED, reason="budget_person", paused_ms=NOW, started_ms=NOW)
    text = progress.text(Work(task=task, steps=(step(1),)), language, NOW + 7 * 86_400_000)
    assert "24 Nov" in text
    assert "25 Nov, 00:00 UTC" in text


def test_a_card_that_waits_tells_no_duration() -> None:
    """A card that has stood for three days says "0 s"."""
    asks = (replace(step(1), state=StepState.WAITING_FOR_YOU, failure="asking"),)
    for state in (TaskState.PAUSED, TaskState.RUNNING):
        task = replace(TASK, state=state, reason="person", paused_ms=NOW, started_ms=NOW)
        text = progress.text(Work(task=task, steps=asks), "en", NOW + 1_000)
        assert "Begun on 24 Nov, 16:00 UTC." in text
        assert "1 s" not in text


def test_a_task_stands_at_the_step_that_could_not_be_paid() -> None:
    """[Resume at step 1] of a task whose second step waits for money."""
    steps = (step(1), replace(step(2), failure="budget_person"), step(3))
    stands_at = Work(task=replace(TASK, state=TaskState.PAUSED), steps=steps).stands_at
    assert stands_at is not None
    assert stands_at.n == 2


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_long_plan_fits_the_smallest_message_and_still_says_why(language: str) -> None:
    """On Discord, the sentence that says why a task waits is cut off below twenty long titles."""
    steps = tuple(replace(step(n), title="*_title_* " * 20, state=StepState.UNKNOWN) for n in range(1, 21))
    task = replace(TASK, goal="**goal** " * 60, state=TaskState.PAUSED, reason="person", started_ms=NOW, cost=12)
    text = progress.text(Work(task=task, steps=steps), language, NOW)
    assert len(text) <= progress.CARD_CHARS
    assert progress.state(Work(task=task, steps=steps), language) in text
    assert text.count("\n- ") == len(steps)


def test_goal_and_titles_are_shown_as_they_were_written() -> None:
    """A title of a model becomes a link, a ping or a heading."""
    work = Work(task=replace(TASK, goal="**bold** [x](http://y)\n# head"), steps=(replace(step(1), title="`a` <@U1>"),))
    text = progress.text(work, "en", NOW)
    assert "**bold**" not in text.replace("\\*\\*bold\\*\\*", "")
    assert "[x](" not in text
    assert "\n# head" not in text
    assert "\\<@U1\\>" in text


def test_an_outline_says_the_same_as_the_text() -> None:
    """Where steps are drawn, one of them is missing, or reads with the signs of Markdown."""
    steps = tuple(replace(step(n), title=f"*Step* {n}", state=each) for n, each in enumerate(StepState, start=1))
    work = Work(
        task=replace(TASK, goal="**goal**", state=TaskState.PAUSED, reason="person", started_ms=NOW), steps=steps
    )
    outline = progress.outline(work, "en", NOW)
    assert outline is not None
    assert outline.title == "**goal**"
    assert [(each.n, each.title, each.state) for each in outline.lines] == [
        (each.n, each.title, each.state) for each in steps
    ]
    text = progress.text(work, "en", NOW)
    assert outline.foot in text
    assert all(f"({each.detail})" in text for each in outline.lines if each.detail)
    assert progress.outline(Work(task=TASK), "en", NOW) is None


def test_a_card_that_says_something_else_has_no_old_steps() -> None:
    """A card whose words have changed still shows the steps that it had before."""
    outline = progress.outline(Work(task=TASK, steps=(step(1),)), "en", NOW)
    card = Card(id="c", session_id="s", key="task:t", place=THREAD, text="before", outline=outline)
    assert newest(card, buttons=()).outline == outline
    assert newest(card, text="after").outline is None


@pytest.mark.parametrize(
    ("ms", "said"), [(0, "0 s"), (59_999, "59 s"), (200_000, "3 min 20 s"), (7_500_000, "2 h 5 min")]
)
def test_a_duration_is_told_in_two_units(ms: int, said: str) -> None:
    """An hour is told in seconds."""
    assert progress.lasted("en", ms) == said
