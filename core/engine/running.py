"""The effects that are being performed: how many of a kind may run at once, and whose they are.

Knows: tasks by effect. Must not know: what a task does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine

from core.domain.effects import kind_of
from core.domain.entities import EffectRow

# How many effects of a kind run at once in this process.
ROOM: dict[str, int] = {
    "AskModel": 1024,
    "AskModel:task": 64,  # of its own, so that tasks never keep a chat waiting
    "Deliver": 2048,
    "ShowCard": 64,
    "CallTool": 128,
    "RefreshCredential": 16,
    "FetchFile": 16,
    "Mark": 32,
    "ReadThread": 8,
    "Summarize": 8,
    "Erase": 2,
}


class Running:
    """All running performers of an engine."""

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[EffectRow, asyncio.Task[None]]] = {}
        self._kinds: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._tasks)

    def room(self) -> dict[str, int]:
        """How many more effects of each kind may run."""
        return {kind: most - self._kinds[kind] for kind, most in ROOM.items()}

    def start(self, row: EffectRow, work: Coroutine[None, None, None], ended: Callable[[], None]) -> None:
        """Run `work` for the effect; `ended` is called when it is over."""
        kind = kind_of(row.effect)
        task = asyncio.create_task(work, name=f"{kind}:{row.id}")
        self._kinds[kind] += 1
        self._tasks[row.id] = (row, task)

        def finished(_task: asyncio.Task[None]) -> None:
            self._kinds[kind] -= 1
            self._tasks.pop(row.id, None)
            ended()

        task.add_done_callback(finished)

    def tasks(self, kind: str = "") -> tuple[asyncio.Task[None], ...]:
        """The tasks of effects of a kind, or all."""
        return tuple(task for row, task in self._tasks.values() if kind in ("", kind_of(row.effect)))

    def moving(self, idle: Callable[[str], bool]) -> tuple[asyncio.Task[None], ...]:
        """The tasks of effects that are not `idle`."""
        return tuple(task for effect_id, (_, task) in self._tasks.items() if not idle(effect_id))

    def interrupt(self, effect_id: str) -> None:
        """End what runs for the effect: its outcome is decided already."""
        if (found := self._tasks.get(effect_id)) is not None:
            found[1].cancel()

    def end(self, session_ids: Collection[str], but: str) -> None:
        """End what runs for these sessions, except the effect `but`; nothing becomes of it."""
        for effect_id, (row, task) in tuple(self._tasks.items()):
            if row.session_id in session_ids and effect_id != but:
                task.cancel()
