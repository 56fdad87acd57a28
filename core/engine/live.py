"""Answers while they grow: the model's performer writes here, the delivery and the draft tick read.

Knows: the newest text of each running turn, and what of it is not on the disk yet. Losing all of it (a crash)
loses at most one tick of text. Must not know: the store, the platforms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from core.domain.entities import Draft, Entity, Message, Part, Role, Turn, TurnState


@dataclass(slots=True)
class LiveAnswer:
    """One running answer. `version` grows with every change of turn or text."""

    turn: Turn
    text: str
    version: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, text: str) -> None:
        """The answer reads `text` now."""
        if text != self.text:
            self.text = text
            self.touch()

    def touch(self) -> None:
        """Wake whoever follows."""
        self.version += 1
        self._changed.set()

    async def newer_than(self, version: int) -> None:
        """Return when `version` is not the newest any more."""
        while self.version == version:
            self._changed.clear()
            await self._changed.wait()


class LiveAnswers:
    """All running answers of this process, and their unsaved drafts and parts."""

    def __init__(self) -> None:
        self._answers: dict[str, LiveAnswer] = {}
        self._drafts: dict[str, list[str]] = {}
        self._draft_counts: dict[str, int] = {}
        self._parts: dict[tuple[str, int], Part] = {}
        self._dirty = asyncio.Event()

    async def something_unsaved(self) -> None:
        """Return when there is something that the next tick shall save."""
        await self._dirty.wait()

    def __len__(self) -> int:
        return len(self._answers)

    def finishing(self) -> bool:
        """Whether an answer is final and has not reached its place yet."""
        return any(live.turn.state not in (TurnState.OPEN, TurnState.STOPPING) for live in self._answers.values())

    def get(self, turn_id: str) -> LiveAnswer | None:
        """The live answer of a turn, None when nobody opened it."""
        return self._answers.get(turn_id)

    def open(self, turn: Turn, text: str) -> LiveAnswer:
        """The live answer of a turn, beginning with what the store knows of it."""
        return self._answers.setdefault(turn.id, LiveAnswer(turn=turn, text=text))

    def close(self, turn_id: str) -> None:
        """The answer is delivered, or will not be."""
        self._answers.pop(turn_id, None)

    def forget(self, session_ids: Collection[str]) -> None:
        """These sessions are gone: nothing of theirs stays in memory."""
        for turn_id in [each.turn.id for each in self._answers.values() if each.turn.session_id in session_ids]:
            del self._answers[turn_id]
            self._parts = {key: part for key, part in self._parts.items() if key[0] != turn_id}

    def sync(self, changes: Iterable[Entity]) -> None:
        """After a commit: turns as they are now, and the text that was stored for them."""
        rows = list(changes)
        stored = {row.turn_id: row.text for row in rows if isinstance(row, Message) and row.role is Role.ASSISTANT}
        for row in rows:
            if isinstance(row, Turn) and (live := self._answers.get(row.id)) is not None:
                live.turn = row
                live.text = stored.get(row.id, live.text if row.state is TurnState.OPEN and not row.said else row.said)
                live.touch()

    def draft(self, effect_id: str, text: str) -> None:
        """More text of a model call, to be saved by the next tick."""
        self._drafts.setdefault(effect_id, []).append(text)
        self._dirty.set()

    def forget_draft(self, effect_id: str) -> None:
        """The call is over; its outcome carries the text."""
        self._drafts.pop(effect_id, None)
        self._draft_counts.pop(effect_id, None)

    def part(self, part: Part) -> None:
        """A part as it stands on its platform, to be saved by the next tick."""
        self._parts[part.turn_id, part.n] = part
        self._dirty.set()

    def unsaved(self) -> tuple[list[Draft], list[Part]]:
        """Hand over what the next tick shall save."""
        drafts = []
        for effect_id, texts in self._drafts.items():
            n = self._draft_counts.get(effect_id, 0)
            self._draft_counts[effect_id] = n + 1
            drafts.append(Draft(effect_id=effect_id, n=n, text="".join(texts)))
        parts = list(self._parts.values())
        self._drafts = {}
        self._parts = {}
        self._dirty.clear()
        return drafts, parts
