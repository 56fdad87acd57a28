"""The built-in chat as a platform: posts, edits and marks on a durable board, and everybody told at once.

Knows: the board, who sees what, and the text of answers that are still being written. Must not know: HTTP.
An answer is durable when it is opened and when it is final; between the two its text is in memory only,
because the engine's draft is what survives. Private answers are in memory for an hour, marks until the next
start.

A card of ours is on the board with the placeholder of a resume code; the code itself is put in while it is shown.

Corner cases: a post of ours in a thread that has no post yet becomes its root (a command may open a thread
that nobody else wrote in), and so does a post to a channel as such; a repeated call under the same key
finds its post.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog

from bots.local import attached, ids, render, wire
from bots.local.hub import Hub
from bots.local.rooms import THREAD_LIMIT, Rooms, audience
from bots.local.whispers import Whisper, Whispers
from core.domain.effects import MarkKind
from core.domain.entities import Button, Card, FileCopy
from core.domain.errors import Ambiguous, Closing, NotSent, Refused, StoreError, StoreFull
from core.domain.keys import Audience, PersonKey, Place
from core.engine.lanes import Lanes
from core.engine.ports import (
    AnswerState,
    Board,
    Clock,
    Heard,
    Intake,
    Limits,
    Piece,
    Post,
    ThreadLine,
    Unreadable,
)

TEXT_MAX_CHARS = 100_000  # more than any model says in one answer, so an answer is one message
BLOCK_MAX_CHARS = 20_000  # the page scrolls, and has a button that copies a block
FULL_RETRY_MS = 5_000  # a full disk is looked at again after this time
FILLED_LIMIT = 100  # as many as are read when the bot is called into a thread
THREADS_LIMIT = 500  # threads in the list on the left
_MARKS_KEPT = 10_000
_ROOTS_KEPT = 10_000

log = structlog.get_logger("rejoinder.local")


@contextmanager
def _outside(now_ms: int) -> Iterator[None]:
    """A platform call raises only what the port allows; the board is this platform's server."""
    try:
        yield
    except (StoreFull, Closing) as error:
        raise NotSent(code=f"board_{error.code}", detail=error.detail, retry_ms=now_ms + FULL_RETRY_MS) from error
    except StoreError as error:
        raise Ambiguous(code=f"board_{error.code}", detail=error.detail) from error


