"""What can go wrong on the loopback Discord, and when.

Knows: faults of single requests and of single gateway events, consumed in order. Must not know: what a request means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """A fault of a request. BEFORE: nothing was done; AFTER: it was done and the answer got lost."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    STATUS_BEFORE = "status_before"
    STATUS_AFTER = "status_after"
    DELAY = "delay"  # `seconds` before it is done
    HANG = "hang"  # done, but the answer never comes
    LIMIT_USER = "limit_user"  # 429 for this bot on this route
    LIMIT_SHARED = "limit_shared"  # 429 because of others
    LIMIT_GLOBAL = "limit_global"  # 429 for everything
    LIMIT_CLOUDFLARE = "limit_cloudflare"  # 429 as a web page, without the Via header
    PAGE = "page"  # 200 with a web page in place of JSON


@dataclass(slots=True, kw_only=True)
class Fault:
    """The next `times` requests of `method` whose path matches `path` suffer `kind`."""

    kind: Kind
    path: str
    method: str = ""
    times: int = 1
    status: int = 503
    code: int = 0  # Discord's JSON error code
    seconds: float = 0.5
    skip: int = 0  # so many matching requests pass before
    form: bool = False  # only one that brings files


@dataclass(slots=True, kw_only=True)
class EventFault:
    """The next `times` gateway events named `event` come `copies` times: 0 is lost, 2 is doubled."""

    event: str
    copies: int
    times: int = 1


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self._requests: list[Fault] = []
        self._events: list[EventFault] = []

    def add(self, fault: Fault) -> None:
        """Plan a fault of requests."""
        self._requests.append(fault)

    def add_event(self, fault: EventFault) -> None:
        """Plan a fault of gateway events."""
        self._events.append(fault)

    def clear(self) -> None:
        """Everything works from now on."""
        self._requests.clear()
        self._events.clear()

    def take(self, method: str, path: str, *, form: bool = False) -> Fault | None:
        """The fault that this request suffers, if any."""
        for each in self._requests:
            if (
                each.times <= 0
                or (each.form and not form)
                or (each.method and each.method != method)
                or not re.search(each.path, path)
            ):
                continue
            if each.skip > 0:
                each.skip -= 1
                return None
            each.times -= 1
            return each
        return None

    def copies(self, event: str) -> int:
        """How often this event comes."""
        for each in self._events:
            if each.event == event and each.times > 0:
                each.times -= 1
                return each.copies
        return 1
