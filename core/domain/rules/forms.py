"""What a form was filled with.

Knows: a form's fields arrive as one JSON object of strings in a press's value; a platform with a single field may
send just its text. Must not know: what a field means.
"""

from __future__ import annotations

import json


def field(value: str, name: str) -> str:
    """The words in the field called `name`; "" when there are none."""
    try:
        found = json.loads(value)
    except ValueError:
        return value.strip()
    if not isinstance(found, dict):
        return value.strip()
    words = found.get(name)
    return words.strip() if isinstance(words, str) else ""
