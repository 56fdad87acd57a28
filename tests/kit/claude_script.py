"""What the loopback Messages API shall answer: scripted behaviours, and the text that each question has.

Knows: the script's form. Must not know: HTTP.

A script is `{"default": {...}, "rules": [{"when": "words", ...}], "queue": [{...}, ...]}`, each entry the
fields of `Behaviour`. For a request the first rule whose `when` stands in the question is used (and used up
after `times`), else the queue's first entry, else the default. A question itself may carry
`[[fault=rst after=40]]`, which goes over queue and default; not over its own continuation.
A rule with `rounds` is for requests that bring what so many rounds of tools gave; its `when` is looked for in the
question that they belong to.
Every question keeps its text: a request that ends in `[Continue]` is answered
with what is missing after the partial answer it carries, whatever its own behaviour is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, TypeAdapter

from core.domain.prompt_words import CONTINUE_PREFIX

_DIRECTIVE = re.compile(r"\[\[(.*?)\]\]")


class Fault(StrEnum):
    """How an answer goes wrong. The first ones within the stream, after `after` characters of text."""

    NONE = ""
    RST = "rst"  # connection reset
    FIN = "fin"  # connection closed in the middle of the chunked body
    EARLY_END = "early_end"  # the body ends properly, without message_stop
    NO_STOP_REASON = "no_stop_reason"  # message_stop without a reason before it
    ERROR_EVENT = "error_event"  # SSE error with status 200; `error_type`
    PINGS = "pings"  # nothing but pings from there on
    SILENCE = "silence"  # nothing at all from there on
    SILENT_THINKING = "silent_thinking"  # a thinking block begins, then nothing
    BAD_JSON = "bad_json"  # a data line that is no JSON
    BAD_SSE = "bad_sse"  # bytes that are no text
    BAD_EVENT = "bad_event"  # JSON of a known type without its fields
    AFTER_START = "after_start"  # closed after message_start alone
    HANG = "hang"  # no answer at all, not even a status
    DROP = "drop"  # closed without an answer
    OVERLOADED = "overloaded"  # 529
    RATE_LIMIT = "rate_limit"  # 429 with `retry_after`
    SPEND_LIMIT = "spend_limit"  # 429, enforced_spend_limit_reached
    OWN_SPEND_LIMIT = "own_spend_limit"  # 400, the limit that the customer has set
    SERVER_ERROR = "server_error"  # 500
    UNAVAILABLE = "unavailable"  # 503, an HTML page of some proxy
    AUTH = "auth"  # 401
    PERMISSION = "permission"  # 403
    BILLING = "billing"  # 402
    UNKNOWN_MODEL = "unknown_model"  # 404
    TOO_LARGE = "too_large"  # 413
    TOO_LONG = "too_long"  # 400, prompt is too long
    BOUND_THINKING = "bound_thinking"  # 400, bound to a different conversation
    NOT_A_STREAM = "not_a_stream"  # 200 with an HTML page


class Behaviour(BaseModel, frozen=True, extra="forbid"):
    """One answer. `chunk` is in characters, `delay_ms` stands before each chunk."""

    text: str | None = None  # None: a text of `words` words made from the question
    words: int = 60
    fault: Fault = Fault.NONE
    after: int = 40
    chunk: int = 12
    delay_ms: int = 0
    thinking: str = ""  # a thinking block with a signature goes first
    stop_reason: str = "end_turn"
    retry_after: str = ""
    error_type: str = "overloaded_error"
    overlap: int = 0  # how much of the partial answer a continuation repeats
    pings: int = 1  # pings before the first text
    blocks: tuple[Mapping[str, object], ...] = ()  # further content blocks, after the text
    when: str = ""
    times: int = 1  # how often a rule is used, 0 = always
    rounds: int = 0  # of tools that have returned since the question


_BEHAVIOURS = TypeAdapter(list[Behaviour])


class Script:
    """Decides which behaviour a request meets, and remembers each question's text."""

    def __init__(self, plain: Mapping[str, object] | None = None) -> None:
        self._texts: dict[str, str] = {}
        self.load(plain or {})

    def load(self, plain: Mapping[str, object]) -> None:
        """Replace the script; the texts of earlier questions stay, so that they can be continued."""
        self._default = Behaviour.model_validate(plain.get("default", {}))
        self._rules = _BEHAVIOURS.validate_python(plain.get("rules", []))
        self._queue = _BEHAVIOURS.validate_python(plain.get("queue", []))

    def push(self, *behaviours: Behaviour) -> None:
        """Append to the queue."""
        self._queue.extend(behaviours)

    def meet(self, messages: Sequence[Mapping[str, object]]) -> tuple[Behaviour, str]:
        """The behaviour for a request and the text that it shall send."""
        question, partial, continues = read(messages)
        asked, rounds = with_rounds(messages)
        behaviour = self._choose(asked if rounds else question, rounds, continues=continues)
        key = f"{asked} {rounds}" if rounds else question
        text = self._texts.get(key) if continues else None
        if text is None:
            text = behaviour.text if behaviour.text is not None else make_text(question, behaviour.words)
            self._texts[key] = text
        if not continues:
            return behaviour, text
        known = len(partial) if text.startswith(partial) else 0
        return behaviour, text[max(0, known - behaviour.overlap) :]

    def _choose(self, question: str, rounds: int, *, continues: bool) -> Behaviour:
        for place, rule in enumerate(self._rules):
            if rule.when in question and rule.rounds == rounds:
                if rule.times == 1:
                    del self._rules[place]
                elif rule.times:
                    self._rules[place] = rule.model_copy(update={"times": rule.times - 1})
                return rule
        chosen = self._queue.pop(0) if self._queue else self._default
        found = None if rounds else _DIRECTIVE.search(question)
        if not found or continues:
            return chosen
        pairs = dict(pair.split("=", 1) for pair in found.group(1).split() if "=" in pair)
        return Behaviour.model_validate({**chosen.model_dump(), **pairs})


def read(messages: Sequence[Mapping[str, object]]) -> tuple[str, str, bool]:
    """The question, what was already answered to it, and whether this is a continuation."""
    said = [(str(message.get("role")), text_of(message.get("content"))) for message in messages]
    partial, continues = "", False
    while said and said[-1][0] == "user" and said[-1][1].startswith(CONTINUE_PREFIX):
        continues = True
        said.pop()
        if said and said[-1][0] == "assistant":
            partial = said.pop()[1] + partial
    return (said[-1][1] if said else ""), partial, continues


def with_rounds(messages: Sequence[Mapping[str, object]]) -> tuple[str, int]:
    """The newest question, and how many rounds of tools have returned since."""
    rounds = 0
    for message in reversed(messages):
        content, text = message.get("content"), text_of(message.get("content"))
        blocks = content if isinstance(content, list) else []
        if any(each.get("type") == "tool_result" for each in blocks):
            rounds += 1
        elif message.get("role") == "user" and not text.startswith(CONTINUE_PREFIX):
            return text, rounds
    return "", rounds


def text_of(content: object) -> str:
    """All text blocks of a message, joined by line breaks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, Sequence) else ()
    return "\n".join(str(block["text"]) for block in blocks if block.get("type") == "text")


def make_text(question: str, words: int) -> str:
    """A text that nobody can mistake for another question's: numbered words behind the question."""
    head = " ".join(_DIRECTIVE.sub("", question).split())[:60]
    return f"Answer to <{head}>: " + " ".join(f"word{number}" for number in range(1, words + 1)) + "."
