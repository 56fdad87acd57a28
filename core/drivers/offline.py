"""The offline demo model: lets a newcomer try everything without a key, and says that it is one.

Knows: how an answer is streamed, and continued after a cut. Must not know: what it answers (`offline_words`),
any network. It keeps no memory of its own: the same request has the same answer, in any process, so a cut
answer is continued by working the whole one out again and saying what is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator

from core.domain.events import Usage
from core.drivers.offline_tasks import task_answer
from core.drivers.offline_texts import INTRO
from core.drivers.offline_tools import Use, apart, told, wanted
from core.drivers.offline_words import Talk, answer, read
from core.engine.ports import Clock, Finished, ModelRequest, Said

PACE_S = 0.05  # between two pieces: the story has some 120, so it takes 6 to 7 s
# Three words, each with the space before it: a cut between two pieces leaves no space at the end, which the
# composer of the next request would strip.
_PIECE = re.compile(r"(?:\s*\S+){1,3}|\s+")
_BYTES_PER_TOKEN = 3  # the house's estimate (DESIGN section 3)
_OVERLAP_CHARS = 24  # this much of the end of a partial answer is enough to find its place again


class OfflineModel:
    """Implements `core.engine.ports.Model`. `pace_s`: seconds of `clock` before each piece of three words."""

    name = "offline demo model"

    def __init__(self, clock: Clock, *, pace_s: float = PACE_S) -> None:
        self._clock = clock
        self._pace_s = pace_s

    async def warm(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to close."""

    async def check(self) -> None:
        """Always ready."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Yield the answer in small pieces, then `Finished`. Raises nothing."""
        messages, returned = apart(request.messages)
        talk = read(messages)
        of_task = task_answer(messages)
        if not of_task and talk.asked and not returned and (use := wanted(talk.asked[-1], request.tools)) is not None:
            yield self._asking(use, talk)
            return
        whole = "\n\n".join([*([INTRO] if talk.first else []), told(returned)]) if returned else answer(talk)
        text = _rest(of_task or whole, talk.partial)
        for piece in _pieces(text):
            await self._clock.sleep(self._pace_s)
            yield Said(text=piece)
        yield Finished(
            stop_reason="end_turn",
            blocks=json.dumps([{"type": "text", "text": text}] if text else [], ensure_ascii=False),
            model=self.name,
            usage=_usage(talk, text),
        )

    def _asking(self, use: Use, talk: Talk) -> Finished:
        block = {"type": "tool_use", "id": f"toolu_{talk.heard_bytes}", "name": use.name, "input": dict(use.input)}
        return Finished(
            stop_reason="tool_use",
            blocks=json.dumps([block], ensure_ascii=False),
            model=self.name,
            usage=_usage(talk, ""),
        )


def _pieces(text: str) -> Iterator[str]:
    return (found.group() for found in _PIECE.finditer(text))


def _rest(whole: str, partial: str) -> str:
    """What is missing of `whole` after `partial`; all of it when `partial` is from another answer."""
    if whole.startswith(partial):
        return whole[len(partial) :]
    tail = partial[-_OVERLAP_CHARS:]
    found = whole.rfind(tail, 0, len(partial) + len(tail))
    return whole[found + len(tail) :] if found >= 0 and tail else whole


def _usage(talk: Talk, text: str) -> Usage:
    return Usage(tokens_in=_tokens(talk.heard_bytes), tokens_out=_tokens(len(text.encode())))


def _tokens(size_bytes: int) -> int:
    return -(-size_bytes // _BYTES_PER_TOKEN)
