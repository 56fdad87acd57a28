"""Which rows a session or a person has, in every table: found for a farewell, deleted for good.

Knows: every table that can hold words or ids of people. Must not know: who asked, or what they are told.

What stays of a session: source keys, so that a redelivery resurrects nothing, and the `Erase` effect that is being
carried out. What stays of a person: the workspace's sums of money; wrong codes for the hour in which they still lock
somebody out, or forgetting would be the way around the lock. In conversations of others their turns and words go,
and what a summary there says; facts that rest on words which are still there stay.
"""

from __future__ import annotations

import json
import sqlite3

from core.domain.effects import AskModel
from core.domain.entities import Card, EffectState
from core.domain.keys import PersonKey, Place, SessionKey
from core.engine.ports import Doomed
from storage.board import title_of
from storage.rows import CARD, EFFECT, SEQ_BITS, SEQ_MASK

SESSION = "session"
OWNER = "owner"
_NEEDLE_MIN_CHARS = 12  # shorter words occur by chance
_NEEDLE_MAX_CHARS = 48  # of a longer text; it may lie across pages, its id does not

_OF_SESSION = (  # table and the column that must not be found afterwards
    ("turn", "id"),
    ("task", "goal"),
    ("step", "result"),
    ("waiting", "text"),
    ("card", "id"),
    ("file_copy", ""),
    ("summary", "goal"),
    ("ticket", "digest"),
    ("move_claim", "id"),
    ("login", "id"),
    ("tool_round", "text"),
    ("tool_call", "input"),
    ("permit", ""),
    ("binding", ""),
)
_PLACES = (
    "SELECT place FROM turn WHERE session_id = ?1 UNION SELECT place FROM card WHERE session_id = ?1"
    " UNION SELECT said_at FROM waiting WHERE session_id = ?1 AND said_at <> ''"
)
_USERS = "SELECT asker FROM turn WHERE session_id = ?1 UNION SELECT asker FROM waiting WHERE session_id = ?1"
_REFS = (
    "SELECT ref FROM message WHERE id >= ?2 AND id < ?3"
    " UNION SELECT ref FROM waiting WHERE session_id = ?1 UNION SELECT ref FROM card WHERE session_id = ?1"
    " UNION SELECT reply_to FROM turn WHERE session_id = ?1"
    " UNION SELECT p.ref FROM part AS p JOIN turn AS t ON t.id = p.turn_id WHERE t.session_id = ?1"
)
ASKED_ELSEWHERE = (
    "SELECT t.id, t.session_id, s.num FROM turn AS t JOIN session AS s ON s.id = t.session_id WHERE t.asker = ?"
)
HEARD_ELSEWHERE = (
    "SELECT m.id FROM message AS m JOIN session AS s ON s.num = m.id >> ? WHERE m.role = 'heard' AND m.author = ?"
    " AND s.home >= ? AND s.home < ?"
)
_OPEN_CALL = "kind IN ('AskModel', 'AskModel:task') AND state IN ('pending', 'started')"
_PAY = "UPDATE spend SET reserved = max(reserved - ?, 0), settled = settled + ? WHERE account = ? AND day = ?"
# A question to sign in that was put here first, and that another conversation waits for too, is that one's from now on.
_STANDS = "SELECT session_id FROM card WHERE key = 'login:' || login.id AND session_id <> ?1"
_HAND_ON = f"UPDATE login SET session_id = ({_STANDS} LIMIT 1) WHERE session_id = ?1 AND EXISTS ({_STANDS})"
_BLANK = "UPDATE summary SET goal = '', done = '', last = '', next = '', facts = ? WHERE id = ?"


