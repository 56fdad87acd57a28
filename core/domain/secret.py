"""A value that must not be seen: its `repr`, its text and every format of it hide what it holds.

Knows: one string. Must not know: what it opens. Whoever calls `reveal` hands the value on to where it is meant for and
to nowhere else.
"""

from __future__ import annotations

import hmac

HIDDEN = "********"


class Secret:
    """A secret string. Equal to another secret of the same value, compared without telling how far they agree."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """What it holds."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return f"Secret({HIDDEN if self._value else ''})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")
