"""The calls that put one part of an answer into Slack, and what each refusal means for the message.

Knows: streams, posts, continuations; the theory is at the head of `answer`. Each step leaves `leaf` saying what surely
stands, so the next step can go on from it. Must not know: when a step is due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from bots.slack import ids, limits, render
from bots.slack.ids import Ref
from bots.slack.leaf import Leaf, Mode, chunks, mark_of
from bots.slack.posts import Posts, stamp
from bots.slack.sender import Sender
from bots.slack.sessions import ACTIVE, PROCESSING, Sessions
from core.domain.entities import Button
from core.domain.errors import Ambiguous, NotSent, Refused
from core.domain.keys import Place
from core.engine.ports import Clock, Piece

STARTS_REFUSED_S = 600.0  # an app that may not stream is asked again after this time
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_ENDED = frozenset({"message_not_in_streaming_state", "stopped_by_user"})
_NO_STREAMS = frozenset({"unknown_method", "missing_scope", "method_not_supported_for_app", "not_authorized"})
LOST_PLACE = frozenset(
    {
        "cannot_reply_to_message",
        "channel_not_found",
        "is_archived",
        "no_permission",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "thread_not_found",
    }
)

log = structlog.get_logger("rejoinder.slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom an answer is; Slack wants to know before it lets us stream in a channel."""

    user: str = ""
    team: str = ""


@dataclass(slots=True, kw_only=True)
class Kit:
    """What every answer writes with. `stopped`: Slack's own Stop has ended the stream of this turn."""

    sender: Sender
    posts: Posts
    sessions: Sessions
    clock: Clock
    stopped: Callable[[str, Reader, Ref], None]
    no_streams_until_s: float = 0.0


