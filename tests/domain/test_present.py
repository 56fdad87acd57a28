"""What a person sees of an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.entities import ButtonStyle, Level, TurnState
from core.domain.keys import ButtonId
from core.domain.rules.present import present
from core.domain.words import LANGUAGES, say
from tests.domain.builders import NOW, TURN

FINAL = [TurnState.ANSWERED, TurnState.STOPPED, TurnState.FAILED]


@given(st.sampled_from(TurnState), st.text(max_size=40), st.sampled_from(sorted(LANGUAGES)))
def test_what_was_said_is_always_shown(state: TurnState, text: str, language: str) -> None:
    """Words that were said vanish when the answer ends."""
    shown = present(replace(TURN, state=state, failure="model_cut"), text, language)
    assert shown.text.startswith(text)
    assert shown.final is (state in FINAL)
    assert shown.state is state


@given(st.sampled_from(FINAL))
def test_a_final_answer_is_never_blank(state: TurnState) -> None:
    """An answer ends as an empty message."""
    assert present(replace(TURN, state=state, failure="model_cut"), "", "en").text


def test_a_running_answer_is_its_text_and_stop() -> None:
    """A running answer cannot be stopped, or by the wrong person."""
    shown = present(TURN, "So far", "en")
    assert shown.text == "So far"
    (stop,) = shown.buttons
    assert ButtonId.parse(stop.id) == ButtonId(verb="stop", subject="T1")
    assert (stop.label, stop.for_user) == ("Stop", "alice")


def test_while_it_is_being_stopped_there_is_no_button() -> None:
    """Stop can be pressed again and again."""
    assert present(replace(TURN, state=TurnState.STOPPING), "So far", "en").buttons == ()


def test_a_stopped_answer_says_so() -> None:
    """A stopped answer looks like a finished one."""
    turn = replace(TURN, state=TurnState.STOPPED)
    assert present(turn, "So far", "en").text == "So far\n\n_Stopped. What was said so far is kept._"
    assert present(turn, "", "en").text == "Stopped before I had said anything."
    assert present(turn, "", "en").buttons == ()


def test_a_failed_answer_says_why_and_can_be_tried_again() -> None:
    """After a failure the person knows neither why nor what to do."""
    shown = present(replace(TURN, state=TurnState.FAILED, failure="model_silent"), "So far", "de")
    assert shown.text == "So far\n\n_" + say("de", "failed.model_silent") + "_"
    (again,) = shown.buttons
    assert ButtonId.parse(again.id) == ButtonId(verb="again", subject="T1")
    assert (again.label, again.style, again.for_user) == ("Noch einmal", ButtonStyle.PRIMARY, "alice")


def test_what_the_model_declines_cannot_be_tried_again() -> None:
    """A button promises an answer that will be declined again."""
    shown = present(replace(TURN, state=TurnState.FAILED, failure="model_refusal"), "", "en")
    assert shown.buttons == ()
    assert shown.text == say("en", "failed.model_refusal")


def test_an_answer_that_was_too_long_says_so() -> None:
    """A long answer just ends in the middle of a sentence."""
    turn = replace(TURN, state=TurnState.ANSWERED, finish_note="cut_long")
    assert present(turn, "Long", "en").text == "Long\n\n_" + say("en", "answer.cut_long") + "_"


def test_a_finished_answer_is_nothing_but_its_text() -> None:
    """Something of ours hangs on every answer."""
    shown = present(replace(TURN, state=TurnState.ANSWERED), "Done.", "en")
    assert (shown.text, shown.buttons) == ("Done.", ())


def test_waiting_is_told_with_the_time_of_the_next_try() -> None:
    """While the model is busy the person looks at a message in which nothing happens."""
    turn = replace(TURN, told_waiting=True, retry_ms=NOW + 5 * 60_000)
    assert present(turn, "", "en").text == "Claude is busy, I try again at 16:05 UTC."
    assert present(turn, "So far", "en").text == "So far\n\n_Claude is busy, I try again at 16:05 UTC._"
    assert present(replace(turn, model="offline demo model"), "", "en").text.startswith("offline demo model is busy")
    assert [button.label for button in present(turn, "", "en").buttons] == ["Stop"]


def test_a_model_that_cannot_be_reached_is_not_called_busy() -> None:
    """An operator looks for a crowd at the provider while the network is down."""
    turn = replace(TURN, told_waiting=True, retry_ms=NOW + 5 * 60_000, failure="model_unreachable")
    assert present(turn, "", "en").text == "I cannot reach Claude just now, I try again at 16:05 UTC."
    assert present(turn, "", "de").text.startswith("Ich erreiche Claude gerade nicht")
    assert present(replace(turn, failure="model_busy"), "", "en").text.startswith("Claude is busy")


@pytest.mark.parametrize(("told", "retry_ms"), [(False, NOW), (True, None)])
def test_a_short_wait_is_not_worth_a_word(retry_ms: int | None, *, told: bool) -> None:
    """Every hiccup of a second is announced."""
    assert present(replace(TURN, told_waiting=told, retry_ms=retry_ms), "", "en").text == ""


@pytest.mark.parametrize("note", ["fresh", "cut_long"])
@pytest.mark.parametrize("state", list(TurnState))
def test_a_fresh_start_is_acknowledged_from_the_first_word_to_the_last(state: TurnState, note: str) -> None:
    """The bot does as if it knew what it could not read, or takes the admission back when the answer is done."""
    turn = replace(TURN, state=state, level=Level.FRESH, finish_note=note, failure="model_cut")
    assert present(turn, "Anew.", "en").text.startswith(say("en", "answer.fresh") + "\n\nAnew.")


def test_a_remark_does_not_end_up_in_the_code_above_it() -> None:
    """After Stop in the middle of a program our remark looks like its next line."""
    turn = replace(TURN, state=TurnState.STOPPED)
    assert present(turn, "```py\nx = 1\n", "en").text.startswith("```py\nx = 1\n```\n\n_Stopped.")
    assert present(turn, "```py\nx = 1", "en").text.startswith("```py\nx = 1\n```\n\n_Stopped.")
