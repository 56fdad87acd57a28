"""The error tree. Each error says whose fault it is and has a stable `code`.

    RejoinderError
    ├── OutsideError              a call that left the process; a port raises nothing else
    │   ├── Refused               a definite no: it did not happen and will not by repeating
    │   ├── NotSent               it did not happen; may be tried again at `retry_ms`
    │   └── Ambiguous             it may or may not have happened (cut, time-out, 5xx): look first
    ├── BadInput                  what somebody sent us cannot be understood
    ├── Closing                   we are shutting down; it was not taken
    ├── HistoryUnreadable         a stored conversation cannot be decoded
    └── StoreError
        ├── StoreFull             no room on the disk; acknowledged data is intact
        ├── StoreDamaged          the file is damaged or is not ours
        ├── StoreNewer            the file was written by a newer release
        └── StoreLocked           another process runs on this data directory

Knows: names and blame. Must not know: how an error is shown to a person (see `words`).
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Who can do something about it."""

    PERSON = "person"
    OPERATOR = "operator"
    OUTSIDE = "outside"
    OURS = "ours"


class RejoinderError(Exception):
    """Root of the tree. `code` is stable and may be documented; `detail` is for operators, never for people."""

    fault: Fault = Fault.OURS

    def __init__(self, *, code: str, detail: str = "", fault: Fault | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        if fault is not None:
            self.fault = fault


class OutsideError(RejoinderError):
    """A call that left the process went wrong."""

    fault = Fault.OUTSIDE


class Refused(OutsideError):
    """A definite refusal: nothing happened and repeating will not help."""


class NotSent(OutsideError):
    """Nothing happened. `retry_ms` is the wall-clock time from which it may be tried again; None = our choice."""

    def __init__(self, *, code: str, detail: str = "", retry_ms: int | None = None) -> None:
        super().__init__(code=code, detail=detail)
        self.retry_ms = retry_ms


class Ambiguous(OutsideError):
    """It may have happened: look first, then repeat under the same key."""


class BadInput(RejoinderError):
    """What was sent cannot be understood; `detail` is safe to show to the sender."""

    fault = Fault.PERSON


class Closing(RejoinderError):
    """Intake has stopped; nothing was stored, the sender may try again soon."""


class HistoryUnreadable(RejoinderError):
    """Stored history cannot be decoded; the originals stay in the store."""


class StoreError(RejoinderError):
    """The store cannot do what was asked."""

    fault = Fault.OPERATOR


class StoreFull(StoreError):
    """No room on the disk: nothing was written, everything acknowledged before is intact."""


class StoreDamaged(StoreError):
    """The file is damaged, or it is not a Rejoinder database."""


class StoreNewer(StoreError):
    """The file was written by a newer release; this one refuses to touch it."""


class StoreLocked(StoreError):
    """Another process holds the data directory; `detail` names the holder."""
