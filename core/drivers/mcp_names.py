"""What a server says of its tools, made into what we offer: names, kinds, sizes. Pure.

Knows: a tool's annotations are hints of its server. The operator's word goes over them, the stricter of two hints
counts, and a tool that says it only reads but is called like one that changes something is asked for all the same.
Must not know: how a list is fetched.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.domain.tooling import ToolKind
from core.engine.tool_ports import Tool

TOOLS_MAX = 64  # of one server; each is paid for with every call of the model
DESCRIPTION_MAX_CHARS = 1_500
SCHEMA_MAX_CHARS = 12_000
_NAME_MAX_CHARS = 64  # of a tool in the Messages API
_HASH_CHARS = 8
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_-]+")
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # of an input, in the Messages API
_NOT_AT_THE_TOP = ("oneOf", "allOf", "anyOf")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_READS = frozenset(
    """
    check count describe diff export fetch find get head info inspect list load lookup peek ping preview query read
    resolve retrieve scan search show status summarize test validate view whoami
    """.split()  # noqa: SIM905 -- a list of words reads as words
)
_CHANGES = frozenset(
    """
    add append apply approve archive assign ban block book buy cancel close commit create delete deploy destroy disable
    drop edit enable erase execute grant import insert install invite kick kill launch merge modify move order overwrite
    patch pay post publish purge push put rebase remove rename replace reset restart restore revoke rollback rotate save
    schedule send set shutdown start stop submit terminate transfer trash truncate uninstall unpublish update upload
    upsert wipe write
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A tool as its server lists it; the hints are None where it says nothing."""

    name: str
    description: str
    schema: Mapping[str, object]
    reads_only: bool | None = None
    destroys: bool | None = None
    idempotent: bool | None = None


def offered(
    server: str, listed: Iterable[Listed], allow: Sequence[str] | None, effects: Mapping[str, ToolKind]
) -> tuple[Tool, ...]:
    """The tools of a server that may be used, in the server's order."""
    once: dict[str, Listed] = {}
    for each in listed:
        if allow is None or each.name in allow:
            once.setdefault(each.name, each)
    taken: set[str] = set()
    tools = []
    for each in tuple(once.values())[:TOOLS_MAX]:
        name = _name(server, each.name, taken)
        taken.add(name)
        tools.append(
            Tool(
                name=name,
                server=server,
                tool=each.name,
                kind=effects.get(each.name) or kind_of(each),
                description=each.description[:DESCRIPTION_MAX_CHARS],
                schema=_schema(each.schema),
            )
        )
    return tuple(tools)


def kind_of(listed: Listed) -> ToolKind:
    """What the tool does, as far as its server can be believed."""
    if listed.destroys:
        return ToolKind.DESTRUCTIVE
    if listed.reads_only:
        return ToolKind.WRITE if _sounds_like_a_change(listed.name) else ToolKind.READ
    return ToolKind.IDEMPOTENT if listed.idempotent else ToolKind.WRITE


def _sounds_like_a_change(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return not (words and words[0] in _READS) and not _CHANGES.isdisjoint(words)


def _name(server: str, tool: str, taken: set[str]) -> str:
    """The name that the model calls the tool by: plain, short enough and its own."""
    name = f"{server}__{_NOT_ALLOWED.sub('_', tool)}"
    if name not in taken and len(name) <= _NAME_MAX_CHARS:
        return name
    digest = hashlib.sha256(tool.encode("utf-8", "replace")).hexdigest()[:_HASH_CHARS]
    return f"{name[: _NAME_MAX_CHARS - _HASH_CHARS - 1]}_{digest}"


def _schema(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The input's schema, as the Messages API takes it: one tool that it refuses would silence the whole conversation.

    One that is no object, that names its fields otherwise, or is too long to be sent every time becomes "any object";
    alternatives at the top are left out (the server judges the input anyway).
    """
    plain = {name: value for name, value in schema.items() if name not in _NOT_AT_THE_TOP}
    fields = plain.get("properties", {})
    fitting = isinstance(fields, Mapping) and all(_FIELD.fullmatch(name) for name in fields)
    if plain.get("type") != "object" or not fitting or len(json.dumps(plain)) > SCHEMA_MAX_CHARS:
        return {"type": "object"}
    return plain
