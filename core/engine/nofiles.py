"""Channels that take no files from us, and files that do not get through: what would be one stays text.

Knows: that a permission is missing, until somebody may have given it; how often a file was tried.
Must not know: which permission it is.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import structlog

from core.domain.errors import Fault, Refused
from core.domain.keys import Place
from core.engine.ports import Clock

AGAIN_MS = 3_600_000  # a channel that may not have files is tried again after this time
FILE_UNSURE = "file_unsure"  # an adapter cannot say whether an earlier try has brought the file
_KEPT = 1_000

log = structlog.get_logger(__name__)


class NoFiles:
    """Of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_ms: OrderedDict[Place, int] = OrderedDict()

    def at(self, place: Place) -> bool:
        """Whether files are refused there."""
        return self._until_ms.get(replace(place, thread=""), 0) > self._clock.now_ms()

    def refused(self, place: Place, no: Refused) -> None:
        """Files were refused there; one that whoever runs us can mend is remembered."""
        log.warning("the file of an answer is refused: it stays text", platform=place.platform, code=no.code)
        if no.fault is Fault.OPERATOR:
            channel = replace(place, thread="")
            self._until_ms[channel] = self._clock.now_ms() + AGAIN_MS
            self._until_ms.move_to_end(channel)
            if len(self._until_ms) > _KEPT:
                self._until_ms.popitem(last=False)


class Tries:
    """How often each file was tried by this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: OrderedDict[str, int] = OrderedDict()

    def too_many(self, name: str) -> bool:
        """Count one more; whether that is above the most, and then the count begins anew."""
        count = self._counts.pop(name, 0) + 1
        if count > self._most:
            return True
        self._counts[name] = count
        if len(self._counts) > _KEPT:
            self._counts.popitem(last=False)
        return False
