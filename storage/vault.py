"""The sealed side of logins: what of them is on the disk opens only here, and only as what it is.

Knows: which rows are sealed, and under what they are bound. Must not know: what is inside, who asks for it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.domain.errors import StoreDamaged
from core.domain.secret import Secret
from core.engine.vault import about_client, about_credential, about_login
from storage.rows import Row
from storage.sealing import Keys, add_key
from storage.sqlite import SqliteStore

SLICE_ROWS = 200  # sealed anew in one unit of the writer: a few milliseconds
_USE = "logins"


class SealedVault:
    """Implements `core.engine.vault.Seal` with the keys of a data directory, which may change while it is used."""

    def __init__(self, keys: Keys) -> None:
        self.take(keys)

    def take(self, keys: Keys) -> None:
        """Seal with the newest of these keys from now on."""
        self.keys = keys
        self._sealer = keys.sealer(_USE)

    def seal(self, plain: Secret, about: str) -> str:
        """See `Seal`."""
        return base64.b64encode(self._sealer.seal(plain.reveal().encode(), about)).decode()

    def unseal(self, sealed: str, about: str) -> Secret:
        """See `Seal`."""
        return Secret(self._sealer.unseal(_bytes_of(sealed), about).decode())

    def is_newest(self, sealed: str) -> bool:
        """Whether the newest key has sealed it."""
        return self._sealer.is_newest(_bytes_of(sealed))


def _bytes_of(sealed: str) -> bytes:
    try:
        return base64.b64decode(sealed, validate=True)
    except binascii.Error as error:
        raise StoreDamaged(code="seal_broken", detail="this is not a sealed value") from error


# --- another key ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did. `sealed`: rows under the newest key by it; `lost`: rows that no key of ours opens."""

    sealed: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealed:
    """A table with a sealed column, and what its rows are bound to."""

    table: str
    key: str
    columns: str
    about: Callable[[Row], str]


_TABLES = (
    _Sealed(table="credential", key="id", columns="owner, server", about=lambda row: about_credential(row[0], row[1])),
    _Sealed(
        table="login", key="id", columns="owner, server, id", about=lambda row: about_login(row[0], row[1], row[2])
    ),
    _Sealed(table="oauth_client", key="key", columns="key", about=lambda row: about_client(row[0])),
)


async def change_key(
    store: SqliteStore, vault: SealedVault, folder: Path | None, progress: Callable[[int, int], None]
) -> Rotated:
    """Put a new key in front of the key file in `folder`, and seal everything with it; None: the keys are settings.

    Begun again after a crash it goes on: while something is sealed with an older key, no further key is made.
    """
    if folder is not None and not await behind(store, vault):
        vault.take(await asyncio.to_thread(add_key, folder))
    return await rotate(store, vault, progress)


async def behind(store: SqliteStore, vault: SealedVault) -> bool:
    """Whether anything is sealed with an older key."""
    for each in _TABLES:
        if await store.read(partial(_behind, vault=vault, each=each)):
            return True
    return False


async def rotate(store: SqliteStore, vault: SealedVault, progress: Callable[[int, int], None]) -> Rotated:
    """Seal everything with the newest key, a slice after the other. Begun again it goes on from where it stopped.

    Beside a running program: a row that changes meanwhile is sealed with the newest key by whoever changes it.
    """
    done = Rotated()
    for number, each in enumerate(_TABLES):
        after = ""
        while True:
            last, some = await store.submit(partial(_slice, vault=vault, each=each, after=after))
            done = Rotated(sealed=done.sealed + some.sealed, lost=done.lost + some.lost)
            progress(number, len(_TABLES))
            if not last:
                break
            after = last
            await asyncio.sleep(0)
    await store.rebind_key(vault.keys)
    return done


def _behind(conn: sqlite3.Connection, vault: SealedVault, each: _Sealed) -> bool:
    rows = conn.execute(f"SELECT sealed FROM {each.table} WHERE sealed <> ''")
    return any(not vault.is_newest(sealed) for (sealed,) in rows)


def _slice(conn: sqlite3.Connection, vault: SealedVault, each: _Sealed, after: str) -> tuple[str, Rotated]:
    """The key of the last row that was looked at ("" at the end), and what was done."""
    sql = (
        f"SELECT {each.key}, sealed, {each.columns} FROM {each.table} WHERE {each.key} > ? ORDER BY {each.key} LIMIT ?"
    )
    rows = conn.execute(sql, (after, SLICE_ROWS)).fetchall()
    sealed = lost = 0
    for key, old, *bound in rows:
        if not old:
            continue
        try:
            if vault.is_newest(old):
                continue
            about = each.about(bound)
            new = vault.seal(vault.unseal(old, about), about)
        except StoreDamaged:
            lost += 1
            continue
        conn.execute(f"UPDATE {each.table} SET sealed = ? WHERE {each.key} = ?", (new, key))
        sealed += 1
    return (rows[-1][0] if len(rows) == SLICE_ROWS else ""), Rotated(sealed=sealed, lost=lost)