class LocalPlatform:
    """The built-in chat; implements `Platform`. `board` is its server, `clock` gives the time of posts.

    `reveal` puts resume codes in the place of their placeholders, for the moment of showing.
    """

    name = ids.PLATFORM
    limits = Limits(max_text_chars=TEXT_MAX_CHARS, block_max_chars=BLOCK_MAX_CHARS, file_cap_bytes=wire.FILE_MAX_BYTES)

    def __init__(self, board: Board, clock: Clock, reveal: Callable[[str], str] = str) -> None:
        self.hub = Hub()
        self.rooms = Rooms(board)
        self.whispers = Whispers(clock.monotonic)
        self.clock = clock
        self.reveal = reveal
        self._board = board
        self._live: dict[str, Post] = {}
        self._marks: OrderedDict[str, str] = OrderedDict()
        self._roots = Lanes()  # two posts of ours in one thread: only the first can become its root
        self._rooted: OrderedDict[str, None] = OrderedDict()  # threads that are known to have one

    # ------------------------------------------------------------------------------- Platform

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """See `Platform`."""
        with _outside(self.clock.now_ms()):
            new = self._new(place, key, piece.text, piece.buttons)
            post, fresh = await self._put_ours(replace(new, state=piece.state.value, reply_to=reply_to))
            return await self._write(post, piece, stored=fresh)

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """See `Platform`."""
        with _outside(self.clock.now_ms()):
            return await self._write(await self._ours(ref), piece)

    async def show(self, place: Place, key: str, card: Card, ref: str) -> str:
        """See `Platform`."""
        with _outside(self.clock.now_ms()):
            if ref:
                stands = await self._ours(ref)
            else:
                new = replace(self._new(place, key, card.text, card.buttons), card=True, outline=card.outline)
                stands, _ = await self._put_ours(new)
            post = replace(
                stands, text=card.text, buttons=card.buttons, outline=card.outline, state=AnswerState.DONE.value
            )
            if post != stands:
                await self._board.edit(post)
            await self.tell(post)
            return post.id

    async def mark(self, ref: str, mark: MarkKind) -> None:
        """See `Platform`; in memory only, it is a sign of the moment."""
        with _outside(self.clock.now_ms()):
            self._marks[ref] = mark.value
            if len(self._marks) > _MARKS_KEPT:
                self._marks.popitem(last=False)
            post = await self._board.get(ref)
            if post is not None:
                await self.tell(self.as_it_stands(post))

    async def find(self, place: Place, key: str, since_ms: int) -> str | Unreadable | None:
        """See `Platform`; the board always knows, wherever and whenever it was."""
        del place, since_ms
        with _outside(self.clock.now_ms()):
            post = await self._board.find(ids.bot_key(key))
            return None if post is None else post.id

    async def audience(self, place: Place) -> Audience:
        """See `Platform`."""
        return audience(place)

    async def read_thread(self, place: Place, limit: int) -> tuple[Heard, ...] | Unreadable:
        """See `Platform`."""
        with _outside(self.clock.now_ms()):
            posts = await self._board.thread(place, limit)
        return tuple(
            Heard(
                author=post.author or ids.BOT_NAME,
                user=post.author,
                text=self.as_it_stands(post).text,
                ref=post.id,
                at_ms=post.created_ms,
                is_bot=not post.author,
            )
            for post in posts
        )

    async def fetch_file(self, handle: str, cap_bytes: int) -> bytes:
        """See `Platform`."""
        with _outside(self.clock.now_ms()):
            copy = await self._board.file(handle)
        if copy is None:
            raise Refused(code="file_gone", detail="the board does not have it")
        data = base64.b64decode(copy.data)
        if len(data) > cap_bytes:
            raise Refused(code="too_large", detail=f"{len(data)} bytes")
        return data

    async def open_private(self, person: PersonKey) -> Place | None:
        """See `Platform`; the person's own channel, where every post begins a thread."""
        return Place(platform=self.name, workspace=person.workspace, channel=ids.board_channel(person.user, ids.DM))

    async def forgotten(self, places: Sequence[Place], before_ms: int) -> None:
        """See `Platform`; open pages are told, so that they drop what they show."""
        for place in places:
            for post_id in [each.id for each in self._live.values() if each.place == place]:
                del self._live[post_id]
            self.whispers.forget(place, before_ms)
            self._rooted.pop(place.thread, None)
            await self._tell_threads(place, "forgotten")
            self.rooms.forget(place)

    # -------------------------------------------------------------------------- people's side

    async def put(self, post: Post, files: tuple[FileCopy, ...] = ()) -> Post:
        """Put a person's post on the board, once per key."""
        stored = await self._board.put(post, files)
        self._note_root(stored)
        self.rooms.heard(stored)
        await self.tell(stored)
        await self._tell_threads(stored.place)
        return stored

    async def take(self, post: Post) -> None:
        """Note that the engine has the post."""
        await self._board.take(post.id)
        await self.tell(self.as_it_stands(replace(post, taken=True)))

    async def root(self, thread: str) -> Post | None:
        """The first post of a thread, which has the thread's id; None when there is no such thread."""
        post = await self._board.get(thread)
        return post if post is not None and post.place.thread == thread else None

    async def post(self, post_id: str) -> Post | None:
        """A post as it stands now."""
        post = await self._board.get(post_id)
        return None if post is None else self.as_it_stands(post)

    async def by_key(self, key: str) -> Post | None:
        """The post that was put under this key."""
        return await self._board.find(key)

    async def posts(self, place: Place, limit: int = THREAD_LIMIT) -> tuple[Post, ...]:
        """The newest posts of a thread as they stand now, oldest first."""
        return tuple(self.shown(self.as_it_stands(post)) for post in await self._board.thread(place, limit))

    async def threads(self, workspace: str, person: str) -> tuple[ThreadLine, ...]:
        """The threads of a workspace that `person` can read, latest first."""
        lines = await self._board.threads(workspace, THREADS_LIMIT)
        return tuple([line for line in lines if (await self.rooms.readable_by(line.place))(person)])

    async def whisper(self, line: Whisper) -> None:
        """Say something to one person only."""
        self.whispers.keep(line)
        if line.shown:
            shown = render.whisper(line)
            self.hub.tell("private", line.id, lambda person: shown if person == line.to.user else None)

    async def tell(self, post: Post) -> None:
        """Show a post to everybody who looks and may see it."""
        sees, post = await self.rooms.readable_by(post.place), self.shown(post)
        self.hub.tell("message", post.id, lambda person: render.message(post, person) if sees(person) else None)

    async def catch_up(self, intake: Intake) -> int:
        """Give the engine what people said and it has not taken, oldest first; returns how many.

        Raises `StoreFull` or `Closing`; what is left stays on the board for the next start.
        """
        count = 0
        for post in await self._board.untaken():
            opener, filled = await self.opener(post), await self.filled(post)
            event = wire.message_received(post, opener=opener, filled=filled, caught_up=True)
            try:
                await intake.accept(event)
            except (StoreFull, Closing):
                raise
            except Exception:  # an adapter's listener: one message that cannot be taken must not hold up the rest
                log.exception("local_catch_up_failed", message=post.id)
                continue
            await self.take(post)
            count += 1
        if count:
            log.info("local_caught_up", messages=count)
        return count

    async def opener(self, post: Post) -> str:
        """Who began the thread of a post, "" when the bot did."""
        if post.id == post.place.thread:
            return post.author
        root = await self.root(post.place.thread)
        return post.author if root is None else root.author

    async def filled(self, post: Post) -> bool:
        """Whether other people had spoken in the thread of a post before it."""
        if ids.is_dm(post.place) or post.id == post.place.thread:
            return False
        before = await self._board.thread(post.place, FILLED_LIMIT)
        return any(each.author not in ("", post.author) and each.n < post.n for each in before)

    def as_it_stands(self, post: Post) -> Post:
        """The stored post with what only memory knows: the text being written, the mark."""
        post = self._live.get(post.id, post)
        return replace(post, mark=self._marks[post.id]) if post.id in self._marks else post

    def shown(self, post: Post) -> Post:
        """A post as people read it; only in cards of ours is anything revealed."""
        return replace(post, text=self.reveal(post.text)) if post.card else post

    def close(self) -> None:
        """End everybody's stream."""
        self.hub.close()

    # --------------------------------------------------------------------------------- inside

    def _new(self, place: Place, key: str, text: str, buttons: tuple[Button, ...]) -> Post:
        return Post(
            id=ids.derived_id(ids.bot_key(key)),
            key=ids.bot_key(key),
            place=place,
            author="",
            text=text,
            state=AnswerState.DONE.value,
            buttons=buttons,
            created_ms=self.clock.now_ms(),
        )

    async def _put_ours(self, post: Post) -> tuple[Post, bool]:
        """Put a post of ours once per key, and say whether it is new; it becomes a missing root."""
        async with self._roots.enter(post.place.thread or post.id):
            if not post.place.thread:
                post = replace(post, place=replace(post.place, thread=post.id))
            elif post.place.thread not in self._rooted and await self.root(post.place.thread) is None:
                post = replace(post, id=post.place.thread)
            stored = await self._board.put(post)
        if stored != replace(post, n=stored.n):
            return stored, False  # it stands there under this key since an earlier call
        self._note_root(stored)
        self.rooms.heard(stored)
        await self._tell_threads(stored.place)
        return stored, True

    def _note_root(self, post: Post) -> None:
        self._rooted[post.place.thread] = None
        if len(self._rooted) > _ROOTS_KEPT:
            self._rooted.popitem(last=False)

    async def _ours(self, ref: str) -> Post:
        post = self._live.get(ref) or await self._board.get(ref)
        if post is None or post.author:
            raise Refused(code="unknown_message", detail="no such post of ours")
        return post

    async def _write(self, stands: Post, piece: Piece, *, stored: bool = False) -> str:
        """Bring a post of ours up to date; durably, unless it is `stored` like this or still being written."""
        post = replace(stands, text=piece.text, state=piece.state.value, buttons=piece.buttons)
        post = replace(post, files=attached.refs(post.id, piece.files))
        streaming = piece.state is AnswerState.STREAMING
        if not stored and (not streaming or stands.state != piece.state.value):
            await self._board.edit(post, attached.copies(post.id, piece.files))
        if streaming:
            self._live[post.id] = post
        else:
            self._live.pop(post.id, None)
        await self.tell(post)
        if not streaming:
            await self._tell_threads(post.place)
        return post.id

    async def _tell_threads(self, place: Place, event: str = "threads") -> None:
        sees = await self.rooms.readable_by(place)
        shown: render.Shown = {"workspace": place.workspace, "thread": place.thread}
        subject = place.workspace if event == "threads" else place.thread
        self.hub.tell(event, subject, lambda person: shown if sees(person) else None)
