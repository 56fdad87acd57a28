"""How far a shard's events are safely in the inbox.

Knows: sequence numbers that have begun and not ended. Must not know: events, sockets. What is saved is the number below
the oldest that has not ended, so a process that goes on from there is told again whatever this one had not finished.
"""

from __future__ import annotations


class Progress:
    """The sequence numbers of one gateway session."""

    def __init__(self, sequence: int = 0) -> None:
        self._newest = sequence
        self._open: set[int] = set()
        self._stuck: int | None = None

    def begin(self, sequence: int) -> None:
        """An event has come."""
        self._newest = max(self._newest, sequence)
        self._open.add(sequence)

    def end(self, sequence: int, *, taken: bool) -> None:
        """It is in the inbox, or was not for us; `taken` False: it could not be stored and must come again."""
        self._open.discard(sequence)
        if not taken and (self._stuck is None or sequence < self._stuck):
            self._stuck = sequence

    @property
    def safe(self) -> int:
        """The newest number of which, and below which, everything is in the inbox."""
        low = min(self._open, default=self._newest + 1)
        if self._stuck is not None:
            low = min(low, self._stuck)
        return min(self._newest, low - 1)
