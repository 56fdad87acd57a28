"""Read-only looks at a data directory, beside a running program or without one.

Knows: what the reading commands and doctor ask for. Must not know: how it is shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bots.app.data import keys_of, locked, must_exist
from core.codec import Json
from core.domain.errors import BadInput, StoreDamaged, StoreLocked
from core.settings import Settings
from storage.faults import KEY_NAME, RESTORE_HINT
from storage.migrate import inspect
from storage.reading import SessionDetail, SessionLine, counts, detail, export, open_reading, sessions


@contextmanager
def reading(settings: Settings) -> Iterator[Reading]:
    """One read-only look at the database, beside a running program or without one. Raises `StoreError`."""
    must_exist(settings)
    with open_reading(settings.database) as conn:
        yield Reading(conn)


def holder(settings: Settings) -> str:
    """Who runs on the data directory, as a sentence; "" when nobody does."""
    try:
        with locked(settings):
            return ""
    except StoreLocked as error:
        return error.detail


def key_told(settings: Settings) -> str:
    """Where the key that seals comes from, and its id; makes none. Raises `StoreError` when it cannot be used."""
    if settings.secret_key is None and not (settings.data_dir / KEY_NAME).exists():
        return "no key file yet; the first start makes it"
    origin = KEY_NAME if settings.secret_key is None else "REJOINDER_SECRET_KEY"
    return f"{origin}, id {keys_of(settings).key_id.hex()}; keep a copy elsewhere, backups open only with it"


def examined(settings: Settings) -> str:
    """Look at every page of the database; what it holds, as a sentence. Raises `StoreError`."""
    must_exist(settings)
    schema = inspect(settings.database)
    with open_reading(settings.database) as conn:
        found = [str(row[0]) for row in conn.execute("PRAGMA quick_check(1)").fetchall()]
        if found != ["ok"]:
            raise StoreDamaged(code="store_damaged", detail=f"{found[0]}; {RESTORE_HINT}")
        rows = counts(conn)
    size_bytes = settings.database.stat().st_size
    return f"schema {schema}, {rows['session']} sessions, {rows['message']} messages, {size_bytes:,} bytes"


class Reading:
    """What the reading commands ask for."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def sessions(self, owner: str, limit: int) -> tuple[SessionLine, ...]:
        """The newest sessions, of one owner if given."""
        return sessions(self._conn, owner=owner, limit=limit)

    def session(self, session_id: str) -> SessionDetail:
        """One session with its history. Raises `BadInput`."""
        try:
            return detail(self._conn, session_id)
        except KeyError:
            raise BadInput(code="unknown_session", detail=f"there is no session {session_id}") from None

    def export(self, name: str) -> dict[str, Json]:
        """Everything of a session or an owner. Raises `BadInput`."""
        return export(self._conn, name)
