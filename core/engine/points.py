"""Named crash points: places in the real code where a crash test lets the process die.

Knows: the names. In production a point does nothing. Must not know: tests.
"""

from __future__ import annotations

from collections.abc import Callable

Point = Callable[[str], None]

POINTS = (
    "accept.before_commit",
    "accept.after_commit",
    "model.before_call",
    "model.said",
    "model.after_call",
    "tool.before_call",
    "tool.after_call",
    "summary.before_call",
    "summary.after_call",
    "platform.before_call",
    "platform.after_call",
    "erase.before",
    "erase.after",
    "refresh.before_call",
    "refresh.after_call",
    "refresh.saved",
    "login.taken",
    "login.exchanged",
    "proof.back",
    "proof.told",
    "outcome.before_accept",
    "tick.before_save",
    "tick.after_save",
    "recover.before",
    "recover.after",
)


def nowhere(_name: str) -> None:
    """The point of a process that nobody tests."""
