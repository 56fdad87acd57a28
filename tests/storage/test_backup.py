"""Sealed backups, and bringing them back."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.domain.errors import StoreDamaged, StoreError, StoreNewer
from core.domain.keys import PersonKey
from core.domain.leaving import Adoption, Link
from storage import SqliteStore, open_store
from storage.backup import Contents, backup, verify
from storage.files import SNAPSHOT
from storage.forget import SIDE_NAME, forget
from storage.lock import DataLock
from storage.migrate import migrations, prepare
from storage.reading import open_reading, sessions
from storage.restore import restore
from storage.sealing import Keys
from tests.kit.store import NOW_MS, Script, accept, answering, bound, given, message, said, session
from tests.storage.test_migrate import STEPS

KEYS = Keys(bytes(32))
CANARY = "the canary sings at midnight"


async def as_after_a_crash(store: SqliteStore) -> None:
    """Close the store and leave its files as they were before: a log that is not folded."""
    files = [store.path, store.path.with_name(store.path.name + "-wal")]
    before = [each.read_bytes() for each in files]
    await store.close()
    for file, data in zip(files, before, strict=True):
        file.write_bytes(data)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[DataLock]:
    """Give the held lock of the data directory."""
    with DataLock.acquire(tmp_path, now_ms=NOW_MS) as held:
        yield held


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give the place of the backup, in a folder of its own."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "monday.rjn"


async def filled(database: Path, target: Path) -> None:
    """Make a database of several chunks, back it up and close it."""
    store = await open_store(database)
    await given(store, *answering(), *(message(n, f"{CANARY} {n} " * 400) for n in range(2, 260)))
    await asyncio.to_thread(backup, database, target, KEYS, now_ms=NOW_MS)
    await store.close()


def ids(database: Path) -> list[str]:
    """Give the ids of the sessions of a database."""
    with open_reading(database) as conn:
        return [each.session.id for each in sessions(conn)]


async def test_a_backup_while_the_bot_runs_is_whole(database: Path, target: Path, lock: DataLock) -> None:
    """A backup holds half of a message, or misses what was acknowledged before it."""
    store = await open_store(database)
    await given(store, *answering())
    running = True
    written = 1

    async def write() -> None:
        nonlocal written
        while running:
            written += 1
            await given(store, message(written, "words " * 100), replace(session(), next_seq=written + 1))

    writing = asyncio.create_task(write())
    seen: list[tuple[int, int]] = []
    for _ in range(4):
        before = written
        contents = await _backup(database, target, seen)
        assert before - 1 <= contents.counts["message"] <= written
        assert verify(target, KEYS, target.parent) == contents
    contents = await _backup(database, target, seen)
    running = False
    await writing
    await store.close()
    assert seen[-1][0] == seen[-1][1] == contents.size_bytes
    assert sorted(each.name for each in target.parent.iterdir()) == [target.name]
    assert not list(database.parent.glob(f"*{SNAPSHOT}*"))
    restored = restore(target, database, KEYS, lock)
    assert restored.contents == contents
    with open_reading(database) as conn:
        (line,) = sessions(conn)
        assert line.messages == contents.counts["message"] == line.session.next_seq - 1


async def test_a_backup_shows_nothing(database: Path, target: Path) -> None:
    """Whoever finds a backup reads the conversations."""
    await filled(database, target)
    assert CANARY.encode() in database.read_bytes()
    sealed = target.read_bytes()
    assert CANARY.encode() not in sealed
    assert b"SQLite" not in sealed
    assert target.stat().st_mode & 0o077 == 0


async def test_a_restore_brings_everything_back(database: Path, target: Path, lock: DataLock) -> None:
    """After a disk failure the conversations are gone."""
    await filled(database, target)
    before = ids(database)
    database.unlink()
    restored = restore(target, database, KEYS, lock)
    assert restored.set_aside is None
    assert ids(database) == before == ["s1"]
    assert database.stat().st_mode & 0o077 == 0
    store = await open_store(database)
    assert (await store.conversation("t1", 10**9)).whole
    await store.close()


async def test_a_restore_replaces_what_came_since(database: Path, target: Path, lock: DataLock) -> None:
    """After a restore the log of the newer database is taken in, and the two are mixed."""
    await filled(database, target)
    store = await open_store(database)
    await given(store, *bound(session("s2", user="bob")))
    await as_after_a_crash(store)
    assert sorted(ids(database)) == ["s1", "s2"]
    restore(target, database, KEYS, lock)
    assert ids(database) == ["s1"]


async def test_every_changed_bit_is_seen(database: Path, target: Path, lock: DataLock) -> None:
    """A damaged or forged backup replaces a good database."""
    await filled(database, target)
    good, present = target.read_bytes(), database.read_bytes()
    chance = random.Random(3)
    spots = [*range(0, 60 * 8, 11), *(chance.randrange(len(good) * 8) for _ in range(60))]
    for spot in spots:
        bad = bytearray(good)
        bad[spot // 8] ^= 1 << spot % 8
        target.write_bytes(bad)
        with pytest.raises(StoreDamaged):
            restore(target, database, KEYS, lock)
    assert database.read_bytes() == present
    assert not list(database.parent.glob("*.restoring*"))


async def test_every_cut_is_seen(database: Path, target: Path, lock: DataLock) -> None:
    """A backup that was not copied to its end replaces a good database."""
    await filled(database, target)
    good, present = target.read_bytes(), database.read_bytes()
    chunk = 32 + 4 + int.from_bytes(good[32:36], "big")
    chance = random.Random(4)
    cuts = [
        0,
        5,
        31,
        32,
        36,
        chunk,
        chunk + 4 + (1 << 20) + 16,
        len(good) - 1,
        *(chance.randrange(len(good)) for _ in range(20)),
    ]
    for cut in cuts:
        target.write_bytes(good[:cut])
        with pytest.raises(StoreDamaged):
            restore(target, database, KEYS, lock)
    target.write_bytes(good[: chunk + 3 * (4 + (1 << 20) + 16)])  # exactly between two chunks
    with pytest.raises(StoreDamaged, match="cut short"):
        restore(target, database, KEYS, lock)
    target.write_bytes(good + b"\0\0\0\x10" + bytes(16))
    with pytest.raises(StoreDamaged):
        restore(target, database, KEYS, lock)
    assert database.read_bytes() == present


async def test_chunks_cannot_be_exchanged(database: Path, target: Path) -> None:
    """Somebody puts together a backup from parts of others."""
    await filled(database, target)
    good = target.read_bytes()
    first = 32 + 4 + int.from_bytes(good[32:36], "big")
    size = 4 + (1 << 20) + 16
    a, b = good[first : first + size], good[first + size : first + 2 * size]
    target.write_bytes(good[:first] + b + a + good[first + 2 * size :])
    with pytest.raises(StoreDamaged, match="changed"):
        verify(target, KEYS, target.parent)


async def test_a_backup_that_lacks_rows_is_refused(database: Path, target: Path) -> None:
    """A copy that went wrong is called whole because nobody counted."""
    await filled(database, target)
    good = target.read_bytes()
    head, size = good[:32], int.from_bytes(good[32:36], "big")
    seal = AESGCM(KEYS.derive("backup", salt=head[-16:]))
    said = seal.decrypt(bytes(12), good[36 : 36 + size], head)
    assert b'"message": 259' in said
    forged = seal.encrypt(bytes(12), said.replace(b'"message": 259', b'"message": 260'), head)
    target.write_bytes(good[:36] + forged + good[36 + size :])
    with pytest.raises(StoreDamaged, match="rows"):
        verify(target, KEYS, target.parent)
    assert [each.name for each in target.parent.iterdir()] == [target.name]


async def test_the_wrong_key_is_named_and_changes_nothing(database: Path, target: Path, lock: DataLock) -> None:
    """An operator without the key file believes that the backup is damaged."""
    await filled(database, target)
    present = database.read_bytes()
    with pytest.raises(StoreDamaged, match=r"secret\.key.*not part of any backup"):
        restore(target, database, Keys(b"\x01" * 32), lock)
    assert database.read_bytes() == present


async def test_a_backup_of_a_newer_release_is_refused(database: Path, target: Path, lock: DataLock) -> None:
    """An older release puts a database in place that it cannot open."""
    prepare(database, steps=STEPS)
    with pytest.raises(StoreNewer):
        backup(database, target, KEYS, now_ms=NOW_MS)
    assert not target.exists()
    assert len(STEPS) > len(migrations())


async def test_a_damaged_database_is_not_backed_up_over_a_good_backup(database: Path, target: Path) -> None:
    """The nightly backup replaces the last good one with a damaged one."""
    await filled(database, target)
    good = target.read_bytes()
    data = bytearray(database.read_bytes())
    data[5 * 4096 : 200 * 4096] = b"\xff" * (195 * 4096)
    database.write_bytes(data)
    with pytest.raises(StoreDamaged):
        backup(database, target, KEYS, now_ms=NOW_MS)
    assert target.read_bytes() == good
    assert not list(target.parent.glob("*.part"))


async def test_a_damaged_database_is_kept_aside(database: Path, target: Path, lock: DataLock) -> None:
    """What could have been rescued by hand is thrown away by the restore."""
    await filled(database, target)
    for expected in ("rejoinder.db.damaged-1", "rejoinder.db.damaged-2"):
        database.write_bytes(b"garbage")
        restored = restore(target, database, KEYS, lock)
        assert restored.set_aside == expected
        assert database.with_name(expected).read_bytes() == b"garbage"
        assert ids(database) == ["s1"]


class Died(BaseException):
    """What a crash point raises."""


@pytest.mark.parametrize("damaged", [True, False])
@pytest.mark.parametrize("hit", ["restore.before_replace", "restore.made_way", "restore.after_replace"])
async def test_a_crash_during_a_restore_leaves_one_of_the_two(
    database: Path, target: Path, lock: DataLock, hit: str, *, damaged: bool
) -> None:
    """A power cut during a restore leaves nothing, or a mixture."""
    await filled(database, target)
    store = await open_store(database)
    await given(store, *bound(session("s2", user="bob")))
    await as_after_a_crash(store)
    if damaged:
        database.write_bytes(b"garbage")

    def point(name: str) -> None:
        if name == hit:
            raise Died

    with contextlib.suppress(Died):
        restore(target, database, KEYS, lock, on_point=point)
    if hit == "restore.after_replace":
        assert ids(database) == ["s1"]
    elif not damaged:
        assert sorted(ids(database)) == ["s1", "s2"]
    restore(target, database, KEYS, lock)
    assert ids(database) == ["s1"]


async def test_what_came_by_a_link_stays_forgotten_too(database: Path, target: Path, lock: DataLock) -> None:
    """A backup from before two accounts were linked brings half of a forgotten person back."""
    store = await open_store(database)
    eve = session("s3", user="eve")
    await given(store, *bound(session("s1")), *bound(eve), message(1, CANARY, session_id="s3"))
    await given(store, *bound(session("s2", user="bob")))
    await asyncio.to_thread(backup, database, target, KEYS, now_ms=NOW_MS)
    account = PersonKey(platform="local", workspace="home", user="eve")
    link = Link(
        id="l", session_id="s1", account=account, before="id-eve", after="id-ann", origin=session("s1").home, at_ms=1
    )
    await given(store, link, Adoption(link_id="l", before="id-eve", after="id-ann"))
    await forget(store, "id-ann", now_ms=NOW_MS)
    await store.close()
    assert ids(database) == ["s2"]
    restore(target, database, KEYS, lock)
    assert ids(database) == ["s2"]
    assert CANARY.encode() not in database.read_bytes()


@pytest.mark.parametrize("lost", ["nothing", "notes", "database", "database and notes"])
async def test_what_was_forgotten_stays_forgotten(database: Path, target: Path, lock: DataLock, lost: str) -> None:
    """Somebody who was promised deletion comes back with the next restore."""
    store = await open_store(database)
    await given(store, *bound(session("s1")), message(1, CANARY), *bound(session("s2", user="bob")))
    await given(store, message(1, "of somebody else", session_id="s2"))
    await asyncio.to_thread(backup, database, target, KEYS, now_ms=NOW_MS)
    report = await forget(store, "id-ann", now_ms=NOW_MS)
    assert report.hits == 0
    await store.close()
    if "database" in lost:
        database.unlink()
    if "notes" in lost:
        (database.parent / SIDE_NAME).unlink()
    restored = restore(target, database, KEYS, lock)
    if lost == "database and notes":
        assert (restored.tombstones, sorted(ids(database))) == (0, ["s1", "s2"])
    else:
        assert (restored.tombstones, ids(database)) == (1, ["s2"])
        assert CANARY.encode() not in database.read_bytes()


async def test_a_redelivery_after_a_restore_is_known(database: Path, target: Path, lock: DataLock) -> None:
    """After a restore the platform's last deliveries are answered a second time."""
    store = await open_store(database)
    await _hear(store)
    await asyncio.to_thread(backup, database, target, KEYS, now_ms=NOW_MS)
    await store.close()
    restore(target, database, KEYS, lock)
    store = await open_store(database)
    assert await _hear(store)
    await store.close()


async def _backup(database: Path, target: Path, seen: list[tuple[int, int]]) -> Contents:
    return await asyncio.to_thread(
        lambda: backup(database, target, KEYS, now_ms=NOW_MS, progress=lambda *at: seen.append(at))
    )


async def _hear(store: SqliteStore) -> bool:
    return (await accept(store, said("hi"), Script())).duplicate


def test_the_lock_of_another_folder_is_no_proof(database: Path, target: Path, tmp_path: Path) -> None:
    """A restore replaces the database of a running bot."""
    other = tmp_path / "other"
    other.mkdir()
    with DataLock.acquire(other, now_ms=NOW_MS) as wrong, pytest.raises(StoreError, match="store_lock"):
        restore(target, database, KEYS, wrong)


def test_a_copy_that_a_crash_left_is_removed(database: Path) -> None:
    """Words that were forgotten later lie about in a copy that nobody knows of."""
    left = database.with_name(f"{database.name}{SNAPSHOT}0")
    left.write_text(CANARY)
    prepare(database)
    assert not left.exists()
