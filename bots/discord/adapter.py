"""Discord as a platform: answers, cards and marks by REST, under the contract of `core.engine.ports.Platform`.

Knows: which part does what. Must not know: the gateway's events (see `inbox`), sessions. Every post is made with the
bot's own token, never as an interaction's follow-up: those have no nonce and die after 15 minutes.

An answer is opened by a post under its key, then edited at the editor's rhythm. `write_answer` of a growing piece hands
the text over and returns; of a final piece it returns when the text stands, with its files in the same message, so that
a repeat brings none a second time. A message that Discord lets nobody edit any
more (30046) is followed by a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

import structlog

from bots.discord import faults, ids, render
from bots.discord.aside import Asides
from bots.discord.directory import Directory
from bots.discord.editor import Editor
from bots.discord.faults import Denied
from bots.discord.fields import inside, items, snowflake, switch, text
from bots.discord.files import Files
from bots.discord.render import Body
from bots.discord.rest import Rest
from bots.discord.sender import NONCE_SURE_S, Sender, Standing
from bots.discord.threads import Threads, reply_in
from core.domain.effects import MarkKind
from core.domain.entities import Card
from core.domain.errors import Ambiguous, BadInput, NotSent, OutsideError, Refused
from core.domain.keys import Audience, PersonKey, Place
from core.engine.nofiles import FILE_UNSURE, Tries
from core.engine.ports import AnswerState, Clock, Heard, Limits, Piece, Unreadable

TEXT_MAX_CHARS = 1_900  # of Discord's 2,000: fences and tables need room
BLOCK_MAX_CHARS = 5_500  # three messages
FILE_TRIES_MAX = 3  # half a minute; something on the way may let no file through
FILE_MAX_BYTES = 20_000_000  # DESIGN section 10
THREAD_MAX = 100  # one page

_MARKS = {MarkKind.SEEN: "👀", MarkKind.STOPPED: "⏹️"}
_STARTER = 21  # docs: message types, THREAD_STARTER_MESSAGE
_SPOKEN = (0, 19, _STARTER)

log = structlog.get_logger("rejoinder.discord")


class DiscordPlatform:
    """Implements `Platform`."""

    name = ids.PLATFORM
    limits = Limits(max_text_chars=TEXT_MAX_CHARS, block_max_chars=BLOCK_MAX_CHARS, file_cap_bytes=FILE_MAX_BYTES)

    def __init__(
        self,
        *,
        rest: Rest,
        clock: Clock,
        directory: Directory,
        threads: Threads,
        sender: Sender,
        asides: Asides,
        reveal: render.Reveal,
        language: str,
    ) -> None:
        self.editor = Editor(sender, clock)
        self._rest = rest
        self._clock = clock
        self._directory = directory
        self._threads = threads
        self._sender = sender
        self._asides = asides
        self._reveal = reveal
        self._language = language
        self._files = Files(rest)
        self._tries = Tries(FILE_TRIES_MAX - 1)  # to bring the files of an answer, before the last one

    # ------------------------------------------------------------------------------------- answers

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """See `Platform`."""
        body = self._answer(key, piece)
        standing = await self._put(place, key, body, reply_to=reply_to, times=_times(key, reply_to))
        if piece.state is AnswerState.STREAMING:
            self.editor.standing(standing.channel, standing.id, body)
        return ids.ref(standing.channel, standing.id)

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """See `Platform`."""
        channel, message = _ours(ref)
        key = f"{piece.turn_id}:{piece.n}"
        body = self._answer(key, piece)
        if piece.state is AnswerState.STREAMING:
            self.editor.write(channel, message, body)
            return ref
        try:
            await self.editor.settle(channel, message, body, piece.files)
        except NotSent as late:
            if piece.files and isinstance(late.__cause__, Ambiguous) and self._tries.too_many(ref):
                detail = "the files of an answer do not reach Discord"
                raise Refused(code=FILE_UNSURE, detail=detail) from late
            raise
        except Denied as no:
            if no.number != faults.OLD_EDITS:
                raise
            name = f"{key}:after:{message}"
            standing = await self._sender.post(channel, name, body, reply_to=message, files=piece.files)
            return ids.ref(standing.channel, standing.id)
        return ref

    def _answer(self, key: str, piece: Piece) -> Body:
        return render.body(piece.text, piece.buttons, key=key, language=self._language)

    # --------------------------------------------------------------------------------------- cards

    async def show(self, place: Place, key: str, card: Card, ref: str) -> str:
        """See `Platform`."""
        body = render.body(self._reveal(card.text), card.buttons, key=key, language=self._language)
        if not ref:
            standing = await self._put(place, key, body, silent=True)
            return ids.ref(standing.channel, standing.id)
        channel, message = _ours(ref)
        try:
            await self._sender.edit(channel, message, body)
        except Denied as no:
            if no.number not in (faults.OLD_EDITS, faults.UNKNOWN_MESSAGE):
                raise
            standing = await self._put(place, f"{key}:after:{message}", body, silent=True)
            with suppress(OutsideError):  # two cards are ugly, none would be wrong
                await self._sender.delete(channel, message)
            return ids.ref(standing.channel, standing.id)
        return ref

    async def _put(
        self,
        place: Place,
        key: str,
        body: Body,
        *,
        reply_to: str = "",
        times: tuple[int, ...] = (),
        silent: bool = False,
    ) -> Standing:
        """Post once under the key, in the thread of the place, and make what was posted before read the same."""
        channel = await self._threads.channel(place)
        marked = body if body.get("components") else {**body, "content": f"{body['content']}{ids.unseen(key)}"}
        standing = None
        if times and self._clock.now_ms() - max(times) > NONCE_SURE_S * 1000:
            standing = await self._look(channel, key, min(times), reply_in(channel, reply_to), body)
        if standing is None:
            standing = await self._post(place, channel, key, marked, reply_to=reply_to, silent=silent)
        self._directory.joins(standing.channel)
        if standing.content not in (body["content"], marked["content"]):
            await self._sender.edit(standing.channel, standing.id, body)
        return standing

    async def _post(self, place: Place, channel: str, key: str, body: Body, *, reply_to: str, silent: bool) -> Standing:
        try:
            return await self._sender.post(channel, key, body, reply_to=reply_in(channel, reply_to), silent=silent)
        except Denied as no:
            if no.status != HTTPStatus.NOT_FOUND or channel != place.thread:
                raise
        channel = await self._threads.open(place)
        return await self._sender.post(channel, key, body, reply_to=reply_in(channel, reply_to), silent=silent)

    async def _look(self, channel: str, key: str, since_ms: int, reply_to: str, body: Body) -> Standing | None:
        """Beyond the nonce's time: was it posted? A place that cannot be read, or is not there yet, has nothing."""
        content = body.get("content")
        said = content if isinstance(content, str) and len(content) > 1 else ""
        try:
            return await self._sender.find(channel, key, since_ms, reply_to=reply_to, content=said)
        except Denied:
            return None

    # --------------------------------------------------------------------------------------- signs

    async def mark(self, ref: str, mark: MarkKind) -> None:
        """See `Platform`; it fails quietly."""
        channel, message = _ours(ref)
        try:
            if mark is MarkKind.WORKING:
                await self._rest.call("POST", f"/channels/{channel}/typing", patience_s=0.0)
                return
            path = f"/channels/{channel}/messages/{message}/reactions/{quote(_MARKS[mark])}/@me"
            await self._rest.call("PUT", path, patience_s=5.0)
        except OutsideError as error:
            log.debug("discord_not_marked", code=error.code)

    # ------------------------------------------------------------------------------------- looking

    async def find(self, place: Place, key: str, since_ms: int) -> str | Unreadable | None:
        """See `Platform`."""
        # Where no thread could be opened, the channel itself has it.
        for channel in dict.fromkeys((ids.channel_of(place), place.channel)):
            try:
                standing = await self._sender.find(channel, key, since_ms)
            except Denied as no:
                if no.number in faults.NO_ACCESS or not no.number:
                    return Unreadable.UNREADABLE
                if no.number == faults.UNKNOWN_CHANNEL:
                    continue
                raise
            return None if standing is None else ids.ref(standing.channel, standing.id)
        return None

    async def audience(self, place: Place) -> Audience:
        """See `Platform`."""
        return await self._directory.audience(place)

    async def read_thread(self, place: Place, limit: int) -> tuple[Heard, ...] | Unreadable:
        """See `Platform`. Where we may not read what people say, every line of theirs is empty: that is unreadable."""
        try:
            page = await self._sender.page(ids.channel_of(place), limit=min(limit, THREAD_MAX))
        except Denied:
            return Unreadable.UNREADABLE
        heard = [each for each in (self._heard(raw) for raw in page) if each is not None]
        people = [each for each in heard if not each.is_bot]
        if people and not any(each.text for each in people):
            return Unreadable.UNREADABLE
        return tuple(each for each in heard if each.text)

    def _heard(self, raw: Body) -> Heard | None:
        kind = raw.get("type")
        if kind not in _SPOKEN:
            return None
        said = inside(raw, "referenced_message") if kind == _STARTER else raw
        author = inside(said, "author")
        name = text(author, "global_name") or text(author, "username")
        words = text(said, "content") or ", ".join(text(each, "filename") for each in items(said, "attachments"))
        return Heard(
            author=name,
            user=snowflake(author, "id"),
            text=words,
            ref=ids.ref(snowflake(said, "channel_id"), snowflake(said, "id")),
            at_ms=ids.made_ms(snowflake(said, "id") or "0"),
            is_bot=switch(author, "bot"),
        )

    async def fetch_file(self, handle: str, cap_bytes: int) -> bytes:
        """See `Platform`."""
        return await self._files.fetch(handle, cap_bytes)

    async def open_private(self, person: PersonKey) -> Place | None:
        """See `Platform`."""
        return await self._asides.open_private(person)

    async def forgotten(self, places: Sequence[Place], before_ms: int) -> None:
        """What was said in `places` is deleted: nothing of it is kept here but what waits to be written."""
        del before_ms
        for place in places:
            self._threads.forget(place.thread)


def _ours(ref: str) -> tuple[str, str]:
    try:
        return ids.parse_ref(ref)
    except BadInput as error:
        raise Refused(code="message_gone", detail=error.detail) from error


def _times(key: str, reply_to: str) -> tuple[int, ...]:
    """Before which times what is posted under `key` was surely not posted; none when nobody knows.

    Not before its turn, with whose id the key begins: a ULID, that begins with its time by our clock. Not before what
    it answers, by Discord's clock.
    """
    times = [ids.ulid_ms(key.partition(":")[0])]
    with suppress(BadInput):
        if reply_to:
            times.append(ids.made_ms(ids.parse_ref(reply_to)[1]))
    return tuple(each for each in times if each is not None)
