"""A model that works on a task as a test tells it: which plan it makes, what each step says and how it goes wrong.

Knows: the marks of a task's requests. Must not know: what is tested.
A call is named "plan", by the title of its step, "answer", or "chat". A call that goes on from a partial text says
what is missing of its result.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from core.domain.prompt_words import CONTINUE_PREFIX, PLAN_PREFIX, RESULTS_PREFIX, STEP_PREFIX
from core.engine.ports import Clock, ModelRequest
from tests.kit.scripted import ScriptedModel, Step

PLAN, ANSWER, CHAT = "plan", "answer", "chat"
_YOURS = re.compile(r"Your step is \d+, (.*?):\n")
_WORD_S = 0.4  # before each word of a result


def plan(*steps: tuple[str, Sequence[int]], tools: Sequence[str] = ()) -> str:
    """A plan as a model writes it: titles, and the numbers of the steps that each needs."""
    made = [
        {"title": title, "instruction": f"Do {title}.", "tools": list(tools), "depends_on": list(depends)}
        for title, depends in steps
    ]
    return json.dumps({"steps": made})


def chain(*titles: str) -> str:
    """A plan in which each step needs the one before."""
    return plan(*((title, (n,) if n else ()) for n, title in enumerate(titles)))


def result_of(title: str) -> str:
    """What a step brings, when no script says otherwise."""
    return f"The result of {title} is here."


class Planner(ScriptedModel):
    """Implements `Model`. `mishaps` holds, by name of the call, the scripts of its first calls."""

    def __init__(self, clock: Clock, plan: str) -> None:
        super().__init__(clock)
        self.plan = plan
        self.mishaps: defaultdict[str, list[Sequence[Step]]] = defaultdict(list)
        self.calls: Counter[str] = Counter()
        self.tokens_in: Counter[str] = Counter()  # estimated, by name of the call

    def script_for(self, request: ModelRequest) -> Sequence[Step]:
        """See the head of this file."""
        texts = [_last_text(each) for each in request.messages]
        partial = ""
        if texts[-1].startswith(CONTINUE_PREFIX):
            partial = texts[-2]
            texts = texts[:-2]
        marked = [name_of(each) for each in reversed(texts)]  # results of tools may stand after it
        name = next((each for each in marked if each != CHAT), CHAT)
        self.calls[name] += 1
        self.tokens_in[name] += len(json.dumps(request.messages)) // 3
        if self.mishaps[name]:
            return self.mishaps[name].pop(0)
        whole = {PLAN: self.plan, ANSWER: "Here is the answer.", CHAT: "Hello there."}.get(name, result_of(name))
        rest = whole.removeprefix(partial) if partial else whole
        return [each for word in re.findall(r"\s*\S+", rest) for each in (_WORD_S, word)] if name != PLAN else [rest]


def name_of(text: str) -> str:
    """The name of the call whose last words are these."""
    if text.startswith(PLAN_PREFIX):
        return PLAN
    if text.startswith(RESULTS_PREFIX):
        return ANSWER
    found = _YOURS.search(text)
    return found[1] if text.startswith(STEP_PREFIX) and found is not None else CHAT


def _last_text(message: object) -> str:
    assert isinstance(message, dict)
    content = message["content"]
    return str(content[-1].get("text", "")) if isinstance(content, list) else str(content)
