"""Sealed backups: written while the bot runs, verified before they replace anything.

Knows: the file format below, and what makes a copy of the database whole. Must not know: schedules, where files go.

    "RJNBAK01" | key id, 8 | salt, 16 | chunk 0: what is inside (JSON) | chunk 1 ... n: the database file

Each chunk is its length (4 bytes) and AES-256-GCM under a key derived for this file from the root key and the salt.
The nonce is the chunk's number and whether it is the last, the head is associated data: chunks cannot be changed,
exchanged, left out or cut off without it being seen. **The key is not in the backup**: without the key file (or the
setting SECRET_KEY) of the data directory it was made from, it is noise.

The copy is one snapshot, made by a read-only connection (`VACUUM INTO`), never by a second writer.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import sqlite3
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.domain.errors import BadInput, StoreDamaged, StoreNewer
from storage.connection import open_for_reading
from storage.faults import translate
from storage.files import SNAPSHOT, fsync_folder, make_private, remove, with_companions
from storage.migrate import check, inspect
from storage.reading import counts
from storage.sealing import KEY_ID_BYTES, Keys

Progress = Callable[[int, int], None]  # bytes done, of how many

MAGIC = b"RJNBAK01"
SALT_BYTES = 16
CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_HEAD_BYTES = len(MAGIC) + KEY_ID_BYTES + SALT_BYTES
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup holds."""

    made_ms: int
    schema: int
    size_bytes: int
    counts: dict[str, int]  # rows by table


def backup(database: Path, target: Path, keys: Keys, *, now_ms: int, progress: Progress | None = None) -> Contents:
    """Write a sealed backup of `database` to `target`, which it replaces when it is complete.

    Synchronous; a running program calls it on a thread. Needs room for one more copy beside the database.

    Raises:
        StoreDamaged: the database cannot be read.
        OSError: the target cannot be written.
    """
    snapshot = database.with_name(f"{database.name}{SNAPSHOT}{secrets.token_hex(8)}")
    part = target.with_name(target.name + ".part")
    try:
        contents = _snapshot(database, snapshot, now_ms)
        remove(part)
        make_private(part)
        with part.open("wb") as file:
            _seal(snapshot, file, keys, contents, progress)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        fsync_folder(target.parent)
    finally:
        remove(part, *with_companions(snapshot))
    return contents


def verify(source: Path, keys: Keys, scratch: Path, *, progress: Progress | None = None) -> Contents:
    """Unseal a backup into the folder `scratch`, check every page and the number of rows, and remove it again.

    Raises:
        StoreDamaged: another key, changed, cut short, or damaged inside; `detail` says which.
        StoreNewer: a newer release made it.
    """
    with unsealed(source, keys, scratch / f"{source.name}.{secrets.token_hex(8)}", progress=progress) as contents:
        return contents


@contextlib.contextmanager
def unsealed(source: Path, keys: Keys, copy: Path, *, progress: Progress | None = None) -> Iterator[Contents]:
    """The verified database of a backup as the file `copy`, which is removed at the end unless it was renamed."""
    try:
        make_private(copy)
        with source.open("rb") as sealed, copy.open("wb") as plain:
            contents = _unseal(sealed, plain, keys, source, progress)
            plain.flush()
            os.fsync(plain.fileno())
        try:
            _check(copy, contents)
        except StoreNewer:
            raise
        except StoreDamaged as error:
            raise _broken(source, f"what is inside is damaged ({error.detail})") from error
        yield contents
    finally:
        remove(*with_companions(copy))


# --- writing ----------------------------------------------------------------------------------------


def _snapshot(database: Path, snapshot: Path, now_ms: int) -> Contents:
    inspect(database)
    remove(*with_companions(snapshot))
    make_private(snapshot)
    try:
        with contextlib.closing(open_for_reading(database)) as conn:
            conn.execute("VACUUM INTO ?", (str(snapshot),))
        with contextlib.closing(open_for_reading(snapshot)) as conn:
            schema = int(conn.execute("PRAGMA user_version").fetchone()[0])
            rows = counts(conn)
    except sqlite3.Error as error:
        raise translate(error) from error
    return Contents(made_ms=now_ms, schema=schema, size_bytes=snapshot.stat().st_size, counts=rows)


