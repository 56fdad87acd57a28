"""Time and chance as a value, so that (view, event, stamp) replays exactly."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)  # ten bits at a time: ids are many


def _base32(value: int, length: int) -> str:
    """`length` characters, an even number, for the lowest five bits each."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(5 * length - 10, -1, -10)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """`now_ms` is wall-clock milliseconds since 1970 UTC; `seed` is 32 hex digits from a CSPRNG."""

    now_ms: int
    seed: str

    def ulid(self, name: str) -> str:
        """A ULID (26 Crockford base32 characters) for the thing called `name` in this decision."""
        digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
        return _base32(self.now_ms & (2**48 - 1), 10) + _base32(int.from_bytes(digest[:10], "big"), 16)
