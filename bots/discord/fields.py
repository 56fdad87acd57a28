"""Reading a payload without trusting it: every value is what it is said to be, or `BadInput`. Pure.

Knows: JSON values. Must not know: what any payload means. Discord adds fields and values whenever it likes, so what is
not asked for is not looked at; what is asked for and has another type is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bots.discord.ids import is_snowflake
from core.domain.errors import BadInput

Raw = Mapping[str, object]


def _bad(key: str) -> BadInput:
    return BadInput(code="bad_payload", detail=f"{key} is not what it should be")


def mapping(value: object, key: str = "payload") -> Raw:
    """A JSON object."""
    if not isinstance(value, Mapping):
        raise _bad(key)
    return value


def inside(raw: Raw, key: str) -> Raw:
    """The object under `key`; an empty one when it is missing or null."""
    value = raw.get(key)
    return {} if value is None else mapping(value, key)


def items(raw: Raw, key: str) -> Iterator[Raw]:
    """The objects of the list under `key`; none when it is missing or null."""
    value = raw.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        raise _bad(key)
    for each in value:
        yield mapping(each, key)


def text(raw: Raw, key: str) -> str:
    """The string under `key`; "" when it is missing or null."""
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(key)
    return value


def number(raw: Raw, key: str, default: int = 0) -> int:
    """The whole number under `key`; permission bits come as text."""
    value = raw.get(key)
    if value is None:
        return default
    if isinstance(value, bool):
        raise _bad(key)
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= SIGNIFICANT_DIGITS:
        return int(value)
    raise _bad(key)


def switch(raw: Raw, key: str) -> bool:
    """The boolean under `key`; False when it is missing or null."""
    value = raw.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _bad(key)
    return value


def snowflake(raw: Raw, key: str) -> str:
    """The id under `key`; "" when it is missing or null."""
    value = raw.get(key)
    if value is None:
        return ""
    shown = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(shown, str) or not is_snowflake(shown):
        raise _bad(key)
    return shown


def required(raw: Raw, key: str) -> str:
    """The id under `key`, which must be there."""
    found = snowflake(raw, key)
    if not found:
        raise _bad(key)
    return found


SIGNIFICANT_DIGITS = 40  # permissions have no upper bound; int() of an endless text has a price
