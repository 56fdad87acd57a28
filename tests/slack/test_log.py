"""Bolt and our log: the SDK sets levels of loggers by name, and ours are not among them."""

from __future__ import annotations

import logging

from tests.kit.slack_world import SlackWorld


async def test_bolt_leaves_our_loggers_alone(world: SlackWorld) -> None:
    """Where another part keeps the root logger quiet, everything of ours below WARNING would vanish from the log."""
    before = logging.root.level
    logging.root.setLevel(logging.WARNING)
    world.ask("hello")
    await world.settle()
    logging.root.setLevel(before)
    ours = [logging.getLogger(name) for name in ("rejoinder", "rejoinder.slack", "bots", "core")]
    assert [each.level for each in ours] == [logging.NOTSET] * 4
