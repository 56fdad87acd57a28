"""Money: reserved before a model call, settled after it, so that neither a crash nor a crowd can overspend.

Knows: the spends of today's accounts and the limits of the policy, in millionths of a US dollar.
Must not know: who asks the model.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from core.domain.decision import Policy
from core.domain.effects import AskModel
from core.domain.entities import Session, Spend
from core.domain.events import Usage
from core.domain.prices import cost

ANSWER_TOKENS_MAX = 16_000  # max_tokens of one call: what a reservation has to cover
STEP_TOKENS = 8_000  # what a step of a task is told at most (see `briefing`)
TIED = "budget_tied"
USED_UP = ("budget_person", "budget_workspace")
CODES = (*USED_UP, TIED)
_OVERHEAD_TOKENS = 2_000  # system prompt and framing
_DAY_MS = 24 * 3_600_000


def day_of(now_ms: int) -> str:
    """The UTC day of a moment, YYYY-MM-DD."""
    return datetime.fromtimestamp(now_ms / 1000, tz=UTC).strftime("%Y-%m-%d")


def next_day_ms(now_ms: int) -> int:
    """When the day after that of a moment begins."""
    return (now_ms // _DAY_MS + 1) * _DAY_MS


def accounts_of(session: Session) -> tuple[str, ...]:
    """The accounts that pay for a turn: the session owner's and the workspace's."""
    return (f"person:{session.owner}", f"workspace:{session.home.platform}/{session.home.workspace}")


def price_of_turn(policy: Policy, tokens: int, round_tokens: int = 0) -> int:
    """What a call may cost at most: `tokens` of history (as far as the budget lets them in) and a full answer.

    `round_tokens`: what the finished rounds of the turn's tool loop add; nothing of them is left out.
    """
    tokens_in = min(tokens, policy.recall_budget_tokens) + round_tokens + policy.tool_list_tokens + _OVERHEAD_TOKENS
    return cost(policy.model, tokens_in, ANSWER_TOKENS_MAX, 0, 0)


def over_limit(policy: Policy, spends: tuple[Spend, ...], effect: AskModel) -> str | None:
    """The failure code of the account that cannot pay what `effect` reserves, None when all can.

    `TIED`: it could if the calls that run had not reserved it; what they do not need comes back when they end.
    """
    limits = (policy.budget_person_day, policy.budget_workspace_day)
    tied = None
    for spend, limit in zip(_rows(spends, effect.accounts, effect.day), limits, strict=True):
        if limit is not None and spend.settled + effect.reserved > limit:
            return f"budget_{spend.account.partition(':')[0]}"
        if limit is not None and spend.reserved + spend.settled + effect.reserved > limit:
            tied = TIED
    return tied


def reserve(spends: tuple[Spend, ...], effect: AskModel) -> tuple[Spend, ...]:
    """The spends after the reservation that `effect` carries."""
    return tuple(
        replace(each, reserved=each.reserved + effect.reserved) for each in _rows(spends, effect.accounts, effect.day)
    )


def settle(spends: tuple[Spend, ...], effect: AskModel, usage: Usage) -> tuple[Spend, ...]:
    """The spends after the call: the reservation is given back, what it cost is booked.

    A reservation has its rows. One that `spends` does not show is of an earlier day and stays as it is: a new row in
    its place would wipe out what that day has cost.
    """
    tokens_in = usage.tokens_in + usage.cache_read + usage.cache_write
    return tuple(
        replace(
            each,
            reserved=max(each.reserved - effect.reserved, 0),
            settled=each.settled + usage.cost,
            tokens_in=each.tokens_in + tokens_in,
            tokens_out=each.tokens_out + usage.tokens_out,
        )
        for each in spends
        if each.day == effect.day and each.account in effect.accounts
    )


def merged(spends: tuple[Spend, ...], newer: tuple[Spend, ...]) -> tuple[Spend, ...]:
    """`spends` with the rows of `newer` in place of the old ones."""
    table = {(each.account, each.day): each for each in (*spends, *newer)}
    return tuple(table.values())


def _rows(spends: tuple[Spend, ...], accounts: tuple[str, ...], day: str) -> tuple[Spend, ...]:
    table = {each.account: each for each in spends if each.day == day}
    return tuple(table.get(account, Spend(account=account, day=day)) for account in accounts)
