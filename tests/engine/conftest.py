"""A running house for every test of the engine that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.drivers.mcp_tools import McpTools
from tests.kit.tools import ToolProcess, connected, http
from tests.kit.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running house with an empty store."""
    world = await World.open(tmp_path / "rejoinder.db")
    yield world
    await world.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolProcess]:
    """A tool server that lives as long as these tests."""
    process = ToolProcess(tmp_path_factory.mktemp("tools") / "calls")
    process.wait()
    yield process
    process.kill()


@pytest.fixture
async def tools(server: ToolProcess) -> AsyncIterator[McpTools]:
    """The driver, connected to it."""
    server.log.write_text("", encoding="utf-8")
    tools = await connected(kit=http(server.url, seconds=3.0))
    yield tools
    await tools.close()
