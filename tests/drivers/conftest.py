"""A loopback Messages API and a client of it, for the tests of the rim."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from core.drivers.claude import ClaudeModel
from core.drivers.clock import SystemClock
from tests.kit.claude_server import ClaudeServer

KEY = "sk-ant-canary-0123456789-never-to-be-seen"


@pytest.fixture
async def server() -> AsyncIterator[ClaudeServer]:
    """Give a running server with the default script."""
    async with ClaudeServer() as running:
        yield running


@pytest.fixture
async def model(server: ClaudeServer) -> AsyncIterator[ClaudeModel]:
    """Give a client of the server that knows patience: no watch rings in a test that does not want it."""
    client = ClaudeModel(SecretStr(KEY), server.url, SystemClock(), models=("claude-sonnet-5-5",))
    yield client
    await client.close()
