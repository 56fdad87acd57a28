"""A person's own conversations, for completions while they type: one indexed read, no lane, nothing written.

Knows: which rows. Must not know: what a completion looks like, which platform asks.
"""

from __future__ import annotations

import sqlite3

from core.domain.decision import Line
from core.domain.keys import PersonKey
from storage import leaving

_IDENTITY = "SELECT identity FROM person WHERE key = ?"


def lines_of(conn: sqlite3.Connection, account: PersonKey) -> tuple[Line, ...]:
    """The conversations of whoever owns this account, the latest first; none for somebody we never met."""
    row = conn.execute(_IDENTITY, (str(account),)).fetchone()
    return () if row is None else leaving.mine(conn, row[0])
