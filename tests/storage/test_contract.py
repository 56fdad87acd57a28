from __future__ import annotations

from pathlib import Path

from storage import open_store
from tests.kit.store import Script, accept, answering, given, said, started
from tests.storage.contract import StoreContract


class TestSqlite(StoreContract):
    """SQLite keeps the contract."""


async def test_everything_is_there_after_a_restart(database: Path) -> None:
    """A restart forgets a conversation."""
    first = await open_store(database)
    await given(first, *answering())
    await started(first, boot="old", AskModel=9)
    await first.close()
    second = await open_store(database)
    try:
        assert [row.id for row in await second.orphans("new")] == ["e1"]
        script = Script()
        await accept(second, said("two"), script)
        assert script.view.running is not None
    finally:
        await second.close()
