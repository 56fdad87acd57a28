"""Domain values as JSON text, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import codec
from core.domain.decision import Decision, Policy, View
from core.domain.effects import Deliver, Effect
from core.domain.entities import Card, Draft, EffectRow, Entity, Phase, Turn
from core.domain.errors import BadInput
from core.domain.events import Event, MessageReceived
from core.domain.keys import PersonKey
from tests.domain.builders import DELIVER, PENDING, TURN, said
from tests.domain.strategies import instances

UNIONS: list[type[object]] = [Entity, Event, Effect]  # type: ignore[list-item]  # unions are decoded like classes
KINDS: list[type[object]] = [*(kind for union in UNIONS for kind in get_args(union)), Draft, View, Policy, Decision]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_value_comes_back_as_it_was(kind: type[object]) -> None:
    """After a restart something is not as it was stored."""

    @settings(suppress_health_check=[HealthCheck.too_slow])  # a view is large, and a busy machine slow
    @given(instances(kind))
    def check(value: object) -> None:
        text = codec.dumps(value)
        assert codec.loads(kind, text) == value
        assert codec.dumps(codec.loads(kind, text)) == text

    check()


@given(st.one_of([instances(union) for union in UNIONS]))
def test_a_member_of_a_union_is_known_by_its_name(value: object) -> None:
    """One kind of event is read as another."""
    union = next(union for union in UNIONS if type(value) in get_args(union))
    assert codec.loads(union, codec.dumps(value)) == value


def test_equal_values_have_equal_text() -> None:
    """A logged decision cannot be found again by its text."""
    assert codec.dumps(said("ä")) == codec.dumps(said("ä"))
    assert list(json.loads(codec.dumps(TURN))) == sorted(json.loads(codec.dumps(TURN)))


def test_text_stays_readable() -> None:
    """An operator who looks into the database sees escapes instead of words."""
    assert "Grüße" in codec.dumps(said("Grüße"))


@given(st.text())
def test_text_that_is_no_json_is_bad_input(text: str) -> None:
    """A damaged row shows up as a crash instead of a clear error."""
    for kind in (MessageReceived, Turn):
        with pytest.raises(BadInput):
            codec.loads(kind, text)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "NaN", "1e999", "9" * 5_000, '"\\ud800"', "[]", "null"])
def test_json_that_is_no_value_of_ours_is_bad_input(text: str) -> None:
    """A hostile text brings the reader down."""
    with pytest.raises(BadInput):
        codec.loads(Turn, text)


def wrong(plain: dict[str, object]) -> Iterator[dict[str, object]]:
    """The plain form with one thing wrong each."""
    yield {**plain, "$": "Nobody"}
    yield {**plain, "$": ["Turn"]}
    yield {**plain, "$": None}
    yield {**plain, "surplus": 1}
    for name, value in plain.items():
        if name == "$":
            continue
        others: list[object] = [1.5, {"$": "Turn"}, {}, [[]], "true" if isinstance(value, bool) else True]
        yield from ({**plain, name: other} for other in others)
        if isinstance(value, int):
            yield {**plain, name: str(value)}


@pytest.mark.parametrize("value", [TURN, PENDING, said(), DELIVER.effect], ids=lambda value: type(value).__name__)
def test_one_thing_wrong_is_bad_input(value: object) -> None:
    """A row of another release is half understood instead of refused."""
    plain = codec.to_plain(value)
    assert isinstance(plain, dict)
    for each in wrong(dict(plain)):
        with pytest.raises(BadInput):
            codec.from_plain(type(value), each)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$", "id", "effect"]), inner),
        max_leaves=8,
    ),
    st.sampled_from(["id", "effect", "state", "created_ms", "deadline_ms", "waits"]),
)
def test_any_json_in_any_field_is_read_or_refused(plain: object, name: str) -> None:
    """Some strange value raises an error that nobody expects."""
    whole = codec.to_plain(PENDING)
    assert isinstance(whole, dict)
    try:
        value = codec.from_plain(EffectRow, {**whole, name: plain})
    except BadInput:
        return
    assert codec.from_plain(EffectRow, codec.to_plain(value)) == value


def test_what_has_a_default_may_be_missing_and_what_has_none_may_not() -> None:
    """A row that an older release wrote cannot be read after an update, or is read without its id."""
    assert codec.from_plain(PersonKey, {"platform": "p", "workspace": "w", "user": "u"}).user == "u"
    least = {"id": "E", "session_id": "S", "created_ms": 1}
    assert codec.from_plain(EffectRow, {**least, "effect": codec.to_plain(Deliver(turn_id="T1"))}).attempt == 0
    with pytest.raises(BadInput):
        codec.from_plain(EffectRow, least)


def test_a_union_without_a_name_is_refused() -> None:
    """An effect without a name is guessed."""
    (union,) = UNIONS[2:]
    with pytest.raises(BadInput):
        codec.from_plain(union, {"turn_id": "T1"})
    with pytest.raises(BadInput):
        codec.from_plain(union, "T1")


def test_a_number_is_not_a_name() -> None:
    """A state that does not exist is taken."""
    with pytest.raises(BadInput):
        codec.from_plain(Phase, "asleep")
    with pytest.raises(BadInput):
        codec.from_plain(Phase, [])


def test_what_has_no_plain_form_is_a_mistake_of_ours() -> None:
    """Something that cannot be read again is stored all the same."""
    with pytest.raises(TypeError):
        codec.dumps({"a": 1})
    with pytest.raises(TypeError):
        codec.dumps(Card)
