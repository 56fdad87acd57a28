"""The account of people's messages: received = answered + queued + refused.

Knows: from the rows of a decision alone, never from what a rule says of itself, where each message went. Into a turn
is answered: a turn ends with an answer or with the reason why not. Queued is what waits: for the turn that runs, or
for a person's choice. Refused is what was put aside with a word: by the budget, by a choice, by its own author, by the
operator's allow-lists.
Must not know: why.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.decision import Decision
from core.domain.entities import Forgotten, Message, Role, Turn, TurnState, Waiting
from core.domain.events import Event, HistoryLost, MessageChanged, MessageReceived


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """By how much one decision changes each figure; `queued` may shrink."""

    received: int = 0
    answered: int = 0
    queued: int = 0
    refused: int = 0


def account(event: Event, decision: Decision) -> Account:
    """Where the messages of a decision went."""
    left = sum(len(row.waiting) for row in decision.changes if isinstance(row, Forgotten))
    if isinstance(event, MessageChanged):  # its author took it back before it was answered
        return Account(queued=-left, refused=left)
    came = isinstance(event, MessageReceived)
    failed = {row.id for row in decision.changes if isinstance(row, Turn) and row.state is TurnState.FAILED}
    told_again = isinstance(event, HistoryLost)  # a message that was taken before
    rows = () if told_again else decision.changes
    taken = [row for row in rows if isinstance(row, Message) and row.role is Role.USER]
    refused = sum(not row.turn_id or row.turn_id in failed for row in taken)
    waits = sum(isinstance(row, Waiting) for row in decision.changes) if came else 0  # later it is the same row again
    return Account(
        received=decision.received,
        answered=len(taken) - refused,
        queued=waits - left,
        refused=refused + decision.turned_away,
    )
