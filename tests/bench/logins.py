"""A login that ends overnight: model calls, tokens and typing, against a loop that shows the 401 to the model.

Knows: the whole house on both sides, with the same history, the same tools and a model that does what models do. The
baseline gives the server's 401 to the model as the tool's result, as programs without a vault do: the model tries three
times, then asks the person to sign in somewhere, who does and says so, and it tries again. Ours is measured twice: the
refresh token still works, or it is dead as well.
Must not know: how a login is kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.decision import Policy
from core.domain.rules.tool_texts import content
from core.domain.tokens import estimate
from core.domain.tooling import Auth, ToolKind
from core.engine.tool_ports import Bearer, Tool, ToolAnswer
from tests.bench.measure import median, percentile
from tests.bench.report import Gate, Report, Rows, Setup
from tests.kit.clock import ManualClock
from tests.kit.oauth_server import ToolHouse, tool_house
from tests.kit.scripted import ScriptedModel, Use
from tests.kit.world import World
from tests.logins.people import CONNECT, ISSUES, People

EXCHANGES = 10  # of history before the night, about 240 tokens each
TRIES = 3  # how often a model calls a tool that answers 401 before it gives up
_WORDS = "We spoke about the release, its three open points and who looks after each of them until Friday. " * 5
_ANSWER = "Three issues are open."
_BEARERS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What the first question of the morning cost, up to its answer."""

    name: str
    calls: int
    tokens: int
    typed: int  # messages that the person wrote
    answered: bool


class Retrying:
    """A tool server as seen without a vault: 401 until somebody has signed in elsewhere."""

    def __init__(self) -> None:
        self.signed_in = True

    @property
    def servers(self) -> Mapping[str, Auth]:
        """One, open to everybody as far as the program knows."""
        return {"jira": Auth.NONE}

    async def offered(self) -> tuple[Tool, ...]:
        """The same tool as the real server's."""
        description = "The open issues of whoever is signed in."
        return (Tool(name=ISSUES.name, server="jira", tool="open_issues", kind=ToolKind.READ, description=description),)

    async def look(self, server: str, bearer: Bearer | None) -> tuple[Tool, ...]:
        """The same."""
        del server, bearer
        return await self.offered()

    async def call(self, server: str, tool: str, arguments: Mapping[str, object], bearer: Bearer | None) -> ToolAnswer:
        """Answer, or 401."""
        del server, tool, arguments, bearer
        if self.signed_in:
            return ToolAnswer(content=content("alice has 3 open issues: login page, dark mode, export."))
        told = 'HTTP 401 Unauthorized: {"error": "invalid_token", "error_description": "The access token expired"}'
        return ToolAnswer(content=content(told), is_error=True)


async def run(setup: Setup) -> Report:
    """Play the three mornings, and time what a fresh token costs."""
    setup.say("three mornings")
    mornings = [await _baseline(setup.folder / "baseline.db")]
    async with tool_house() as house:
        mornings.append(await _ours(house, setup.folder / "dead.db", dead=True))
    async with tool_house() as house:
        mornings.append(await _ours(house, setup.folder / "alive.db", dead=False))
        setup.say("fresh tokens")
        asked_ms = await _bearers(house, setup.folder / "bearers.db", 200 if setup.quick else _BEARERS)
    base = mornings[0]
    rows = tuple(
        (each.name, each.calls, each.tokens, f"{1 - each.tokens / base.tokens:.0%}", each.typed, _yes(each))
        for each in mornings
    )
    return Report(
        name="logins",
        tables=(
            Rows(
                title="A login that ended overnight, from the question to its answer",
                columns=("", "model calls", "tokens in", "fewer", "messages typed", "answered"),
                rows=rows,
            ),
            Rows(
                title="A fresh token for a call (ms)",
                columns=("", "p50", "p99"),
                rows=(("from the store, opened", f"{median(asked_ms):.3f}", f"{percentile(asked_ms, 0.99):.3f}"),),
            ),
        ),
        gates=(
            Gate(name="model calls of a 401", figure=mornings[1].calls, limit=2, ambition=2),
            Gate(
                name="tokens against the 401 loop",
                figure=mornings[1].tokens / base.tokens,
                limit=0.5,
                ambition=0.4,
                unit="x",
            ),
            Gate(name="a fresh token, p50", figure=median(asked_ms), limit=5, ambition=1, unit="ms"),
        ),
        notes=(
            f"{EXCHANGES} exchanges of history; tokens are estimated from what is sent, system and tools included.",
            f"The baseline's model calls the tool {TRIES} times before it asks the person to sign in.",
        ),
    )


