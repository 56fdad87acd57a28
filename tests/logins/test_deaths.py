"""A death at every named point of a sign-in and of a refresh: at worst the person is asked once more, and no worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain.tooling import CallState, CredentialStatus
from core.engine.points import POINTS
from core.engine.vault import Step
from tests.kit.oauth_server import ToolHouse
from tests.logins.people import CONNECT, ISSUES, People, labels

ANSWER = "You have three open issues."


class Died(BaseException):
    """The process ends here."""


class Death:
    """Dies at the first pass of a point."""

    def __init__(self, point: str) -> None:
        self._point = point
        self.died = False

    def __call__(self, name: str) -> None:
        """Pass a point."""
        if name == self._point and not self.died:
            self.died = True
            raise Died


LOGIN = [each for each in POINTS if each.startswith("login.")]
REFRESH = [each for each in POINTS if each.startswith("refresh.")]


def test_there_are_points() -> None:
    """The next tests would look at nothing."""
    assert (len(LOGIN), len(REFRESH)) == (2, 3)


@pytest.mark.parametrize("point", LOGIN)
async def test_a_death_while_the_browser_comes_back(house: ToolHouse, tmp_path: Path, point: str) -> None:
    """The code is used up and nothing is saved: the person can never sign in, or the question is lost."""
    death = Death(point)
    people = await People.open(house, tmp_path / "rejoinder.db", point=death)
    people.script([CONNECT], [ISSUES], [ANSWER])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    with pytest.raises(Died):
        await people.sign_in()
    await people.reborn()
    await people.world.run(3)
    (card,) = await people.cards()
    assert labels(card) == ["Sign in", "Go on without it"]
    assert (await people.sign_in()).step is Step.DONE
    await people.world.settle()
    assert await people.answers() == [ANSWER]
    await people.close()


@pytest.mark.parametrize("point", REFRESH)
async def test_a_death_while_a_login_is_renewed(house: ToolHouse, tmp_path: Path, point: str) -> None:
    """The server has rotated and we have not saved: a call hangs, fails, or goes out with a burnt token."""
    people = await People.open(house, tmp_path / "rejoinder.db")
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()
    await people.world.run(3 * 3600, step=600)
    house.provider.revoke_access()
    death = Death(point)
    await people.reborn(point=death)
    people.script([ISSUES], [ANSWER])
    await people.world.say("alice", "what is open?")
    await people.world.run(3)
    assert death.died
    await people.reborn()
    await people.world.run(3)
    (call,) = [each for each in await people.calls() if each.tool == "open_issues"]
    if point == "refresh.after_call":
        assert call.state is CallState.SIGN_IN
        assert [each.status for each in await people.credentials()] == [CredentialStatus.NEEDS_LOGIN]
        await people.sign_in()
    await people.world.settle()
    assert (await people.answers())[-1] == ANSWER
    assert house.calls == [("open_issues", "alice@example.com")]
    assert [each.status for each in await people.credentials()] == [CredentialStatus.OK]
    await people.close()
