"""Coming back after the time to live: what is sent, against a bot that sends everything, and what it leaves out.

Knows: the real house on a clock that is moved, the fixture of `recalled`. Tokens are estimated on both sides in the
same way (ceil(utf-8 bytes / 3)); system prompt and tools are excluded on both sides, the message that brings the
conversation back is included on both sides.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from core.domain.decision import Policy
from core.domain.entities import Binding, Level, Message, Person, Phase, Session
from core.domain.keys import Place
from core.domain.leaving import Fact, Summary
from core.domain.rules.timeline import next_due
from core.domain.tokens import estimate
from storage.rows import SESSION
from tests.bench.house import House, Talker
from tests.bench.measure import median
from tests.bench.recalled import Fixture, Reader, words_of
from tests.bench.report import Gate, Report, Rows, Setup
from tests.kit.clock import ManualClock
from tests.kit.store import bound, given, session
from tests.kit.world import World, place_of

LENGTHS = (60, 600, 1_200)
_GATES = {60: 80.0, 600: 90.0}  # per cent fewer
_HOUR_S = 3_600.0
_ROUNDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How somebody comes back.

    `down`: the summariser fails. `rung`: the alarm rings meanwhile. `damaged`: rows of the history cannot be read.
    """

    away_h: float
    down: bool = False
    rung: bool = True
    damaged: bool = False


