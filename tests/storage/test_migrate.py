"""Opening a database: the schema, and every file that must not be opened."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from core.domain.errors import StoreDamaged, StoreFull, StoreNewer
from storage import open_store, rows
from storage.backup import backup
from storage.forget import forget, scan
from storage.migrate import APPLICATION_ID, Migration, check, inspect, migrations, prepare, statements
from storage.reading import export, open_reading
from storage.sealing import Keys
from tests.kit.store import NOW_MS, answering, given, message

SNAPSHOT = Path(__file__).with_name("schema.sql")


def schema(database: Path) -> str:
    """Give the schema as text, in a fixed order."""
    with contextlib.closing(sqlite3.connect(database)) as conn:
        found = conn.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name")
        return "".join(f"{row[0]};\n" for row in found)


async def filled(database: Path, messages: int = 400) -> None:
    """Make a database with a few hundred pages of conversation and close it."""
    store = await open_store(database)
    await given(store, *answering(), *(message(n, f"words {n} " * 40) for n in range(2, messages)))
    await store.close()


# --- the schema -------------------------------------------------------------------------------------


def test_all_migrations_make_the_schema_that_is_written_down(database: Path) -> None:
    """A change of the schema slips in without a migration.

    After a deliberate change: write the text that this test shows into schema.sql.
    """
    prepare(database)
    assert schema(database) == SNAPSHOT.read_text(encoding="utf-8")


def test_every_field_of_every_entity_has_its_column(database: Path) -> None:
    """A new field of an entity makes every message fail."""
    prepare(database)
    with contextlib.closing(sqlite3.connect(database)) as conn:
        for table in vars(rows).values():
            if isinstance(table, rows.Table):
                columns = {row[1] for row in conn.execute(f"PRAGMA table_xinfo({table.name})")}
                assert {each.strip('"') for each in table.columns} <= columns, f"{table.name} needs a migration"


def test_a_new_database_is_ours_and_private(database: Path) -> None:
    """Other accounts of the machine read the conversations."""
    prepare(database)
    assert database.stat().st_mode & 0o077 == 0
    assert sorted(each.name for each in database.parent.iterdir()) == [database.name]
    with contextlib.closing(sqlite3.connect(database)) as conn:
        assert conn.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        assert inspect(database) == len(migrations()) == conn.execute("SELECT count(*) FROM migration").fetchone()[0]


def test_migrating_twice_changes_nothing(database: Path) -> None:
    """Every start rewrites the database."""
    prepare(database)
    before = database.read_bytes()
    prepare(database)
    assert database.read_bytes() == before


def test_a_text_is_split_where_its_statements_end() -> None:
    """A migration with a semicolon in a text or a trigger is torn apart."""
    sql = "-- a; b\nCREATE TABLE a (b TEXT DEFAULT ';');\n\nINSERT INTO a VALUES ('x');\n-- the end\n"
    assert [each.strip() for each in statements(sql)] == [
        "-- a; b\nCREATE TABLE a (b TEXT DEFAULT ';');",
        "INSERT INTO a VALUES ('x');",
    ]
    with pytest.raises(Exception, match="in the middle"):
        list(statements("CREATE TABLE a (b)"))


STEPS = (
    *migrations(),
    Migration(version=len(migrations()) + 1, name="a", sql="CREATE TABLE extra (a TEXT);\nDELETE FROM meta;\n"),
    Migration(version=len(migrations()) + 2, name="b", sql="ALTER TABLE extra ADD COLUMN b TEXT;\n"),
)


class Died(BaseException):
    """What a crash point raises: nothing may catch it."""


@pytest.mark.parametrize("new", [True, False], ids=["new", "old"])
@pytest.mark.parametrize("hit", range(12))
def test_a_crash_between_migrations_is_carried_on_with(database: Path, hit: int, *, new: bool) -> None:
    """An update that is interrupted leaves a database that neither release can open."""
    if not new:
        prepare(database)
    passed = 0

    def point(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == hit + 1:
            raise Died

    with contextlib.suppress(Died):
        prepare(database, steps=STEPS, on_point=point)
    prepare(database, steps=STEPS)
    assert inspect(database, newest=len(STEPS)) == len(STEPS)
    assert "CREATE TABLE extra (a TEXT, b TEXT)" in schema(database)


def test_a_migration_that_fails_leaves_the_database_as_it_was(database: Path) -> None:
    """An update onto a full disk destroys the database."""
    prepare(database)
    before = schema(database)
    broken = Migration(version=len(migrations()) + 1, name="broken", sql="CREATE TABLE extra (a TEXT);\nNONSENSE;\n")
    with pytest.raises(Exception, match="syntax error"):
        prepare(database, steps=(*migrations(), broken))
    assert schema(database) == before
    assert inspect(database) == len(migrations())


async def test_a_disk_that_is_full_at_the_start(database: Path) -> None:
    """A full disk at the first start leaves half a database that is then taken for a damaged one."""
    program = """
import resource, signal, sys
from pathlib import Path
from core.domain.errors import StoreError
from storage.migrate import prepare
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    prepare(Path(sys.argv[1]))
except StoreError:
    sys.exit(7)