class Eraser:
    """Deletes rows and remembers what was in them. Posts of the local board that are younger than `asked_ms` stay."""

    def __init__(self, conn: sqlite3.Connection, asked_ms: int) -> None:
        self._conn = conn
        self._asked_ms = asked_ms
        self.rows = 0
        self.needles: set[str] = set()

    def session(self, session_id: str) -> None:
        """Everything of a session."""
        row = self._conn.execute("SELECT num, home FROM session WHERE id = ?", (session_id,)).fetchone()
        if row is None:
            return
        num, home = int(row[0]), SessionKey.parse(row[1])
        first, end = num << SEQ_BITS, (num + 1) << SEQ_BITS
        places = {home.place, *map(Place.parse, self._column(_PLACES, session_id))}
        users = {home.user, *(PersonKey.parse(each).user for each in self._column(_USERS, session_id))}
        refs = set(self._column(_REFS, session_id, first, end))
        continuing = f"continue:{session_id}"
        refs |= set(self._column("SELECT ref FROM card WHERE key = ?", continuing))
        self._delete("draft", "effect_id IN (SELECT id FROM effect WHERE session_id = ?)", session_id, also="text")
        self._delete("part", "turn_id IN (SELECT id FROM turn WHERE session_id = ?)", session_id)
        self._delete("message", "id >= ? AND id < ?", first, end, also="text")
        self._pay("session_id = ?", session_id)
        self._delete("effect", "session_id = ? AND kind <> 'Erase'", session_id, also="id")
        self._delete("adopted", "link_id IN (SELECT id FROM link WHERE session_id = ?)", session_id)
        self._delete("link", "session_id = ?", session_id, also="id")
        self._delete("card", "key = ?", continuing, also="text")
        self._conn.execute(_HAND_ON, (session_id,))
        for table, also in _OF_SESSION:
            self._delete(table, "session_id = ?", session_id, also=also)
        self._delete("session", "id = ?", session_id, also="title")
        self._board(places, users - {""}, refs - {""})

    def owner(self, identity: str) -> None:
        """Everything of an owner: their sessions, and their words in sessions of others."""
        people = self._conn.execute("SELECT key, name FROM person WHERE identity = ?", (identity,)).fetchall()
        for session_id in self._column("SELECT id FROM session WHERE owner = ?", identity):
            self.session(session_id)
        for key, name in people:
            self._asked_elsewhere(key, name)
            self._heard_elsewhere(PersonKey.parse(key), name)
            self._posts_of(PersonKey.parse(key))
            self._delete("move_claim", "claimant = ?", key, also="claimant_name")
            self._delete("permit", "account = ?", key)
            self._delete("adopted", "link_id IN (SELECT id FROM link WHERE account = ?)", key)
            self._delete("link", "account = ?", key, also="id")
        self._delete("credential", "owner = ?", identity, also="sealed")
        self._delete("login", "owner = ?", identity, also="id")
        self._delete("ticket", "owner = ?", identity, also="digest")
        self._delete("preference", "identity = ?", identity)
        self._delete("spend", "account = ?", f"person:{identity}")
        self._delete("person", "identity = ?", identity, also="key")

    def _pay(self, where: str, *values: str) -> None:
        """Model calls that go with their rows give back what they reserved; one that runs counts as if it had cost it.

        What it has really cost nobody will know, and forgetting must not be the way around a budget.
        """
        for row in self._conn.execute(f"{EFFECT.select} WHERE {where} AND {_OPEN_CALL}", values).fetchall():
            call = EFFECT.decode(row)
            if isinstance(call.effect, AskModel):
                cost = call.effect.reserved if call.state is EffectState.STARTED else 0
                for account in call.effect.accounts:
                    self._conn.execute(_PAY, (call.effect.reserved, cost, account, call.effect.day))

    # --- in sessions of others ------------------------------------------------------------------------

    def _asked_elsewhere(self, key: str, name: str) -> None:
        """Turns that this account asked for in others' sessions, and what it said there."""
        self._delete("waiting", "asker = ?", key, also="text")
        self._delete("step", "task_id IN (SELECT id FROM task WHERE asker = ?)", key, also="result")
        for task_id in self._column("SELECT id FROM task WHERE asker = ?", key):
            self._delete("card", "key = ?", f"task:{task_id}", also="text")
        self._delete("task", "asker = ?", key, also="goal")
        for turn_id, session_id, num in self._conn.execute(ASKED_ELSEWHERE, (key,)).fetchall():
            first, end = num << SEQ_BITS, (num + 1) << SEQ_BITS
            self._delete("message", "id >= ? AND id < ? AND turn_id = ?", first, end, turn_id, also="text")
            self._delete("message", "id >= ? AND id < ? AND author = ?", first, end, name, also="text")
            mine = "session_id = ? AND turn_id = ?"
            self._delete(
                "draft", f"effect_id IN (SELECT id FROM effect WHERE {mine})", session_id, turn_id, also="text"
            )
            self._pay(mine, session_id, turn_id)
            self._delete("effect", mine, session_id, turn_id, also="id")
            self._delete("part", "turn_id = ?", turn_id)
            self._delete("tool_round", "turn_id = ?", turn_id, also="text")
            self._delete("tool_call", "turn_id = ?", turn_id, also="result")
            self._delete("turn", "id = ?", turn_id, also="id")
            self._blank(num, session_id)

    def _heard_elsewhere(self, account: PersonKey, name: str) -> None:
        """What was heard of this account in threads of its workspace: there a name is all that we know."""
        low, high = account.places
        touched = set()
        for message_id in self._column(HEARD_ELSEWHERE, SEQ_BITS, name, low, high):
            self._delete("message", "id = ?", message_id, also="text")
            touched.add(int(message_id) >> SEQ_BITS)
        for num in touched:
            (session_id,) = self._conn.execute("SELECT id FROM session WHERE num = ?", (num,)).fetchone()
            self._blank(num, session_id)

    def _blank(self, num: int, session_id: str) -> None:
        """Summaries may tell what is gone: only facts that rest on words which are still there stay."""
        first, end = num << SEQ_BITS, (num + 1) << SEQ_BITS
        left = {int(each) & SEQ_MASK for each in self._column(f"{_IDS} WHERE id >= ? AND id < ?", first, end)}
        rows = self._conn.execute("SELECT id, facts FROM summary WHERE session_id = ?", (session_id,)).fetchall()
        for summary_id, facts in rows:
            kept = [each for each in json.loads(facts) if each["seq"] in left]
            self._conn.execute(_BLANK, (json.dumps(kept, ensure_ascii=False), summary_id))
        sums = "SELECT coalesce(sum(tokens), 0) FROM message WHERE id >= ?1 + fresh_from_seq AND id < ?2"
        self._conn.execute(f"UPDATE session SET tokens = ({sums}) WHERE num = ?3", (first, end, num))

    # --- the local board ------------------------------------------------------------------------------

    def _board(self, places: set[Place], users: set[str], refs: set[str]) -> None:
        """Posts of a session; all of a place when nobody else's session lives there."""
        touched = {str(each) for each in places}
        for ref in refs:
            touched |= set(self._column("SELECT place FROM board_post WHERE id = ?", ref))
            self._posts("id = ?", ref)
        for place in map(str, places):
            low, high = f"{place}/", f"{place}0"
            if not self._conn.execute("SELECT 1 FROM binding WHERE key >= ? AND key < ?", (low, high)).fetchone():
                self._posts("place = ?", place)
            for user in users:
                self._posts("place = ? AND author = ?", place, user)
        for place in touched:
            self._thread(place)

    def _posts_of(self, person: PersonKey) -> None:
        """Every post that an account wrote on the board."""
        low, high = person.places
        sql = "SELECT DISTINCT place FROM board_post WHERE place >= ? AND place < ? AND author = ?"
        for place in self._column(sql, low, high, person.user):
            self._posts("place = ? AND author = ?", place, person.user)
            self._thread(place)

    def _posts(self, where: str, *values: str) -> None:
        where = f"{where} AND created_ms <= ?"
        for post_id in self._column(f"SELECT id FROM board_post WHERE {where}", *values, self._asked_ms):
            self._delete("board_file", "post_id = ?", post_id)
        self._delete("board_post", where, *values, self._asked_ms, also="text")

    def _thread(self, place: str) -> None:
        """The line of a thread, told anew by the first post that is left, or gone with the last."""
        sql = "SELECT text, author FROM board_post WHERE place = ? ORDER BY n LIMIT 1"
        left = self._conn.execute(sql, (place,)).fetchone()
        if left is None:
            self._delete("board_thread", "place = ?", place)
        else:
            title = title_of(left[0], left[1])
            self._conn.execute("UPDATE board_thread SET title = ?, opener = ? WHERE place = ?", (title, left[1], place))

    # --- rows -------------------------------------------------------------------------------------------

    def _column(self, sql: str, *values: str | int) -> list[str]:
        return [row[0] for row in self._conn.execute(sql, values).fetchall()]

    def _delete(self, table: str, where: str, *values: str | int, also: str = "") -> None:
        """Delete rows; the column `also` is what must not be found afterwards."""
        if also:
            for (text,) in self._conn.execute(f"SELECT {also} FROM {table} WHERE {where}", values):
                if len(text) >= _NEEDLE_MIN_CHARS:
                    self.needles.add(text[:_NEEDLE_MAX_CHARS])
        self.rows += self._conn.execute(f"DELETE FROM {table} WHERE {where}", values).rowcount


