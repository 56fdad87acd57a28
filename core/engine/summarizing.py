"""The performers that look back: summaries of a session, and what humans said in a thread.

Knows: a long history is read in pages and summarised in chunks, each call given the notes on everything before it;
whenever the summariser fails, the notes are an extract, so nobody ever waits for a summary that does not come.
Must not know: which model it is, which platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog

from core.domain.decision import Policy
from core.domain.effects import ReadThread, Summarize
from core.domain.entities import EffectRow, Message, Role
from core.domain.errors import HistoryUnreadable, OutsideError
from core.domain.events import Outcome, Summarized, ThreadRead, Usage
from core.domain.rules.summary import INSTRUCTIONS, Notes, checked, chunks, extract, notes_of, parse, question
from core.engine.points import Point
from core.engine.ports import Finished, Model, ModelRequest, Platform, Said, Store, Unreadable

SUMMARY_TOKENS = 2_000  # max_tokens of one summary (facts/model.md 1.2)
PAGE_MESSAGES = 500  # read at a time

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Told:
    """The notes so far, and what they cost."""

    notes: Notes | None
    by: str = "extract"
    usage: Usage = field(default_factory=Usage)


class Summarizing:
    """Performs Summarize and ReadThread."""

    def __init__(
        self, store: Store, model: Model, platforms: Mapping[str, Platform], policy: Policy, point: Point
    ) -> None:
        self._store = store
        self._model = model
        self._platforms = platforms
        self._policy = policy
        self._point = point

    async def summarize(self, row: EffectRow, effect: Summarize) -> Outcome:
        """Notes on everything up to `effect.to_seq`, going on from the newest summary."""
        before = await self._store.summary(row.session_id)
        told = _Told(notes=None if before is None else notes_of(before))
        seq = 1 if before is None else before.to_seq + 1
        while seq <= effect.to_seq:
            page = await self._page(row.session_id, seq, effect.to_seq)
            if not page:
                break
            for chunk in chunks(page):
                await self._note(chunk, told, by_model=not effect.extract)
            seq = page[-1].seq + 1
        notes = told.notes or Notes()
        return Summarized(
            session_id=row.session_id,
            from_seq=1,
            to_seq=effect.to_seq,
            goal=notes.goal,
            done=notes.done,
            last=notes.last,
            next=notes.next,
            facts=notes.facts,
            by=told.by,
            usage=told.usage,
        )

    async def _page(self, session_id: str, from_seq: int, to_seq: int) -> tuple[Message, ...]:
        """A page of the history; what cannot be read is left out, the originals stay."""
        try:
            return await self._store.history(session_id, from_seq, to_seq, PAGE_MESSAGES)
        except HistoryUnreadable as error:
            log.warning("history unreadable", session=session_id, code=error.code)
            return ()

    async def _note(self, chunk: list[Message], told: _Told, *, by_model: bool) -> None:
        """Bring the notes up to the end of `chunk`."""
        before = told.notes
        if by_model:
            try:
                answer, usage = await self._call(question(chunk, before))
            except OutsideError as error:
                log.warning("summariser failed", code=error.code)
            else:
                told.usage = _sum(told.usage, usage)
                notes = parse(answer)
                if notes is not None:
                    told.notes, told.by = checked(notes, chunk, before), "model"
                    return
                log.warning("summariser answered in another form")
        told.notes = extract(chunk, before)

    async def _call(self, text: str) -> tuple[str, Usage]:
        request = ModelRequest(
            model=self._policy.summary_model,
            system=INSTRUCTIONS,
            messages=({"role": "user", "content": [{"type": "text", "text": text}]},),
            max_tokens=SUMMARY_TOKENS,
            effort="low",
        )
        said, usage = "", Usage()
        self._point("summary.before_call")
        async with aclosing(self._model.stream(request)) as stream:
            async for each in stream:
                match each:
                    case Said():
                        said += each.text
                    case Finished():
                        usage = each.usage
        self._point("summary.after_call")
        return said, usage

    async def read_thread(self, row: EffectRow, effect: ReadThread) -> Outcome:
        """What humans said in the thread of the turn, without what the store has already."""
        found = await self._store.delivery(effect.turn_id)
        place = found.turn.place
        platform = self._platforms.get(place.platform)
        unreadable = ThreadRead(session_id=row.session_id, turn_id=effect.turn_id, unreadable=True)
        if platform is None:
            return unreadable
        self._point("platform.before_call")
        told = await platform.read_thread(place, effect.limit)
        self._point("platform.after_call")
        if isinstance(told, Unreadable):
            return unreadable
        own = await self._store.history(row.session_id, found.turn.first_seq, found.turn.last_seq, PAGE_MESSAGES)
        known = {each.ref for each in own}
        heard = tuple(
            Message(
                session_id=row.session_id,
                seq=0,
                role=Role.HEARD,
                text=each.text,
                created_ms=each.at_ms,
                author=each.author,
                ref=each.ref,
            )
            for each in told
            if not each.is_bot and each.ref not in known and each.text.strip()
        )
        return replace(unreadable, heard=heard, unreadable=False)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_out=one.tokens_out + other.tokens_out,
        cache_read=one.cache_read + other.cache_read,
        cache_write=one.cache_write + other.cache_write,
        cost=one.cost + other.cost,
    )
