"""No statement on the path of a message reads a table through: a million sessions cost what ten cost."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace

from core.domain.decision import Policy
from core.domain.entities import Draft, Part, TurnState
from core.domain.events import CaughtUp, EffectStumbled, TimerDue
from core.engine.ports import Claim
from storage import SqliteStore
from storage.readers import READERS
from tests.kit.store import (
    NOW_MS,
    ROOM,
    Script,
    accept,
    answering,
    card,
    done,
    effect,
    given,
    message,
    pressed,
    replied,
    said,
    session,
    stamp,
    started,
    turn,
)

# What may be walked through: a partial index of open effects or held messages, and the values of one JSON text.
SMALL = re.compile(
    r"^SCAN (effect|e|waiting) USING .*INDEX (effect_pending|effect_started|waiting_held)"
    r"|^SCAN w VIRTUAL|^SCAN CONSTANT ROW"
)


async def watched(store: SqliteStore) -> set[str]:
    """Give the set that every executed statement goes into from now on."""
    seen: set[str] = set()

    def watch(conn: sqlite3.Connection) -> None:
        conn.set_trace_callback(seen.add)

    await store.submit(watch)
    for _ in range(READERS):
        await store.read(watch)
    return seen


async def a_life(store: SqliteStore) -> None:
    """Do everything that the engine does with a store."""
    await given(store, *answering(), card(), effect("e3", order_key="o", waits=("e1",)))
    await accept(store, said("one"), Script(effect("e4", order_key="o", waits=("e1",))), room=ROOM)
    await started(store)
    await store.progress([Draft(effect_id="e1", n=0, text="x")], [Part(turn_id="t1", n=0, ref="r", start=0)])
    await store.draft_of("e1")
    await store.conversation("t1", 100)
    await store.delivery("t1")
    await store.card("s1", "mailbag:1")
    await store.holding("local")
    await store.orphans("other")
    await store.next_effect_ms(NOW_MS)
    await store.next_due_ms()
    await store.due_sessions(NOW_MS, 2 * NOW_MS, 9)
    for event in (
        pressed("unknown"),
        CaughtUp(session_id="s1"),
        TimerDue(source_keys=("t",), session_id="s1", idle_epoch=0),
        EffectStumbled(session_id="s1", code="x"),
        done("s1"),
    ):
        await accept(store, event, Script())
    shared = replace(session("s9", user=""), next_seq=2)
    script = Script(shared, message(1, session_id="s9"))
    await store.accept(said("two"), stamp(), script, policy=Policy(shared_threads=True), boot="b1")
    answered = Script(turn(state=TurnState.ANSWERED, answer_seq=1))
    await accept(store, replied("t1"), answered, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
    await store.delivery("t1")


async def test_nothing_is_read_through(store: SqliteStore) -> None:
    """The more people have ever talked with the bot, the slower it answers and starts."""
    seen = await watched(store)
    await a_life(store)
    assert len(seen) > 50
    bad = await store.read(lambda conn: [(sql, step) for sql in seen for step in _steps(conn, sql)])
    assert not bad


def _steps(conn: sqlite3.Connection, sql: str) -> list[str]:
    """Give the steps of a statement that look at more than they need."""
    conn.set_trace_callback(None)
    if not re.match("(SELECT|INSERT|UPDATE|DELETE|WITH)", sql):
        return []
    steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
    return [each for each in steps if each.startswith("SCAN") and not SMALL.match(each)]
