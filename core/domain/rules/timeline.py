"""When the next idle step of a session is due: from its row alone.

Knows: the durations of the policy and the last human act. Must not know: what the step does (see `idle`).
"""

from __future__ import annotations

from core.domain.decision import Policy
from core.domain.entities import Phase, Session

ANNOUNCED_MS = 72 * 3_600_000  # a deletion by age is told at least this long before
_MINUTE_MS = 60_000
_DAY_MINUTES = 24 * 60


def next_due(session: Session, policy: Policy) -> int | None:
    """Wall-clock milliseconds of the next step, or of the end of the code on the notice; None when none is due."""
    due = (each for each in (step_due(session, policy), session.code_until_ms) if each is not None)
    return None if session.phase is Phase.ERASED else min(due, default=None)


def step_due(session: Session, policy: Policy) -> int | None:
    """Wall-clock milliseconds of the next step; None when none is due."""
    since_ms = idle_since(session, policy)
    match session.phase:
        case Phase.ACTIVE:
            return _after_quiet_hours(since_ms + policy.idle_warning_ms, policy.quiet_hours)
        case Phase.WARNED:
            return since_ms + policy.idle_park_ms
        case Phase.PARKED:
            return since_ms + policy.session_ttl_ms
        case Phase.EXPIRED | Phase.CLOSED:
            return _retention_due(session, policy)
        case Phase.ERASED:
            return None


def _retention_due(session: Session, policy: Policy) -> int | None:
    """When the deletion by age is announced; when it has been: when it may be done."""
    if policy.retention_ms is None:
        return None
    erase_ms = session.last_human_ms + policy.retention_ms
    told_ms = session.retention_told_ms
    if told_ms is None:
        return _after_quiet_hours(erase_ms - ANNOUNCED_MS, policy.quiet_hours)
    return max(erase_ms, told_ms + ANNOUNCED_MS)


def idle_since(session: Session, policy: Policy) -> int:
    """From when the idle timeline is measured: the last human act, or later when the person asked to keep it open."""
    if session.keep_until_ms is None:
        return session.last_human_ms
    return max(session.last_human_ms, session.keep_until_ms - policy.idle_warning_ms)


def _after_quiet_hours(due_ms: int, quiet: tuple[int, int] | None) -> int:
    """`due_ms`, or the end of the quiet hours that it falls into."""
    if quiet is None:
        return due_ms
    begin, end = quiet
    minute = due_ms // _MINUTE_MS % _DAY_MINUTES
    inside = begin <= minute < end if begin <= end else minute >= begin or minute < end
    if not inside:
        return due_ms
    wait = (end - minute) % _DAY_MINUTES
    return (due_ms // _MINUTE_MS + wait) * _MINUTE_MS
