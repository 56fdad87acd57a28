"""Answers while they grow: the model's performer writes here, the delivery and the draft tick read.

Knows: the newest text of each running turn, and what of it is not on the disk yet. Losing all of it (a crash)
loses at most one tick of text. Must not know: the store, the platforms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from core.domain.entities import Draft, Entity, Message, Part, Role, Turn, TurnState
from core.domain.rules.stitch import after


@dataclass(slots=True)
class LiveAnswer:
    """One running answer. `version` grows with every change of turn or text.

    `saved_chars` of the text are on the disk: what a crash leaves is at least as long.
    """

    turn: Turn
    text: str
    saved_chars: int = 0
    held_back: bool = False  # a delivery waits for more to be saved
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


def _seen(turn: Turn) -> tuple[object, ...]:
    """What a person sees change. A call of a tool that is quick is not told: `Calling` tells of a slow one."""
    activity = turn.activity if turn.activity.startswith("awaits:") else ""
    return (turn.state, turn.level, turn.finish_note, turn.failure, turn.told_waiting, turn.retry_ms, activity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsaved:
    """What one tick saves, and how much of each answer (by turn) is saved then."""

    drafts: list[Draft]
    parts: list[Part]
    reached_chars: dict[str, int]


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
        return any(live.turn.state.over for live in self._answers.values())

    def get(self, turn_id: str) -> LiveAnswer | None:
        """The live answer of a turn, None when nobody opened it."""
        return self._answers.get(turn_id)

    def open(self, turn: Turn, text: str) -> LiveAnswer:
        """The live answer of a turn, beginning with what the store knows of it."""
        return self._answers.setdefault(turn.id, LiveAnswer(turn=turn, text=text, saved_chars=len(text)))

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
                before = (_seen(live.turn), live.text)
                live.turn = row
                if row.id in stored or row.said or row.before or row.state is not TurnState.OPEN:
                    live.text = stored.get(row.id, after(row.before, row.said))
                    live.saved_chars = len(live.text)
                if (_seen(row), live.text) != before:
                    live.touch()
                if row.step_id and row.state.over:
                    self.close(row.id)  # nobody delivers it

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

    def unsaved(self) -> Unsaved:
        """Hand over what the next tick shall save; afterwards call `saved` or `not_saved`."""
        drafts = []
        for effect_id, texts in self._drafts.items():
            n = self._draft_counts.get(effect_id, 0)
            self._draft_counts[effect_id] = n + 1
            drafts.append(Draft(effect_id=effect_id, n=n, text="".join(texts)))
        parts = list(self._parts.values())
        self._drafts = {}
        self._parts = {}
        self._dirty.clear()
        reached = {turn_id: len(live.text) for turn_id, live in self._answers.items()} if drafts else {}
        return Unsaved(drafts=drafts, parts=parts, reached_chars=reached)

    def saved(self, done: Unsaved) -> None:
        """It is on the disk."""
        for turn_id, chars in done.reached_chars.items():
            live = self._answers.get(turn_id)
            if live is not None and chars > live.saved_chars:
                live.saved_chars = min(chars, len(live.text))
                if live.held_back:
                    live.touch()

    def not_saved(self, failed: Unsaved) -> None:
        """It is not: the next tick tries again, for a draft with a hole in it would be worse than none."""
        self._dirty.set()
        for draft in failed.drafts:
            if draft.effect_id in self._draft_counts:
                self._draft_counts[draft.effect_id] = draft.n
                self._drafts[draft.effect_id] = [draft.text, *self._drafts.get(draft.effect_id, [])]
        for part in failed.parts:
            self._parts.setdefault((part.turn_id, part.n), part)
