"""Asking an untrusted payload for a field of a certain type. Pure.

Knows: a field may be missing or of any type; then its empty value is given. Must not know: what any field means.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

Payload: TypeAlias = Mapping[str, object]
NOTHING: Payload = MappingProxyType({})


def at(payload: Payload, *names: str) -> Payload:
    """The object under these names, an empty one when there is none."""
    found: object = payload
    for name in names:
        if not isinstance(found, Mapping):
            return NOTHING
        found = found.get(name)
    return found if isinstance(found, Mapping) else NOTHING


def text_at(payload: Payload, *names: str) -> str:
    """The text under these names, "" when there is none."""
    found = at(payload, *names[:-1]).get(names[-1])
    return found if isinstance(found, str) else ""


def listed(payload: Payload, name: str) -> list[Payload]:
    """The objects in the list under this name."""
    found = payload.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
