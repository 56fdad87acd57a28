"""How the offline demo model uses tools, as a function of the conversation alone.

Knows: three ways of asking: for the time, for something said in another conversation, and for a tool by its name with
its input as JSON. Must not know: streaming, what else it answers (`offline_words`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Messages = Sequence[Mapping[str, object]]

_QUOTE_CHARS = 1_200
_TIME = re.compile(
    r"\b(what time is it|what('?s| is) the (time|date)|what day is (it|today)|which day is (it|today)|today'?s date)\b",
    re.IGNORECASE,
)
_ZONE = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+\b")
_ELSEWHERE = re.compile(
    r"\b(?:search|look|find)\b.{0,30}\b(?:my|our|other|earlier|past)\b.{0,20}\bconversations?\b"
    r"(?:\s+(?:for|about))?\s*(?P<words>.*)"
    r"|\bwhat did i (?:say|tell you) (?:elsewhere|in (?:another|other|earlier) conversations?)\b"
    r"(?:\s+about)?\s*(?P<more>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BY_NAME = re.compile(
    r"\b(?:use|call|run)\s+(?:the\s+)?(?:tool\s+)?`?(?P<name>[\w-]+)`?(?:\s+with\s+(?P<input>\{.*\}))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A tool that it asks for."""

    name: str
    input: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a tool has given to the question that is being answered."""

    name: str
    text: str
    is_error: bool


def apart(messages: Messages) -> tuple[list[Mapping[str, object]], tuple[Returned, ...]]:
    """The conversation without its rounds of tools, and what the last question's tools have given."""
    plain: list[Mapping[str, object]] = []
    names: dict[str, str] = {}
    returned: list[Returned] = []
    for message in messages:
        blocks = _blocks(message)
        names |= {str(each.get("id")): str(each.get("name")) for each in blocks if each.get("type") == "tool_use"}
        results = [each for each in blocks if each.get("type") == "tool_result"]
        rest = [each for each in blocks if each.get("type") not in ("tool_use", "tool_result")]
        if message.get("role") == "user" and rest and not _ours(rest):
            returned = []
        returned += [_returned(each, names) for each in results]
        if rest:
            plain.append({**message, "content": rest})
    return _joined(plain), tuple(returned)


def wanted(question: str, tools: str) -> Use | None:
    """The tool that a question asks for, if there is one of that name."""
    offered = {str(each["name"]) for each in json.loads(tools)} if tools else set()
    use = _wanted(question)
    return use if use is not None and use.name in offered else None


def told(returned: Sequence[Returned]) -> str:
    """The answer: what the tools have given, as it came."""
    return "\n\n".join(_told(each) for each in returned)


def _wanted(question: str) -> Use | None:
    if found := _ELSEWHERE.search(question):
        words = (found["words"] or found["more"] or "").strip(" ?.!")
        return Use(name="search_my_conversations", input={"query": words}) if words else None
    if _TIME.search(question):
        zone = _ZONE.search(question)
        return Use(name="now", input={"timezone": zone.group()} if zone else {})
    if (found := _BY_NAME.search(question)) is None:
        return None
    try:
        arguments = json.loads(found["input"] or "{}")
    except ValueError:
        return None
    return Use(name=found["name"], input=arguments)


def _told(each: Returned) -> str:
    head = "The tool `{}` did not work:" if each.is_error else "I have asked the tool `{}`, and it says:"
    text = each.text if len(each.text) <= _QUOTE_CHARS else each.text[:_QUOTE_CHARS] + "…"
    quoted = "\n".join(f"> {line}" for line in text.splitlines() or [""])
    return f"{head.format(each.name)}\n\n{quoted}"


def _returned(block: Mapping[str, object], names: Mapping[str, str]) -> Returned:
    content = block.get("content")
    texts = [content] if isinstance(content, str) else [str(each.get("text", "")) for each in _dicts(content)]
    return Returned(
        name=names.get(str(block.get("tool_use_id")), "?"),
        text="\n".join(filter(None, texts)),
        is_error=bool(block.get("is_error")),
    )


def _joined(messages: list[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Neighbours of one role as one message: a round between them is gone."""
    joined: list[Mapping[str, object]] = []
    for each in messages:
        if joined and joined[-1]["role"] == each["role"]:
            joined[-1] = {**each, "content": [*_blocks(joined[-1]), *_blocks(each)]}
        else:
            joined.append(each)
    return joined


def _ours(blocks: Sequence[Mapping[str, object]]) -> bool:
    """Whether a user's message is the program's own word: go on, or answer now."""
    return str(blocks[0].get("text", "")).startswith(("[Continue]", "[The tools have returned."))


def _blocks(message: Mapping[str, object]) -> list[Mapping[str, object]]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else _dicts(content)


def _dicts(content: object) -> list[Mapping[str, object]]:
    blocks = content if isinstance(content, Sequence) and not isinstance(content, str) else ()
    return [each for each in blocks if isinstance(each, Mapping)]
