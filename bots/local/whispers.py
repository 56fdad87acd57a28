"""Answers that only one person sees, and the commands that asked for them: in memory, for an hour.

Knows: who may see and press what was said privately. Must not know: HTTP, the board. Nothing here touches a
disk: a command may hold a resume code, and a private answer may show one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bots.local.downloads import Download
from core.domain.entities import Button
from core.domain.keys import PersonKey, Place

KEPT_S = 3600.0  # as long as somebody may come back to a page that was left open
KEPT_COUNT = 200  # of one person; an hour of fast clicking
WHISPER_PREFIX = "w-"  # so that an id that is no longer kept can be told from one that never was


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisper:
    """One private line. `author` is the person for a command as typed, "" for an answer of ours."""

    id: str
    to: PersonKey
    place: Place
    author: str
    text: str
    buttons: tuple[Button, ...] = ()
    downloads: tuple[Download, ...] = ()
    created_ms: int = 0
    after_n: int = 0  # the board's newest post of the thread when it was said
    shown: bool = True  # False: a form or a list, kept only so that its buttons can be pressed


class Whispers:
    """The private lines of everybody. `monotonic` gives seconds of a clock that never steps."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: dict[PersonKey, deque[tuple[float, Whisper]]] = {}

    def keep(self, whisper: Whisper) -> None:
        """Keep it, in place of an older one with the same id."""
        kept = self._of(whisper.to)
        for index, (_, each) in enumerate(kept):
            if each.id == whisper.id:
                kept[index] = (self._monotonic(), whisper)
                return
        kept.append((self._monotonic(), whisper))
        self._kept[whisper.to] = kept

    def find(self, person: str, whisper_id: str) -> Whisper | None:
        """The line with this id that was said to `person` in any workspace."""
        for key in [key for key in self._kept if key.user == person]:
            for _, whisper in self._of(key):
                if whisper.id == whisper_id:
                    return whisper
        return None

    def place_of(self, person: str, thread: str) -> Place | None:
        """Where a thread is that holds nothing but private lines."""
        for key in [key for key in self._kept if key.user == person]:
            for _, whisper in self._of(key):
                if whisper.place.thread == thread:
                    return whisper.place
        return None

    def inside(self, to: PersonKey, place: Place) -> tuple[Whisper, ...]:
        """What was said to this account in a thread, oldest first."""
        return tuple(whisper for _, whisper in self._of(to) if whisper.place == place and whisper.shown)

    def forget(self, place: Place, before_ms: int) -> None:
        """Drop what was said privately in a thread before a moment; what was said since stays."""
        for key, kept in list(self._kept.items()):
            left = [each for each in kept if each[1].place != place or each[1].created_ms >= before_ms]
            self._kept[key] = deque(left, maxlen=KEPT_COUNT)

    def _of(self, key: PersonKey) -> deque[tuple[float, Whisper]]:
        kept = self._kept.get(key)
        if kept is None:
            return deque(maxlen=KEPT_COUNT)
        oldest = self._monotonic() - KEPT_S
        while kept and kept[0][0] < oldest:
            kept.popleft()
        if not kept:
            del self._kept[key]
        return kept
