"""Strict reading of a JSON body: one object, known keys, right types; every complaint is a sentence.

Knows: JSON and the shape of single fields. Must not know: what a message or a press is (see `wire`).
Raises only `BadInput`, whose detail is shown to whoever sent the body.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping

from core.domain.errors import BadInput

Fields = Mapping[str, object]

NAME_MAX_CHARS = 64  # long enough for a person or a channel, short enough for one line on a phone
KEY_MAX_CHARS = 200  # a UUID, a hash or a short phrase

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def bad(code: str, sentence: str) -> BadInput:
    """The error for `sentence`, which is shown to the sender."""
    return BadInput(code=code, detail=sentence)


def json_object(body: bytes) -> dict[str, object]:
    """The JSON object in `body` (UTF-8). Raises `BadInput` for anything else, whatever its depth or size."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad("bad_json", "The body is not UTF-8 text.") from error
    try:
        value: object = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except RecursionError as error:
        raise bad("bad_json", "The JSON is nested too deeply.") from error
    except ValueError as error:
        raise bad("bad_json", "The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise bad("bad_json", "The body must be one JSON object.")
    return value


def _no_constant(name: str) -> object:
    raise bad("bad_json", f"{name} is not JSON.")


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad("bad_json", "A key stands twice in the same JSON object.")
    return found


def only_keys(fields: Fields, known: Iterable[str]) -> None:
    """Refuse keys that nobody reads: a slip of the pen must not be ignored silently."""
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise bad("unknown_key", f"Unknown key {_quoted(unknown[0])}; known are {', '.join(known)}.")


def _quoted(name: str) -> str:
    return ascii(name[:40])


def text_field(fields: Fields, name: str) -> str:
    """A required string that can be stored and shown: no NUL, no half of a surrogate pair."""
    if name not in fields:
        raise bad("missing_key", f'"{name}" is missing.')
    value = fields[name]
    if not isinstance(value, str):
        raise bad("wrong_type", f'"{name}" must be a string.')
    return storable(value, name)


def optional_text(fields: Fields, name: str) -> str | None:
    """The string, or None when the key is absent or null."""
    return None if fields.get(name) is None else text_field(fields, name)


def storable(value: str, name: str) -> str:
    """`value`, refused when it holds what no text may hold."""
    if "\x00" in value:
        raise bad("bad_text", f'"{name}" holds a NUL character, which is not text.')
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise bad("bad_text", f'"{name}" holds half of a character (a lone surrogate).') from error
    return value


def list_field(fields: Fields, name: str) -> list[object]:
    """A list, empty when the key is absent or null."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad("wrong_type", f'"{name}" must be a list.')
    return value


def label(value: str, name: str) -> str:
    """A name that people read: 1 to 64 visible characters, no control or direction marks, no outer space."""
    value = unicodedata.normalize("NFC", storable(value, name))
    if not 1 <= len(value) <= NAME_MAX_CHARS:
        raise bad("bad_name", f'"{name}" must have 1 to {NAME_MAX_CHARS} characters.')
    if value != value.strip():
        raise bad("bad_name", f'"{name}" must not begin or end with a space.')
    if any(unicodedata.category(each) in _INVISIBLE for each in value):
        raise bad("bad_name", f'"{name}" must have visible characters only.')
    return value


def visible(text: str) -> bool:
    """Whether there is anything to see in `text`."""
    return any(unicodedata.category(each) not in _INVISIBLE and not each.isspace() for each in text)


def idempotency_key(value: str | None) -> str | None:
    """The sender's key: 1 to 200 characters, None when none was sent."""
    if value is not None and not 1 <= len(value) <= KEY_MAX_CHARS:
        raise bad("bad_key", f'"key" must have 1 to {KEY_MAX_CHARS} characters.')
    return value
