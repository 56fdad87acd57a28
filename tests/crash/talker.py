"""A model with a memory of its own: it knows what it said, and notices when it is asked for it again.

Knows: questions, texts, how a continuation must look (facts/model.md). Must not know: engine, store.
Every question has a text that nobody can mistake for another's; a continuation goes on exactly where it is told
that the answer stopped, now and then with some words repeated, as real models do. `wrong` collects what a provider
or an accountant would complain about: two calls at once for one answer, a quote of something never said, words
generated again that had been saved.
"""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass

from core.domain.errors import Ambiguous, NotSent, Refused
from core.domain.events import Usage
from core.domain.prompt_words import RESULTS_PREFIX
from core.domain.rules.summary import INSTRUCTIONS
from core.engine.ports import Clock, Finished, ModelRequest, Said
from tests.kit.claude_script import read, text_of
from tests.kit.planner import ANSWER, CHAT, name_of, plan
from tests.kit.planner import PLAN as PLAN_CALL

WORDS = 12
_CHUNK_WORDS = 3
_PAUSE_S = 0.3
_REPEATED_CHARS = 12
_GOAL = re.compile(r"<goal>\n(.*)\n</goal>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The connection breaks after so many pieces."""

    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """529; come back after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class No:
    """A definite no."""

    code: str = "model_auth"


Mishap = Cut | Busy | No | None


@dataclass(slots=True, kw_only=True)
class _Call:
    text: str
    known: int  # characters of the text that the request quoted
    repeats: int
    said: int = 0

    @property
    def reached(self) -> int:
        """How far into the text this call has come."""
        return self.known + max(0, self.said - self.repeats)


def text_for(question: str) -> str:
    """The whole answer to a question."""
    head = " ".join(re.sub("[<>]", "", question).split())
    return f"<{head}> " + " ".join(f"word{n}" for n in range(1, WORDS + 1)) + "."


def plan_for(goal: str) -> str:
    """The plan for a goal: two steps side by side, and one that needs them. No other goal has steps of these titles."""
    return plan((f"first of {goal}", ()), (f"second of {goal}", ()), (f"third of {goal}", (1, 2)))


def for_task(question: str) -> str:
    """The whole answer to a request of a task; "" when it is somebody's question."""
    name = next((name for line in question.split("\n") if (name := name_of(line)) in (PLAN_CALL, ANSWER)), "")
    if name == ANSWER:
        return text_for(question.partition(RESULTS_PREFIX)[0])
    if name == PLAN_CALL:
        goal = _GOAL.search(question)
        return plan_for(goal[1] if goal is not None else "")
    step = name_of(question)
    return "" if step == CHAT else text_for(f"step {step}")


def read_answer(answer: str) -> tuple[str | None, bool]:
    """The question of an answer or of its beginning, and whether it is whole; None when a word is out of place."""
    head, found, _ = answer.removeprefix("<").partition("> ")
    text = text_for(head)
    return (head if found and text.startswith(answer) else None), answer == text


class Talker:
    """Implements `Model`. `mishaps` are used up, one a call."""

    name = "talker"

    def __init__(self, clock: Clock) -> None:
        self.mishaps: deque[Mishap] = deque()
        self.calls: Counter[str] = Counter()
        self.summaries: Counter[str] = Counter()  # how often notes were asked for, by what they are on
        self.mishaps_met = 0
        self.wrong: list[str] = []
        self._clock = clock
        self._running: list[_Call] = []
        self._recorded: set[str] = set()
        self._noting: set[str] = set()
        self._seen: dict[str, int] = {}  # at the start of a tick: text -> characters said
        self._saved: dict[str, int] = {}  # after it

    async def check(self) -> None:
        """Always ready."""

    def on_point(self, name: str) -> None:
        """Note what a draft tick has saved."""
        if name == "tick.before_save":
            self._seen = {call.text: call.reached for call in self._running}
        elif name == "tick.after_save":
            for text, reached in self._seen.items():
                self._saved[text] = max(reached, self._saved.get(text, 0))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Answer, write notes, or meet the next mishap."""
        if request.system == INSTRUCTIONS:
            async for each in self._notes(request):
                yield each
            return
        mishap = self.mishaps.popleft() if self.mishaps else None
        call = self._understand(request)
        self.calls[call.text] += 1
        self.mishaps_met += mishap is not None
        if isinstance(mishap, Busy):
            raise NotSent(code="model_busy", retry_ms=self._clock.now_ms() + round(mishap.seconds * 1000))
        if isinstance(mishap, No):
            raise Refused(code=mishap.code)
        if any(each.text == call.text for each in self._running):
            self.wrong.append(f"two calls at once for {call.text!r}")
        self._running.append(call)
        try:
            spoken = call.text[call.known - call.repeats :]
            for n, piece in enumerate(_pieces(spoken)):
                if isinstance(mishap, Cut) and n == mishap.after:
                    raise Ambiguous(code="model_cut")
                await self._clock.sleep(_PAUSE_S)
                call.said += len(piece)
                yield Said(text=piece)
            yield Finished(
                stop_reason="end_turn",
                blocks=json.dumps([{"type": "text", "text": spoken}]),
                model=request.model,
                usage=Usage(tokens_in=10, tokens_out=len(spoken), cost=len(spoken)),
            )
        finally:
            self._running.remove(call)

    def recorded(self, results: Collection[str]) -> None:
        """These results of steps are in the store: nobody may ask for them again."""
        self._recorded |= set(results)

    def anew(self) -> None:
        """Somebody wants a step begun anew: what was saved of one may be said again."""
        self._saved = {text: n for text, n in self._saved.items() if not text.startswith("<step ")}
        self._seen = {text: n for text, n in self._seen.items() if not text.startswith("<step ")}

    async def _notes(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """The notes on a conversation; the first words of its first message are the goal."""
        asked = text_of(request.messages[0]["content"])
        self.summaries[asked] += 1
        if asked in self._noting:
            self.wrong.append("notes were asked for twice at once")
        self._noting.add(asked)
        try:
            await self._clock.sleep(_PAUSE_S)
            goal = asked.partition("]")[2].strip()[:60]
            notes = {"goal": goal, "done": "", "last": goal, "next": "", "facts": []}
            yield Said(text=json.dumps(notes))
            yield Finished(stop_reason="end_turn", blocks="", model=request.model, usage=Usage(tokens_in=5, cost=5))
        finally:
            self._noting.discard(asked)

    def _understand(self, request: ModelRequest) -> _Call:
        question, partial, continues = read(request.messages)
        if not continues:
            text = for_task(question) or text_for(question)
            if text in self._recorded:
                self.wrong.append(f"a finished step was worked on again: {text!r}")
            if not text.startswith("{"):  # a plan is made anew
                self._not_again(text, 0)
            return _Call(text=text, known=0, repeats=0)
        known = [text for text in self.calls if text.startswith(partial)]
        if len(known) != 1 or not partial:
            self.wrong.append(f"asked to go on from {partial!r}, which was never said")
            known = [partial + "?"]
        self._not_again(known[0], len(partial))
        odd = self.calls[known[0]] % 2
        return _Call(text=known[0], known=len(partial), repeats=min(_REPEATED_CHARS, len(partial)) if odd else 0)

    def _not_again(self, text: str, known: int) -> None:
        if known < self._saved.get(text, 0):
            self.wrong.append(f"{self._saved[text]} characters of {text!r} were saved, {known} are quoted")


def _pieces(text: str) -> list[str]:
    """The head of an answer with its first words, then some words at a time."""
    cuts = [found.end() for found in re.finditer(r"word\d+", text)][_CHUNK_WORDS - 1 :: _CHUNK_WORDS]
    starts = [0, *[cut for cut in cuts if cut < len(text)]]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
