from __future__ import annotations

import pytest

from storage import SqliteStore
from storage.board import SqliteBoard
from tests.storage.board_contract import BoardContract


class TestSqliteBoard(BoardContract):
    """The board on SQLite keeps the contract."""

    @pytest.fixture
    async def board(self, store: SqliteStore) -> SqliteBoard:
        """Give the board of a real store."""
        return store.board
