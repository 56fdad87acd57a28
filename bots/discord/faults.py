"""Discord's no, in our words: which answer means what, and whose fault it is. Pure.

Knows: HTTP statuses and Discord's JSON error codes (docs: topics/opcodes-and-status-codes). Must not know: requests.
"""

from __future__ import annotations

from core.domain.errors import Fault, Refused

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, UNKNOWN_INTERACTION = 10003, 10008, 10062
OLD_EDITS, ALREADY_ACKNOWLEDGED = 30046, 40060
MISSING_ACCESS, MISSING_PERMISSIONS, DMS_CLOSED, BAD_TOKEN = 50001, 50013, 50007, 50027
INVALID_BODY, THREAD_ARCHIVED = 50035, 50083
THREAD_EXISTS, THREAD_LOCKED, THREADS_FULL = 160004, 160005, 160006
NO_ACCESS = frozenset({MISSING_ACCESS, MISSING_PERMISSIONS})

_CODES = {
    UNKNOWN_CHANNEL: ("place_gone", Fault.PERSON),
    10004: ("place_gone", Fault.PERSON),
    UNKNOWN_MESSAGE: ("message_gone", Fault.PERSON),
    10013: ("person_gone", Fault.PERSON),
    UNKNOWN_INTERACTION: ("interaction_over", Fault.OURS),
    10015: ("interaction_over", Fault.OURS),
    ALREADY_ACKNOWLEDGED: ("interaction_answered", Fault.OURS),
    BAD_TOKEN: ("interaction_over", Fault.OURS),
    OLD_EDITS: ("message_old", Fault.OUTSIDE),
    MISSING_ACCESS: ("no_access", Fault.OPERATOR),
    MISSING_PERMISSIONS: ("no_permission", Fault.OPERATOR),
    DMS_CLOSED: ("dm_closed", Fault.PERSON),
    INVALID_BODY: ("bad_request", Fault.OURS),
    50006: ("bad_request", Fault.OURS),
    THREAD_ARCHIVED: ("thread_archived", Fault.PERSON),
    THREAD_EXISTS: ("thread_exists", Fault.OURS),
    THREAD_LOCKED: ("thread_locked", Fault.PERSON),
    THREADS_FULL: ("threads_full", Fault.OPERATOR),
}


class Denied(Refused):
    """A definite no of Discord's, with its own numbers for whoever knows a way around."""

    def __init__(self, status: int, number: int, message: str) -> None:
        code, fault = _CODES.get(number, (f"discord_{number or status}", Fault.OUTSIDE))
        if status == 401 and number != BAD_TOKEN:  # noqa: PLR2004  (unauthorized)
            code, fault = "discord_token", Fault.OPERATOR
        super().__init__(code=code, detail=f"{status} {number} {message}"[:300], fault=fault)
        self.status = status
        self.number = number