_IDS = "SELECT id FROM message"


# --- before it is done --------------------------------------------------------------------------------


def doomed(conn: sqlite3.Connection, kind: str, key: str) -> Doomed:
    """What an erasure would reach: sessions, places, and cards that stand somewhere."""
    column = "id" if kind == SESSION else "owner"
    sessions = _column(conn, f"SELECT id FROM session WHERE {column} = ? ORDER BY num", key)
    places: dict[Place, None] = {}
    cards: list[Card] = []
    for session_id in sessions:
        for home in _column(conn, "SELECT home FROM session WHERE id = ?", session_id):
            places[SessionKey.parse(home).place] = None
        places |= dict.fromkeys(map(Place.parse, _column(conn, _PLACES, session_id)))
        sql = f"{CARD.select} WHERE (session_id = ?1 OR key = 'continue:' || ?1) AND ref <> ''"
        cards.extend(CARD.decode(row) for row in conn.execute(sql, (session_id,)).fetchall())
    if kind == OWNER:
        for account in map(PersonKey.parse, _column(conn, "SELECT key FROM person WHERE identity = ?", key)):
            sql = "SELECT DISTINCT place FROM board_post WHERE place >= ? AND place < ? AND author = ?"
            places |= dict.fromkeys(map(Place.parse, _column(conn, sql, *account.places, account.user)))
    return Doomed(sessions=tuple(sessions), places=tuple(places), cards=tuple(cards))


def _column(conn: sqlite3.Connection, sql: str, *values: str) -> list[str]:
    return [row[0] for row in conn.execute(sql, values).fetchall()]
