"""Writes the changes of a decision: whole rows replace whole rows.

Knows: how each entity is written, and in which order. Must not know: why it changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import assert_never

from core.domain.entities import (
    Binding,
    Card,
    EffectRow,
    Entity,
    FileCopy,
    Forgotten,
    Message,
    Part,
    Person,
    Session,
    Spend,
    Turn,
    TurnState,
    Waiting,
)
from core.domain.errors import StoreError
from storage import claims
from storage.claims import Starting
from storage.rows import (
    BINDING,
    CARD,
    FILE_COPY,
    MESSAGE,
    PART,
    PERSON,
    SEQ_BITS,
    SEQ_MASK,
    SESSION,
    SPEND,
    TURN,
    WAITING,
    put,
)

_OPEN_TURNS = frozenset({TurnState.OPEN, TurnState.STOPPING})
_NUM = "SELECT num FROM session WHERE id = ?"
_PUT_MESSAGE = (
    f"INSERT INTO message (id, {', '.join(MESSAGE.fields)}) VALUES (?{', ?' * len(MESSAGE.fields)})"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in MESSAGE.fields)}"
)

Rest = Message | Waiting | Part | FileCopy | Card | Spend | Person | Binding | Forgotten


def apply(conn: sqlite3.Connection, changes: Iterable[Entity], starting: Starting) -> tuple[EffectRow, ...]:
    """Write `changes`; the effects among them that were committed as started.

    Sessions come before their messages, and the turn that ends before the turn that opens. A row that a decision
    names twice is written as it was named last.
    """
    turns: dict[str, Turn] = {}
    effects: dict[str, EffectRow] = {}
    rest: list[Rest] = []
    for change in changes:
        if isinstance(change, Session):
            SESSION.write(conn, change)
        elif isinstance(change, Turn):
            turns[change.id] = change
        elif isinstance(change, EffectRow):
            effects[change.id] = change
        else:
            rest.append(change)
    for turn in sorted(turns.values(), key=lambda each: each.state in _OPEN_TURNS):
        put(conn, TURN.upsert, TURN.encode(turn))
    for change in rest:
        _write(conn, change)
    return claims.write(conn, effects.values(), starting) if effects else ()


def _write(conn: sqlite3.Connection, change: Rest) -> None:
    match change:
        case Message():
            _put_message(conn, change)
        case Part():
            put(conn, PART.upsert, PART.encode(change))
        case Waiting():
            put(conn, WAITING.upsert, WAITING.encode(change))
        case Card():
            put(conn, CARD.upsert, CARD.encode(change))
        case Spend():
            put(conn, SPEND.upsert, SPEND.encode(change))
        case Person():
            put(conn, PERSON.upsert, PERSON.encode(change))
        case FileCopy():
            put(conn, FILE_COPY.upsert, FILE_COPY.encode(change))
        case Binding():
            _bind(conn, change)
        case Forgotten():
            conn.executemany("DELETE FROM waiting WHERE id = ?", [(each,) for each in change.waiting])
            conn.executemany("DELETE FROM binding WHERE key = ?", [(str(each),) for each in change.binding])
        case _:
            assert_never(change)


def _put_message(conn: sqlite3.Connection, message: Message) -> None:
    row = conn.execute(_NUM, (message.session_id,)).fetchone()
    if row is None or not 0 < message.seq <= SEQ_MASK:
        raise StoreError(code="store_message", detail=f"no place for message {message.seq}")
    put(conn, _PUT_MESSAGE, (row[0] << SEQ_BITS | message.seq, *MESSAGE.encode(message)))


def _bind(conn: sqlite3.Connection, binding: Binding) -> None:
    if binding.session_id:
        put(conn, BINDING.upsert, BINDING.encode(binding))
    else:
        conn.execute("DELETE FROM binding WHERE key = ?", (str(binding.key),))
