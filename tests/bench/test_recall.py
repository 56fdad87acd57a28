"""What a return sends, held to what was promised; and the fixture that it is measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.rules.returning import TAIL_MESSAGES
from tests.bench.measure import median
from tests.bench.recall import LENGTHS, RUNGS, come_back
from tests.bench.recalled import MEDIAN_TOKENS, Fixture

FIXTURE = Fixture.load()
PLANTED = 20


@pytest.mark.parametrize(("length", "least"), [(60, 80), (600, 90), (1_200, 90)])
@pytest.mark.parametrize("name", ["summary and tail", "the same, nobody rang"])
async def test_a_return_after_a_day_is_cheap_and_knows_the_facts(
    tmp_path: Path, name: str, length: int, least: int
) -> None:
    """Coming back after a day costs as much as the whole conversation, or a name that was settled is gone."""
    sent = await come_back(tmp_path / "rejoinder.db", FIXTURE, length, RUNGS[name])
    assert sent.fewer >= least
    assert (sent.facts, sent.level) == (PLANTED, "summary")


@pytest.mark.parametrize("length", LENGTHS)
async def test_without_a_summariser_most_facts_are_left(tmp_path: Path, length: int) -> None:
    """A summariser that is down for an hour costs most of what a conversation had settled."""
    sent = await come_back(tmp_path / "rejoinder.db", FIXTURE, length, RUNGS["the same, summariser down"])
    assert sent.facts >= PLANTED * 3 // 4


async def test_within_the_day_everything_is_sent(tmp_path: Path) -> None:
    """Somebody is told that everything is there, and it is not."""
    sent = await come_back(tmp_path / "rejoinder.db", FIXTURE, 60, RUNGS["within the time to live"])
    assert sent.level == "full"
    assert sent.tokens >= sent.everything


@pytest.mark.parametrize("length", LENGTHS)
def test_the_fixture_is_what_the_figures_say(length: int) -> None:
    """The figures are of another conversation than the one that was promised."""
    messages = FIXTURE.conversation(length, "s1")
    assert messages == FIXTURE.conversation(length, "s1")
    assert abs(median([each.tokens for each in messages]) - MEDIAN_TOKENS) <= MEDIAN_TOKENS // 20
    stand = {fact: [each.seq for each in messages if fact in each.text] for fact in FIXTURE.facts}
    assert len(stand) == PLANTED
    assert all(len(seqs) == 1 and seqs[0] <= length - TAIL_MESSAGES for seqs in stand.values())
