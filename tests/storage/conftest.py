"""A real store on a real file for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage import SqliteStore, open_store
from tests.kit.world import KEYS

for _suite in ("board", "claims", "leaving", "telling", "timers", "views"):
    pytest.register_assert_rewrite(f"tests.storage.{_suite}_contract")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Give the place of a database that does not exist yet."""
    return tmp_path / "rejoinder.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[SqliteStore]:
    """Give an open store; closed at the end whatever happens."""
    opened = await open_store(database, code_keys=KEYS)
    yield opened
    await opened.close()