class Writing:
    """One part's messages. `leaf` None: nothing stands. Raises what a platform call may raise, never `Ambiguous`
    once something stands.
    """  # noqa: D205

    def __init__(self, kit: Kit, place: Place, key: str, piece: Piece, reader: Reader) -> None:
        self.place = place
        self.key = key
        self.piece = piece
        self.reader = reader
        self.leaf: Leaf | None = None
        self.beat_s = 0.0  # when "processing" was last said for a post
        self._rests = False  # the end of the stream has said that nothing more is written
        self._kit = kit
        self._generation = ""  # of the first message's key: it changes when that message was deleted

    # ------------------------------------------------------------------------------------- progress

    async def begin(self, start: int = 0, roll: int = 0) -> None:
        """A new message that begins at `start`: a stream if we may, else a post."""
        ref = await self._start_stream()
        if ref is not None:
            ref = Ref(channel=ref.channel, ts=ref.ts, thread=ref.thread, start=start, roll=roll)
            self.leaf = Leaf(ref=ref, mode=Mode.STREAM, opened_s=self._kit.clock.monotonic())
            return
        await self.working()
        ref = await self._post(start, roll, "", self.piece.buttons)
        self.leaf = Leaf(ref=ref, mode=Mode.POST)

    async def show(self) -> None:
        """Bring what stands closer to the newest text, without ending anything."""
        leaf = self.leaf
        if leaf is None:
            ref = await self._post(0, 0, "", self.piece.buttons)
            self.leaf = Leaf(ref=ref, mode=Mode.POST)
        elif leaf.mode is Mode.DONE:
            await self.begin(leaf.end, leaf.ref.roll + 1)
        elif leaf.mode is Mode.STREAM:
            more = leaf.more(self.piece.text, whole=False)
            if more is None:
                await self._end_stream(leaf)
            else:
                await self._append(leaf, chunks(more))
        else:
            await self._replace(leaf, mark="")

    async def rotate(self, leaf: Leaf, *, force: bool) -> None:
        """End an old stream at the end of a line (or right here, with `force`); the part goes on in another message."""
        text = self.piece.text
        end = text.rfind("\n") + 1
        more = leaf.more(text, end, whole=True) if end > leaf.start else None
        if more is None and not force:
            return
        if more is None:
            end = len(text)
            more = leaf.more(text, end, whole=True)
        if more is None or not (leaf.said or more):
            await self._end_stream(leaf)
        elif await self._stop(leaf, more, (), mark="", status=PROCESSING):
            leaf.mode, leaf.end = Mode.DONE, end

    async def working(self) -> None:
        """Say that we work, where no stream says it."""
        self.beat_s = self._kit.clock.monotonic()
        await self._kit.sessions.show(self.place, PROCESSING)

    # ----------------------------------------------------------------------------------------- final

    async def step(self) -> bool:
        """One step towards the final text; True when it stands."""
        leaf, text = self.leaf, self.piece.text
        if leaf is None:
            await self._post_next(0, 0)
        elif leaf.mode is Mode.STREAM:
            await self._finish_stream(leaf)
        elif leaf.mode is Mode.POST:
            await self._replace(leaf, mark=self.mark(leaf.start))
        elif leaf.end < len(text):
            await self._post_next(leaf.end, leaf.ref.roll + 1)
        leaf = self.leaf
        return leaf is not None and leaf.mode is Mode.DONE and leaf.end >= len(text)

    async def rest(self) -> None:
        """Nothing more is written: the thread waits for people again."""
        if not self._rests:
            await self._kit.sessions.show(self.place, ACTIVE)

    async def interrupt(self, status: str) -> None:
        """End a living stream as it is, so that nobody sees it work while nobody does."""
        leaf = self.leaf
        if leaf is not None and leaf.mode is Mode.STREAM:
            leaf.mode = Mode.POST
            await self._kit.sender.attempt(
                "chat.stopStream", channel=leaf.ref.channel, ts=leaf.ref.ts, session_status=status
            )

    def mark(self, start: int) -> str:
        """A short name of the whole part as it shall stand."""
        return mark_of(self.piece, start)

    def gone(self, ref: Ref) -> str:
        """The first message was deleted; returns the key of the one that takes its place."""
        self._generation = f"!{ref.ts}"
        self.leaf = None
        return self._key(0)

    async def _finish_stream(self, leaf: Leaf) -> None:
        mark = self.mark(leaf.start)
        if leaf.stopping and await self._stands(leaf.ref, mark):
            leaf.mode, leaf.end = Mode.DONE, len(self.piece.text)
            return
        more = leaf.more(self.piece.text, whole=True)
        if more is None:
            await self._end_stream(leaf)
        elif await self._stop(leaf, more, self.piece.buttons, mark=mark, status=ACTIVE):
            leaf.mode, leaf.end, self._rests = Mode.DONE, len(self.piece.text), True

    async def _post_next(self, start: int, roll: int) -> None:
        """The rest of the part, or as much as one message takes."""
        text = self.piece.text
        end = render.cut(text, start, limits.ANSWER_MAX_CHARS)
        raw = render.stretch(text, start, end)
        ref = await self._post(start, roll, raw, self.piece.buttons if end is None else (), self.mark(start))
        self.leaf = Leaf(ref=ref, mode=Mode.DONE, end=len(text) if end is None else end)

    async def _stands(self, ref: Ref, mark: str) -> bool:
        """Whether a stop whose outcome is unclear has done all of it."""
        found = await self._kit.posts.ours(self.place, ref.ts, inclusive=True)
        return isinstance(found, list) and any(each.ref.ts == ref.ts and each.digest == mark for each in found)

    # ---------------------------------------------------------------------------------------- streams

    async def _start_stream(self) -> Ref | None:
        """An empty stream; None when this answer has to do without."""
        kit, place = self._kit, self.place
        named = self.reader.user or ids.is_direct(place.channel)
        if not place.thread or not named or kit.clock.monotonic() < kit.no_streams_until_s:
            return None
        if kit.sender.budget.wait_s("start", limits.STARTS_A_MINUTE):
            return None
        try:
            answer = await kit.sender.call(
                "chat.startStream",
                channel=place.channel,
                thread_ts=place.thread,
                recipient_team_id=self.reader.team or place.workspace,
                recipient_user_id=self.reader.user,
            )
        except Refused as error:
            if error.code in LOST_PLACE:
                raise
            log.info("no stream here, an ordinary message instead", code=error.code)
            if error.code in _NO_STREAMS:
                kit.no_streams_until_s = kit.clock.monotonic() + STARTS_REFUSED_S
            return None
        except NotSent as error:
            if error.code != "slack_ratelimited":
                raise
            return None
        ts = str(answer.get("ts", ""))
        return Ref(channel=place.channel, ts=ts, thread=place.thread) if ids.is_ts(ts) else None

    async def _append(self, leaf: Leaf, texts: Sequence[str]) -> bool:
        """Append; False when the stream cannot be appended to any more."""
        for text in texts:
            try:
                await self._kit.sender.call(
                    "chat.appendStream", channel=leaf.ref.channel, ts=leaf.ref.ts, markdown_text=text
                )
            except Ambiguous:
                leaf.said = None
                return False
            except Refused as error:
                await self._lost(leaf, error)
                return False
            leaf.said = (leaf.said or "") + text
        return True

    async def _stop(self, leaf: Leaf, more: str, buttons: Sequence[Button], *, mark: str, status: str) -> bool:
        """End a stream with its last text; False when that did not work and the message is to be replaced."""
        *firsts, last = chunks(more) or [""]
        if not await self._append(leaf, firsts):
            return False
        try:
            await self._kit.sender.call(
                "chat.stopStream",
                channel=leaf.ref.channel,
                ts=leaf.ref.ts,
                markdown_text=last,
                blocks=render.rows(buttons) or None,
                metadata=stamp(self._key(leaf.ref.roll), mark),
                session_status=status,
            )
        except Ambiguous as error:
            if not mark:  # between two messages: whatever became of it, the message can be replaced
                leaf.mode = Mode.POST
                return False
            leaf.stopping = True
            raise NotSent(code=error.code, detail=error.detail) from error
        except Refused as error:
            await self._lost(leaf, error)
            return False
        return True

    async def _end_stream(self, leaf: Leaf) -> None:
        """End a stream that cannot be appended to, so that its message can be replaced."""
        try:
            await self._kit.sender.call(
                "chat.stopStream", channel=leaf.ref.channel, ts=leaf.ref.ts, session_status=PROCESSING
            )
        except Ambiguous as error:
            raise NotSent(code=error.code, detail=error.detail) from error
        except Refused as error:
            if error.code in LOST_PLACE:
                raise
            if error.code in _GONE:
                self.gone(leaf.ref)
        leaf.mode = Mode.POST

    async def _lost(self, leaf: Leaf, error: Refused) -> None:
        """A stream has refused: what stands of it, and how to go on."""
        if error.code in LOST_PLACE:
            raise error
        if error.code in _GONE:
            self.gone(leaf.ref)
            return
        if error.code == "stopped_by_user":
            self._kit.stopped(self.piece.turn_id, self.reader, leaf.ref)
        if error.code not in _ENDED:
            await self._end_stream(leaf)
        leaf.mode = Mode.POST
        reached = leaf.reached(self.piece.text)
        if (
            reached is not None
            and reached - leaf.start > limits.UPDATE_MAX_CHARS
            and not leaf.open_fence(self.piece.text, reached)
        ):
            leaf.mode, leaf.end = Mode.DONE, reached

    # ------------------------------------------------------------------------------------------ posts

    async def _replace(self, leaf: Leaf, *, mark: str) -> None:
        """Make a post read like the text; what does not fit goes on in the next message. `mark`: for good."""
        text = self.piece.text
        end = render.cut(text, leaf.start, limits.UPDATE_MAX_CHARS)
        raw = leaf.raw(text, end)
        if not await self._update(leaf, raw, () if end is not None else self.piece.buttons, mark):
            return
        leaf.shown = ids.digest(leaf.raw(text))
        if end is not None or mark:
            leaf.mode, leaf.end = Mode.DONE, len(text) if end is None else end

    async def _update(self, leaf: Leaf, raw: str, buttons: Sequence[Button], mark: str) -> bool:
        blocks = render.answer(raw, buttons, limits.UPDATE_MAX_CHARS)
        key, shown = self._key(leaf.ref.roll), render.fallback(raw)
        for last in (False, True):
            try:
                await self._kit.posts.update(leaf.ref, key, shown, blocks, digest=mark)
            except Refused as error:
                if error.code in _GONE:
                    self.gone(leaf.ref)
                    return False
                if error.code != "streaming_state_conflict" or last:
                    raise
                await self._end_stream(leaf)
            else:
                return True
        return False

    async def _post(self, start: int, roll: int, raw: str, buttons: Sequence[Button], mark: str = "") -> Ref:
        ref = await self._kit.posts.post(
            self.place, self._key(roll), render.fallback(raw), render.answer(raw, buttons), digest=mark
        )
        return Ref(channel=ref.channel, ts=ref.ts, thread=ref.thread, start=start, roll=roll)

    def _key(self, roll: int) -> str:
        return ids.rolled(self.key, roll) + ("" if roll else self._generation)
