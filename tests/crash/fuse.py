"""A fuse on the named crash points: at the chosen hit the process is dead.

Knows: names of points and how often each was passed. Must not know: engine, store, journeys.
Dead means dead: from then on every point raises, and the writer passes a point before every COMMIT, so nothing that
began before can still be written. One fuse belongs to one boot; the next boot gets a fresh one, so a task that
outlives its process by some turns of the loop stays dead.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass


class Died(BaseException):
    """The process has died; no `except Exception` of the product may survive it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """The `hit`-th time that a point is passed."""

    point: str
    hit: int

    def __str__(self) -> str:
        return f"{self.point}#{self.hit}"


class Fuse:
    """Pass `point` to the engine and `open_store`; points of the writer are passed on its own thread."""

    def __init__(self, spot: Spot | None = None, *, listener: Callable[[str], None] | None = None) -> None:
        self.passed: Counter[str] = Counter()
        self.dead = False
        self._calm = False
        self._spot = spot
        self._listener = listener
        self._lock = threading.Lock()

    def arm(self, point: str, more: int) -> None:
        """Die at the `more`-th time from now on that `point` is passed."""
        with self._lock:
            self._spot = Spot(point=point, hit=self.passed[point] + more)

    def disarm(self) -> None:
        """Nothing happens at any point any more, and nothing is counted."""
        with self._lock:
            self._calm = True

    def kill(self) -> None:
        """Die now."""
        with self._lock:
            self.dead = True

    def point(self, name: str) -> None:
        """Pass a point. Raises `Died` at the chosen hit, and ever after."""
        with self._lock:
            if self.dead:
                raise Died(name)
            if self._calm:
                return
            self.passed[name] += 1
            if self._spot is not None and name == self._spot.point and self.passed[name] == self._spot.hit:
                self.dead = True
                raise Died(str(self._spot))
        if self._listener is not None:
            self._listener(name)
