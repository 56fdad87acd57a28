"""Small JSON values by key, for what a platform adapter remembers between two processes.

Knows: the `meta` table. Must not know: what the values mean, or who keeps them. Keys have their owner's name in front
("discord:..."), so that they never meet those of the store itself.
"""

from __future__ import annotations

import json
import sqlite3

from core.codec import Json
from storage.sqlite import SqliteStore

_GET = "SELECT value FROM meta WHERE key = ?"
_PUT = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class SqliteMemory:
    """Keeps values in the store's own file. Raises `StoreError`."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def get(self, key: str) -> Json:
        """The value under `key`; None when there is none, or when it cannot be read."""
        row = await self._store.read(lambda conn: conn.execute(_GET, (key,)).fetchone())
        if row is None:
            return None
        try:
            found: Json = json.loads(row[0])
        except ValueError:
            return None
        return found

    async def put(self, key: str, value: Json) -> None:
        """Remember `value` in place of what was there; durable when this returns."""
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

        def unit(conn: sqlite3.Connection) -> None:
            conn.execute(_PUT, (key, text))

        await self._store.submit(unit)
