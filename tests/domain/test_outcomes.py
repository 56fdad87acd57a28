"""What becomes of deliveries, cards, files and marks, and how long an effect is tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.decision import Decision, View
from core.domain.effects import Deliver, Effect, FetchFile, Mark, MarkKind, ShowCard
from core.domain.entities import Card, EffectRow, EffectState, FileCopy, Part, Session
from core.domain.events import (
    CardShown,
    Delivered,
    EffectDone,
    EffectRefused,
    EffectStumbled,
    EffectWaits,
    Event,
    FileFetched,
    TimerDue,
)
from core.domain.rules import attempts
from core.domain.rules.outcomes import newest
from tests.domain.builders import DELIVER, NOW, POLICY, SESSION, THREAD, calm, effects, one, rows, then

CARD = Card(id="C1", session_id="S1", key="mailbag:C1", place=THREAD, text="hi")
FETCH = FetchFile(platform="local", file_id="F1", handle="h", name="cat.png", media_type="image/png")
MARK = Mark(platform="local", ref="m1", mark=MarkKind.SEEN)
EFFECTS: list[Effect] = [Deliver(turn_id="T1"), ShowCard(card_key=CARD.key), FETCH, MARK]


def row_of(effect: Effect, attempt: int = 1) -> EffectRow:
    """An effect that was tried `attempt` times, the last one apart in vain."""
    vain = max(attempt - 1, 0)
    return replace(DELIVER, effect=effect, attempt=attempt, faults=vain, deaths=vain, deadline_ms=NOW + 60_000)


def after(effect: Effect, event: Event, attempt: int = 1) -> Decision:
    """What is decided about `effect` after its outcome."""
    before = replace(row_of(effect, attempt), faults=min(attempt - 1, 2), deaths=attempt - 1)
    return then(View(session=SESSION, finishing=before), event)


def stumbled(code: str = "cut", *, blameless: bool = False) -> EffectStumbled:
    """It may have happened."""
    return EffectStumbled(session_id="S1", code=code, blameless=blameless)


# --------------------------------------------------------------------------------------- what came of it


def test_a_delivered_answer_is_remembered_with_its_parts() -> None:
    """After a restart the whole answer is posted again."""
    parts = tuple(Part(turn_id="T1", n=n, ref=f"p{n}", start=n * 10, final=True) for n in range(2))
    assert then(View(), Delivered(turn_id="T1", parts=parts)) == Decision(changes=parts)


def test_a_shown_card_is_remembered_with_its_ref() -> None:
    """A card is posted again instead of edited."""
    shown = CardShown(session_id="S1", card_key=CARD.key, version=1, ref="r1")
    decision = then(replace(calm(), card=CARD), shown)
    assert one(decision, Card) == replace(CARD, shown_version=1, ref="r1")
    assert effects(decision, ShowCard) == []


def test_a_card_that_changed_meanwhile_is_shown_again() -> None:
    """A card keeps showing an older state."""
    changed = newest(newest(CARD, text="new"), buttons=())
    decision = then(replace(calm(), card=changed), CardShown(session_id="S1", card_key=CARD.key, version=1, ref="r1"))
    assert one(decision, Card) == replace(changed, shown_version=1, ref="r1")
    [(row, show)] = effects(decision, ShowCard)
    assert (show.card_key, row.state, row.deadline_ms) == (
        CARD.key,
        EffectState.PENDING,
        NOW + POLICY.platform_deadline_ms,
    )


@pytest.mark.parametrize("view", [calm(), replace(calm(session=None), card=CARD)])
def test_a_card_that_is_gone_needs_nothing(view: View) -> None:
    """A card of a forgotten conversation breaks the bot."""
    assert then(view, CardShown(session_id="S1", card_key="x", version=1, ref="r")) == Decision()


def test_a_fetched_file_is_kept() -> None:
    """A file is fetched and thrown away."""
    event = FileFetched(session_id="S1", file_id="F1", media_type="image/png", data="YQ==", problem="")
    copy = FileCopy(file_id="F1", session_id="S1", media_type="image/png", data="YQ==")
    assert then(View(), event) == Decision(changes=(copy,))


@pytest.mark.parametrize(
    "event", [EffectDone(session_id="S1"), TimerDue(source_keys=("t",), session_id="S1", idle_epoch=0)]
)
def test_nothing_follows_from_what_needs_nothing(event: Event) -> None:
    """A finished mark changes something."""
    assert then(View(session=SESSION), event) == Decision()


@pytest.mark.parametrize(
    "event", [EffectWaits(session_id="S1", code="busy"), stumbled(), EffectRefused(session_id="S1", code="no")]
)
def test_an_outcome_of_nothing_changes_nothing(event: Event) -> None:
    """An outcome that came too late breaks the bot."""
    assert then(View(session=SESSION), event) == Decision()


# ------------------------------------------------------------------------------------------ waits, stumbles


@pytest.mark.parametrize("effect", EFFECTS)
def test_what_was_not_sent_waits(effect: Effect) -> None:
    """A platform that asks us to slow down loses us an answer."""
    row = one(after(effect, EffectWaits(session_id="S1", code="busy", retry_ms=NOW + 5_000)), EffectRow)
    assert (row.state, row.boot, row.not_before_ms, row.failure) == (EffectState.PENDING, "", NOW + 5_000, "")


@pytest.mark.parametrize("effect", EFFECTS)
def test_waiting_ends_at_the_deadline(effect: Effect) -> None:
    """Something is tried for ever."""
    row = one(after(effect, EffectWaits(session_id="S1", code="busy", retry_ms=NOW + 60_001)), EffectRow)
    assert (row.state, row.failure) == (EffectState.FAILED, "busy")


@pytest.mark.parametrize("effect", EFFECTS[:3])
def test_what_may_have_happened_is_tried_three_times(effect: Effect) -> None:
    """A platform that is broken is hammered, or given up at its first hiccup."""
    for attempt, pause in ((1, 1_000), (2, 2_000)):
        row = one(after(effect, stumbled(), attempt), EffectRow)
        assert (row.state, row.not_before_ms, row.attempt) == (EffectState.PENDING, NOW + pause, attempt)
    row = one(after(effect, stumbled(), 3), EffectRow)
    assert (row.state, row.failure) == (EffectState.FAILED, "cut")


def test_waiting_is_no_fault() -> None:
    """A platform that was busy twice loses the answer at its first real hiccup."""
    before = replace(row_of(EFFECTS[0], 5), faults=0)
    row = one(then(View(session=SESSION, finishing=before), stumbled()), EffectRow)
    assert (row.state, row.faults) == (EffectState.PENDING, 1)


@pytest.mark.parametrize("effect", EFFECTS[:3])
def test_a_death_of_ours_says_nothing_about_the_platform(effect: Effect) -> None:
    """Three restarts in a row lose an answer that was complete."""
    row = one(after(effect, stumbled(attempts.DIED), attempts.DEATHS_MAX - 1), EffectRow)
    assert (row.state, row.not_before_ms) == (EffectState.PENDING, NOW)
    row = one(after(effect, stumbled(attempts.DIED), attempts.DEATHS_MAX + 2), EffectRow)
    assert (row.state, row.not_before_ms) == (EffectState.PENDING, NOW + 4_000)
    row = one(after(effect, stumbled(attempts.DIED), attempts.DEATHS_MAX + 20), EffectRow)
    assert (row.state, row.not_before_ms) == (EffectState.PENDING, NOW + 8_000)


@pytest.mark.parametrize("effect", EFFECTS[:3])
def test_a_death_after_the_deadline_is_the_last(effect: Effect) -> None:
    """Something that kills the process is tried for ever."""
    row = replace(row_of(effect), deadline_ms=NOW - 1)
    row = one(then(View(session=SESSION, finishing=row), stumbled(attempts.DIED)), EffectRow)
    assert (row.state, row.failure) == (EffectState.FAILED, attempts.DIED)


@pytest.mark.parametrize("effect", EFFECTS[:3])
def test_waits_and_deaths_are_no_faults(effect: Effect) -> None:
    """After some 429s and a restart, one lost reply of the platform costs the whole answer."""
    row = replace(row_of(effect), attempt=0, faults=0, deaths=0)
    events: list[Event] = [EffectWaits(session_id="S1", code="busy"), stumbled(attempts.DIED)]
    for event in events * 5:
        row = one(then(View(session=SESSION, finishing=replace(row, attempt=row.attempt + 1)), event), EffectRow)
    row = one(then(View(session=SESSION, finishing=replace(row, attempt=row.attempt + 1)), stumbled()), EffectRow)
    assert (row.state, row.attempt, row.faults, row.deaths) == (EffectState.PENDING, 11, 1, 5)


def test_what_is_nobodys_fault_does_not_count() -> None:
    """A deploy counts as a failure of the platform."""
    row = one(after(EFFECTS[0], stumbled(blameless=True), 3), EffectRow)
    assert (row.faults, row.deaths) == (2, 2)
    assert (row.state, row.attempt, row.not_before_ms) == (EffectState.PENDING, 2, DELIVER.not_before_ms)
    assert one(after(EFFECTS[0], stumbled(blameless=True), 0), EffectRow).attempt == 0


def test_a_mark_is_not_worth_a_second_try() -> None:
    """A sign on a message appears a minute late."""
    assert after(MARK, stumbled()) == Decision()


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_definite_no_is_final(effect: Effect) -> None:
    """A channel that is gone is written to for ever."""
    row = one(after(effect, EffectRefused(session_id="S1", code="gone")), EffectRow)
    assert (row.state, row.failure) == (EffectState.FAILED, "gone")


@pytest.mark.parametrize(
    ("event", "attempt", "problem"),
    [
        (EffectRefused(session_id="S1", code="too_large"), 1, "too_large"),
        (stumbled("platform_cut"), 3, "platform_cut"),
        (EffectWaits(session_id="S1", code="busy", retry_ms=NOW + 10**9), 1, "busy"),
    ],
)
def test_a_file_that_cannot_be_had_is_told_to_the_model(event: Event, attempt: int, problem: str) -> None:
    """The model waits for a file for ever, or does as if none had come."""
    copy = one(after(FETCH, event, attempt), FileCopy)
    assert (copy.file_id, copy.session_id, copy.problem, copy.data) == ("F1", "S1", problem, "")


def test_other_failures_leave_no_file() -> None:
    """A failed delivery looks like a failed file."""
    assert rows(after(EFFECTS[0], EffectRefused(session_id="S1", code="gone")), FileCopy) == []
    assert rows(after(FETCH, stumbled()), FileCopy) == []


def test_outcomes_leave_the_conversation_alone() -> None:
    """A hiccup of a platform counts as an act of the person."""
    for event in (stumbled(), EffectRefused(session_id="S1", code="gone"), EffectWaits(session_id="S1", code="busy")):
        assert rows(after(EFFECTS[0], event), Session) == []


# ---------------------------------------------------------------------------------------- the waiting rules


@given(st.integers(-5, 10**6))
def test_pauses_double_up_to_a_minute(tries: int) -> None:
    """Pauses become endless, or none."""
    assert 1_000 <= attempts.backoff_ms(tries) <= 60_000
    assert attempts.backoff_ms(tries) <= attempts.backoff_ms(tries + 1) <= 2 * attempts.backoff_ms(tries)


@given(
    st.integers(0, 20),
    st.integers(0, 10**9),
    st.none() | st.integers(-(10**9), 10**12),
    st.none() | st.integers(0, 10**10),
)
def test_a_wait_is_in_the_future_short_and_before_the_deadline(
    attempt: int, now_ms: int, retry_ms: int | None, deadline_ms: int | None
) -> None:
    """Something waits for days, or does not wait at all."""
    row = replace(DELIVER, attempt=attempt, deadline_ms=deadline_ms)
    at_ms = attempts.wait_until(row, now_ms, retry_ms)
    if at_ms is None:
        assert deadline_ms is not None
        assert deadline_ms < now_ms + attempts.WAIT_MAX_MS
        return
    assert now_ms < at_ms <= now_ms + attempts.WAIT_MAX_MS
    assert deadline_ms is None or at_ms <= deadline_ms
    if retry_ms is not None and now_ms + attempts.RETRY_MIN_MS <= retry_ms <= now_ms + attempts.WAIT_MAX_MS:
        assert at_ms == retry_ms
