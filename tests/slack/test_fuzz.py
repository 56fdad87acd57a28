"""A storm of nonsense: nothing stops the bot, nothing is poisoned, everything is acknowledged."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit import slack_fuzz
from tests.kit.slack_feed import EVENT, INTERACTIVE, SLASH
from tests.kit.slack_world import ALICE, GENERAL, SlackWorld

BATCH = 50
SEED = 7


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[SlackWorld]:
    """A house whose connections are not given up on a machine that is busy with other things."""
    world = await SlackWorld.open(tmp_path, start=False)
    world.ping_s = 30.0
    await world.start()
    yield world
    await world.close()
    assert [call.method for call in world.server.calls if call.early] == [], "called before Retry-After"


@pytest.mark.parametrize(
    "count", [1_000, pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(0)])], ids=["short", "long"]
)
async def test_nonsense_over_real_sockets(patient: SlackWorld, count: int, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand malformed payloads: the bot still talks, no error was logged, and every one was acknowledged."""
    world, chance = patient, random.Random(SEED)
    templates = slack_fuzz.templates()
    unacked = 0
    for start in range(0, count, BATCH):
        sent = []
        for n in range(BATCH):
            body = slack_fuzz.spoiled(chance.choice(templates), chance)
            if isinstance(body.get("event"), dict) and chance.random() < 0.9:
                body["event_id"] = f"Ev{start + n}"
            kind = EVENT if body.get("type") == "event_callback" else SLASH if "command" in body else INTERACTIVE
            sent.append(world.server.feed.send(kind, json.loads(json.dumps(body))))
        await world.calm()
        unacked += sum(not each.acked.is_set() for each in sent)
        world.server.feed.log.clear()
    assert unacked == 0
    await world.settle(seconds=3_600)
    root = world.ask("are you still there?")
    await world.settle()
    assert world.answers(root) == ["Hello."]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    world.server.slack.violations.clear()  # posts to places that nonsense named


async def test_hostile_words_are_only_words(world: SlackWorld) -> None:
    """Broadcasts, fences, half characters, right-to-left marks: the answer to them arrives, and pings nobody."""
    hostile = "<!channel> @here <@U0BOB> ``` <!everyone> \u202e \x00 \ud800 &lt;!here&gt; {code:x} %s"
    world.script([hostile.replace("\x00", "").replace("\ud800", "")])
    root = world.people.say(ALICE, GENERAL, f"<@U0BOT> {hostile}")
    await world.settle()
    (answer,) = world.answers(root)
    assert "<!channel>" not in answer
    assert "<@U0BOB>" not in answer
    assert "@here" not in answer
    assert "<!everyone>" not in answer
