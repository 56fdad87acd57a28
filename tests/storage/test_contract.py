from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.errors import StoreError
from storage import open_store
from tests.kit.store import Script, accept, answering, bound, given, said, session, started
from tests.storage.contract import StoreContract
from tests.storage.leaving_contract import ticket


class TestSqlite(StoreContract):
    """SQLite keeps the contract."""


async def test_a_store_without_keys_issues_nothing(database: Path) -> None:
    """A code that nobody could ever use was given out."""
    opened = await open_store(database)
    try:
        with pytest.raises(StoreError, match="store_keys"):
            await given(opened, *bound(session()), ticket())
    finally:
        await opened.close()


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
