"""Money: reserved before a call, settled after it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.decision import Policy
from core.domain.effects import AskModel
from core.domain.entities import EffectState, Spend, Turn, TurnState
from core.domain.events import Usage
from core.domain.prices import cost
from core.domain.rules import budget
from tests.domain.builders import (
    ACCOUNTS,
    DAY,
    DELIVER,
    NOW,
    POLICY,
    RESERVED,
    SESSION,
    STARTED,
    TURN,
    asked,
    calm,
    one,
    pressed,
    rows,
    said,
    then,
)

PRICE = 1_000
ASK = AskModel(turn_id="T1", reserved=PRICE, accounts=ACCOUNTS, day=DAY)


def spent(settled: int = 0, *, reserved: int = 0, day: str = DAY) -> tuple[Spend, ...]:
    """What both accounts have spent."""
    return tuple(Spend(account=account, day=day, settled=settled, reserved=reserved) for account in ACCOUNTS)


def test_days_are_utc() -> None:
    """Budgets change at another hour than the one that is told."""
    assert budget.day_of(NOW) == DAY
    assert budget.day_of(NOW + 8 * 3_600_000 - 1) == DAY
    assert budget.day_of(NOW + 8 * 3_600_000) == "2025-11-25"


def test_the_owner_and_the_workspace_pay() -> None:
    """Somebody else pays."""
    assert budget.accounts_of(SESSION) == ACCOUNTS


def test_a_reservation_covers_the_longest_answer_to_what_is_sent() -> None:
    """A call costs more than was reserved for it, and the budget is overrun."""
    most = budget.price_of_turn(POLICY, 10**9)
    assert most == budget.price_of_turn(POLICY, POLICY.recall_budget_tokens)
    assert most > cost(POLICY.model, POLICY.recall_budget_tokens, budget.ANSWER_TOKENS_MAX, 0, 0)
    assert budget.price_of_turn(POLICY, 0) < most


@pytest.mark.parametrize(
    ("policy", "failure"),
    [
        (Policy(), None),
        (Policy(budget_person_day=PRICE), None),
        (Policy(budget_person_day=PRICE - 1), "budget_person"),
        (Policy(budget_workspace_day=PRICE), None),
        (Policy(budget_workspace_day=PRICE - 1), "budget_workspace"),
        (Policy(budget_person_day=0, budget_workspace_day=0), "budget_person"),
    ],
)
def test_a_limit_is_a_limit(policy: Policy, failure: str | None) -> None:
    """A budget of five dollars lets six through, or not even five."""
    assert budget.over_limit(policy, (), ASK) == failure


def test_what_is_reserved_counts_like_what_is_spent() -> None:
    """Ten answers at once overrun a budget that each of them alone respects."""
    policy = Policy(budget_person_day=3 * PRICE)
    assert budget.over_limit(policy, spent(PRICE, reserved=PRICE), ASK) is None
    assert budget.over_limit(policy, spent(PRICE, reserved=PRICE + 1), ASK) == "budget_tied"


def test_what_is_only_reserved_is_told_from_what_is_spent() -> None:
    """Somebody is sent away until midnight because of a call that ends in a minute, or the other way round."""
    policy = Policy(budget_person_day=3 * PRICE, budget_workspace_day=5 * PRICE)
    assert budget.over_limit(policy, spent(2 * PRICE + 1, reserved=PRICE), ASK) == "budget_person"
    assert budget.over_limit(policy, spent(2 * PRICE, reserved=1), ASK) == "budget_tied"
    person, workspace = spent(2 * PRICE, reserved=1)
    assert budget.over_limit(policy, (person, replace(workspace, settled=5 * PRICE)), ASK) == "budget_workspace"


@pytest.mark.parametrize(("now_ms", "hours"), [(NOW, 8), (NOW + 8 * 3_600_000, 24), (NOW + 8 * 3_600_000 - 1, 0)])
def test_the_next_budget_begins_with_the_next_day(now_ms: int, hours: int) -> None:
    """A card names an hour at which nothing changes."""
    at_ms = budget.next_day_ms(now_ms)
    assert budget.day_of(at_ms - 1) == budget.day_of(now_ms) < budget.day_of(at_ms)
    assert (at_ms - now_ms) // 3_600_000 == hours


def test_yesterday_does_not_count() -> None:
    """The budget is not full again at midnight."""
    assert budget.over_limit(Policy(budget_person_day=PRICE), spent(10**9, day="2025-11-23"), ASK) is None


USAGE = st.builds(
    Usage,
    tokens_in=st.integers(0, 10**6),
    tokens_out=st.integers(0, 10**6),
    cache_read=st.integers(0, 10**6),
    cache_write=st.integers(0, 10**6),
    cost=st.integers(0, 10**9),
)


@given(USAGE, st.integers(0, 10**6), st.integers(0, 10**6))
def test_settling_ends_exactly_the_reservation(usage: Usage, settled: int, reserved: int) -> None:
    """Reservations leak until nobody may ask any more."""
    before = spent(settled, reserved=reserved)
    held = budget.merged(before, budget.reserve(before, ASK))
    assert {each.reserved for each in held} == {reserved + PRICE}
    after = budget.merged(held, budget.settle(held, ASK, usage))
    assert {(each.reserved, each.settled) for each in after} == {(reserved, settled + usage.cost)}
    assert {each.tokens_in for each in after} == {usage.tokens_in + usage.cache_read + usage.cache_write}
    assert {each.tokens_out for each in after} == {usage.tokens_out}


def test_a_first_reservation_makes_the_rows_of_the_day() -> None:
    """The first question of a day is free."""
    assert budget.reserve((), ASK) == RESERVED


def test_a_reservation_never_becomes_negative() -> None:
    """Budgets grow by themselves."""
    assert {each.reserved for each in budget.settle(spent(), ASK, Usage())} == {0}


def test_settling_leaves_alone_what_is_not_seen() -> None:
    """Stop just after midnight wipes out what was spent yesterday."""
    assert budget.settle(spent(5), replace(ASK, day="2025-11-23"), Usage()) == ()
    waiting = replace(STARTED, state=EffectState.PENDING, effect=replace(ASK, day="2025-11-23"))
    decision = then(asked(effects=(waiting, DELIVER)), pressed("stop", "T1"))
    assert rows(decision, Spend) == []


def test_newer_rows_take_the_place_of_older_ones() -> None:
    """A day has two sums."""
    merged = budget.merged(spent(1), (*spent(2)[:1], *spent(3, day="2025-11-25")[:1]))
    assert [(each.day, each.settled) for each in merged] == [(DAY, 2), (DAY, 1), ("2025-11-25", 3)]


@pytest.mark.parametrize(("limit", "account"), [("budget_person_day", 0), ("budget_workspace_day", 1)])
def test_messages_beyond_the_budget_fail_until_the_next_day(limit: str, account: int) -> None:
    """A limit in the settings does nothing, or locks people out for ever."""
    policy = replace(POLICY, **{limit: 10**6})  # type: ignore[arg-type]
    full = tuple(replace(each, settled=10**6) for n, each in enumerate(spent()) if n == account)
    view = replace(calm(policy=policy), spends=full)
    turn = one(then(view, said()), Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, limit.removesuffix("_day"))
    tomorrow = then(view, said(), NOW + 9 * 3_600_000)
    assert {each.day for each in rows(tomorrow, Spend)} == {"2025-11-25"}


def test_a_repeated_turn_is_paid_for_too() -> None:
    """Trying again is free."""
    failed = replace(TURN, state=TurnState.FAILED, failure="model_cut")
    view = replace(calm(policy=Policy(budget_person_day=1)), turn=failed)
    turn = one(then(view, pressed("again", "T1")), Turn)
    assert (turn.state, turn.failure) == (TurnState.FAILED, "budget_person")


def test_prices_only_grow_with_what_is_sent() -> None:
    """A longer conversation reserves less than a shorter one."""
    prices = [budget.price_of_turn(POLICY, tokens) for tokens in range(0, 40_000, 500)]
    assert all(a <= b for a, b in pairwise(prices))


def test_one_answer_is_one_reservation() -> None:
    """An answer reserves twice."""
    assert one(then(calm(), said()), Turn).state is TurnState.OPEN
    assert len(rows(then(calm(), said()), Spend)) == 2
