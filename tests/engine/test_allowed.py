"""The allow-lists through the whole house: nothing of it lies anywhere, and one refusal a day survives restarts."""

from __future__ import annotations

from pathlib import Path

from core.domain.decision import Policy
from tests.engine.resuming import HOUR, everywhere, said, sessions
from tests.kit.world import World

WORDS = "outsider-canary"
POLICY = Policy(allow_people=("alice",))


async def test_one_refusal_a_day_across_restarts_and_nothing_kept(tmp_path: Path) -> None:
    """Words of somebody whom the bot is not for would lie on the disk; every restart would tell them again."""
    world = await World.open(tmp_path / "rejoinder.db", policy=POLICY)
    first = await world.command("bob", f"help {WORDS}")
    assert said(first).startswith("Sorry, I am not here for you")
    reborn = await world.reborn()
    again = await reborn.command("bob", f"sessions {WORDS}")
    assert again.decision.changes == ()
    await reborn.clock.advance(2 * HOUR)
    for _ in range(20):
        await reborn.store.sweep(reborn.clock.now_ms())
    assert (await reborn.command("bob", "help")).decision.changes == ()
    await reborn.clock.advance(23 * HOUR)
    assert said(await reborn.command("bob", "help")).startswith("Sorry")
    assert await everywhere(reborn, WORDS) == []
    assert await sessions(reborn) == []
    await world.close()


async def test_the_others_are_served(tmp_path: Path) -> None:
    """Who is on the list is answered, and nothing is answered to who is not."""
    world = await World.open(tmp_path / "rejoinder.db", policy=POLICY)
    await world.say("alice", "hello")
    await world.say("bob", "hello too", thread="t2")
    await world.settle()
    assert len(await world.answers()) == 1
    assert await world.answers("t2") == []
    await world.close()
