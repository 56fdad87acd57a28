"""Six faults, planted at the seams of the engine, and the harness that catches each.

A check that cannot fail proves nothing. Each fault is one that a hurried change could bring in, and each passes a calm
day unnoticed: only a death, a redelivery or a second process brings it to light.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from core.domain.decision import Decision, Policy, View
from core.domain.entities import Draft, Part
from core.domain.events import Event, MessageReceived
from core.domain.stamp import Stamp
from core.engine.loop import Engine
from core.engine.ports import Accepted, Claim, Decide
from storage.sqlite import SqliteStore
from tests.crash.acts import Say
from tests.crash.checker import check
from tests.crash.conftest import NewFile, deadly
from tests.crash.fuse import Fuse
from tests.crash.journeys import JOURNEYS
from tests.crash.life import Faulty, House, Life
from tests.crash.stage import Stage
from tests.crash.sweep import sweep

pytestmark = deadly

_COUNT = itertools.count()


class NoDedupe(SqliteStore):
    """Takes a delivery as new although its key was seen before."""

    async def accept(
        self,
        event: Event,
        stamp: Stamp,
        decide: Decide,
        *,
        policy: Policy,
        boot: str,
        finishes: Claim | None = None,
        room: Mapping[str, int] | None = None,
    ) -> Accepted:
        """See `Store.accept`."""
        accepted = await super().accept(event, stamp, decide, policy=policy, boot=boot, finishes=finishes, room=room)
        if accepted.duplicate and isinstance(event, MessageReceived):
            fresh = replace(event, source_keys=(f"fresh:{next(_COUNT)}",))
            return await super().accept(fresh, stamp, decide, policy=policy, boot=boot, room=room)
        return accepted


class StruckOffEarly(SqliteStore):
    """Strikes an effect off in one commit and writes what follows from it in the next."""

    async def accept(
        self,
        event: Event,
        stamp: Stamp,
        decide: Decide,
        *,
        policy: Policy,
        boot: str,
        finishes: Claim | None = None,
        room: Mapping[str, int] | None = None,
    ) -> Accepted:
        """See `Store.accept`."""
        if finishes is None:
            return await super().accept(event, stamp, decide, policy=policy, boot=boot, room=room)
        seen: list[View] = []

        def strike_off(view: View, _event: Event, _stamp: Stamp) -> Decision:
            seen.append(view)
            return Decision()

        def follow(view: View, event: Event, stamp: Stamp) -> Decision:
            return decide(replace(view, finishing=seen[0].finishing, spends=seen[0].spends), event, stamp)

        struck = await super().accept(event, stamp, strike_off, policy=policy, boot=boot, finishes=finishes)
        if struck.stale:
            return struck
        return await super().accept(event, stamp, follow, policy=policy, boot=boot, room=room)


class NoAttemptCheck(SqliteStore):
    """Takes a result from whoever brings it."""

    async def accept(
        self,
        event: Event,
        stamp: Stamp,
        decide: Decide,
        *,
        policy: Policy,
        boot: str,
        finishes: Claim | None = None,
        room: Mapping[str, int] | None = None,
    ) -> Accepted:
        """See `Store.accept`."""
        if finishes is not None:
            sql, values = "SELECT boot, attempt FROM effect WHERE id = ?", (finishes.effect_id,)
            now = await self.read(lambda conn: conn.execute(sql, values).fetchone())
            finishes = Claim(effect_id=finishes.effect_id, boot=now[0], attempt=now[1])
        return await super().accept(event, stamp, decide, policy=policy, boot=boot, finishes=finishes, room=room)


class DraftLost(SqliteStore):
    """Saves no drafts."""

    async def progress(self, drafts: Sequence[Draft], parts: Sequence[Part]) -> None:
        """See `Store.progress`."""
        await super().progress((), parts)


class AckFirst:
    """An intake that says "I have it" before it has it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._later: set[asyncio.Task[Accepted]] = set()

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """See `Intake.accept`."""
        later = asyncio.create_task(self._engine.accept(event, finishes=finishes))
        self._later.add(later)
        return Accepted(decision=Decision())


PLANTED = {
    "no dedupe": (Faulty(store=NoDedupe), "one_answer", "stands 2 times"),
    "ack before commit": (Faulty(intake=AckFirst), "one_answer", "stands 0 times (acknowledged: True)"),
    "effect struck off early": (Faulty(store=StruckOffEarly), "one_answer", "posts of a turn, parts"),
    "no attempt check": (Faulty(store=NoAttemptCheck), "one_answer", "posts of a turn, parts"),
    "draft lost": (Faulty(store=DraftLost), "one_answer", "were saved, 0 are quoted"),
}


@pytest.mark.parametrize("fault", PLANTED)
async def test_the_sweep_catches_a_planted_fault(fault: str, new_file: NewFile) -> None:
    """Without this the sweep could be green whatever the product does."""
    faulty, journey, complaint = PLANTED[fault]
    result = await sweep(new_file, JOURNEYS[journey].acts, House(faulty=faulty))
    assert any(complaint in line for line in result.wrong), "\n".join(result.wrong[:10])


async def test_the_checker_catches_two_writers(new_file: NewFile) -> None:
    """Without the lock on the data directory, two processes would ask and pay for the same answer."""
    stage = Stage(new_file())
    await stage.live()
    await stage.act(Say(text="one"))
    await stage.wait(1.2)
    second = await Life.open(stage.house, stage.path, stage.clock, stage.model, stage.workshop, fuse=Fuse())
    await second.engine.start()
    await stage.wait(30.0)
    with pytest.raises(AssertionError, match="two calls at once"):
        await check(stage)
    await second.bury()
    await stage.end()
