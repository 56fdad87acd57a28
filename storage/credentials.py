"""`SqliteCredentials`: the rows of logins, each change one unit that happens only while the row is as it was.

Knows: SQL of the tables credential, login, oauth_client. Must not know: what is sealed in them, OAuth.
"""

from __future__ import annotations

import sqlite3

from core.domain.entities import Person
from core.domain.keys import PersonKey
from core.domain.tooling import Credential, Login
from storage.rows import CREDENTIAL, LOGIN, PERSON, clean, put
from storage.sqlite import SqliteStore

USED_STEP_MS = 3_600_000  # when a login was last used is known to the hour: not every call writes

_LIVE = f"{CREDENTIAL.select} WHERE owner = ? AND server = ? AND status IN ('ok', 'needs_login')"
_BY_ID = f"{CREDENTIAL.select} WHERE id = ?"
_VERSION = "SELECT version FROM credential WHERE id = ?"
_USED = "UPDATE credential SET used_ms = ?1 WHERE id = ?2 AND used_ms < ?1 - ?3"
_LOGIN = f"{LOGIN.select} WHERE id = ?"
_BY_LINK = f"{LOGIN.select} WHERE link = ?"
_BIND = "UPDATE login SET browser = ?1 WHERE id = ?2 AND link = ?3 AND browser IN ('', ?1)"
_LEAVE = "UPDATE login SET sealed = ? WHERE id = ? AND link = ? AND browser = ?"
_TAKE = "UPDATE login SET sealed = '', link = '' WHERE id = ? AND sealed = ? AND sealed <> ''"
_KEEP_CLIENT = (
    "INSERT INTO oauth_client (key, sealed) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET sealed = excluded.sealed"
)
_PERSON = f"{PERSON.select} WHERE key = ?"
_DUE = (
    "SELECT id, version FROM credential AS c WHERE status = 'ok' AND renewable = 1 AND expires_ms < ?1"
    " AND (used_ms >= ?2 OR EXISTS (SELECT 1 FROM tool_call AS t WHERE t.state = 'sign_in' AND t.server = c.server))"
    " ORDER BY expires_ms LIMIT ?3"
)


class SqliteCredentials:
    """Implements `core.engine.vault.CredentialRows`. Raises `StoreError`."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def credential(self, owner: str, server: str) -> Credential | None:
        """See `CredentialRows`."""
        return await self._store.read(lambda conn: _credential(conn, _LIVE, owner, server))

    async def credential_by_id(self, credential_id: str) -> Credential | None:
        """See `CredentialRows`."""
        return await self._store.read(lambda conn: _credential(conn, _BY_ID, credential_id))

    async def swap(self, new: Credential, was: int | None) -> bool:
        """See `CredentialRows`."""

        def unit(conn: sqlite3.Connection) -> bool:
            if was is None:
                stands = _credential(conn, _LIVE, new.owner, new.server) is not None
            else:
                row = conn.execute(_VERSION, (new.id,)).fetchone()
                stands = row is None or row[0] != was
            if stands:
                return False
            put(conn, CREDENTIAL.upsert, CREDENTIAL.encode(new))
            return True

        return await self._store.submit(unit)

    async def used(self, credential_id: str, now_ms: int) -> None:
        """See `CredentialRows`."""
        await self._change(_USED, now_ms, credential_id, USED_STEP_MS)

    async def drop(self, credential_id: str) -> None:
        """See `CredentialRows`."""
        await self._change("DELETE FROM credential WHERE id = ? AND status = 'ending'", credential_id)

    async def client(self, key: str) -> str:
        """See `CredentialRows`."""
        sql = "SELECT sealed FROM oauth_client WHERE key = ?"
        row = await self._store.read(lambda conn: conn.execute(sql, (key,)).fetchone())
        return "" if row is None else str(row[0])

    async def keep_client(self, key: str, sealed: str) -> None:
        """See `CredentialRows`."""
        await self._change(_KEEP_CLIENT, key, sealed)

    async def login(self, login_id: str) -> Login | None:
        """See `CredentialRows`."""
        return await self._store.read(lambda conn: _login(conn, _LOGIN, clean(login_id)))

    async def login_by_link(self, digest: str) -> Login | None:
        """See `CredentialRows`."""
        return await self._store.read(lambda conn: _login(conn, _BY_LINK, digest) if digest else None)

    async def bind(self, login: Login, browser: str) -> bool:
        """See `CredentialRows`."""
        return await self._change(_BIND, browser, login.id, login.link) == 1

    async def leave(self, login: Login, sealed: str) -> bool:
        """See `CredentialRows`."""
        return await self._change(_LEAVE, sealed, login.id, login.link, login.browser) == 1

    async def take(self, login: Login) -> bool:
        """See `CredentialRows`."""
        return await self._change(_TAKE, login.id, login.sealed) == 1

    async def holder(self, login: Login) -> str:
        """See `CredentialRows`."""

        def person(conn: sqlite3.Connection) -> Person | None:
            row = conn.execute(_PERSON, (str(login.asker),)).fetchone()
            return None if row is None else PERSON.decode(row)

        found = await self._store.read(person)
        return login.asker.user if found is None else found.name or login.asker.user

    async def identity(self, account: PersonKey) -> str:
        """See `CredentialRows`."""
        sql = "SELECT identity FROM person WHERE key = ?"
        row = await self._store.read(lambda conn: conn.execute(sql, (clean(str(account)),)).fetchone())
        return "" if row is None else str(row[0])

    async def due(self, expires_before_ms: int, used_since_ms: int, limit: int) -> tuple[tuple[str, int], ...]:
        """See `CredentialRows`."""
        values = (expires_before_ms, used_since_ms, limit)
        rows = await self._store.read(lambda conn: conn.execute(_DUE, values).fetchall())
        return tuple([(str(row[0]), int(row[1])) for row in rows])

    async def _change(self, sql: str, *values: str | int) -> int:
        return await self._store.submit(lambda conn: conn.execute(sql, values).rowcount)


def _credential(conn: sqlite3.Connection, sql: str, *values: str) -> Credential | None:
    row = conn.execute(sql, values).fetchone()
    return None if row is None else CREDENTIAL.decode(row)


def _login(conn: sqlite3.Connection, sql: str, *values: str) -> Login | None:
    row = conn.execute(sql, values).fetchone()
    return None if row is None else LOGIN.decode(row)