"""
    ran = await asyncio.create_subprocess_exec(sys.executable, "-c", program, database)
    await ran.wait()
    assert ran.returncode == 7
    assert not database.exists()
    store = await open_store(database, max_page_count=1)
    with pytest.raises(StoreFull):
        await store.submit(lambda conn: conn.execute("CREATE TABLE extra (a)").fetchall())
    await store.close()


# --- files that are refused -------------------------------------------------------------------------


async def refused(database: Path, match: str) -> None:
    """Opening is refused, nothing is changed, and the error says what to do."""
    before = {each.name: each.read_bytes() for each in database.parent.iterdir()}
    with pytest.raises(StoreDamaged, match=match) as error:
        await open_store(database)
    assert "rejoinder restore FILE" in error.value.detail
    for name, data in before.items():
        assert database.with_name(name).read_bytes() == data
    log = database.with_name(database.name + "-wal")
    assert log.name in before or not log.exists() or not log.stat().st_size


async def test_a_newer_database_is_refused(database: Path) -> None:
    """An older release destroys what a newer one has written."""
    prepare(database, steps=STEPS)
    before = database.read_bytes()
    with pytest.raises(StoreNewer, match="newer release"):
        await open_store(database)
    assert database.read_bytes() == before


@pytest.mark.parametrize("size", [0, 1, 50, 99])
async def test_a_file_cut_to_almost_nothing_is_refused(database: Path, size: int) -> None:
    """After a disk error the bot starts with an empty memory as if nothing had been."""
    await filled(database)
    os.truncate(database, size)
    await refused(database, f"only {size} bytes")


@pytest.mark.parametrize("pages", [1, 2, 30, -1])
async def test_a_file_cut_anywhere_is_refused(database: Path, pages: int) -> None:
    """A database with its end missing is opened, and fails later in the middle of a conversation."""
    await filled(database)
    os.truncate(database, pages * 4096 if pages > 0 else database.stat().st_size - 4096)
    await refused(database, "store_damaged")


async def test_a_file_of_another_program_is_refused(database: Path) -> None:
    """A wrong path in the settings changes another program's database."""
    with contextlib.closing(sqlite3.connect(database)) as conn:
        conn.execute("CREATE TABLE theirs (a)")
        conn.commit()
    await refused(database, "another program")


async def test_a_file_that_is_no_database_is_refused(database: Path) -> None:
    """A wrong path in the settings overwrites a file."""
    database.write_text("not a database " * 100)
    await refused(database, "not an SQLite database")


async def test_a_damaged_schema_is_refused(database: Path) -> None:
    """A database whose tables cannot be read is opened, and every message fails."""
    await filled(database)
    data = bytearray(database.read_bytes())
    data[100:4096] = bytes(3996)
    database.write_bytes(data)
    await refused(database, "store_damaged")


async def test_tables_that_are_missing_are_noticed(database: Path) -> None:
    """A database without its tables is opened, and every message fails."""
    prepare(database)
    with contextlib.closing(sqlite3.connect(database)) as conn:
        conn.execute("DROP TABLE migration")
        conn.commit()
    await refused(database, "tables are missing")


async def test_a_database_that_vanished_is_not_replaced(database: Path) -> None:
    """Somebody deletes the wrong file and the bot starts anew, so that the log that could save it is lost too."""
    prepare(database)
    with contextlib.closing(sqlite3.connect(database)) as conn:
        conn.execute("INSERT INTO meta VALUES ('a', 'b')")
        conn.commit()
        database.unlink()
        await refused(database, "it is gone")


async def test_damage_inside_is_found_when_one_looks(database: Path) -> None:
    """`doctor` calls a damaged database healthy."""
    await filled(database)
    check(database)
    data = bytearray(database.read_bytes())
    data[10 * 4096 : 10 * 4096 + 64] = b"\xff" * 64
    database.write_bytes(data)
    with pytest.raises(StoreDamaged):
        check(database)


async def test_damage_met_while_running_has_its_name(database: Path) -> None:
    """A damaged page ends in an unknown error that nobody knows what to do about."""
    await filled(database)
    data = bytearray(database.read_bytes())
    with contextlib.closing(sqlite3.connect(database)) as conn:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'turn'"
        root = conn.execute(sql).fetchone()[0]
    data[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    database.write_bytes(data)
    store = await open_store(database)
    try:
        with pytest.raises(StoreDamaged, match="restore"):
            await store.delivery("t1")
        with pytest.raises(StoreDamaged, match="restore"):
            await store.submit(lambda conn: conn.execute("SELECT * FROM turn").fetchall())
    finally:
        await store.close()


async def test_a_log_that_was_not_folded_is_taken_in(database: Path) -> None:
    """After a crash the last messages are gone."""
    program = """
import asyncio, os, sys
from pathlib import Path
from storage import open_store
async def main():
    store = await open_store(Path(sys.argv[1]))
    await store.submit(lambda conn: conn.execute("INSERT INTO meta (key, value) VALUES ('k', 'v')").rowcount)
    os._exit(9)
asyncio.run(main())
"""
    ran = await asyncio.create_subprocess_exec(sys.executable, "-c", program, database)
    await ran.wait()
    assert ran.returncode == 9
    assert database.with_name(database.name + "-wal").stat().st_size
    store = await open_store(database)
    try:
        assert await store.read(lambda conn: conn.execute("SELECT value FROM meta WHERE key = 'k'").fetchone()) == (
            "v",
        )
    finally:
        await store.close()


async def test_looking_at_a_running_database_takes_no_locks_away(database: Path) -> None:
    """An operator looks with another tool while a backup runs, and everything said since is lost.

    SQLite's locks are the process's: whoever opens and closes the file beside SQLite gives them all back.
    """
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM meta').fetchall(); c.close()"
    )
    store = await open_store(database)
    await given(store, *answering())
    inspect(database)
    check(database)
    await asyncio.to_thread(backup, database, database.with_name("x.rjn"), Keys(bytes(32)), now_ms=NOW_MS)
    scan(store, [b"words"])
    await forget(store, "s1", now_ms=NOW_MS)
    await given(store, *answering())
    with open_reading(database) as conn:
        export(conn, "s1")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", look, database)
    assert await other.wait() == 0
    assert database.with_name(database.name + "-wal").stat().st_size, "the log was deleted under our feet"
    await store.close()
