"""How long an effect is tried: the waiting and attempt rules of DESIGN section 4.

Knows: an effect row and what became of the last try. `NotSent` only waits, until the deadline, however often; a fault
of the outside counts: three, then it has failed with the true reason. Deliveries and cards look first and write under
one key, so a death of ours says nothing about the outside: after ten of them each new try waits, in case it is this
effect that kills us, but an answer is not given up for it before its deadline.
Must not know: what the effect is good for.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.entities import EffectRow, EffectState

DIED = "died"  # the failure code of a death while started
ATTEMPTS_MAX = 3
DEATHS_MAX = 10  # of a model call; of an idempotent effect, before it slows a crash loop down
RETRY_MIN_MS = 1_000  # "Retry-After: 0" is no invitation to a hot loop
WAIT_MAX_MS = 15 * 60_000  # Retry-After is obeyed up to here
_BACKOFF_FIRST_MS = 1_000
_BACKOFF_MAX_MS = 60_000
_CRASH_PAUSE_MAX_MS = 8_000  # leaves others the time to get on, and keeps nobody waiting once the crashes are over


def backoff_ms(tries: int) -> int:
    """1, 2, 4 ... 60 seconds after the first, second, third ... try."""
    return min(_BACKOFF_MAX_MS, _BACKOFF_FIRST_MS << min(max(tries, 1) - 1, 10))


def wait_until(row: EffectRow, now_ms: int, retry_ms: int | None) -> int | None:
    """When `row` may be tried again after `NotSent`; None when that is beyond its deadline."""
    asked = now_ms + backoff_ms(row.attempt) if retry_ms is None else max(retry_ms, now_ms + RETRY_MIN_MS)
    at_ms = min(asked, now_ms + WAIT_MAX_MS)
    return None if row.deadline_ms is not None and at_ms > row.deadline_ms else at_ms


def postpone(row: EffectRow, now_ms: int, retry_ms: int | None, code: str) -> EffectRow:
    """The row after `NotSent`: pending again, or failed when its deadline has passed."""
    at_ms = wait_until(row, now_ms, retry_ms)
    if at_ms is None:
        return replace(row, state=EffectState.FAILED, failure=code)
    return replace(row, state=EffectState.PENDING, boot="", not_before_ms=at_ms)


def stumble(row: EffectRow, now_ms: int, code: str, *, blameless: bool) -> EffectRow:
    """The row after an unclear end: pending again, or failed after too many tries."""
    if blameless:
        return replace(row, state=EffectState.PENDING, boot="", attempt=max(row.attempt - 1, 0))
    died = code == DIED
    row = replace(row, faults=row.faults + (not died), deaths=row.deaths + died)
    late = died and row.deadline_ms is not None and now_ms > row.deadline_ms
    if late or (not died and row.faults >= ATTEMPTS_MAX):
        return replace(row, state=EffectState.FAILED, failure=code)
    return insist(row, now_ms, code)


def insist(row: EffectRow, now_ms: int, code: str) -> EffectRow:
    """The row after an unclear end of what is never given up: pending again."""
    if code != DIED:
        pause = backoff_ms(row.faults or row.attempt)
    else:
        slow = row.deaths >= DEATHS_MAX
        pause = min(_CRASH_PAUSE_MAX_MS, backoff_ms(row.deaths - DEATHS_MAX + 1)) if slow else 0
    return replace(row, state=EffectState.PENDING, boot="", not_before_ms=now_ms + pause)
