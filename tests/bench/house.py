"""The house as the benchmarks run it: real engine, store and board on the real clock, a model that keeps time.

Knows: how to put it together, and when an answer stands in its place. Must not know: what is measured.
The model is in this process: its share of the processor (a generator and `asyncio.sleep`) counts against us.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from bots.local.adapter import LocalPlatform
from bots.local.chat import LocalChat
from bots.local.wire import Saying
from core.domain.decision import Policy
from core.domain.effects import MarkKind
from core.domain.entities import Card
from core.domain.events import Author, MessageReceived, Usage
from core.domain.keys import Audience, PersonKey, Place
from core.drivers.clock import SystemClock
from core.engine.loop import Engine
from core.engine.ports import (
    AnswerState,
    Finished,
    Heard,
    Limits,
    ModelRequest,
    Piece,
    Said,
    Unreadable,
)
from core.engine.tool_ports import Tools
from storage.migrate import prepare
from storage.sqlite import SqliteStore
from tests.bench.measure import until

PIECES = ("The answer ", "comes in six ", "pieces, which ", "is about what ", "a short one ", "takes, one for each.")


class Talker:
    """A model that says `pieces`, `pace_s` apart (0: as fast as it is read).

    `late_s` gets, for each piece of a paced answer, how long after its planned moment the engine was done with it.
    `on_first(question)` is called right before the first piece is handed over.
    """

    name = "talker"

    def __init__(self, pieces: Sequence[str] = PIECES, *, pace_s: float = 0.0) -> None:
        self.late_s: list[float] = []
        self.talking = 0
        self.on_first: Callable[[str], None] = lambda _: None
        self.pieces = pieces
        self.pace_s = pace_s

    async def check(self) -> None:
        """Always ready."""

    def pieces_for(self, question: str) -> Sequence[str]:
        """What is said to `question`."""
        del question
        return self.pieces

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Said | Finished, None]:
        """Say the pieces, each at its moment."""
        question = _question(request)
        pace_s, pieces, late_s = self.pace_s, self.pieces_for(question), self.late_s
        due_s = time.perf_counter()
        self.talking += 1
        for at, piece in enumerate(pieces):
            if pace_s:
                due_s += pace_s
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            if not at:
                self.on_first(question)
            yield Said(text=piece)
            if pace_s:
                late_s.append(time.perf_counter() - due_s)
        self.talking -= 1
        usage = Usage(tokens_in=100, tokens_out=50, cost=150)
        yield Finished(stop_reason="end_turn", blocks="", model=request.model, usage=usage)


def _question(request: ModelRequest) -> str:
    content = request.messages[-1]["content"]
    assert isinstance(content, list)
    return str(content[-1]["text"])


class Finishes:
    """Tells for each thread when an answer stands there as final, and when its first words did."""

    def __init__(self) -> None:
        self.first_s: dict[str, float] = {}
        self._done: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def note(self, thread: str, piece: Piece) -> None:
        """A piece stands in the thread."""
        if piece.text:
            self.first_s.setdefault(thread, time.perf_counter())
        if piece.state is not AnswerState.STREAMING:
            self._done[thread].set()

    async def next(self, thread: str) -> None:
        """Wait for the next final answer."""
        await self._done[thread].wait()
        self._done[thread].clear()


class WatchedLocal(LocalPlatform):
    """The built-in chat, with `finishes`."""

    def __init__(self, store: SqliteStore, clock: SystemClock) -> None:
        super().__init__(store.board, clock)
        self.finishes = Finishes()
        self._threads: dict[str, str] = {}

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """See `Platform`."""
        ref = await super().open_answer(place, key, reply_to, piece)
        self._threads[ref] = place.thread
        return ref

    @property
    def opened(self) -> int:
        """How many answers have ever been opened."""
        return len(self._threads)

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """See `Platform`."""
        after = await super().write_answer(ref, piece)
        self.finishes.note(self._threads[ref], piece)
        return after


class NullPlatform:
    """A platform that takes everything at once and keeps nothing."""

    name = "null"
    limits = Limits(max_text_chars=100_000)

    def __init__(self) -> None:
        self.finishes = Finishes()

    async def open_answer(self, place: Place, key: str, reply_to: str, piece: Piece) -> str:
        """See `Platform`."""
        self.finishes.note(place.thread, piece)
        return place.thread

    async def write_answer(self, ref: str, piece: Piece) -> str:
        """See `Platform`."""
        self.finishes.note(ref, piece)
        return ref

    async def show(self, place: Place, key: str, card: Card, ref: str) -> str:
        """See `Platform`."""
        return ref or key

    async def mark(self, ref: str, mark: MarkKind) -> None:
        """See `Platform`."""

    async def find(self, place: Place, key: str, since_ms: int) -> str | Unreadable | None:
        """See `Platform`."""
        return None

    async def audience(self, place: Place) -> Audience:
        """See `Platform`."""
        return Audience.PUBLIC

    async def read_thread(self, place: Place, limit: int) -> tuple[Heard, ...] | Unreadable:
        """See `Platform`."""
        return ()

    async def fetch_file(self, handle: str, cap_bytes: int) -> bytes:
        """See `Platform`."""
        return b""

    async def open_private(self, person: PersonKey) -> Place | None:
        """See `Platform`."""
        return None

    async def forgotten(self, places: Sequence[Place], before_ms: int) -> None:
        """See `Platform`."""


class House:
    """Engine, store and one platform. `say` is a person's message by the same way as from the page, less HTTP."""

    def __init__(self, store: SqliteStore, model: Talker, *, null: bool, boot: str, tools: Tools | None = None) -> None:
        clock = SystemClock()
        self.store = store
        self.model = model
        self.local = WatchedLocal(store, clock)
        self.null = NullPlatform()
        self._null = null
        self.engine = Engine(
            store=store,
            model=model,
            platforms={"local": self.local, "null": self.null},
            clock=clock,
            policy=Policy(debounce_ms=0),
            boot=boot,
            tools=tools,
        )
        self._chat = LocalChat(self.local, self.engine)

    @classmethod
    async def open(
        cls,
        path: Path,
        model: Talker,
        *,
        null: bool = False,
        store_type: type[SqliteStore] = SqliteStore,
        boot: str = "bench",
        tools: Tools | None = None,
    ) -> House:
        """Open the house on `path`, a new database if there is none; `null`: on the platform that keeps nothing."""
        prepare(path)
        house = cls(await store_type.open(path), model, null=null, boot=boot, tools=tools)
        await house.engine.start()
        return house

    async def say(self, person: str, text: str, *, thread: str = "", key: str | None = None) -> str:
        """Accepted and durable when this returns; the thread."""
        if self._null:
            thread = thread or person
            await self.engine.accept(_received(person, text, thread, key or f"{person}:{text}"))
            return thread
        saying = Saying(person=person, channel="general", text=text, thread=thread or None, key=key)
        return str((await self._chat.say(saying))["thread"])

    async def turn(self, person: str, text: str, *, thread: str = "") -> str:
        """Say something and wait until the answer stands there; the thread."""
        thread = await self.say(person, text, thread=thread)
        await (self.null if self._null else self.local).finishes.next(thread)
        return thread

    async def settle(self) -> None:
        """Wait until nothing is performed any more."""
        await until(lambda: self.engine.idle)

    async def close(self) -> None:
        """End calmly."""
        await self.engine.close()
        await self.store.close()


def _received(person: str, text: str, thread: str, key: str) -> MessageReceived:
    return MessageReceived(
        source_keys=(f"null:{key}",),
        author=Author(key=PersonKey(platform="null", workspace="w", user=person), name=person),
        place=Place(platform="null", workspace="w", channel="c", thread=thread),
        text=text,
        ref=key,
    )
