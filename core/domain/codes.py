"""Resume codes: derived from tickets, never stored.

Knows: a code is the first 80 bits of HMAC-SHA-256(derive key, ticket id, generation) as 16 Crockford base32
characters, shown 4-4-4-4; it is looked up by an HMAC under a second key. So no disk holds a code, a repeat after a
crash shows the same one, and a stolen database alone gives nothing to try. Sentences and cards carry a placeholder
that is replaced while sending.
Must not know: who may use a code (see `rules.resume`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

CODE_CHARS = 16
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FORGIVEN = str.maketrans({"I": "1", "L": "1", "O": "0"})
_IGNORED = re.compile(r"[\s\-\u2010-\u2015_.]+")
_GROUP = 4
_TYPED = re.compile(r"\s*(?:@?(\w[\w.-]*)[,:]?\s+)??[/`]?resume\s+`?([^`]{16,64})`?\s*", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{code:([0-9A-HJKMNP-TV-Z]{26}):(\d{1,6})\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeKeys:
    """Two independent keys of at least 32 bytes; never shown, never stored in the database."""

    derive: bytes = field(repr=False)
    lookup: bytes = field(repr=False)


def code_of(keys: CodeKeys, ticket_id: str, generation: int) -> str:
    """The code of a ticket, as 16 characters without hyphens."""
    digest = hmac.digest(keys.derive, f"{ticket_id}:{generation}".encode(), hashlib.sha256)
    bits = int.from_bytes(digest[:10], "big")
    return "".join(_ALPHABET[(bits >> (5 * shift)) & 31] for shift in reversed(range(CODE_CHARS)))


def digest_of(keys: CodeKeys, code: str) -> str:
    """Under what a code is looked up: 64 hex digits."""
    return hmac.digest(keys.lookup, code.encode(), hashlib.sha256).hex()


def grouped(code: str) -> str:
    """The code as it is shown: 4-4-4-4."""
    return "-".join(code[at : at + 4] for at in range(0, CODE_CHARS, 4))


def normalize(text: str) -> str | None:
    """The code that a person typed, forgiving case, hyphens, spaces and I/L/O; None when it is not exactly one."""
    bare = _IGNORED.sub("", text).upper().translate(_FORGIVEN)
    return bare if len(bare) == CODE_CHARS and all(each in _ALPHABET for each in bare) else None


def typed(text: str, bot_name: str) -> str | None:
    """The code of a message that says `resume CODE` and nothing else, to the bot or to nobody; None for any other.

    Words that happen to have sixteen letters together are not a code: one that is typed in groups has groups of four
    or eight, and nearly every code has a digit.
    """
    said = _TYPED.fullmatch(text)
    if said is None or (said[1] and said[1].casefold() != bot_name.casefold()):
        return None
    looks_like_one = any(each.isdigit() for each in said[2]) or all(
        len(each) % _GROUP == 0 for each in _IGNORED.split(said[2])
    )
    return normalize(said[2]) if looks_like_one else None


def placeholder(ticket_id: str, generation: int) -> str:
    """What stands in a stored sentence in place of the code."""
    return f"{{code:{ticket_id}:{generation}}}"


def reveal(keys: CodeKeys, text: str) -> str:
    """The sentence with its codes, for the moment of sending only."""
    return _PLACEHOLDER.sub(lambda found: grouped(code_of(keys, found[1], int(found[2]))), text)


def hidden(text: str) -> str:
    """The sentence without its codes, for what is handed over to be kept."""
    return _PLACEHOLDER.sub("…", text)
