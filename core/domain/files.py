"""A part of an answer that is better as a file. Pure.

Knows: what a platform is given. Must not know: which blocks these are (`rules.attaching`), how they are handed over.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFile:
    """A block of an answer as a file. `name` is safe on every platform and unique within its answer."""

    name: str
    media_type: str
    text: str

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.text.encode("utf-8", "replace")
