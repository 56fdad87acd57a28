"""Stories that nobody thought of: random acts, random deaths, the same checker.

Knows: which acts there are and how often they are worth drawing. A failing story is shrunk to a few acts; play it
again by pasting it into test_found.py.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from core.domain.decision import Policy
from core.domain.rules.attempts import ATTEMPTS_MAX, DEATHS_MAX
from core.domain.rules.budget import STEP_TOKENS, price_of_turn
from core.engine.points import POINTS
from tests.crash.acts import (
    Act,
    Arm,
    Away,
    Carry,
    Command,
    Drain,
    Leap,
    Mishaps,
    Press,
    Redeliver,
    Say,
    Swapped,
    Wait,
    Wobbles,
)
from tests.crash.conftest import deadly
from tests.crash.life import WHOLE, House
from tests.crash.shaky import Wobble
from tests.crash.sweep import play
from tests.crash.talker import Busy, Cut, No
from tests.crash.test_sweep import WRITER_POINTS

pytestmark = deadly

LABELS = ("Stop", "Try again", "Answer all", "Only the last", "Ignore")

says = st.builds(
    Say,
    text=st.just(""),  # named when the story is complete
    person=st.sampled_from(("alice", "alice", "bob")),
    thread=st.sampled_from(("t1", "t1", "t2")),
    file=st.sampled_from(("", "", "", "Words of a file.")),
)
mishaps = st.one_of(
    st.builds(Cut, after=st.integers(0, 4)),
    st.builds(Busy, seconds=st.sampled_from((2.0, 25.0))),
    st.builds(No),
    st.none(),
)
acts: st.SearchStrategy[Act] = st.one_of(
    says,
    says,
    st.builds(Wait, seconds=st.sampled_from((0.3, 0.9, 1.5, 3.0))),
    st.builds(Arm, point=st.sampled_from((*POINTS, *WRITER_POINTS)), more=st.integers(1, 12)),
    st.builds(
        Press,
        label=st.sampled_from(LABELS),
        person=st.sampled_from(("alice", "bob")),
        thread=st.sampled_from(("t1", "t2")),
    ),
    st.builds(Redeliver, back=st.integers(1, 3)),
    st.builds(Swapped, first=says, second=says),
    st.builds(Mishaps, of=st.lists(mishaps, min_size=1, max_size=3).map(tuple)),
    st.builds(Away, said=st.lists(says, max_size=3).map(tuple)),
    st.builds(Command, text=st.sampled_from(("/new", "/stop")), thread=st.sampled_from(("t1", "t2"))),
    st.just(Drain()),
    st.builds(Wobbles, of=st.lists(st.sampled_from(Wobble), min_size=1, max_size=2).map(tuple)),
)
LEFT = ("Resume", "Keep open 24 h", "End", "Bring it back here", "Start new here", "That wasn't me")
people = st.sampled_from(("alice", "alice", "bob"))
threads = st.sampled_from(("t1", "t2"))
leaps = st.builds(Leap, seconds=st.sampled_from((1_860.0, 1_800.0, 86_400.0)))
presses = st.builds(Press, label=st.sampled_from(LEFT), person=people, thread=threads)
carries = st.builds(Carry, to=st.just(""), workspace=st.sampled_from(("home", "away")), person=people, thread=threads)
tasks = st.builds(Command, text=st.just("/task "), person=people, thread=threads)
AGAIN = ("Resume", "Resume", "Retry", "Skip", "Stop", "Write the answer")
moments = st.builds(Wait, seconds=st.sampled_from((0.3, 1.5, 3.0, 6.0)))
ours = st.builds(Command, text=st.just("/task "), thread=st.just("t1"))
again = st.builds(Press, label=st.sampled_from(AGAIN), thread=st.just("t1"))
trouble: st.SearchStrategy[Act] = st.one_of(
    st.builds(Press, label=st.sampled_from(("Pause", "Stop")), thread=st.just("t1")),
    st.builds(Mishaps, of=st.lists(mishaps, min_size=1, max_size=3).map(tuple)),
    st.builds(Arm, point=st.sampled_from((*POINTS, *WRITER_POINTS)), more=st.integers(1, 12)),
    st.builds(Leap, seconds=st.sampled_from((1_860.0, 86_400.0))),
)
soon = st.builds(Wait, seconds=st.sampled_from((0.9, 2.1, 3.6)))  # a task takes five seconds
steered = st.tuples(ours, soon, trouble, soon, again, moments)
alone = st.one_of(ours, tasks, again, moments, acts).map(lambda act: (act,))
working: st.SearchStrategy[tuple[Act, ...]] = st.one_of(steered, steered, alone)
leaving: st.SearchStrategy[Act] = st.one_of(leaps, leaps, presses, presses, carries, acts, acts)


def named(story: list[Act]) -> tuple[Act, ...]:
    """Give every message a text of its own; who did not open a thread speaks to the bot by name.

    The platform leaves us in the dark at most twice, and the process ends at most eight times: a third time, or a
    tenth, an effect is given up as it should be.
    """
    texts = (f"m{n}" for n in itertools.count(1))
    openers: dict[str, str] = {}
    unclear = itertools.count(1)
    ends = itertools.count(1)

    def name(say: Say) -> Say:
        opens = openers.setdefault(say.thread, say.person) == say.person
        return replace(say, text=next(texts) if opens else f"@Rejoinder {next(texts)}")

    def fill(act: Act) -> Act:
        match act:
            case Say():
                return name(act)
            case Swapped():
                thread = act.first.thread
                return Swapped(first=name(act.first), second=name(replace(act.second, thread=thread)))
            case Away():
                return (
                    Away(said=tuple(name(say) for say in act.said))
                    if next(ends) < DEATHS_MAX - 1
                    else Wait(seconds=0.3)
                )
            case Drain() | Arm():
                return act if next(ends) < DEATHS_MAX - 1 else Wait(seconds=0.3)
            case Wobbles():
                return Wobbles(of=tuple(each for each in act.of if clear(each)))
            case _:
                return act

    def clear(wobble: Wobble) -> bool:
        return wobble is Wobble.NOT_SENT or next(unclear) < ATTEMPTS_MAX

    return tuple(_placed(fill(act), n) for n, act in enumerate(story))


def _placed(act: Act, n: int) -> Act:
    """A conversation goes where no other has gone, and no goal is another's."""
    match act:
        case Carry():
            return replace(act, to=f"w{n}")
        case Command(text="/task "):
            return replace(act, text=f"/task g{n}")
        case _:
            return act


