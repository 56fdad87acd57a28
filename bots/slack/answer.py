"""One part of an answer on its way into Slack: shown while it grows, exact when it is final.

Theory. The engine gives the whole text of the part again and again, the latest wins. It stands in one message (a
`Leaf`), or in several when a stream grew too old or a replaced message too long. Progress is paced and may be skipped;
the final text is not. An append has no way to be repeated safely, so after an unclear one the stream is ended and the
message is replaced as a whole. After a restart nothing is known but the message's name: it is looked at, what stands
complete is left alone, messages that went on from it without our noticing are taken away, and it is replaced.
A timer of its own ends a stream before Slack does (240 s), also when the model says nothing.

Knows: when a step is due. Must not know: how a step is made (`writing`), turns, cards, events.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bots.slack import ids, limits
from bots.slack.ids import Ref
from bots.slack.leaf import Leaf, Mode
from bots.slack.posts import Standing
from bots.slack.writing import Kit, Reader, Writing
from core.domain.errors import Ambiguous, NotSent, OutsideError, Refused
from core.domain.keys import Place
from core.engine.ports import AnswerState, Piece, Unreadable

STEPS_MAX = 80  # towards one final part; 12,000 characters in messages of 4,000 need ten
SILENCE_S = 2_700.0  # nobody has written for this long: whoever wrote is gone (a model is waited for 30 min)
_YOUNG_MS = 200_000  # an empty stream of this age can still be used


class Answer:
    """One part. `open` or `adopt` it, then `progress`, at the end `finish`. Raises `Refused` and `NotSent`."""

    def __init__(self, kit: Kit, place: Place, piece: Piece, reader: Reader) -> None:
        self._kit = kit
        self._writing = Writing(kit, place, f"{piece.turn_id}:{piece.n}", piece, reader)
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._pacing: asyncio.Task[None] | None = None
        self._failed: OutsideError | None = None
        self._due_s = 0.0
        self._heard_s = kit.clock.monotonic()

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self._writing.place

    @property
    def piece(self) -> Piece:
        """What it shall read."""
        return self._writing.piece

    @property
    def ref(self) -> Ref:
        """The message that holds the end of the part."""
        if self._writing.leaf is None:
            raise NotSent(code="slack_message_gone")
        return self._writing.leaf.ref

    # --------------------------------------------------------------------------------- from outside

    async def open(self) -> Ref:
        """Open the live message: an empty stream, else a small post."""
        await self._kit.sessions.name(self.place)
        await self._writing.begin()
        self._run()
        return self.ref

    async def adopt(self, ref: Ref) -> bool:
        """Go on with a message of an earlier process; True when everything stands there already."""
        writing = self._writing
        leaf = writing.leaf = Leaf(ref=ref, mode=Mode.POST)
        found = await self._kit.posts.ours(self.place, ref.ts, inclusive=True)
        if isinstance(found, Unreadable):
            return False
        own = next((each for each in found if each.ref.ts == ref.ts), None)
        final = self.piece.state is not AnswerState.STREAMING
        if own is not None and final and own.digest == writing.mark(ref.start):
            leaf.mode, leaf.end = Mode.DONE, len(self.piece.text)
            return True
        for each in found:
            if each.ref.ts != ref.ts and self._strays(each, own):
                await self._kit.posts.delete(each.ref)
        if own is None:
            key = writing.gone(ref)
            heir = next((each for each in found if each.key == key), None)
            writing.leaf = None if heir is None else Leaf(ref=heir.ref, mode=Mode.POST)
        elif not own.text and not own.key and self._age_ms(ref) < _YOUNG_MS:
            leaf.mode, leaf.opened_s = Mode.STREAM, self._kit.clock.monotonic() - self._age_ms(ref) / 1000
        return False

    async def progress(self, piece: Piece) -> Ref:
        """There is more to show; it is shown when it is time."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        self._writing.piece = piece
        self._heard_s = self._kit.clock.monotonic()
        if self._writing.leaf is None:
            async with self._lock:
                await self._writing.show()
        self._run()
        self._wake.set()
        return self.ref

    async def finish(self, piece: Piece) -> Ref:
        """Make the part read exactly like this, with its buttons."""
        await self.stop()
        async with self._lock:
            writing = self._writing
            writing.piece = piece
            for _ in range(STEPS_MAX):
                if await writing.step():
                    break
            else:
                raise Refused(code="slack_unfinished", detail="the text does not come to rest")
            await writing.rest()
            return self.ref

    async def stop(self) -> None:
        """Show nothing more by itself."""
        pacing, self._pacing = self._pacing, None
        if pacing is None:
            return
        async with self._lock:  # never in the middle of a call: its outcome would be unclear
            pacing.cancel()
        with suppress(asyncio.CancelledError):
            await pacing

    async def interrupt(self, status: str) -> None:
        """The process ends: show nothing more, and do not look as if we worked."""
        await self.stop()
        await self._writing.interrupt(status)

    # --------------------------------------------------------------------------------------- pacing

    def _run(self) -> None:
        if self._pacing is None or self._pacing.done():
            self._pacing = asyncio.create_task(self._pace(), name="slack answer")

    async def _pace(self) -> None:
        clock = self._kit.clock
        while clock.monotonic() - self._heard_s < SILENCE_S:
            await self._sleep(self._next_s() - clock.monotonic())
            async with self._lock:
                try:
                    await self._tick(clock.monotonic())
                except NotSent as error:
                    wait_ms = 1_000 if error.retry_ms is None else error.retry_ms - clock.now_ms()
                    self._due_s = clock.monotonic() + max(1.0, wait_ms / 1000)
                except Ambiguous:
                    self._due_s = clock.monotonic() + limits.UPDATE_EVERY_S
                except OutsideError as error:
                    self._failed = error
                    return

    async def _sleep(self, seconds: float) -> None:
        """Until it is time, or until there is something new."""
        self._wake.clear()
        sleeping = asyncio.create_task(self._kit.clock.sleep(max(seconds, 0.05)))
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _next_s(self) -> float:
        """When there will be something to do, as far as it is known."""
        leaf = self._writing.leaf
        times = [self._heard_s + SILENCE_S]
        if self._behind():
            times.append(self._due_s)
        if leaf is not None and leaf.mode is Mode.STREAM:
            old_s = leaf.opened_s + limits.STREAM_ROTATE_S
            passed = self._kit.clock.monotonic() >= old_s
            times.append(max(old_s + limits.STREAM_BORDER_S, self._due_s) if passed else old_s)
        else:
            times.append(self._writing.beat_s + limits.HEARTBEAT_S)
        return min(times)

    def _behind(self) -> bool:
        """Whether there is text that is not shown yet."""
        leaf, text = self._writing.leaf, self.piece.text
        if leaf is None:
            return True
        match leaf.mode:
            case Mode.STREAM:
                return leaf.more(text, whole=False) != ""
            case Mode.POST:
                return leaf.shown != ids.digest(leaf.raw(text))
            case Mode.DONE:
                return len(text) > leaf.end

    async def _tick(self, now_s: float) -> None:
        """Show what is new, if it is time; end a stream that has grown old."""
        writing = self._writing
        leaf = writing.leaf
        if leaf is not None and leaf.mode is Mode.STREAM:
            age_s = now_s - leaf.opened_s
            if age_s >= limits.STREAM_ROTATE_S:
                await writing.rotate(leaf, force=age_s >= limits.STREAM_ROTATE_S + limits.STREAM_BORDER_S)
        elif now_s - writing.beat_s >= limits.HEARTBEAT_S:
            await writing.working()
        if now_s < self._due_s or not self._behind():
            return
        streams = writing.leaf is not None and writing.leaf.mode is Mode.STREAM
        name, most = ("append", limits.APPENDS_A_MINUTE) if streams else ("update", limits.UPDATES_A_MINUTE)
        wait_s = self._kit.sender.budget.wait_s(name, most)
        self._due_s = now_s + (wait_s or (limits.APPEND_EVERY_S if streams else limits.UPDATE_EVERY_S))
        if not wait_s:
            await writing.show()

    # ------------------------------------------------------------------------------------- adopting

    def _strays(self, found: Standing, own: Standing | None) -> bool:
        """Whether a message is a continuation of this part that nobody has written down.

        One with words and without a key is one only where Slack keeps our keys: the message before it carries one.
        """
        if found.key:
            return found.key.startswith(f"{self._writing.key}#")
        return not found.text or (own is not None and bool(own.key))

    def _age_ms(self, ref: Ref) -> int:
        return max(0, self._kit.clock.now_ms() - ids.ts_ms(ref.ts))
