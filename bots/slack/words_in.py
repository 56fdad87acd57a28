"""Slack's way of writing a message -> plain text for the engine. Pure.

Knows: `<@U1>`, `<#C1|name>`, `<!here>`, `<https://…|label>` and the three entities (docs.slack.dev, formatting text).
Must not know: who anybody is (names are given).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARKED = re.compile(r"<([^<>\n]*)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def storable(text: str, most: int) -> str:
    """Text as every store takes it: whole characters, no NUL, at most `most` of them."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "")[:most]


def decoded(text: str, names: Mapping[str, str]) -> str:
    """The text as its author saw it: names for ids, Markdown for links, characters for entities."""
    plain = _MARKED.sub(lambda found: _mark(found[1], names), text)
    for entity, character in _ENTITIES:
        plain = plain.replace(entity, character)
    return plain.strip()


def mentioned(text: str) -> tuple[str, ...]:
    """The ids of the people that a text mentions, each once."""
    found = re.findall(r"<@([A-Z0-9]{2,40})(?:\|[^<>\n]*)?>", text)
    return tuple(dict.fromkeys(found))


def _mark(inner: str, names: Mapping[str, str]) -> str:
    target, _, label = inner.partition("|")
    match target[:1]:
        case "@":
            return f"@{names.get(target[1:]) or label or target[1:]}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return _special(target[1:], label)
        case _:
            return _link(target, label) if re.match(r"(https?|mailto|tel|slack):", target) else f"<{inner}>"


def _special(target: str, label: str) -> str:
    name = target.partition("^")[0]
    if name in ("here", "channel", "everyone"):
        return f"@{name}"
    if name == "subteam":
        return label or "@group"
    return label or f"<!{target}>"


def _link(target: str, label: str) -> str:
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label == bare or bare.removeprefix("https://").removeprefix("http://").rstrip("/") == label:
        return bare
    return f"[{label}]({target})"
