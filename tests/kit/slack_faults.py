"""How calls to the loopback Slack go wrong, and how often they may be made.

Knows: faults in the order in which they were given, 429 windows, calls a minute. Must not know: HTTP.
"""

from __future__ import annotations

import fnmatch
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from tests.kit.slack_rules import METHODS

WINDOW_MS = 60_000


class Wrong(StrEnum):
    """What goes wrong. `LOST` and `LOST_5XX` do what was asked and then do not say so."""

    RATE = "rate"  # 429 with Retry-After; the method is closed until then
    ERROR = "error"  # ok=false with `code`, nothing done
    HTML_5XX = "html_5xx"  # a proxy's page, nothing done
    JSON_5XX = "json_5xx"  # internal_error with status 500, nothing done
    CUT = "cut"  # connection closed, nothing done
    LOST = "lost"  # done, then the connection is closed
    LOST_5XX = "lost_5xx"  # done, then a proxy's page
    GARBAGE = "garbage"  # done, then half a JSON body
    SLOW = "slow"  # done after `seconds` of the clock


@dataclass(slots=True, kw_only=True)
class Fault:
    """The next `times` calls of methods that match, after `skip` of them, go wrong."""

    method: str
    wrong: Wrong
    times: int = 1
    skip: int = 0
    code: str = "internal_error"
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it came in. `early`: it came inside a 429 window."""

    method: str
    args: dict[str, object]
    at_ms: int
    outcome: str
    early: bool = False


class Faults:
    """Faults to come, windows that are closed, and the calls of the last minute."""

    def __init__(self) -> None:
        self.coming: list[Fault] = []
        self.tiers = True  # the documented calls a minute are enforced
        self._closed: dict[str, int] = {}
        self._calls: dict[str, deque[int]] = {}

    def add(self, method: str, wrong: Wrong | str, **more: object) -> None:
        """Something will go wrong."""
        self.coming.append(Fault(method=method, wrong=Wrong(wrong), **more))  # type: ignore[arg-type]

    def closed_for(self, method: str, now_ms: int) -> float:
        """Seconds until the method is open again; 0 when it is."""
        return max(0.0, (self._closed.get(method, 0) - now_ms) / 1000)

    def close(self, method: str, now_ms: int, seconds: float) -> None:
        """Nothing of this method for `seconds`."""
        self._closed[method] = now_ms + int(seconds * 1000)

    def over_tier(self, method: str, now_ms: int) -> float:
        """Note a call; seconds to wait when it is one too many in its minute, else 0."""
        if not self.tiers:
            return 0.0
        calls = self._calls.setdefault(method, deque())
        while calls and calls[0] <= now_ms - WINDOW_MS:
            calls.popleft()
        if len(calls) >= METHODS[method].per_minute:
            return max(1.0, (calls[0] + WINDOW_MS - now_ms) / 1000)
        calls.append(now_ms)
        return 0.0

    def next(self, method: str) -> Fault | None:
        """The fault of this call."""
        for fault in self.coming:
            if not fnmatch.fnmatch(method, fault.method):
                continue
            if fault.skip:
                fault.skip -= 1
                return None
            fault.times -= 1
            if fault.times <= 0:
                self.coming.remove(fault)
            return fault
        return None
