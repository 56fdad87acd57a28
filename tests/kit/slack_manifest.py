"""Reads `manifest.yml`: the part of YAML that it is written in, and nothing else; anything unusual is an error.

Knows: mappings, lists, quoted and plain scalars, folded text (`>-`), comments, two spaces a level. Must not know: what
a manifest may say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_Line = tuple[int, str]


def read(path: Path) -> dict[str, Any]:
    """The manifest as plain values."""
    lines = list(_lines(path.read_text("utf-8")))
    found, rest = _block(lines, 0)
    assert not rest, f"not understood: {rest[0][1]}"
    assert isinstance(found, dict)
    return found


def _lines(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        bare = line.strip()
        if bare and not bare.startswith("#"):
            indent = len(line) - len(line.lstrip(" "))
            assert indent % 2 == 0, f"odd indent: {line!r}"
            yield indent, bare


def _block(lines: list[_Line], indent: int) -> tuple[Any, list[_Line]]:
    return _list(lines, indent) if lines[0][1].startswith("- ") else _mapping(lines, indent)


def _mapping(lines: list[_Line], indent: int) -> tuple[dict[str, Any], list[_Line]]:
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        name, colon, value = lines[0][1].partition(":")
        assert colon, f"no mapping: {lines[0][1]}"
        assert name not in found, f"twice: {name}"
        lines = lines[1:]
        value = value.strip()
        if value == ">-":
            words = []
            while lines and lines[0][0] > indent:
                words.append(lines[0][1])
                lines = lines[1:]
            found[name] = " ".join(words)
        elif value:
            found[name] = _scalar(value)
        else:
            found[name], lines = _block(lines, lines[0][0])
    return found, lines


def _list(lines: list[_Line], indent: int) -> tuple[list[Any], list[_Line]]:
    found: list[Any] = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        item = lines[0][1][2:]
        if ": " in item and not item.startswith('"'):
            lines = [(indent + 2, item), *lines[1:]]
            value, lines = _mapping(lines, indent + 2)
            found.append(value)
        else:
            found.append(_scalar(item))
            lines = lines[1:]
    return found, lines


def _scalar(text: str) -> object:
    if text.startswith('"'):
        return json.loads(text)
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text
