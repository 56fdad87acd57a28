"""The performers that write to a platform: answers, cards, marks, files.

Knows: an answer is one or more parts, each a platform message that is opened once and then edited; the live text is
followed until the turn is final. After a crash it looks first, then goes on in the same message under the same key.
A further part is opened only when the text that makes it necessary is saved: else a crash could leave a message that
the shorter text after it does not reach. What is better as a file comes with the last part, once the answer is final;
where it cannot, it stays text.
Must not know: which platform it is.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from core.domain.decision import Policy
from core.domain.effects import Deliver, FetchFile, Mark, ShowCard
from core.domain.entities import Card, EffectRow, Part, TurnState
from core.domain.errors import Refused
from core.domain.events import CardShown, Delivered, EffectDone, FileFetched, Outcome
from core.domain.keys import Place
from core.domain.rules.attaching import certain, unsure, with_files
from core.domain.rules.present import Shown, present
from core.domain.rules.split import next_start, part_text
from core.engine.live import LiveAnswer, LiveAnswers
from core.engine.nofiles import FILE_UNSURE, NoFiles
from core.engine.points import Point
from core.engine.ports import AnswerState, Clock, Piece, Platform, Store, Unreadable

T = TypeVar("T")

MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/json")

NOTHING_MORE = "…"  # a further part of an answer that became shorter: no platform takes an empty message

_STATES = {
    TurnState.OPEN: AnswerState.STREAMING,
    TurnState.STOPPING: AnswerState.STREAMING,
    TurnState.ANSWERED: AnswerState.DONE,
    TurnState.STOPPED: AnswerState.STOPPED,
    TurnState.FAILED: AnswerState.FAILED,
}


@dataclass(slots=True)
class _Standing:
    """A part as it stands on the platform."""

    part: Part
    piece: Piece | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """An answer as it shall stand now, on a platform where a block of more than `most_chars` is a file (0: none is)."""

    shown: Shown
    most_chars: int
    language: str

    def safe(self, saved_chars: int) -> str:
        """What a crash would leave of it."""
        return certain(self.shown, saved_chars, self.most_chars, self.language)


class _StaysTextError(Exception):
    """The platform has refused the files of an answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Delivering:
    """Carries visible effects out. Raises what the platform raises."""

    def __init__(
        self,
        store: Store,
        platforms: Mapping[str, Platform],
        policy: Policy,
        live: LiveAnswers,
        clock: Clock,
        point: Point,
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._policy = policy
        self._live = live
        self._clock = clock
        self._point = point
        self._following: dict[str, tuple[LiveAnswer, int]] = {}
        self._no_files = NoFiles(clock)

    def idle(self, effect_id: str) -> bool:
        """Whether this delivery shows all there is, and waits for an answer to go on."""
        live, version = self._following.get(effect_id, (None, 0))
        return live is not None and live.version == version

    def _platform(self, name: str) -> Platform:
        try:
            return self._platforms[name]
        except KeyError:
            raise Refused(code="platform_gone", detail=name) from None

    async def deliver(self, row: EffectRow, effect: Deliver) -> Outcome:
        """Follow the turn until its answer is final and stands in its place."""
        found = await self._store.delivery(effect.turn_id)
        live = self._live.open(found.turn, found.text)
        platform = self._platform(live.turn.place.platform)
        standing = [_Standing(part=each) for each in found.parts]
        language = found.language or self._policy.language
        refused = before = ""
        while True:
            version = live.version
            view = self._view(platform, live, language, refused)
            if standing and not view.shown.text.startswith(before[: standing[-1].part.start]):
                _cut_anew(standing, view.shown.text, platform.limits.max_text_chars)
            before = view.shown.text
            try:
                await self._bring_up(platform, live, view, standing, again=row.attempt > 1)
            except _StaysTextError as no:
                refused = no.code
                continue
            if view.shown.final and live.version == version:
                self._live.close(effect.turn_id)
                return Delivered(
                    turn_id=effect.turn_id, parts=tuple(replace(each.part, final=True) for each in standing)
                )
            self._following[row.id] = (live, version)
            try:
                await live.newer_than(version)
            finally:
                del self._following[row.id]

    def _view(self, platform: Platform, live: LiveAnswer, language: str, refused: str) -> _View:
        """What shall stand now; `refused`: why the files of this answer stay text."""
        shown = present(live.turn, live.text, language)
        if refused or self._no_files.at(live.turn.place):
            return _View(unsure(shown, language) if refused == FILE_UNSURE and shown.final else shown, 0, language)
        most_chars = platform.limits.block_max_chars
        return _View(with_files(shown, most_chars, language), most_chars, language)

    async def _bring_up(
        self, platform: Platform, live: LiveAnswer, view: _View, standing: list[_Standing], *, again: bool
    ) -> None:
        """Make every part read what it shall read now, opening parts that are missing."""
        n, shown = 0, view.shown
        start: int | None = standing[0].part.start if standing else 0
        most = platform.limits.max_text_chars
        live.held_back = False
        while start is not None:
            if n + 1 < len(standing) and standing[n + 1].part.start < len(shown.text):
                following: int | None = standing[n + 1].part.start
            else:
                following = None if n + 1 < len(standing) else next_start(shown.text, start, most)
                live.held_back = following is not None and next_start(view.safe(live.saved_chars), start, most) is None
            last = following is None or live.held_back
            piece = Piece(
                turn_id=live.turn.id,
                n=n,
                text=part_text(shown.text, start, following),
                state=_STATES[shown.state] if last else AnswerState.DONE,
                buttons=shown.buttons if last else (),
                files=shown.files if last else (),
            )
            if n == len(standing):
                part = Part(turn_id=live.turn.id, n=n, ref="", start=start)
                standing.append(_Standing(part=part))
            await self._write(platform, live, standing[n], piece, again=again)
            start, n = None if live.held_back else following, n + 1
        if shown.final:
            for left in standing[n:]:
                piece = Piece(turn_id=live.turn.id, n=left.part.n, text=NOTHING_MORE, state=AnswerState.DONE)
                await self._write(platform, live, left, piece, again=again)

    async def _write(
        self, platform: Platform, live: LiveAnswer, standing: _Standing, piece: Piece, *, again: bool
    ) -> None:
        if standing.piece == piece:
            return
        ref = standing.part.ref
        if not ref:
            ref = await self._open(platform, live, replace(piece, files=()), again=again)
            standing.part = replace(standing.part, ref=ref)
            if piece.state is not AnswerState.STREAMING:
                ref = await self._rewrite(platform, live, ref, piece)
        else:
            ref = await self._rewrite(platform, live, ref, piece)
        standing.piece = piece
        standing.part = replace(standing.part, ref=ref, confirmed_chars=len(piece.text))
        self._live.part(standing.part)

    async def _rewrite(self, platform: Platform, live: LiveAnswer, ref: str, piece: Piece) -> str:
        try:
            return await self._call(platform.write_answer(ref, piece))
        except Refused as no:
            if not piece.files:
                raise
            self._no_files.refused(live.turn.place, no)
            raise _StaysTextError(no.code) from no

    async def _open(self, platform: Platform, live: LiveAnswer, piece: Piece, *, again: bool) -> str:
        key = f"{piece.turn_id}:{piece.n}"
        if again:
            found = await self._look(platform, live.turn.place, key, live.turn.created_ms)
            if found:
                return await self._call(platform.write_answer(found, piece))
        reply_to = live.turn.reply_to if piece.n == 0 else ""
        return await self._call(platform.open_answer(live.turn.place, key, reply_to, piece))

    async def show(self, row: EffectRow, effect: ShowCard) -> Outcome:
        """Bring a card up to its wanted version."""
        card = await self._store.card(row.session_id, effect.card_key)
        platform = self._platform(card.place.platform)
        card = await self._placed(platform, card)
        key = f"{card.session_id}:{card.key}:{card.place}"
        ref = card.ref
        if not ref and row.attempt > 1:
            ref = await self._look(platform, card.place, key, card.created_ms)
        ref = await self._call(platform.show(card.place, key, card, ref))
        return CardShown(
            session_id=row.session_id,
            card_key=card.key,
            version=card.wanted_version,
            ref=ref,
            place=str(card.place),
        )

    async def _placed(self, platform: Platform, card: Card) -> Card:
        """The card with the place where it is shown: a person's private one when it is meant for one person."""
        if card.recipient is None or card.ref:
            return card
        place = await self._call(platform.open_private(card.recipient))
        return card if place is None else replace(card, place=place)

    async def mark(self, row: EffectRow, effect: Mark) -> Outcome:
        """Put a sign on a message."""
        await self._platform(effect.platform).mark(effect.ref, effect.mark)
        return EffectDone(session_id=row.session_id)

    async def fetch(self, row: EffectRow, effect: FetchFile) -> Outcome:
        """Copy an attachment of a kind that the model understands."""
        if not (effect.media_type in MEDIA_TYPES or effect.media_type.startswith("text/")):
            raise Refused(code="file_type", detail=effect.media_type)
        platform = self._platform(effect.platform)
        data = await self._call(platform.fetch_file(effect.handle, platform.limits.file_cap_bytes))
        return FileFetched(
            session_id=row.session_id,
            file_id=effect.file_id,
            media_type=effect.media_type,
            data=base64.b64encode(data).decode(),
        )

    async def _look(self, platform: Platform, place: Place, key: str, since_ms: int) -> str:
        found = await self._call(platform.find(place, key, since_ms))
        return found if isinstance(found, str) and not isinstance(found, Unreadable) else ""

    async def _call(self, call: Awaitable[T]) -> T:
        """A platform call between its two crash points."""
        self._point("platform.before_call")
        result = await call
        self._point("platform.after_call")
        return result


def _cut_anew(standing: Sequence[_Standing], text: str, most_chars: int) -> None:
    """The text is another one, not only longer: its parts begin elsewhere."""
    start = standing[0].part.start
    for each in standing[1:]:
        start = next_start(text, start, most_chars) or len(text)
        each.part = replace(each.part, start=start)
