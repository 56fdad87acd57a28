"""Wrong codes are counted, so that guessing is hopeless and known to be so.

Knows: how many wrong codes an account and a channel may bring, and for how long they are remembered (rows, so a
restart forgives nothing). 5 in 10 minutes per account, 20 in an hour per channel: with a million live codes and a
thousand colluding accounts the chance of any hit in 48 h is 2.5e-11 (facts/reliability.md section 3). While locked
nothing is counted, so a lock always ends and a row never grows.
Must not know: what a right code opens. The owner of what a code opens is never asked here (see `resume`), so the
channel's lock is one for those only who are unknown to the owner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.domain.keys import PersonKey, Place
from core.domain.leaving import Guesses


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `wrong` codes in `window_ms`."""

    wrong: int
    window_ms: int


PERSON = Limit(wrong=5, window_ms=10 * 60_000)
CHANNEL = Limit(wrong=20, window_ms=3_600_000)


def locked(guesses: tuple[Guesses, ...], account: PersonKey, place: Place, now_ms: int) -> bool:
    """Whether codes of this account, or in this channel, are not looked at for now."""
    return any(len(_recent(guesses, key, limit, now_ms)) >= limit.wrong for key, limit in _limits(account, place))


def counted(guesses: tuple[Guesses, ...], account: PersonKey, place: Place, now_ms: int) -> tuple[Guesses, ...]:
    """The rows after one more wrong code."""
    return tuple(
        Guesses(key=key, times_ms=(*_recent(guesses, key, limit, now_ms), now_ms)[-limit.wrong :])
        for key, limit in _limits(account, place)
    )


def _limits(account: PersonKey, place: Place) -> tuple[tuple[str, Limit], ...]:
    return (f"person:{account}", PERSON), (f"channel:{replace(place, thread='')}", CHANNEL)


def _recent(guesses: tuple[Guesses, ...], key: str, limit: Limit, now_ms: int) -> tuple[int, ...]:
    """The wrong codes inside the window; what a clock that was set back has put further ahead is forgotten."""
    times = next((each.times_ms for each in guesses if each.key == key), ())
    return tuple(at_ms for at_ms in times if abs(now_ms - at_ms) < limit.window_ms)
