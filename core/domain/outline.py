"""The steps of something as a card shows them: plain values, so that each platform can draw them in its own way.

Knows: what each step is called and how it stands. Beside it the card has all of it as text, for whoever has no way of
its own. Must not know: platforms, tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.domain.tasking import StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step. `title` and `detail` are words as they were written, on one line, never markup."""

    n: int  # 1, 2, 3 ...
    title: str
    state: StepState
    detail: str = ""  # how it stands, where a mark does not say it all; "" = it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A list of steps under a title. The title is words as they were written; `foot` is Markdown."""

    title: str
    lines: tuple[Line, ...]
    foot: str  # how all of it stands
