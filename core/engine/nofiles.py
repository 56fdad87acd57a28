"""Channels that take no files from us: what would be one there stays text, from the first word on.

Knows: that a permission is missing, until somebody may have given it. Must not know: which permission it is.
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
