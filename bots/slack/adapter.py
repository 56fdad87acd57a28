"""Slack as a platform: implements the engine's `Platform` port.

Knows: which part does what. A call whose outcome is unclear is reported as not sent once it can be repeated safely:
a post is looked for before it is repeated, a replacement may be repeated anyway. So an hour in which Slack answers with
nothing but errors costs an hour, not the answer. Must not know: payloads, sockets, rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from bots.slack import files, ids, limits, render
from bots.slack.answers import Answers
from bots.slack.directory import Directory
from bots.slack.identity import Identity
from bots.slack.ids import Ref
from bots.slack.lost import LostPlaces
from bots.slack.payload import Payload, text_at
from bots.slack.plan import Plans
from bots.slack.posts import SKEW_MS, Posts
from bots.slack.render import Blocks
from bots.slack.sender import Sender
from bots.slack.sessions import Sessions
from bots.slack.uploads import Uploads
from bots.slack.words import spelled
from bots.slack.words_in import decoded, storable
from bots.slack.writing import Kit, Reader
from core.domain.effects import MarkKind
from core.domain.entities import Card
from core.domain.errors import Ambiguous, BadInput, NotSent, Refused
from core.domain.keys import Audience, PersonKey, Place
from core.engine.ports import Clock, Heard, Limits, Piece, Unreadable

_MARKS = {MarkKind.SEEN: "eyes", MarkKind.WORKING: "hourglass_flowing_sand", MarkKind.STOPPED: "octagonal_sign"}
_FINE = frozenset({"already_reacted", "no_reaction", "message_not_found", "too_many_reactions", "missing_scope"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_READ_PAGES = 5

Reveal = Callable[[str], str]


def _as_it_is(text: str) -> str:
    """Reveal nothing: without keys there are no codes."""
    return text


class SlackPlatform:
    """One workspace. `stopped` is called when Slack's own Stop has ended the stream of a turn."""

    name = ids.PLATFORM
    limits = Limits(
        max_text_chars=limits.ANSWER_MAX_CHARS,
        block_max_chars=limits.BLOCK_MAX_CHARS,
        file_cap_bytes=limits.FILE_CAP_BYTES,
    )

    def __init__(
        self,
        token: str,
        clock: Clock,
        *,
        api_url: str = "",
        language: str = "en",
        reveal: Reveal = _as_it_is,
        stopped: Callable[[str, Reader, Ref], None] | None = None,
    ) -> None:
        self.sender = Sender(token, clock, api_url=api_url)
        self.identity = Identity(self.sender)
        self.directory = Directory(self.sender, clock)
        self.sessions = Sessions(self.sender, clock)
        self.posts = Posts(self.sender, self.identity, clock)
        self.uploads = Uploads(self.sender, self.posts, self.identity, clock)
        self.plans = Plans()
        self.lost = LostPlaces(self.sender, self.directory, language)
        self.stopped: Callable[[str, Reader, Ref], None] = stopped or (lambda _turn, _reader, _ref: None)
        self.reveal = reveal
        self.clock = clock
        self._token = token
        kit = Kit(
            sender=self.sender,
            posts=self.posts,
            sessions=self.sessions,
            clock=clock,
            stopped=self._stopped,
        )
        self.answers = Answers(kit)

    async def close(self) -> None:
        """End what runs by itself, then the connection pool."""
        await self.answers.close()
        await self.lost.close()
        await self.directory.close()
        await self.sender.close()

    # -------------------------------------------------------------------------------------- Platform

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """See `Platform`."""
        del key, reply_to  # the key is made of turn and part, which the piece names
        reader = self._reader(place, piece)
        async with self._repeatable(place, reader.user):
            return str(await self.answers.open(place, piece, reader))

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """See `Platform`."""
        stands = _parsed(ref)
        place = await self._place(stands)
        reader = self._reader(place, piece)
        for file in piece.files:
            await self.uploads.put(place, stands, file)
        async with self._repeatable(place, reader.user):
            return str(await self.answers.write(place, stands, piece, reader))

    async def show(self, place: Place, key: str, card: Card, ref: str) -> str:
        """See `Platform`."""
        steps = card.outline and replace(card.outline, foot=spelled(card.outline.foot))
        shown = replace(card, text=spelled(self.reveal(card.text)), outline=steps)
        user = next((each.for_user for each in card.buttons if each.for_user), "")
        async with self._repeatable(place, user):
            found = await self.plans.show(shown, lambda blocks: self._show(place, key, shown, blocks, ref))
        status = render.session_status(card)
        if status:
            await self.sessions.show(place, status)
        return str(found)

    async def _show(self, place: Place, key: str, card: Card, blocks: Blocks, ref: str) -> Ref:
        text = render.fallback(card.text)
        if ref:
            stands = _parsed(ref)
            try:
                await self.posts.update(stands, key, text, blocks)
            except Refused as error:
                if error.code not in _GONE:
                    raise
                key = f"{key}!{stands.ts}"  # it was deleted: another message takes its place
            else:
                return stands
        return await self.posts.post(place, key, text, blocks)

    async def mark(self, ref: str, mark: MarkKind) -> None:
        """See `Platform`."""
        message = _parsed(ref)
        try:
            await self.sender.call("reactions.add", channel=message.channel, timestamp=message.ts, name=_MARKS[mark])
        except Refused as error:
            if error.code not in _FINE:
                raise

    async def find(self, place: Place, key: str, since_ms: int) -> str | Unreadable | None:
        """See `Platform`."""
        found = await self.posts.find(place, key, ids.ts_of(since_ms - SKEW_MS))
        return str(found) if isinstance(found, Ref) else found

    async def audience(self, place: Place) -> Audience:
        """See `Platform`."""
        try:
            return await self.directory.audience_now(place.channel)
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error

    async def read_thread(self, place: Place, limit: int) -> tuple[Heard, ...] | Unreadable:
        """See `Platform`."""
        try:
            found = await self.posts.read(place, "", pages=_READ_PAGES)
        except (NotSent, Ambiguous, Refused):
            return Unreadable.UNREADABLE
        if isinstance(found, Unreadable):
            return found
        newest = found[-limit:]
        await self.directory.know(text_at(each, "user") for each in newest)
        me = await self.identity.get()
        return tuple(self._heard(each, place, me.bot) for each in newest)

    def _heard(self, message: Payload, place: Place, bot: str) -> Heard:
        user, ts = text_at(message, "user"), text_at(message, "ts")
        is_bot = bool(text_at(message, "bot_id"))
        name = "Rejoinder" if text_at(message, "bot_id") == bot else self.directory.names.get(user, user)
        return Heard(
            author=name or text_at(message, "username") or "bot",
            user=user,
            text=decoded(storable(text_at(message, "text"), limits.ANSWER_MAX_CHARS), self.directory.names),
            ref=str(Ref(channel=place.channel, ts=ts, thread=place.thread or ts)),
            at_ms=ids.ts_ms(ts),
            is_bot=is_bot,
        )

    async def fetch_file(self, handle: str, cap_bytes: int) -> bytes:
        """See `Platform`."""
        return await files.fetch(self.sender, self._token, handle, cap_bytes)

    async def open_private(self, person: PersonKey) -> Place | None:
        """See `Platform`."""
        try:
            return ids.place(person.workspace, await self.directory.direct(person.user))
        except Refused:
            return None
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error

    async def forgotten(self, places: Sequence[Place], before_ms: int) -> None:
        """What was said in `places` is deleted: keep none of it in memory."""
        del before_ms
        for place in places:
            self.sessions.forget(place)
            self.lost.forget(place)
            await self.answers.forget(place)

    # ---------------------------------------------------------------------------------------- inside

    def _stopped(self, turn_id: str, reader: Reader, ref: Ref) -> None:
        self.stopped(turn_id, reader, ref)

    def _reader(self, place: Place, piece: Piece) -> Reader:
        """For whom an answer is: who may stop it, else who wrote last."""
        last = self.lost.reader(place)
        user = next((each.for_user for each in piece.buttons if each.for_user), "")
        if not user or user == last.user:
            return last
        return Reader(user=user, team=place.workspace)

    async def _place(self, ref: Ref) -> Place:
        """The thread that a message of ours stands in."""
        try:
            me = await self.identity.get()
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error
        return ids.place(me.team, ref.channel, ref.thread)

    @asynccontextmanager
    async def _repeatable(self, place: Place, user: str) -> AsyncIterator[None]:
        """A call that looks first: unclear is not sent. A place that is lost is told of."""
        try:
            yield
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error
        except Refused as error:
            self.lost.refused(place, user, error)
            raise
        else:
            self.lost.back(place)


def _parsed(ref: str) -> Ref:
    try:
        return Ref.parse(ref)
    except BadInput as error:
        raise Refused(code="unknown_message", detail="not a message of Slack") from error
