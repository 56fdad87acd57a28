"""`SqliteStore`: the `Store` port on one SQLite file.

Knows: which unit or read answers which call of the port. Must not know: rules, platforms, time of day.
Everything that writes is one unit of the writer; everything that only reads is one hop on a read connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.domain.codes import CodeKeys
from core.domain.decision import Decision, Found, Policy
from core.domain.effects import EraseKind
from core.domain.entities import Card, Draft, EffectRow, Message, Part
from core.domain.events import Arrival, CredentialDue, Event, LinkStrayed, MessageReceived, SignedIn, TimerDue
from core.domain.keys import Place
from core.domain.leaving import Summary
from core.domain.stamp import Stamp
from core.engine.ports import Accepted, Claim, Conversation, Decide, Delivery, Doomed, Due, Erased
from core.engine.tool_ports import Asked
from storage import claims, erasing, forget, housekeeping, lookups, views
from storage.apply import apply
from storage.board import SqliteBoard
from storage.claims import Starting
from storage.files import Peephole
from storage.readers import Readers
from storage.room import Room
from storage.rows import clean, put
from storage.sealing import Keys
from storage.search import search
from storage.writer import DRAFT, OnPoint, Unit, Writer

T = TypeVar("T")

HOMES_MAX = 500  # a platform that has missed more than it can read reads the latest
FOLD_TRIES = 240  # a minute: a deletion that a person asked for waits for a backup in the way

_PROGRESS_DRAFT = (
    "INSERT INTO draft (effect_id, n, text) SELECT ?1, ?2, ?3"
    " WHERE EXISTS (SELECT 1 FROM effect WHERE id = ?1 AND state = 'started')"
    " ON CONFLICT (effect_id, n) DO UPDATE SET text = excluded.text"
)
_PROGRESS_PART = (
    "INSERT INTO part (turn_id, n, ref, start, confirmed_chars, final) SELECT ?1, ?2, ?3, ?4, ?5, ?6"
    " WHERE EXISTS (SELECT 1 FROM turn AS t JOIN effect AS e ON e.session_id = t.session_id"
    "  WHERE t.id = ?1 AND e.state IN ('pending', 'started') AND e.kind = 'Deliver' AND e.turn_id = ?1)"
    " ON CONFLICT (turn_id, n) DO UPDATE SET ref = excluded.ref, start = excluded.start,"
    "  confirmed_chars = excluded.confirmed_chars, final = excluded.final"
)


class SqliteStore:
    """Everything durable, in one file. Made by `storage.open_store`."""

    def __init__(
        self,
        path: Path,
        peephole: Peephole,
        writer: Writer,
        readers: Readers,
        horizon_ms: int,
        code_keys: CodeKeys | None = None,
    ) -> None:
        self.path = path
        self.peephole = peephole
        self.room = Room(path)
        self._code_keys = code_keys
        self.board = SqliteBoard(writer, readers, self.room)
        self._writer = writer
        self._readers = readers
        self._horizon_ms = horizon_ms
        self._swept_source = ""

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        max_page_count: int | None = None,
        on_point: OnPoint | None = None,
        code_keys: CodeKeys | None = None,
    ) -> SqliteStore:
        """Open an existing, migrated database; without `code_keys` no resume code can be issued.

        Raises:
            StoreError: the file cannot be opened.
        """
        async with AsyncExitStack() as opened:
            peephole = Peephole(path)
            opened.callback(peephole.close)
            writer = await Writer.open(path, max_page_count=max_page_count, on_point=on_point)
            opened.push_async_callback(writer.close)
            readers = await Readers.open(path)
            opened.push_async_callback(readers.close)
            horizon_ms = await readers.run(claims.latest_created_ms)
            opened.pop_all()  # all is open: from here on `close` does it
        return cls(path, peephole, writer, readers, horizon_ms, code_keys)

    async def close(self) -> None:
        """Finish what is queued and close every connection, the writing one last: it folds the log."""
        await self._readers.close()
        await self._writer.close()
        self.peephole.close()

    async def submit(self, unit: Unit[T]) -> T:
        """Run a unit of another module of storage (forgetting, tests); raises as `Writer.submit`."""
        return await self._writer.submit(unit)

    async def read(self, function: Unit[T]) -> T:
        """Run a function that only reads, in one consistent snapshot."""
        return await self._readers.run(function)

    async def rewrite(self) -> None:
        """See `Writer.rewrite`."""
        await self._writer.rewrite()

    async def fold(self, *, patience_ms: int = 0) -> bool:
        """Fold the log into the database and cut it to zero; False while a reader is in the way for so long."""
        return await self._writer.fold(patience_ms=patience_ms)

    async def bind_key(self, keys: Keys) -> None:
        """Note which root key this database is used with, or refuse keys of which none is that one.

        Raises:
            StoreDamaged: it was used with a key that is not here (`seal_other_key`): what it sealed would not open.
        """
        known = await self._writer.submit(partial(housekeeping.bind_key, key_id=keys.key_id.hex()))
        keys.named(bytes.fromhex(known))

    async def rebind_key(self, keys: Keys) -> None:
        """Nothing needs the older keys any more: note the newest as the one that this database is used with."""
        await self._writer.submit(partial(housekeeping.rebind_key, key_id=keys.key_id.hex()))

    # --- core.engine.ports.Store --------------------------------------------------------------------

    async def accept(
        self,
        event: Event,
        stamp: Stamp,
        decide: Decide,
        *,
        policy: Policy,
        boot: str,
        finishes: Claim | None = None,
        room: Mapping[str, int] | None = None,
    ) -> Accepted:
        """See `Store.accept`."""
        if isinstance(event, MessageReceived):
            self.room.ask()
        self._horizon_ms = max(self._horizon_ms, stamp.now_ms)
        starting = Starting(boot=boot, now_ms=stamp.now_ms, room=dict(room or {}))

        def unit(conn: sqlite3.Connection) -> Accepted:
            if not _remember(conn, event, stamp.now_ms):
                return Accepted(decision=Decision(), duplicate=True)
            finishing = None
            if finishes is not None:
                finishing = claims.strike_off(conn, finishes)
                if finishing is None:
                    return Accepted(decision=Decision(), stale=True)
            decision = decide(views.load(conn, event, stamp, policy, finishing), event, stamp)
            return Accepted(decision=decision, started=apply(conn, decision.changes, starting, self._code_keys))

        return await self._writer.submit(unit)

    async def claim(self, *, boot: str, now_ms: int, room: Mapping[str, int]) -> tuple[EffectRow, ...]:
        """See `Store.claim`."""
        self._horizon_ms = max(self._horizon_ms, now_ms)
        starting = Starting(boot=boot, now_ms=now_ms, room=dict(room))
        return await self._writer.submit(partial(claims.claim, starting=starting, horizon_ms=self._horizon_ms))

    async def next_effect_ms(self, now_ms: int) -> int | None:
        """See `Store.next_effect_ms`."""
        return await self._readers.run(partial(claims.next_effect_ms, now_ms=now_ms))

    async def orphans(self, boot: str) -> tuple[EffectRow, ...]:
        """See `Store.orphans`."""
        return await self._readers.run(partial(claims.orphans, boot=boot))

    async def draft_of(self, effect_id: str) -> str:
        """See `Store.draft_of`."""
        return await self._readers.run(partial(lookups.draft_of, effect_id=effect_id))

    async def progress(self, drafts: Sequence[Draft], parts: Sequence[Part]) -> None:
        """See `Store.progress`."""
        draft_rows = [(each.effect_id, each.n, each.text) for each in drafts]
        part_rows = [
            (each.turn_id, each.n, each.ref, each.start, each.confirmed_chars, int(each.final)) for each in parts
        ]

        def unit(conn: sqlite3.Connection) -> None:
            for draft in draft_rows:
                put(conn, _PROGRESS_DRAFT, draft)
            for part in part_rows:
                put(conn, _PROGRESS_PART, part)

        await self._writer.submit(unit, DRAFT)

    async def conversation(self, turn_id: str, budget_tokens: int) -> Conversation:
        """See `Store.conversation`."""
        return await self._readers.run(partial(lookups.conversation, turn_id=turn_id, budget_tokens=budget_tokens))

    async def asked(self, call_id: str) -> Asked:
        """See `ToolReads.asked`."""
        return await self._readers.run(partial(lookups.asked, call_id=call_id))

    async def search(self, identity: str, query: str, *, here: str, limit: int) -> tuple[Found, ...]:
        """See `ToolReads.search`."""
        return await self._readers.run(partial(search, identity=identity, query=query, here=here, limit=limit))

    async def history(self, session_id: str, from_seq: int, to_seq: int, limit: int) -> tuple[Message, ...]:
        """See `Store.history`."""
        return await self._readers.run(
            partial(lookups.history, session_id=session_id, from_seq=from_seq, to_seq=to_seq, limit=limit)
        )

    async def summary(self, session_id: str) -> Summary | None:
        """See `Store.summary`."""
        return await self._readers.run(partial(lookups.summary, session_id=session_id))

    async def delivery(self, turn_id: str) -> Delivery:
        """See `Store.delivery`."""
        return await self._readers.run(partial(lookups.delivery, turn_id=turn_id))

    async def card(self, session_id: str, key: str) -> Card:
        """See `Store.card`."""
        return await self._readers.run(partial(lookups.card, session_id=session_id, key=key))

    async def homes(self, platform: str, since_ms: int) -> tuple[Place, ...]:
        """Where conversations of a platform live that people have used since then, latest first: for catching up."""
        return await self._readers.run(partial(lookups.homes, platform=platform, since_ms=since_ms, limit=HOMES_MAX))

    async def queued(self) -> int:
        """See `Store.queued`."""
        return await self._readers.run(lookups.queued)

    async def holding(self, platform: str) -> tuple[str, ...]:
        """See `Store.holding`."""
        return await self._readers.run(partial(lookups.holding, platform=platform))

    async def doomed(self, kind: EraseKind, key: str) -> Doomed:
        """See `Store.doomed`."""
        return await self._readers.run(partial(erasing.doomed, kind=kind.value, key=key))

    async def erase(self, kind: EraseKind, key: str, asked_ms: int) -> Erased:
        """See `Store.erase`."""
        stone = forget.Tombstone(kind=kind.value, key=key, at_ms=asked_ms)
        done = await forget.delete(self, stone, tries=FOLD_TRIES)
        return Erased(rows=done.rows, hits=done.hits)

    # --- timers and housekeeping ----------------------------------------------------------------------

    async def due_sessions(self, now_ms: int, horizon_ms: int, limit: int) -> tuple[Due, ...]:
        """See `Store.due_sessions`."""
        return await self._readers.run(
            partial(housekeeping.due_sessions, now_ms=now_ms, horizon_ms=horizon_ms, limit=limit)
        )

    async def ahead_of_time(self, now_ms: int, limit: int) -> tuple[Due, ...]:
        """See `Store.ahead_of_time`."""
        return await self._readers.run(partial(housekeeping.ahead_of_time, now_ms=now_ms, limit=limit))

    async def wake_unused(self, now_ms: int) -> None:
        """See `Store.wake_unused`."""
        await self._writer.submit(partial(housekeeping.wake_unused, now_ms=now_ms), DRAFT)

    async def uptime_ms(self) -> int:
        """See `Store.uptime_ms`."""
        return await self._readers.run(housekeeping.uptime_ms)

    async def keep_uptime(self, ms: int) -> None:
        """See `Store.keep_uptime`."""
        await self._writer.submit(partial(housekeeping.keep_uptime, ms=ms), DRAFT)

    async def next_due_ms(self) -> int | None:
        """When the next timer of a session rings; None when none is set."""
        return await self._readers.run(housekeeping.next_due_ms)

    async def sweep(self, now_ms: int) -> int:
        """Delete one slice of what has had its time; how many rows went. Call it again and again, calmly."""
        swept = await self._writer.submit(
            partial(housekeeping.sweep, now_ms=now_ms, after_key=self._swept_source), DRAFT
        )
        self._swept_source = swept.last_key
        return swept.rows


def _remember(conn: sqlite3.Connection, event: Event, now_ms: int) -> bool:
    """Insert all source keys of a delivery; False when one of them was seen before."""
    if not isinstance(event, Arrival | TimerDue | SignedIn | LinkStrayed | CredentialDue):
        return True
    new = True
    for key in dict.fromkeys(map(clean, event.source_keys)):
        inserted = conn.execute("INSERT OR IGNORE INTO source (key, at_ms) VALUES (?, ?)", (key, now_ms))
        new = new and inserted.rowcount == 1
    return new
