"""What performers read: a turn's conversation, its delivery, a card, a draft.

Knows: which rows make each of them. Must not know: who asks. Functions of a read connection.
"""

from __future__ import annotations

import json
import sqlite3
from urllib.parse import quote

from core.domain.decision import Altered
from core.domain.entities import Card, FileCopy, Message, Session, Turn
from core.domain.errors import BadInput, HistoryUnreadable
from core.domain.keys import Place, SessionKey
from core.domain.leaving import Summary
from core.domain.rules.loops import NO_LOOPS, Loops
from core.domain.rules.stitch import after
from core.domain.tooling import ToolList
from core.engine.ports import Conversation, Delivery
from core.engine.tool_ports import Asked
from storage import tasking
from storage.rows import (
    CARD,
    FILE_COPY,
    MESSAGE,
    PART,
    PERSON,
    ROUND,
    SEQ_BITS,
    SEQ_MASK,
    SESSION,
    SUMMARY,
    TOOL_CALL,
    TOOL_LIST,
    TURN,
    WAITING,
    Row,
    clean,
)

_TURN = f"{TURN.select} WHERE id = ?"
_SESSION = f"SELECT num, {', '.join(SESSION.fields)} FROM session WHERE id = ?"
_MESSAGES = f"SELECT id, {', '.join(MESSAGE.fields)} FROM message WHERE id >= ? AND id < ? ORDER BY id"
_PAGE = f"SELECT id, {', '.join(MESSAGE.fields)} FROM message WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?"
_NEWEST_SUMMARY = f"{SUMMARY.select} WHERE session_id = ? ORDER BY to_seq DESC, created_ms DESC LIMIT 1"
_BACKWARDS = f"SELECT id, {', '.join(MESSAGE.fields)} FROM message WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?"
_REFUSED = "SELECT id FROM turn WHERE session_id = ? AND failure = 'model_refusal'"
_HOLDING = (
    "SELECT s.id FROM session AS s WHERE s.id IN (SELECT session_id FROM waiting WHERE held = 1 AND said_at = '')"
    " AND s.home >= ? AND s.home < ? ORDER BY s.id"
)
_HOMES = (
    "SELECT b.key FROM binding AS b JOIN session AS s ON s.id = b.session_id"
    " WHERE b.key >= ? AND b.key < ? AND s.last_human_ms >= ? AND s.phase <> 'erased'"
    " ORDER BY s.last_human_ms DESC LIMIT ?"
)
_BOUND_AT = (
    f"SELECT DISTINCT s.num, {SESSION.fields_of('s')} FROM binding AS b JOIN session AS s ON s.id = b.session_id"
    " WHERE b.key >= ? AND b.key < ?"
)
_BY_REF = f"SELECT id, {', '.join(MESSAGE.fields)} FROM message WHERE id >= ? AND id < ? AND ref = ?"
_WAITING_REF = f"{WAITING.select} WHERE session_id = ? AND ref = ?"
_LOOK_BACK_MESSAGES = 1_000  # of each session, when somebody changes a message of theirs
_PARTS = f"{PART.select} WHERE turn_id = ? ORDER BY n"
_DRAFT = "SELECT text FROM draft WHERE effect_id = ? ORDER BY n"
_TURN_DRAFT = (
    "SELECT d.text FROM effect AS e JOIN draft AS d ON d.effect_id = e.id"
    " WHERE e.session_id = ? AND e.state IN ('pending', 'started') AND e.kind = 'AskModel' AND e.turn_id = ?"
    " ORDER BY e.n, d.n"
)
_CARD = f"{CARD.select} WHERE session_id = ? AND key = ?"
SLICE_MESSAGES = 64  # read at a time, from the newest backwards
_ROUNDS = f"{ROUND.select} WHERE turn_id IN (SELECT w.value FROM json_each(?) AS w) ORDER BY turn_id, n"
_CALLS = f"{TOOL_CALL.select} WHERE turn_id IN (SELECT w.value FROM json_each(?) AS w) ORDER BY turn_id, round, n"
_CALL = f"{TOOL_CALL.select} WHERE id = ?"
_TOOL_LIST = f"{TOOL_LIST.select} WHERE digest = ?"
_PERSON = f"{PERSON.select} WHERE key = ?"
_PERMITTED = "SELECT 1 FROM permit WHERE session_id = ? AND account = ? AND server = ? AND tool = ?"
_FILE = f"{FILE_COPY.select} WHERE file_id = ?"


