"""A table of Markdown as comma-separated values. Pure.

Knows: the bars, and that a spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. What stands in
a table may come from anywhere, so such a cell is given as text (a number stays a number).
Must not know: where the table stood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BAR = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"[+-]?[\d.,]+ ?[%€$£]?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(rows: Sequence[str]) -> str:
    """The rows (without the ruled line) of a table."""
    return "".join(",".join(map(_cell, _cells(row))) + "\n" for row in rows)


def _cells(row: str) -> list[str]:
    inner = row.strip()
    inner = inner.removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [each.strip().replace("\\|", "|") for each in _BAR.split(inner)]


def _cell(text: str) -> str:
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if quoted != text or any(each in text for each in ",\n\r") else text