def _seal(snapshot: Path, file: BinaryIO, keys: Keys, contents: Contents, progress: Progress | None) -> None:
    salt = secrets.token_bytes(SALT_BYTES)
    head = MAGIC + keys.key_id + salt
    aead = AESGCM(keys.derive("backup", salt=salt))
    file.write(head)
    said = {
        "made_ms": contents.made_ms,
        "schema": contents.schema,
        "size_bytes": contents.size_bytes,
        "counts": contents.counts,
    }
    done = 0
    with snapshot.open("rb") as plain:
        number, chunk, following = 0, json.dumps(said).encode(), plain.read(CHUNK_BYTES)
        while True:
            sealed = aead.encrypt(_nonce(number, last=not following), chunk, head)
            file.write(_LENGTH.pack(len(sealed)) + sealed)
            done += len(chunk) if number else 0
            if progress is not None:
                progress(done, contents.size_bytes)
            if not following:
                return
            number, chunk, following = number + 1, following, plain.read(CHUNK_BYTES)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


# --- reading ----------------------------------------------------------------------------------------


def _unseal(sealed: BinaryIO, plain: BinaryIO, keys: Keys, source: Path, progress: Progress | None) -> Contents:
    chunks = _chunks(sealed, keys, source)
    contents = _contents(next(chunks), source)
    done = 0
    for chunk in chunks:
        plain.write(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, contents.size_bytes)
    return contents


def _chunks(sealed: BinaryIO, keys: Keys, source: Path) -> Iterator[bytes]:
    """The chunks in order. Raises `StoreDamaged` unless every one is there and as it was written."""
    head = sealed.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(MAGIC):
        raise _broken(source, "it is not a backup of Rejoinder")
    key_id = head[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES]
    aead = AESGCM(keys.named(key_id).derive("backup", salt=head[-SALT_BYTES:]))
    number, chunk, following = 0, _next(sealed, source), _next(sealed, source)
    while chunk:
        try:
            yield aead.decrypt(_nonce(number, last=not following), chunk, head)
        except InvalidTag as error:
            raise _broken(source, "it was changed or cut short") from error
        number, chunk, following = number + 1, following, _next(sealed, source)
    if not number:
        raise _broken(source, "it is cut short")


def _next(sealed: BinaryIO, source: Path) -> bytes:
    """The next chunk as it stands in the file, b"" at the end."""
    length = sealed.read(_LENGTH.size)
    if not length:
        return b""
    size = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else 0
    chunk = sealed.read(size) if _TAG_BYTES <= size <= CHUNK_BYTES + _TAG_BYTES else b""
    if not chunk or len(chunk) != size:
        raise _broken(source, "it was changed or cut short")
    return chunk


def _contents(said: bytes, source: Path) -> Contents:
    try:
        plain = json.load(io.BytesIO(said))
        return Contents(
            made_ms=int(plain["made_ms"]),
            schema=int(plain["schema"]),
            size_bytes=int(plain["size_bytes"]),
            counts={str(table): int(rows) for table, rows in plain["counts"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(source, "it does not say what is inside") from error


def _check(copy: Path, contents: Contents) -> None:
    check(copy)
    try:
        with contextlib.closing(open_for_reading(copy)) as conn:
            found = counts(conn)
    except sqlite3.Error as error:
        raise translate(error) from error
    if found != contents.counts:
        raise StoreDamaged(code="store_damaged", detail="it does not have the rows that it says")


def _broken(source: Path, why: str) -> StoreDamaged:
    return StoreDamaged(code="backup_damaged", detail=f"{source.name} cannot be used: {why}; nothing was changed")


def may_replace(target: Path) -> None:
    """Refuse to write over what is no backup: the database, for one. Raises `BadInput`."""
    if target.exists():
        with target.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise BadInput(code="not_a_backup", detail=f"{target} exists and is no backup; choose another name")