def conversation(conn: sqlite3.Connection, turn_id: str, budget_tokens: int) -> Conversation:
    """See `Store.conversation`."""
    try:
        turn = _turn(conn, turn_id)
        num, session = _session(conn, turn.session_id)
        work = tasking.work_of(conn, turn)
        alone = work is not None and work.step(turn.step_id) is not None
        history, whole = ((), True) if alone else _tail(conn, num, session, turn, budget_tokens)
        for each in history:
            _check_blocks(each)
        files = _files(conn, history)
        summary = _one_summary(conn, session.summary_id) if session.summary_id and not alone else None
        loops = _loops(conn, turn, history if whole and summary is None else ())
    except (BadInput, sqlite3.DatabaseError) as error:
        raise HistoryUnreadable(code="history_unreadable", detail=str(error)) from error
    return Conversation(
        session=session,
        turn=turn,
        messages=history,
        whole=whole,
        summary=summary,
        files=files,
        loops=loops,
        tools=_tools(conn, session.tools),
        work=work,
    )


def asked(conn: sqlite3.Connection, call_id: str) -> Asked:
    """See `ToolReads.asked`."""
    row = conn.execute(_CALL, (call_id,)).fetchone()
    if row is None:
        raise KeyError(call_id)
    call = TOOL_CALL.decode(row)
    person = conn.execute(_PERSON, (str(call.asker),)).fetchone()
    permit = (call.session_id, str(call.asker), call.server, call.tool)
    return Asked(
        call=call,
        turn=_turn(conn, call.turn_id),
        session=_session(conn, call.session_id)[1],
        asker=None if person is None else PERSON.decode(person),
        permitted=conn.execute(_PERMITTED, permit).fetchone() is not None,
    )


def _loops(conn: sqlite3.Connection, turn: Turn, history: tuple[Message, ...]) -> Loops:
    """The rounds of the tool loop, and their calls, of a turn and of the turns of a history."""
    names = json.dumps(list(dict.fromkeys((*(each.turn_id for each in history if each.turn_id), turn.id))))
    rounds = tuple([ROUND.decode(row) for row in conn.execute(_ROUNDS, (names,)).fetchall()])
    if not rounds:
        return NO_LOOPS
    calls = tuple([TOOL_CALL.decode(row) for row in conn.execute(_CALLS, (names,)).fetchall()])
    return Loops(rounds=rounds, calls=calls)


def _tools(conn: sqlite3.Connection, digest: str) -> ToolList | None:
    row = conn.execute(_TOOL_LIST, (digest,)).fetchone() if digest else None
    return None if row is None else TOOL_LIST.decode(row)


def history(conn: sqlite3.Connection, session_id: str, from_seq: int, to_seq: int, limit: int) -> tuple[Message, ...]:
    """See `Store.history`."""
    try:
        num, _ = _session(conn, session_id)
        rows = conn.execute(_PAGE, (num << SEQ_BITS | from_seq, num << SEQ_BITS | to_seq, limit)).fetchall()
        return tuple([_message(row, session_id) for row in rows])
    except (BadInput, sqlite3.DatabaseError) as error:
        raise HistoryUnreadable(code="history_unreadable", detail=str(error)) from error


def summary(conn: sqlite3.Connection, session_id: str) -> Summary | None:
    """See `Store.summary`."""
    row = conn.execute(_NEWEST_SUMMARY, (session_id,)).fetchone()
    return None if row is None else SUMMARY.decode(row)


def _one_summary(conn: sqlite3.Connection, summary_id: str) -> Summary | None:
    row = conn.execute(f"{SUMMARY.select} WHERE id = ?", (summary_id,)).fetchone()
    return None if row is None else SUMMARY.decode(row)


def delivery(conn: sqlite3.Connection, turn_id: str) -> Delivery:
    """See `Store.delivery`."""
    turn = _turn(conn, turn_id)
    parts = tuple([PART.decode(row) for row in conn.execute(_PARTS, (turn_id,)).fetchall()])
    return Delivery(turn=turn, text=_text(conn, turn), parts=parts)


def card(conn: sqlite3.Connection, session_id: str, key: str) -> Card:
    """See `Store.card`."""
    row = conn.execute(_CARD, (session_id, key)).fetchone()
    if row is None:
        raise KeyError(key)
    return CARD.decode(row)


def draft_of(conn: sqlite3.Connection, effect_id: str) -> str:
    """See `Store.draft_of`."""
    return "".join([row[0] for row in conn.execute(_DRAFT, (effect_id,)).fetchall()])


def messages(conn: sqlite3.Connection, num: int, session_id: str, *, first_seq: int = 0) -> tuple[Message, ...]:
    """The messages of a session from `first_seq`, oldest first. Raises `BadInput` for what cannot be read."""
    rows = conn.execute(_MESSAGES, (num << SEQ_BITS | first_seq, (num + 1) << SEQ_BITS)).fetchall()
    return tuple([_message(row, session_id) for row in rows])


def holding(conn: sqlite3.Connection, platform: str) -> tuple[str, ...]:
    """See `Store.holding`."""
    home = quote(platform, safe="")
    return tuple([row[0] for row in conn.execute(_HOLDING, (f"{home}/", f"{home}0")).fetchall()])


def queued(conn: sqlite3.Connection) -> int:
    """See `Store.queued`."""
    return int(conn.execute("SELECT count(*) FROM waiting").fetchone()[0])