def at_work(story: list[tuple[Act, ...]]) -> tuple[Act, ...]:
    """A story in which somebody has a task from the beginning."""
    hello = Say(text="", person="alice", thread="t1")
    begin = Command(text="/task ", person="alice", thread="t1")
    return named([hello, Wait(seconds=1.5), begin, *itertools.chain.from_iterable(story)])


sizes = st.sampled_from((WHOLE, WHOLE, 100))  # characters of one message
CALL = price_of_turn(Policy(), STEP_TOKENS)
PURSES = (None, None, CALL + 300, CALL + 600, 2 * CALL + 300)  # what a day may cost in a story of tasks
Stories = st.SearchStrategy[tuple[Act, ...]]
KINDS: dict[str, Callable[[int], Stories]] = {  # stories of at most so many acts
    "talking": lambda most: st.lists(acts, min_size=3, max_size=most).map(named),
    "leaving": lambda most: st.lists(leaving, min_size=3, max_size=most).map(named),
    "working": lambda most: st.lists(working, min_size=3, max_size=most).map(at_work),
}


def purses(kind: str) -> st.SearchStrategy[int | None]:
    """What a day may cost."""
    return st.sampled_from(PURSES) if kind == "working" else st.none()


def tell(template: Path, folder: Path, story: tuple[Act, ...], part_chars: int, purse: int | None) -> None:
    """Play one story on a fresh file."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = Path(shutil.copyfile(template, folder / "rejoinder.db"))
    with asyncio.Runner() as runner:
        runner.run(play(path, story, {}, House(part_chars=part_chars, policy=Policy(budget_person_day=purse))))


@pytest.mark.parametrize(("kind", "examples"), [("talking", 200), ("leaving", 80), ("working", 80)])
def test_no_story_loses_or_doubles_anything(template: Path, tmp_path: Path, kind: str, examples: int) -> None:
    """Whatever people and platforms do, in whatever order, and wherever the process dies: answered once, in order."""

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(story=KINDS[kind](12), part_chars=sizes, purse=purses(kind))
    def every(story: tuple[Act, ...], part_chars: int, purse: int | None) -> None:
        tell(template, tmp_path / "life", story, part_chars, purse)

    every()


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_no_story_of_many_loses_or_doubles_anything(template: Path, tmp_path: Path, kind: str) -> None:
    """The same with thousands of stories that were never told before."""
    first = random.SystemRandom().getrandbits(32)
    count = 0

    @seed(first)
    @settings(
        max_examples=int(os.environ.get("SOAK_STORIES", "2500")),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(story=KINDS[kind](30), part_chars=sizes, purse=purses(kind))
    def every(story: tuple[Act, ...], part_chars: int, purse: int | None) -> None:
        nonlocal count
        count += 1
        tell(template, tmp_path / "life", story, part_chars, purse)

    try:
        every()
    finally:
        print(f"{count} stories from seed {first}")  # noqa: T201 -- the figure
