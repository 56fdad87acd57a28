"""Writes the changes of a decision: whole rows replace whole rows.

Knows: how each entity is written, and in which order; that of a ticket only the digest of its code is written.
Must not know: why it changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import assert_never

from core.domain.codes import CodeKeys, code_of, digest_of
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
    Waiting,
)
from core.domain.errors import StoreError
from core.domain.leaving import (
    Adoption,
    Guesses,
    Link,
    MoveClaim,
    Preference,
    Revocation,
    Summary,
    Ticket,
)
from core.domain.tasking import Step, Task
from core.domain.tooling import Credential, Login, Permit, Round, ToolCall, ToolList
from storage import claims
from storage.claims import Starting
from storage.rows import (
    BINDING,
    CARD,
    CLAIM,
    CREDENTIAL,
    FILE_COPY,
    GUESSES,
    LINK,
    LOGIN,
    MESSAGE,
    PART,
    PERMIT,
    PERSON,
    PREFERENCE,
    ROUND,
    SEQ_BITS,
    SEQ_MASK,
    SESSION,
    SPEND,
    STEP,
    SUMMARY,
    TASK,
    TICKET,
    TOOL_CALL,
    TOOL_LIST,
    TURN,
    WAITING,
    put,
)

_PUT_MESSAGE = (
    f"INSERT INTO message (id, {', '.join(MESSAGE.fields)})"
    f" SELECT num << {SEQ_BITS} | ?{', ?' * len(MESSAGE.fields)} FROM session WHERE id = ?"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in MESSAGE.fields)}"
)
_UNPERMIT = "DELETE FROM permit WHERE session_id = ? AND account = ? AND server = ? AND tool = ?"
_PUT_TICKET = (
    f"INSERT INTO ticket ({', '.join(TICKET.columns)}, digest) VALUES ({', '.join('?' * len(TICKET.columns))}, ?)"
    " ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_ms = excluded.expires_ms, owner = excluded.owner"
)
_REPLACE = "UPDATE ticket SET state = 'replaced' WHERE session_id = ? AND private = ? AND state = 'live'"
_REVOKE_ALL = "UPDATE ticket SET state = 'revoked' WHERE owner = ? AND state IN ('live', 'replaced')"

Left = Summary | Ticket | Revocation | MoveClaim | Link | Adoption | Preference | Guesses
Tooled = Round | ToolCall | ToolList | Permit | Credential | Login | Task | Step
Rest = Message | Waiting | Part | FileCopy | Card | Spend | Person | Binding | Forgotten | Left | Tooled


def apply(
    conn: sqlite3.Connection, changes: Iterable[Entity], starting: Starting, keys: CodeKeys | None
) -> tuple[EffectRow, ...]:
    """Write `changes`; the effects among them that were committed as started.

    Sessions come before their messages, and the turn that ends before the turn that opens; the rest in the order in
    which it was decided. A row that a decision names twice is written as it was named last.

    Raises:
        StoreError: a ticket is to be written, and the store was opened without the keys of codes.
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
    for turn in sorted(turns.values(), key=lambda each: not each.state.over):
        put(conn, TURN.upsert, TURN.encode(turn))
    for change in rest:
        if isinstance(change, Left):
            _write_left(conn, change, keys)
        elif isinstance(change, Tooled):
            _write_tooled(conn, change)
        else:
            _write(conn, change)
    return claims.write(conn, effects.values(), starting) if effects else ()


def _write(
    conn: sqlite3.Connection,
    change: Message | Waiting | Part | FileCopy | Card | Spend | Person | Binding | Forgotten,
) -> None:
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
            conn.executemany("DELETE FROM step WHERE id = ?", [(each,) for each in change.steps])
            conn.executemany(_UNPERMIT, [tuple(PERMIT.encode(each)[:4]) for each in change.permits])
        case _:
            assert_never(change)


def _write_tooled(conn: sqlite3.Connection, change: Tooled) -> None:
    match change:
        case Round():
            put(conn, ROUND.upsert, ROUND.encode(change))
        case ToolCall():
            put(conn, TOOL_CALL.upsert, TOOL_CALL.encode(change))
        case ToolList():
            put(conn, TOOL_LIST.upsert, TOOL_LIST.encode(change))
        case Permit():
            put(conn, PERMIT.upsert, PERMIT.encode(change))
        case Credential():
            put(conn, CREDENTIAL.upsert, CREDENTIAL.encode(change))
        case Login():
            put(conn, LOGIN.upsert, LOGIN.encode(change))
        case Task():
            put(conn, TASK.upsert, TASK.encode(change))
        case Step():
            put(conn, STEP.upsert, STEP.encode(change))
        case _:
            assert_never(change)


def _write_left(conn: sqlite3.Connection, change: Left, keys: CodeKeys | None) -> None:
    match change:
        case Summary():
            put(conn, SUMMARY.upsert, SUMMARY.encode(change))
        case Ticket():
            _put_ticket(conn, change, keys)
        case Revocation():
            if change.owner:
                conn.execute(_REVOKE_ALL, (change.owner,))
            else:
                conn.execute(_REPLACE, (change.session_id, int(change.private)))
        case MoveClaim():
            put(conn, CLAIM.upsert, CLAIM.encode(change))
        case Link():
            put(conn, LINK.upsert, LINK.encode(change))
        case Adoption():
            _adopt(conn, change)
        case Preference():
            put(conn, PREFERENCE.upsert, PREFERENCE.encode(change))
        case Guesses():
            put(conn, GUESSES.upsert, GUESSES.encode(change))
        case _:
            assert_never(change)


def _put_ticket(conn: sqlite3.Connection, ticket: Ticket, keys: CodeKeys | None) -> None:
    if keys is None:
        raise StoreError(code="store_keys", detail="the store was opened without the keys of resume codes")
    digest = digest_of(keys, code_of(keys, ticket.id, ticket.generation))
    put(conn, _PUT_TICKET, (*TICKET.encode(ticket), digest))


def _adopt(conn: sqlite3.Connection, adoption: Adoption) -> None:
    """Everything of `before` comes under `after`, noted row by row; or what was noted goes back."""
    before, after, link = adoption.before, adoption.after, adoption.link_id
    for kind, name, column in (("session", "id", "owner"), ("person", "key", "identity")):
        if adoption.undo:
            conn.execute(
                f"UPDATE {kind} SET {column} = ? WHERE {column} = ?"
                f" AND {name} IN (SELECT key FROM adopted WHERE link_id = ? AND kind = ?)",
                (before, after, link, kind),
            )
        else:
            conn.execute(
                "INSERT OR IGNORE INTO adopted (link_id, kind, key)"
                f" SELECT ?, ?, {name} FROM {kind} WHERE {column} = ?",
                (link, kind, before),
            )
            conn.execute(f"UPDATE {kind} SET {column} = ? WHERE {column} = ?", (after, before))


def _put_message(conn: sqlite3.Connection, message: Message) -> None:
    row = (message.seq, *MESSAGE.encode(message), message.session_id)
    if not 0 < message.seq <= SEQ_MASK or not put(conn, _PUT_MESSAGE, row).rowcount:
        raise StoreError(code="store_message", detail=f"no place for message {message.seq}")


def _bind(conn: sqlite3.Connection, binding: Binding) -> None:
    if binding.session_id:
        put(conn, BINDING.upsert, BINDING.encode(binding))
    else:
        conn.execute("DELETE FROM binding WHERE key = ?", (str(binding.key),))