def homes(conn: sqlite3.Connection, platform: str, since_ms: int, limit: int) -> tuple[Place, ...]:
    """Where conversations of a platform live that people have used since then, latest first: for catching up."""
    home = quote(platform, safe="")
    rows = conn.execute(_HOMES, (f"{home}/", f"{home}0", since_ms, limit)).fetchall()
    return tuple(dict.fromkeys(SessionKey.parse(row[0]).place for row in rows))


def altered(conn: sqlite3.Connection, place: Place, ref: str) -> tuple[Altered, ...]:
    """Where the sessions that were ever bound in a place hold the message `ref`."""
    first = f"{place}/"
    found: list[Altered] = []
    for row in conn.execute(_BOUND_AT, (first, f"{place}0")).fetchall():
        num, session = int(row[0]), SESSION.decode(row[1:])
        low = num << SEQ_BITS | max(0, session.next_seq - _LOOK_BACK_MESSAGES)
        rows = conn.execute(_BY_REF, (low, (num + 1) << SEQ_BITS, clean(ref))).fetchall()
        found += [Altered(session=session, message=_message(each, session.id)) for each in rows]
        rows = conn.execute(_WAITING_REF, (session.id, clean(ref))).fetchall()
        found += [Altered(session=session, waiting=WAITING.decode(each)) for each in rows]
    return tuple(found)


def _tail(
    conn: sqlite3.Connection, num: int, session: Session, turn: Turn, budget_tokens: int
) -> tuple[tuple[Message, ...], bool]:
    """The newest messages within the budget, oldest first, and whether none but refused ones is left out.

    The turn's own messages are always among them and count. Read in slices from the newest backwards.
    """
    first = num << SEQ_BITS
    refused = {row[0] for row in conn.execute(_REFUSED, (session.id,)).fetchall()}
    own = conn.execute(_MESSAGES, (first | turn.first_seq, first + turn.last_seq + 1)).fetchall()
    if turn.answer_seq is not None:
        own += conn.execute(_MESSAGES, (first | turn.answer_seq, first + turn.answer_seq + 1)).fetchall()
    taken = {row[0]: _message(row, session.id) for row in own}
    left = budget_tokens - sum(each.tokens for each in taken.values())
    floor, before = first | session.fresh_from_seq, first + (1 << SEQ_BITS)
    while rows := conn.execute(_BACKWARDS, (floor, before, SLICE_MESSAGES)).fetchall():
        for row in rows:
            message = _message(row, session.id)
            if row[0] in taken or message.turn_id in refused:
                continue
            left -= message.tokens
            if left < 0:
                return _in_order(taken), False
            taken[row[0]] = message
        before = rows[-1][0]
    return _in_order(taken), True


def _in_order(messages: dict[int, Message]) -> tuple[Message, ...]:
    return tuple([messages[key] for key in sorted(messages)])


def _message(row: Row, session_id: str) -> Message:
    return MESSAGE.decode(row[1:], session_id=session_id, seq=row[0] & SEQ_MASK)


def _check_blocks(message: Message) -> None:
    if not message.blocks:
        return
    try:
        blocks = json.loads(message.blocks)
    except ValueError as error:
        raise BadInput(code="bad_row", detail=f"blocks of message {message.seq}: {error}") from error
    if not isinstance(blocks, list) or not all(isinstance(each, dict) for each in blocks):
        raise BadInput(code="bad_row", detail=f"blocks of message {message.seq}: not a list of blocks")


def _text(conn: sqlite3.Connection, turn: Turn) -> str:
    if turn.answer_seq is not None:
        sql = "SELECT m.text FROM session AS s JOIN message AS m ON m.id = (s.num << ?) + ? WHERE s.id = ?"
        row = conn.execute(sql, (SEQ_BITS, turn.answer_seq, turn.session_id)).fetchone()
        if row is not None:
            return str(row[0])
    rows = conn.execute(_TURN_DRAFT, (turn.session_id, turn.id)).fetchall()
    return after(turn.before, turn.said + "".join([row[0] for row in rows]))


def _turn(conn: sqlite3.Connection, turn_id: str) -> Turn:
    row = conn.execute(_TURN, (turn_id,)).fetchone()
    if row is None:
        raise KeyError(turn_id)
    return TURN.decode(row)


def _session(conn: sqlite3.Connection, session_id: str) -> tuple[int, Session]:
    row = conn.execute(_SESSION, (session_id,)).fetchone()
    if row is None:
        raise KeyError(session_id)
    return int(row[0]), SESSION.decode(row[1:])


def _files(conn: sqlite3.Connection, history: tuple[Message, ...]) -> dict[str, FileCopy]:
    wanted = dict.fromkeys(each.id for message in history for each in message.files)
    rows = (conn.execute(_FILE, (file_id,)).fetchone() for file_id in wanted)
    copies = [FILE_COPY.decode(row) for row in rows if row is not None]
    return {copy.file_id: copy for copy in copies}