def _yes(morning: Morning) -> str:
    return "yes" if morning.answered else "no"


# ------------------------------------------------------------------------------------------ mornings


async def _baseline(path: Path) -> Morning:
    tools = Retrying()
    clock = ManualClock()
    world = await World.open(path, clock=clock, model=ScriptedModel(clock), policy=Policy(), tools=tools)
    await _history(world, [[_WORDS]] * EXCHANGES)
    model = _scripted(world, [*[[ISSUES]] * TRIES, ["Please sign in at jira, then tell me."], [ISSUES], [_ANSWER]])
    tools.signed_in = False
    await world.say("alice", "what is open now?")
    await world.settle()
    tools.signed_in = True
    await world.say("alice", "I have signed in at jira, please try again")
    await world.settle()
    morning = await _counted("the 401 is shown to the model", world, model, typed=2)
    await world.close()
    return morning


async def _ours(house: ToolHouse, path: Path, *, dead: bool) -> Morning:
    people = await People.open(house, path)
    await _history(people.world, [[CONNECT], [_WORDS], *[[_WORDS]] * (EXCHANGES - 1)], people)
    house.provider.revoke_access()
    if dead:
        house.provider.revoke_refresh()
    await people.world.run(3 * 3600, step=600)
    model = _scripted(people.world, [[ISSUES], [_ANSWER]])
    await people.world.say("alice", "what is open now?")
    await people.world.run(3)
    if dead:
        await people.sign_in()
    await people.world.settle()
    name = "ours, refresh token dead: one button" if dead else "ours, refresh token alive"
    morning = await _counted(name, people.world, model, typed=1)
    await people.close()
    return morning


async def _history(world: World, scripts: Sequence[Sequence[str | Use]], people: People | None = None) -> None:
    """Ten exchanges; ours begins with the sign-in."""
    _scripted(world, scripts)
    for n in range(EXCHANGES):
        await world.say("alice", f"{n}: {_WORDS}")
        if people is not None and n == 0:
            await world.run(3)
            await people.sign_in()
        await world.settle()


def _scripted(world: World, scripts: Sequence[Sequence[str | Use]]) -> ScriptedModel:
    model = world.model
    assert isinstance(model, ScriptedModel)
    model.scripts = [list(each) for each in scripts]
    model.requests.clear()
    return model


async def _counted(name: str, world: World, model: ScriptedModel, *, typed: int) -> Morning:
    sent = [estimate(each.system + each.tools + json.dumps(list(each.messages))) for each in model.requests]
    answered = any(_ANSWER in each for each in await world.answers())
    return Morning(name=name, calls=len(sent), tokens=sum(sent), typed=typed, answered=answered)


# -------------------------------------------------------------------------------------------- tokens


async def _bearers(house: ToolHouse, path: Path, often: int) -> list[float]:
    """What a call waits for its token while that is fresh."""
    people = await People.open(house, path)
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    owner = (await people.credentials())[0].owner
    times = []
    for _ in range(often):
        begun = time.perf_counter()
        assert await people.world.signing.vault.bearer(owner, "jira") is not None
        times.append((time.perf_counter() - begun) * 1000)
    await people.close()
    return times
