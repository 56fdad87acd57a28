"""One Slack message that holds a piece of an answer, and the three ways in which text gets into it.

Knows: a stream is appended to and lives 300 s; a post is replaced by chat.update, up to 4,000 characters; a finished
message stays as it is and the answer goes on in the next one. `start` and `end` are characters of the answer's part, so
nothing is said twice and nothing is left out, whatever became of the messages before.
Must not know: when to write (see `answer`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bots.slack import limits, render
from bots.slack.ids import Ref, digest
from bots.slack.safe import safe
from core.engine.ports import Piece


class Mode(StrEnum):
    """How the message is written."""

    STREAM = "stream"  # it can be appended to
    POST = "post"  # it can be replaced
    DONE = "done"  # it stays, up to `end`; what follows goes into the next message


@dataclass(slots=True, kw_only=True)
class Leaf:
    """One message. `said`: what surely stands in a stream, None when that is unclear."""

    ref: Ref
    mode: Mode
    opened_s: float = 0.0
    said: str | None = ""
    end: int = 0
    stopping: bool = False  # a stop was sent whose outcome is unclear
    shown: str = field(default="")  # digest of what a post was last made to read

    @property
    def start(self) -> int:
        """The first character of the part that stands here."""
        return self.ref.start

    def raw(self, text: str, end: int | None = None) -> str:
        """The part's characters of this message, with balanced fences."""
        return render.stretch(text, min(self.start, len(text)), end)

    def more(self, text: str, end: int | None = None, *, whole: bool) -> str | None:
        """What has to be appended so that the stream reads like `text`; None when appending cannot do it."""
        if self.said is None:
            return None
        want = safe(self.raw(text, end), whole=whole)
        if want.startswith(self.said):
            return want[len(self.said) :]
        surplus = self.said.removeprefix(want) if self.said.startswith(want) else "x"
        return None if surplus.strip() else ""

    def reached(self, text: str) -> int | None:
        """How many characters of the part stand for sure once `said` does; None when that cannot be told."""
        if self.said is None:
            return None
        low, high = min(self.start, len(text)), len(text)
        while low < high:
            middle = (low + high) // 2
            if len(safe(self._grown(text, middle))) < len(self.said):
                low = middle + 1
            else:
                high = middle
        return low if safe(self._grown(text, low)) == self.said else None

    def open_fence(self, text: str, end: int) -> bool:
        """Whether the text that stands up to `end` leaves a code block open."""
        return len(self.raw(text, end).rstrip()) > len(self._grown(text, end).rstrip())

    def _grown(self, text: str, end: int) -> str:
        """The stream's text when the part had `end` characters: nothing is closed yet."""
        return render.stretch(text[:end], min(self.start, end))


def chunks(text: str) -> list[str]:
    """A text in pieces that one append takes, cut at the end of a line where there is one."""
    found: list[str] = []
    while len(text) > limits.ANSWER_MAX_CHARS:
        border = text.rfind("\n", limits.ANSWER_MAX_CHARS // 2, limits.ANSWER_MAX_CHARS) + 1
        end = border or limits.ANSWER_MAX_CHARS
        found.append(text[:end])
        text = text[end:]
    return [*found, text] if text else found


def mark_of(piece: Piece, start: int) -> str:
    """A short name of everything that a finished message holds, to see later whether it stands."""
    buttons = ",".join(each.id for each in piece.buttons)
    return digest(f"{piece.state.value}|{start}|{buttons}|{piece.text}")
