"""A house on a loopback Slack, and the promise that nothing was ever sent that Slack would refuse as malformed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.slack_world import SlackWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SlackWorld]:
    """A running house with an empty store."""
    world = await SlackWorld.open(tmp_path)
    yield world
    await world.close()
    assert world.server.slack.violations == []
    early = [call.method for call in world.server.calls if call.early]
    assert early == [], "called before Retry-After"
