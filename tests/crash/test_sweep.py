"""A death at every named point of every journey, once and twice in a row."""

from __future__ import annotations

import pytest

from core.engine.points import POINTS
from tests.crash.conftest import NewFile, deadly
from tests.crash.journeys import JOURNEYS
from tests.crash.sweep import play, sweep

pytestmark = deadly

WRITER_POINTS = ("writer.before_commit", "writer.after_commit")


@pytest.mark.parametrize("journey", JOURNEYS)
async def test_no_death_loses_or_doubles_anything(journey: str, new_file: NewFile) -> None:
    """Wherever the process dies, every message is answered once, whole and in order, after the next start."""
    result = await sweep(new_file, JOURNEYS[journey].acts, JOURNEYS[journey].house)
    assert not result.wrong, "\n".join([f"{len(result.wrong)} of {result.stories} stories", *result.wrong[:5]])
    assert result.never_reached <= result.stories // 20


ELSEWHERE = ("refresh.", "login.", "proof.")  # their journeys are in tests/logins (test_deaths) and tests/deaths


async def test_the_journeys_pass_every_point(new_file: NewFile) -> None:
    """A point that no journey passes protects nobody; a misspelt one would not be noticed otherwise."""
    passed: set[str] = set()
    for journey in JOURNEYS.values():
        stage = await play(new_file(), journey.acts, {}, journey.house)
        passed.update(*(life.passed for life in stage.lives))
    assert passed == {each for each in (*POINTS, *WRITER_POINTS) if not each.startswith(ELSEWHERE)}