RUNGS = {
    "within the time to live": Rung(away_h=2.0),
    "summary and tail": Rung(away_h=25.0),
    "the same, summariser down": Rung(away_h=25.0, down=True),
    "the same, nobody rang": Rung(away_h=25.0, rung=False),
    "history unreadable": Rung(away_h=2.0, damaged=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a return has sent."""

    everything: int  # tokens of a bot that sends all of it
    tokens: int
    facts: int  # planted ones that are in it
    level: str

    @property
    def fewer(self) -> float:
        """Per cent."""
        return 100 - 100 * self.tokens / self.everything


async def run(setup: Setup) -> Report:
    """Measure every rung of the ladder at every length, then the time that a return adds."""
    fixture = Fixture.load()
    found: dict[tuple[str, int], Sent] = {}
    for length in LENGTHS:
        for n, (name, how) in enumerate(RUNGS.items()):
            setup.say(f"{length} messages: {name}")
            found[name, length] = await come_back(setup.folder / f"{length}-{n}.db", fixture, length, how)
    added = await _added(setup, fixture)
    return Report(
        name="recall",
        tables=(_sent(found), _times(added)),
        gates=_gates(found, len(fixture.facts)),
        notes=(
            "Tokens: ceil(utf-8 bytes / 3) on both sides; without system prompt and tools, with the returning message.",
            f"{len(fixture.facts)} facts are planted, none among the messages that are sent word for word.",
            "The summariser is a double that reads well, uses the room it has, and invents facts, which must not pass.",
        ),
    )


async def come_back(path: Path, fixture: Fixture, length: int, how: Rung) -> Sent:
    """Somebody leaves a conversation for so long and says something again; what the model is sent."""
    model = Reader(fixture.facts)
    model.down = how.down
    world = await World.open(path, clock=ManualClock(), model=model)
    try:
        messages = fixture.conversation(length, "s1")
        await given(world.store, *_session(messages, world.clock.now_ms()), *messages)
        if how.damaged:
            await world.store.submit(lambda conn: conn.execute("UPDATE message SET files = 'x' WHERE id & 7 = 0"))
        for hours in (61 / 60, how.away_h - 61 / 60):
            await world.clock.leap(hours * _HOUR_S)
            if how.rung:
                await world.engine.ring()
                await world.settle()
        await world.say("ann", fixture.back)
        await world.settle()
        sent = words_of(model.requests[-1])
        (row,) = await world.store.read(lambda conn: conn.execute(SESSION.select).fetchall())
    finally:
        await world.close()
    everything = sum(each.tokens for each in messages) + estimate(fixture.back)
    facts = sum(fact in sent for fact in fixture.facts)
    level = Level.FRESH if how.damaged else SESSION.decode(row).level
    return Sent(everything=everything, tokens=estimate(sent), facts=facts, level=level.value)


def _session(messages: list[Message], now_ms: int) -> tuple[Session, Binding, Person]:
    tokens = sum(each.tokens for each in messages)
    row = replace(
        session(place=place_of("t1")),
        title="Lumen",
        last_human_ms=now_ms,
        next_seq=len(messages) + 1,
        tokens=tokens,
        exchanges=len(messages) // 2,
    )
    return bound(replace(row, due_ms=next_due(row, Policy())))


# ------------------------------------------------------------------------------------- the added time


async def _added(setup: Setup, fixture: Fixture) -> dict[str, list[float]]:
    """From the message to the model's first piece, in ms: in a conversation that goes on, and in ones that return."""
    model = Talker(pieces=("Yes.",))
    house = await House.open(setup.folder / "times.db", model, null=True)
    times: dict[str, list[float]] = defaultdict(list)
    kinds = {"going on": Phase.ACTIVE, "parked, everything": Phase.PARKED, "expired, summary": Phase.EXPIRED}
    asked: dict[str, float] = {}

    def note(question: str) -> None:
        asked[question.rpartition("\n")[2]] = time.perf_counter()

    model.on_first = note
    for n in range(_ROUNDS // 3 if setup.quick else _ROUNDS):
        for name in random.sample(list(kinds), len(kinds)):
            thread = f"{name} {n}".replace(" ", "").replace(",", "")
            await _asleep(house, fixture, thread, kinds[name])
            text = f"Back in {thread}"
            begun = time.perf_counter()
            await house.turn(thread, text, thread=thread)
            times[name].append((asked[text] - begun) * 1000)
    await house.settle()
    await house.close()
    return times


async def _asleep(house: House, fixture: Fixture, thread: str, phase: Phase) -> None:
    """A conversation of 60 messages in a thread of its own, in a phase, its summary written."""
    messages = fixture.conversation(LENGTHS[0], thread)
    place = Place(platform="null", workspace="w", channel="c", thread=thread)
    row, binding, person = bound(session(thread, user=thread, place=place))
    tokens = sum(each.tokens for each in messages)
    now_ms = time.time_ns() // 1_000_000
    row = replace(
        row, phase=phase, last_human_ms=now_ms, next_seq=len(messages) + 1, tokens=tokens, exchanges=LENGTHS[0] // 2
    )
    facts = tuple(Fact(text=each, words=each, seq=1) for each in fixture.facts)
    summary = Summary(
        id=f"sum-{thread}",
        session_id=thread,
        from_seq=1,
        to_seq=len(messages),
        created_ms=now_ms,
        goal="Lumen",
        facts=facts,
        by="model",
        tokens=600,
    )
    await given(house.store, row, binding, person, summary, *messages)


# ----------------------------------------------------------------------------------------- the report


def _sent(found: dict[tuple[str, int], Sent]) -> Rows:
    columns = ["", *(f"{length:,} messages" for length in LENGTHS)]
    rows = [("a bot that sends everything", *(f"{found[next(iter(RUNGS)), each].everything:,}" for each in LENGTHS))]
    for name in RUNGS:
        cells = (found[name, length] for length in LENGTHS)
        rows.append((name, *(f"{c.tokens:,} ({c.fewer:.1f} % fewer), {c.facts} facts, {c.level}" for c in cells)))
    return Rows(title="Tokens sent with the message that comes back", columns=tuple(columns), rows=tuple(rows))


def _times(times: dict[str, list[float]]) -> Rows:
    plain = median(times["going on"])
    rows = tuple((name, median(all_), median(all_) - plain) for name, all_ in times.items())
    title = "From the message to the model's first piece (p50, ms; 60 messages; the model answers at once)"
    return Rows(title=title, columns=("", "p50", "added"), rows=tuple(sorted(rows, key=lambda row: row[1])))


def _gates(found: dict[tuple[str, int], Sent], planted: int) -> tuple[Gate, ...]:
    gates = []
    for length, least in _GATES.items():
        sent = found["summary and tail", length]
        name = f"{length} messages, expired"
        gates += [
            Gate(
                name=f"{name}: fewer tokens",
                figure=sent.fewer,
                limit=least,
                ambition=least + 5,
                unit="%",
                at_least=True,
            ),
            Gate(name=f"{name}: facts", figure=sent.facts, limit=planted, ambition=planted, at_least=True),
        ]
    return tuple(gates)
