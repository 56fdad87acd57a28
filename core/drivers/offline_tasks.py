"""What the offline demo model says when it is asked to plan a task, to work on a step, or to answer from results.

Knows: the marks that such a request carries, and how to make something of a goal's words. Nothing is looked up: the
steps show how a task goes, not what is true. Must not know: streaming, time, chance. English only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from core.domain.prompt_words import PLAN_PREFIX, RESULTS_PREFIX, STEP_PREFIX

_THINGS_MAX = 6
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_GOAL = re.compile(r"<goal>\n(?P<goal>.*?)\n</goal>", re.DOTALL)
_WISH = re.compile(r"<wish>\n(?P<wish>.*?)\n</wish>", re.DOTALL)
_YOURS = re.compile(r"^Your step is (?P<n>\d+), (?P<title>.*?):\n(?P<instruction>.*)\Z", re.DOTALL | re.MULTILINE)
_RESULT = re.compile(r"<result step=(?P<n>\d+) title=(?P<title>.*?)>\n(?P<text>.*?)\n</result>", re.DOTALL)
_COUNTED = re.compile(rf"\b(?P<count>\d|{'|'.join(_NUMBERS)}) (?:\w+ )?(?P<things>[a-z]+)s\b", re.IGNORECASE)
_COMPARE = re.compile(r"\b(?:compare|between)\s+(?P<things>[^.!?\n]+)", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*,\s*(?:and\s+|with\s+)?|\s+(?:and|with|versus|vs\.?|or)\s+", re.IGNORECASE)


def task_answer(messages: Sequence[Mapping[str, object]]) -> str:
    """The answer to a request for a task; "" when it is about something else."""
    for text in _asked(messages):
        if text.startswith(PLAN_PREFIX):
            return _plan(text)
        if text.startswith(STEP_PREFIX):
            return _step(text)
        if text.startswith(RESULTS_PREFIX):
            return _answer(text)
    return ""


def _asked(messages: Sequence[Mapping[str, object]]) -> list[str]:
    """The last words that end a message, of every message of a person, the newest first."""
    found = []
    for message in reversed(messages):
        content = message.get("content")
        if message.get("role") == "user" and isinstance(content, Sequence) and not isinstance(content, str):
            texts = [str(each.get("text", "")) for each in content if isinstance(each, Mapping)]
            found += texts[-1:]
    return found


def _plan(text: str) -> str:
    goal, wish = _inside(_GOAL, text), _inside(_WISH, text)
    steps = [_look_at(each, goal) for each in things(goal)]
    if steps:
        title = "Weigh one against another"
        steps.append(_planned(title, f"Say how they differ, for: {goal}", list(range(1, len(steps) + 1))))
    else:
        steps = [
            _planned("Say what is wanted", f"Say in one sentence what is wanted by: {goal}", []),
            _planned("Work it out", f"Work out: {goal}", [1]),
            _planned("Check it", "Check whether the result is what was wanted.", [1, 2]),
        ]
    if wish:
        steps.append(_planned("Do what was asked for besides", wish, [len(steps)]))
    return json.dumps({"steps": steps}, ensure_ascii=False)


def things(goal: str) -> list[str]:
    """What is to be compared, two things or more; [] when nothing is."""
    if found := _COUNTED.search(goal):
        count = _NUMBERS.get(found["count"].lower()) or int(found["count"])
        names = [f"{found['things']} {n}" for n in range(1, count + 1)]
    elif found := _COMPARE.search(goal):
        names = [each.strip() for each in _BETWEEN.split(found["things"]) if each.strip()]
    else:
        return []
    return names if 1 < len(names) <= _THINGS_MAX else []


def _look_at(thing: str, goal: str) -> dict[str, object]:
    return _planned(f"Look at {thing}", f"Say what matters about {thing}, for: {goal}", [])


def _planned(title: str, instruction: str, depends: list[int]) -> dict[str, object]:
    return {"title": title, "instruction": instruction, "tools": [], "depends_on": depends}


def _step(text: str) -> str:
    found = _YOURS.search(text)
    if found is None:
        return "This step says nothing that could be done."
    built_on = [each["title"].strip("'\"") for each in _RESULT.finditer(text)]
    rests = f" It rests on what came before: {', '.join(built_on)}." if built_on else ""
    return (
        f"A language model's findings would stand here.\n\nIt was asked: {found['instruction'].strip()}{rests}\n\n"
        "They are kept word for word, as long as they are, so a restart in the middle of a later step costs nothing of "
        "this one."
    )


def _answer(text: str) -> str:
    results = "\n".join(
        f"{each['n']}. **{each['title'].strip(chr(39))}**: {each['text'].strip().splitlines()[0]}"
        for each in _RESULT.finditer(text)
    )
    return f"This is how the answer is put together from the results of all steps:\n\n{results}"


def _inside(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return " ".join(found[1].split()) if found else ""
