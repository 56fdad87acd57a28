"""All answers that are being written, by turn and part; those that stand for good, so that nothing is written twice.

Knows: which answer a call of the engine means. Must not know: how one is written.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from bots.slack.answer import Answer
from bots.slack.ids import Ref
from bots.slack.leaf import mark_of
from bots.slack.sessions import SUSPENDED
from bots.slack.writing import Kit, Reader
from core.domain.errors import Refused
from core.domain.keys import Place
from core.engine.ports import AnswerState, Piece

_STOOD_KEPT = 2_000
_END_S = 2.0  # what ending the streams may take when the process ends


class Answers:
    """Writes answers. Raises `Refused`, `NotSent`, and `Ambiguous` while nothing stands yet."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._live: dict[tuple[str, int], Answer] = {}
        self._stood: OrderedDict[tuple[str, int], tuple[Ref, str]] = OrderedDict()

    async def open(self, place: Place, piece: Piece, reader: Reader) -> Ref:
        """Open the live message, or post what is final already."""
        name = (piece.turn_id, piece.n)
        answer = Answer(self._kit, place, piece, reader)
        if piece.state is not AnswerState.STREAMING:
            return self._stands(name, await answer.finish(piece), piece)
        ref = await answer.open()
        self._live[name] = answer
        return ref

    async def write(self, place: Place, ref: Ref, piece: Piece, reader: Reader) -> Ref:
        """Make the part read `piece.text`: soon while it grows, now when it is final."""
        name = (piece.turn_id, piece.n)
        final = piece.state is not AnswerState.STREAMING
        if final and self._stood.get(name, (None, ""))[1] == mark_of(piece, 0):
            return self._stood[name][0]
        answer = self._live.get(name)
        if answer is None:
            answer = Answer(self._kit, place, piece, reader)
            if await answer.adopt(ref):
                return self._stands(name, ref, piece)
            self._live[name] = answer
        try:
            if not final:
                return await answer.progress(piece)
            done = await answer.finish(piece)
        except Refused:
            await self._live.pop(name).stop()
            raise
        self._live.pop(name, None)
        return self._stands(name, done, piece)

    def turn_at(self, channel: str, streams: tuple[str, ...], thread: str) -> str:
        """The turn that is being streamed there, "" when none is."""
        for answer in self._live.values():
            if answer.place.channel == channel and answer.place.thread == thread:
                return answer.piece.turn_id
        for (turn_id, _), (ref, _mark) in self._stood.items():
            if ref.channel == channel and ref.ts in streams:
                return turn_id
        return ""

    async def forget(self, place: Place) -> None:
        """Keep nothing of this thread in memory."""
        for name in [name for name, answer in self._live.items() if answer.place == place]:
            await self._live.pop(name).stop()

    async def close(self) -> None:
        """Show nothing more; living streams end, so that nobody sees us work while we do not run."""
        answers = tuple(self._live.values())
        self._live.clear()
        if answers:
            ending = [asyncio.create_task(answer.interrupt(SUSPENDED)) for answer in answers]
            _, late = await asyncio.wait(ending, timeout=_END_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    def _stands(self, name: tuple[str, int], ref: Ref, piece: Piece) -> Ref:
        self._stood[name] = (ref, mark_of(piece, 0))
        self._stood.move_to_end(name)
        while len(self._stood) > _STOOD_KEPT:
            self._stood.popitem(last=False)
        return ref
