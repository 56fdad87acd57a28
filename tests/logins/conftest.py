"""A tool server, a store on a real file, and the vault between them; or the whole house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.oauth_server import ToolHouse, tool_house
from tests.logins.desk import Desk
from tests.logins.people import People


@pytest.fixture
async def house() -> AsyncIterator[ToolHouse]:
    """Give a tool server that wants a login."""
    async with tool_house() as running:
        yield running


@pytest.fixture
async def desk(house: ToolHouse, tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a vault and sign-in on a new database."""
    opened = await Desk.open(house, tmp_path / "rejoinder.db")
    yield opened
    await opened.close()


@pytest.fixture
async def people(house: ToolHouse, tmp_path: Path) -> AsyncIterator[People]:
    """Give a running house with that tool server."""
    opened = await People.open(house, tmp_path / "rejoinder.db")
    yield opened
    await opened.close()
