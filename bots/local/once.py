"""The same key gets the same answer: one run per key, its result kept for an hour.

Knows: keys and results. Must not know: what is run. A run that fails is forgotten, so it can be tried again.
Across a restart the engine's own source keys take over (`Accepted.duplicate`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_S = 3600.0  # well above any client's patience
KEPT_COUNT = 10_000  # small values; the oldest go first


class Once(Generic[T]):
    """Runs and results by key. `monotonic` gives seconds of a clock that never steps."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._runs: dict[str, tuple[float, asyncio.Task[T]]] = {}

    async def do(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """The result of `work` under `key`; a second caller waits for the first one's run and shares it."""
        self._forget_old()
        known = self._runs.get(key)
        task = known[1] if known else asyncio.get_running_loop().create_task(work())
        if known is None:
            self._runs[key] = (self._monotonic(), task)
            task.add_done_callback(lambda done: self._forget_failed(key, done))
        return await asyncio.shield(task)  # a caller that goes away does not undo the run

    def _forget_failed(self, key: str, task: asyncio.Task[T]) -> None:
        if (task.cancelled() or task.exception() is not None) and self._runs.get(key, (0, None))[1] is task:
            del self._runs[key]

    def _forget_old(self) -> None:
        oldest = self._monotonic() - KEPT_S
        for key in list(self._runs):
            since, task = self._runs[key]
            if len(self._runs) <= KEPT_COUNT and since >= oldest:
                return
            if not task.done():
                return
            del self._runs[key]
