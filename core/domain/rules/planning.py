"""What a model said when it was asked for a plan, read as steps.

Knows: JSON wherever it stands in a text, under the names that models give things, and numbered lists in plain words.
What can be mended is mended: a step that depends on itself, on no step at all or around in a circle loses that
dependency, and a title that is missing is the beginning of the instruction. A plan that says nothing of tools may use
any; one that names none, none. Must not know: tasks, models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.domain.tasking import ANY_TOOL

STEPS_MIN = 2
STEPS_MAX = 20
TITLE_CHARS = 80
INSTRUCTION_CHARS = 4_000

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "steps": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "title": {"type": "string"},
                        "instruction": {"type": "string"},
                        "tools": {"type": "array", "items": {"type": "string"}},
                        "depends_on": {"type": "array", "items": {"type": "integer"}},
                    },
                    "required": ["title", "instruction", "tools", "depends_on"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["steps"],
        "additionalProperties": False,
    }
)

_LISTS = ("steps", "plan", "tasks")
_TITLES = ("title", "name", "summary")
_INSTRUCTIONS = ("instruction", "instructions", "description", "prompt", "detail", "details", "task")
_TOOLS = ("tools", "tools_allowed", "allowed_tools")
_DEPENDS = ("depends_on", "depends", "dependencies", "dependsOn", "after", "requires")
_NUMBERS = ("n", "id", "number", "step", "index")
_ITEM = re.compile(r"^ {0,3}(?:(?:#+ *)?\**(?:step|schritt) +)?(\d{1,2}) ?[.):]\**\s+(\S.*)$", re.IGNORECASE)
_MARKS = re.compile(r"^[*_`#\s]+|[*_`\s]+$")
_TITLE_END = re.compile(r"\s*(?::|\s[-\u2013\u2014])\**\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One step of a plan; `depends` are numbers of other steps of it, from 1."""

    title: str
    instruction: str
    tools: tuple[str, ...] = ()
    depends: tuple[int, ...] = ()


def parse(text: str) -> tuple[Planned, ...]:
    """The plan in a model's answer; () when none with a fitting number of steps can be read."""
    for values in _plans_in(text):
        steps = _mended([step for step in _named(values) if step.instruction])
        if STEPS_MIN <= len(steps) <= STEPS_MAX:
            return steps
    steps = tuple(_numbered(text))
    return steps if STEPS_MIN <= len(steps) <= STEPS_MAX else ()


def additions(value: object, known: int) -> tuple[Planned, ...]:
    """Steps for the end of a plan of `known` steps; what they depend on are numbers of the whole plan."""
    values = _list_in(value)
    numbers = {str(n): n for n in range(1, known + len(values) + 1)}
    return tuple(step for step in (_step(each, numbers) for each in values) if step.instruction)


# ---------------------------------------------------------------------------------------------- JSON


def _plans_in(text: str) -> Iterator[Sequence[object]]:
    """Every list of steps in JSON that stands anywhere in the text."""
    decoder = json.JSONDecoder()
    at = 0
    while (found := re.compile(r"[\[{]").search(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            at = found.start() + 1
            continue
        steps = _list_in(value)
        if steps:
            yield steps


def _list_in(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        for name in _LISTS:
            if (inner := _list_in(value.get(name))) and not isinstance(inner, str):
                return inner
        return ()
    return value if isinstance(value, list) and all(isinstance(each, Mapping | str) for each in value) else ()


def _named(values: Sequence[object]) -> list[Planned]:
    """The steps as they are written; what they depend on by number or by name, as numbers."""
    numbers: dict[str, int] = {}
    for n, value in enumerate(values, start=1):
        numbers.setdefault(str(n), n)
        if isinstance(value, Mapping):
            for name in (*_NUMBERS, *_TITLES):
                if isinstance(label := value.get(name), str | int):
                    numbers[str(label).casefold()] = n
    return [_step(value, numbers) for value in values]


def _step(value: object, numbers: Mapping[str, int]) -> Planned:
    if not isinstance(value, Mapping):
        return _in_words(str(value))
    instruction = _text(value, _INSTRUCTIONS) or _text(value, _TITLES)
    named = any(name in value for name in _TOOLS)
    tools = _items(value, _TOOLS) if named else (ANY_TOOL,)
    depends = (_number(each, numbers) for each in _items(value, _DEPENDS))
    return Planned(
        title=_title(_text(value, _TITLES) or instruction),
        instruction=instruction[:INSTRUCTION_CHARS],
        tools=tuple(str(each) for each in tools if isinstance(each, str)),
        depends=tuple(each for each in depends if each),
    )


def _text(value: Mapping[object, object], names: Sequence[str]) -> str:
    found = (value.get(name) for name in names)
    return next((each.strip() for each in found if isinstance(each, str) and each.strip()), "")


def _items(value: Mapping[object, object], names: Sequence[str]) -> Sequence[object]:
    for name in names:
        found = value.get(name)
        if isinstance(found, list):
            return found
        if isinstance(found, str | int) and not isinstance(found, bool):
            return [found]
    return ()


def _number(value: object, numbers: Mapping[str, int]) -> int:
    """The number of the step that is meant; 0 for none that there is."""
    label = str(value).casefold()
    digits = re.sub(r"^step[ _-]?", "", label)
    return numbers.get(label, numbers.get(digits, 0))


def _mended(steps: Sequence[Planned]) -> tuple[Planned, ...]:
    """The steps without dependencies on themselves, on what is not there, or around in a circle."""
    kept: dict[int, set[int]] = {}
    for n, step in enumerate(steps, start=1):
        kept[n] = set()
        for other in dict.fromkeys(step.depends):
            if other != n and 1 <= other <= len(steps) and n not in _needs(other, kept):
                kept[n].add(other)
    return tuple(replace(step, depends=tuple(sorted(kept[n]))) for n, step in enumerate(steps, start=1))


def _needs(n: int, depends: Mapping[int, set[int]]) -> set[int]:
    """Everything that step `n` needs, directly or not, itself included."""
    found: set[int] = set()
    left = [n]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left.extend(depends.get(each, ()))
    return found


# ------------------------------------------------------------------------------------- plain words


def _numbered(text: str) -> Iterator[Planned]:
    """A numbered list: each step needs the one before it, for nothing else is said. Lines below belong to a step."""
    steps: list[list[str]] = []
    for line in text.splitlines():
        found = _ITEM.match(line)
        if found is not None and int(found[1]) == len(steps) + 1:
            steps.append([found[2]])
        elif steps and line.strip() and line.startswith((" ", "\t")):
            steps[-1].append(line.strip())
    for n, lines in enumerate(steps, start=1):
        yield replace(_in_words("\n".join(lines)), depends=(n - 1,) if n > 1 else ())


def _in_words(text: str) -> Planned:
    head = text.split("\n", maxsplit=1)[0]
    return Planned(
        title=_title(_TITLE_END.split(head, maxsplit=1)[0]),
        instruction=_MARKS.sub("", text)[:INSTRUCTION_CHARS],
        tools=(ANY_TOOL,),
    )


def _title(text: str) -> str:
    flat = _MARKS.sub("", " ".join(text.split()))
    return flat if len(flat) <= TITLE_CHARS else flat[: TITLE_CHARS - 1].rstrip() + "…"
