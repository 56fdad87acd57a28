"""Domain values <-> JSON text, exact inverse, driven by the dataclasses' own type hints.

Knows: dataclasses, enums, tuples, optionals and unions of them. Must not know: which value means what.
Every dataclass carries its class name under "$", so a union decodes without guessing; unknown names,
missing fields and wrong types raise `BadInput`, never anything else.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from enum import Enum

from core.domain.errors import BadInput

Json: typing.TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
T = typing.TypeVar("T")

_TAG = "$"


def dumps(value: object) -> str:
    """JSON text of a domain value, keys sorted so that equal values have equal text."""
    return json.dumps(to_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def loads(kind: type[T], text: str) -> T:
    """Inverse of `dumps` for a value of type `kind` (a class or a union). Raises `BadInput`."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:  # a thousand brackets in a row are no error to json, but to Python
        raise BadInput(code="bad_json", detail=str(error)) from error
    return from_plain(kind, plain)


def to_plain(value: object) -> Json:
    """The value as JSON-ready plain data."""
    if isinstance(value, Enum):
        return to_plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain: dict[str, Json] = {_TAG: type(value).__name__}
        for name in _field_names(type(value)):
            plain[name] = to_plain(getattr(value, name))
        return plain
    raise TypeError(f"no plain form for {type(value).__name__}")


def from_plain(kind: type[T], plain: object) -> T:
    """Inverse of `to_plain`. Raises `BadInput` when `plain` is not a `kind`."""
    return typing.cast("T", _decode(kind, plain))


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))


@functools.cache
def _hints(kind: type) -> dict[str, object]:
    return dict(typing.get_type_hints(kind))


def _decode(kind: object, plain: object) -> object:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), plain)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        if not isinstance(plain, list):
            raise _wrong(kind, plain)
        return tuple(_decode(item, each) for each in plain)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(plain)
        except ValueError as error:
            raise _wrong(kind, plain) from error
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, plain)
    if isinstance(kind, type) and type(plain) is kind:
        return plain
    raise _wrong(kind, plain)


def _decode_union(members: tuple[object, ...], plain: object) -> object:
    if plain is None and type(None) in members:
        return None
    tag = plain.get(_TAG) if isinstance(plain, dict) else None
    for member in members:
        if member is type(None):
            continue
        if tag is not None and getattr(member, "__name__", None) == tag:
            return _decode(member, plain)
        if tag is None and not dataclasses.is_dataclass(member):
            try:
                return _decode(member, plain)
            except BadInput:
                continue
    raise BadInput(code="bad_value", detail=f"unknown kind {tag!r}")


def _decode_dataclass(kind: type, plain: object) -> object:
    if not isinstance(plain, dict) or plain.get(_TAG, kind.__name__) != kind.__name__:
        raise _wrong(kind, plain)
    if unknown := plain.keys() - {_TAG, *_field_names(kind)}:
        raise BadInput(code="bad_value", detail=f"{kind.__name__} has no {min(unknown, key=str)!r}")
    hints = _hints(kind)
    values = {name: _decode(hints[name], plain[name]) for name in _field_names(kind) if name in plain}
    try:
        return kind(**values)
    except TypeError as error:
        raise BadInput(code="bad_value", detail=str(error)) from error


def _wrong(kind: object, plain: object) -> BadInput:
    name = getattr(kind, "__name__", str(kind))
    return BadInput(code="bad_value", detail=f"expected {name}, got {type(plain).__name__}")
