"""Phases, stamps, prices and errors: the small tables that everything stands on."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import errors
from core.domain.entities import Phase
from core.domain.phases import MEANING, STEPS, may_step
from core.domain.prices import cost, price
from core.domain.stamp import Stamp
from tests.domain.builders import stamp

CROCKFORD = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_every_phase_has_its_steps_and_its_meaning() -> None:
    """A session in a forgotten phase is stuck, and the documentation has a hole."""
    assert set(STEPS) == set(MEANING) == set(Phase)


def test_the_phases_go_as_the_design_says() -> None:
    """A forgotten conversation comes back, or a closed one wakes by itself."""
    life = [Phase.ACTIVE, Phase.WARNED, Phase.PARKED, Phase.EXPIRED]
    for earlier, later in itertools.combinations(life, 2):
        assert may_step(earlier, later)
        assert may_step(later, earlier) is (earlier is Phase.ACTIVE)
    for phase in Phase:
        assert may_step(phase, phase)
        assert may_step(phase, Phase.ERASED)
        assert may_step(phase, Phase.CLOSED) is (phase is not Phase.ERASED)
        assert may_step(Phase.ERASED, phase) is (phase is Phase.ERASED)
        assert may_step(Phase.CLOSED, phase) is (phase in {Phase.ACTIVE, Phase.CLOSED, Phase.ERASED})


@given(st.integers(0, 2**48 - 1), st.text(), st.text())
def test_a_name_has_one_id_in_a_decision(now_ms: int, name: str, other: str) -> None:
    """A decision that is made again has other ids, or two things share one."""
    made = Stamp(now_ms=now_ms, seed="5" * 32)
    text = made.ulid(name)
    assert len(text) == 26
    assert set(text) <= CROCKFORD
    assert text == Stamp(now_ms=now_ms, seed="5" * 32).ulid(name)
    assert (text == made.ulid(other)) is (name == other)
    assert text != Stamp(now_ms=now_ms, seed="6" * 32).ulid(name)


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1))
def test_ids_sort_by_time(earlier_ms: int, later_ms: int) -> None:
    """Lists that are sorted by id show things in the wrong order."""
    if earlier_ms < later_ms:
        assert stamp(earlier_ms).ulid("x") < stamp(later_ms, "1").ulid("x")


def test_a_dated_model_costs_what_the_model_costs() -> None:
    """A model named with its date is booked at the dearest price."""
    assert price("claude-haiku-4-5-20251001") == price("claude-haiku-4-5")
    assert price("claude-haiku-4-5-19991001") != price("claude-haiku-4-5")


def test_an_unknown_model_costs_as_much_as_the_dearest() -> None:
    """A budget is overrun because a new model counted as cheap."""
    for known in ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-fable-5-2"):
        assert price("some-new-model").tokens_out >= price(known).tokens_out


def test_a_call_costs_its_tokens() -> None:
    """The day's spending is wrong."""
    assert cost("claude-sonnet-5-5", 1_000_000, 0, 0, 0) == 2_000_000
    assert cost("claude-sonnet-5-5", 0, 1_000_000, 0, 0) == 10_000_000
    assert cost("claude-sonnet-5-5", 0, 0, 1_000_000, 0) == 100_000
    assert cost("claude-sonnet-5-5", 0, 0, 0, 1_000_000) == 2_500_000


def test_a_part_of_a_millionth_is_rounded_up() -> None:
    """Many small calls cost nothing."""
    assert cost("claude-sonnet-5-5", 0, 0, 1, 0) == 1
    assert cost("claude-sonnet-5-5", 0, 0, 0, 0) == 0


def test_a_long_prompt_makes_the_whole_request_dearer() -> None:
    """A long conversation with the cheap model is booked at a fifth of its price."""
    assert cost("claude-haiku-5-5", 100_000, 1_000, 0, 0) == 10_500
    assert cost("claude-haiku-5-5", 50_000, 0, 50_000, 1) == 5 * 50_000 // 10 + 5 * 50_000 // 100 + 1
    assert cost("claude-haiku-5-5", 100_001, 1_000, 0, 0) == 52_501
    assert cost("claude-sonnet-5-5", 200_000, 0, 0, 0) == 400_000


def test_every_error_says_whose_fault_it_is() -> None:
    """An operator's mistake is put on the person who writes, or the other way round."""
    blame = {
        errors.OutsideError: errors.Fault.OUTSIDE,
        errors.BadInput: errors.Fault.PERSON,
        errors.StoreFull: errors.Fault.OPERATOR,
        errors.Closing: errors.Fault.OURS,
    }
    for kind, fault in blame.items():
        assert kind(code="x").fault is fault
    assert errors.Refused(code="x", fault=errors.Fault.OPERATOR).fault is errors.Fault.OPERATOR
    assert errors.Refused(code="x").fault is errors.Fault.OUTSIDE


def test_an_error_carries_its_code_and_its_detail() -> None:
    """The log tells neither what went wrong nor where."""
    told = errors.NotSent(code="model_busy", detail="529", retry_ms=7)
    assert (told.code, told.detail, told.retry_ms, str(told)) == ("model_busy", "529", 7, "model_busy: 529")
    assert str(errors.Closing(code="closing")) == "closing"


@pytest.mark.parametrize("kind", [errors.Refused, errors.NotSent, errors.Ambiguous])
def test_a_port_raises_only_errors_from_outside(kind: type[errors.OutsideError]) -> None:
    """A performer that catches the outside's errors misses one."""
    assert issubclass(kind, errors.OutsideError)
    assert issubclass(kind, errors.RejoinderError)
