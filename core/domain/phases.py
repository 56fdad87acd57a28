"""The session's state machine as data.

    active -> warned -> parked -> expired      by the idle clock, one step or several at once after downtime
    warned | parked | expired -> active        by a return: any message, the button, the code, /resume
    any living phase -> closed                 the person ends it: no more notices, nothing is deleted
    closed -> active                           only by an explicit Resume; a plain message starts a new session
    any -> erased                              forget or announced retention; nothing comes back from there

One column, never parallel booleans. Answering, a running task, waiting for an approval or a login are derived
from effects and are not phases. Must not know: when a step is due (see `rules.idle`).
"""

from __future__ import annotations

from core.domain.entities import Phase

STEPS: dict[Phase, frozenset[Phase]] = {
    Phase.ACTIVE: frozenset({Phase.WARNED, Phase.PARKED, Phase.EXPIRED, Phase.CLOSED, Phase.ERASED}),
    Phase.WARNED: frozenset({Phase.ACTIVE, Phase.PARKED, Phase.EXPIRED, Phase.CLOSED, Phase.ERASED}),
    Phase.PARKED: frozenset({Phase.ACTIVE, Phase.EXPIRED, Phase.CLOSED, Phase.ERASED}),
    Phase.EXPIRED: frozenset({Phase.ACTIVE, Phase.CLOSED, Phase.ERASED}),
    Phase.CLOSED: frozenset({Phase.ACTIVE, Phase.ERASED}),
    Phase.ERASED: frozenset(),
}

MEANING: dict[Phase, str] = {
    Phase.ACTIVE: "The conversation goes on; nothing to tell.",
    Phase.WARNED: "Quiet for a while: one calm notice with a Resume button and a code.",
    Phase.PARKED: "A summary is written; the notice says so. Everything is kept.",
    Phase.EXPIRED: "The full history is no longer sent to the model, the summary is. Everything is kept.",
    Phase.CLOSED: "Ended by the person; kept, no more notices.",
    Phase.ERASED: "Forgotten for good.",
}


def may_step(before: Phase, after: Phase) -> bool:
    """Whether a session may go from `before` to `after`; staying is always allowed."""
    return before is after or after in STEPS[before]
