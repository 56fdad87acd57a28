"""A value that must not be seen: its `repr`, its text and every format of it hide what it holds.

Knows: one string. Must not know: what it opens. Whoever calls `reveal` hands the value on to where it is meant for and
to nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN = "********"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A secret string."""

    _value: str

    def reveal(self) -> str:
        """What it holds."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({HIDDEN if self._value else ''})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")
