"""A long conversation with planted facts, and a summariser that reads it well and lies a little.

Knows: the fixture `recall.json`: twenty facts, and sentences of people and answers between them. Must not know: what is
measured. The conversation of a length is always the same one; half of it is said by each side, its messages have 120
estimated tokens in the median, and no fact stands in the messages that are kept word for word anyway.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from core.domain.entities import Message, Role
from core.domain.errors import Refused
from core.domain.events import Usage
from core.domain.rules.returning import TAIL_MESSAGES
from core.domain.rules.summary import INSTRUCTIONS
from core.domain.tokens import estimate
from core.engine.ports import Finished, ModelRequest, Said

MEDIAN_TOKENS = 120
_SPREAD = 80  # tokens more or less than the median
_FIELD_WORDS = 40  # of goal, done, last and next: nearly what the summariser may use
_INVENTED = 4  # facts whose words nobody has said
_LINE = re.compile(r"^\[(\d+)\] \w+: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """What the conversations are made of."""

    facts: tuple[str, ...]
    reads: tuple[str, ...]
    answers: tuple[str, ...]
    back: str  # what the person says on the return

    @classmethod
    def load(cls) -> Fixture:
        """Read it from the file beside this one."""
        found = json.loads(Path(__file__).with_name("recall.json").read_text(encoding="utf-8"))
        back = found.pop("back")
        return cls(back=back, **{name: tuple(sentences) for name, sentences in found.items()})

    def conversation(self, length: int, session_id: str) -> list[Message]:
        """`length` messages of a session, the facts evenly among those of the person."""
        chance = random.Random(length)
        people = range(0, length - TAIL_MESSAGES, 2)
        spots = {people[n * len(people) // len(self.facts)]: fact for n, fact in enumerate(self.facts)}
        messages = []
        for at in range(length):
            role, pool = (Role.ASSISTANT, self.answers) if at % 2 else (Role.USER, self.reads)
            text = self._text(chance, pool, spots.get(at, ""))
            messages.append(
                Message(session_id=session_id, seq=at + 1, role=role, text=text, created_ms=at, tokens=estimate(text))
            )
        return messages

    @staticmethod
    def _text(chance: random.Random, pool: tuple[str, ...], fact: str) -> str:
        """Sentences of `pool` up to a size around the median, with the fact in the middle."""
        size = MEDIAN_TOKENS + chance.randint(-_SPREAD, _SPREAD)
        said = [fact] if fact else []
        while estimate(" ".join(said)) < size - 13:  # half a sentence
            said.insert(chance.randint(0, len(said)), chance.choice(pool))
        return " ".join(said)


class Reader:
    """A model that keeps what it is sent; its summaries have every planted fact that it reads, and invented ones.

    `down`: the summariser cannot be reached.
    """

    name = "reader"

    def __init__(self, facts: tuple[str, ...]) -> None:
        self.down = False
        self.requests: list[ModelRequest] = []
        self._facts = facts

    async def check(self) -> None:
        """Always ready."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Answer, or write notes."""
        if request.system != INSTRUCTIONS:
            self.requests.append(request)
            said = "All right."
        elif self.down:
            raise Refused(code="model_auth")
        else:
            said = json.dumps(self._notes(words_of(request)), ensure_ascii=False)
        yield Said(text=said)
        yield Finished(stop_reason="end_turn", blocks="", model=request.model, usage=Usage(cost=1))

    def _notes(self, asked: str) -> dict[str, object]:
        read = [(int(seq), text) for seq, text in _LINE.findall(asked)]
        planted = [(seq, fact) for fact in self._facts for seq, text in read if fact in text]
        facts = [{"fact": _told(n, fact), "words": fact, "message": seq} for n, (seq, fact) in enumerate(planted)]
        facts += [{"fact": f"Invented {n}.", "words": f"never said {n}", "message": n} for n in range(_INVENTED)]
        fields = {"goal": read[0][1], "done": read[1][1], "last": read[-2][1], "next": read[-1][1]}
        notes: dict[str, object] = {name: " ".join(text.split()[:_FIELD_WORDS]) for name, text in fields.items()}
        return notes | {"facts": facts}


def _told(n: int, fact: str) -> str:
    """A fact in the summariser's own words, one in four; else in the person's."""
    return f"Noted: {fact.rstrip('.').lower().replace(' is ', ' = ')}" if n % 4 == 0 else fact


def words_of(request: ModelRequest) -> str:
    """Every text that a request sends, system and tools excluded."""
    texts = []
    for message in request.messages:
        content = message["content"]
        assert isinstance(content, list)
        texts += [str(block["text"]) for block in content]
    return "\n".join(texts)
