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
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from core.domain.rules.attempts import ATTEMPTS_MAX, DEATHS_MAX
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

    filled = (fill(act) for act in story)
    return tuple(replace(act, to=f"w{n}") if isinstance(act, Carry) else act for n, act in enumerate(filled))


sizes = st.sampled_from((WHOLE, WHOLE, 100))  # characters of one message


def tell(template: Path, folder: Path, story: tuple[Act, ...], part_chars: int) -> None:
    """Play one story on a fresh file."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = Path(shutil.copyfile(template, folder / "rejoinder.db"))
    with asyncio.Runner() as runner:
        runner.run(play(path, story, {}, House(part_chars=part_chars)))


@pytest.mark.parametrize(("of", "examples"), [(acts, 200), (leaving, 80)], ids=["talking", "leaving"])
def test_no_story_loses_or_doubles_anything(
    template: Path, tmp_path: Path, of: st.SearchStrategy[Act], examples: int
) -> None:
    """Whatever people and platforms do, in whatever order, and wherever the process dies: answered once, in order."""

    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(story=st.lists(of, min_size=3, max_size=12).map(named), part_chars=sizes)
    def every(story: tuple[Act, ...], part_chars: int) -> None:
        tell(template, tmp_path / "life", story, part_chars)

    every()


@pytest.mark.soak
@pytest.mark.parametrize("of", [acts, leaving], ids=["talking", "leaving"])
def test_no_story_of_many_loses_or_doubles_anything(template: Path, tmp_path: Path, of: st.SearchStrategy[Act]) -> None:
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
    @given(story=st.lists(of, min_size=3, max_size=30).map(named), part_chars=sizes)
    def every(story: tuple[Act, ...], part_chars: int) -> None:
        nonlocal count
        count += 1
        tell(template, tmp_path / "life", story, part_chars)

    try:
        every()
    finally:
        print(f"{count} stories from seed {first}")  # noqa: T201 -- the figure
