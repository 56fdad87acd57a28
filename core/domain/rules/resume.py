"""Resume codes: issued here, used here.

Knows: tickets. Must not know: the code itself.
"""

from __future__ import annotations

from core.domain.leaving import Revocation, Ticket
from core.domain.rules.making import Making


def issue(making: Making, *, private: bool) -> Ticket:
    """A new ticket of the session; it revokes the older one of its kind."""
    session = making.session
    ticket = Ticket(
        id=making.stamp.ulid("ticket"),
        session_id=session.id,
        owner=session.owner,
        issued_ms=making.now_ms,
        expires_ms=making.now_ms + making.view.policy.code_ttl_ms,
        private=private,
    )
    making.put(Revocation(session_id=session.id, private=private), ticket)
    return ticket
