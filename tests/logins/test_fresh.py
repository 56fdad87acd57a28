"""Logins are renewed ahead of their end, by effects that survive a restart, and only while somebody uses them."""

from __future__ import annotations

from core.domain.tooling import CredentialStatus
from core.engine.refreshing import USED_MS, look
from storage.credentials import SqliteCredentials
from tests.logins.people import CONNECT, People


async def connected(people: People) -> None:
    """Alice signs in."""
    people.script([CONNECT], ["Connected."])
    await people.world.say("alice", "connect")
    await people.world.run(3)
    await people.sign_in()
    await people.world.settle()


async def looked(people: People) -> None:
    """Let the job look, and what it begins end."""
    await look(SqliteCredentials(people.world.store), people.world.clock, people.world.engine)
    await people.world.settle()


async def test_a_login_is_renewed_before_it_ends(people: People) -> None:
    """The first call after an hour waits for a refresh, or everybody's at once."""
    await connected(people)
    await looked(people)
    assert people.house.provider.counts["refreshed"] == 0
    await people.world.run(3600 - 200, step=60)
    await looked(people)
    await looked(people)
    assert people.house.provider.counts["refreshed"] == 1
    (row,) = await people.credentials()
    assert row.version == 2
    assert row.expires_ms is not None
    assert row.expires_ms > people.world.clock.now_ms() + 3_000_000


async def test_a_login_that_nobody_uses_is_left_alone(people: People) -> None:
    """A person who was here once keeps an open account at the server for ever."""
    await connected(people)
    await people.world.run(USED_MS / 1000 + 3600, step=6 * 3600)
    await looked(people)
    assert people.house.provider.counts["refreshed"] == 0


async def test_a_server_that_is_down_is_tried_again(people: People) -> None:
    """One bad minute of the server, and the login is lost or never renewed."""
    await connected(people)
    await people.world.run(3600 - 200, step=60)
    people.house.failing = [503, 503]
    await looked(people)
    assert people.house.provider.counts["refreshed"] == 1
    assert [each.status for each in await people.credentials()] == [CredentialStatus.OK]


async def test_a_login_that_has_ended_is_noticed_quietly(people: People) -> None:
    """Somebody is asked to sign in in the middle of the night, for nothing."""
    await connected(people)
    people.house.provider.revoke_refresh()
    await people.world.run(3600 - 200, step=60)
    before = len(await people.world.posts())
    await looked(people)
    assert [each.status for each in await people.credentials()] == [CredentialStatus.NEEDS_LOGIN]
    assert len(await people.world.posts()) == before
    await looked(people)
    assert people.house.provider.counts["refreshes"] == 1
