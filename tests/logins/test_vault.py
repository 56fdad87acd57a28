"""Tokens: fresh for every call, refreshed once, never lost by anything but a real no."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from core.domain.errors import NotSent
from core.domain.tooling import CredentialStatus
from core.engine.tool_ports import Bearer
from storage.rows import CREDENTIAL
from tests.kit.oauth_server import ToolHouse
from tests.logins.desk import OWNER, Desk


async def bearer_of(desk: Desk, owner: str = OWNER, server: str = "jira") -> Bearer:
    """Give the token, which must be there."""
    found = await desk.vault.bearer(owner, server)
    assert found is not None
    return found


async def works(desk: Desk, bearer: Bearer) -> bool:
    """Give whether the tool server takes the token."""
    return await desk.house.provider.load_access_token(bearer.token.get_secret_value()) is not None


async def test_without_a_login_a_sign_in_is_needed(desk: Desk) -> None:
    """A call of somebody who never signed in goes out without a token, or fails for good."""
    assert await desk.vault.bearer(OWNER, "jira") is None
    assert await desk.vault.bearer(OWNER, "unknown") is None


async def test_a_login_serves_calls_across_processes(desk: Desk) -> None:
    """A person signs in again after each deploy."""
    await desk.sign_in()
    assert await works(desk, await bearer_of(desk))
    again = await desk.reborn()
    assert await works(again, await bearer_of(again))
    assert await again.vault.bearer("somebody-else", "jira") is None
    assert not desk.house.provider.counts["refreshes"]
    await again.close()


async def test_an_expired_token_is_refreshed_after_a_restart(desk: Desk) -> None:
    """The token expires overnight and the person has to sign in although the refresh token is good."""
    await desk.sign_in()
    await desk.let_expire()
    again = await desk.reborn()
    assert await works(again, await bearer_of(again))
    assert again.house.provider.counts["refreshed"] == 1
    assert (await again.credential()).version == 2
    await again.close()


async def test_a_hundred_calls_on_an_expired_token_refresh_once(desk: Desk) -> None:
    """A rotating refresh token is burnt by the second caller, and everybody has to sign in."""
    await desk.sign_in()
    await desk.let_expire()
    found = await asyncio.gather(*(desk.vault.bearer(OWNER, "jira") for _ in range(100)))
    assert len({each.token for each in found if each is not None}) == 1
    assert all(found)
    assert desk.house.provider.counts["refreshes"] == 1
    assert await works(desk, await bearer_of(desk))


async def test_a_hundred_refused_calls_refresh_once(desk: Desk) -> None:
    """The server revokes the token early, and a hundred calls in flight ask for a hundred new ones."""
    await desk.sign_in()
    old = await bearer_of(desk)
    desk.house.provider.revoke_access()
    found = await asyncio.gather(*(desk.vault.renew(old) for _ in range(100)))
    late = await desk.vault.renew(old)
    assert len({each.version for each in (*found, late) if each is not None}) == 1
    assert desk.house.provider.counts["refreshes"] == 1
    assert late is not None
    assert await works(desk, late)


async def test_two_processes_do_not_overwrite_each_other(desk: Desk) -> None:
    """A refresh that comes late puts a burnt pair in the place of the good one."""
    await desk.sign_in()
    row = await desk.credential()
    newer = dataclasses.replace(row, version=row.version + 1, account="newer")
    assert await desk.rows.swap(newer, row.version)
    assert not await desk.rows.swap(dataclasses.replace(row, version=row.version + 1, account="late"), row.version)
    assert (await desk.credential()).account == "newer"
    assert not await desk.rows.swap(newer, None)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_token_endpoint_that_is_down_costs_no_login(desk: Desk, status: int) -> None:
    """An hour of 503 signs everybody out."""
    await desk.sign_in()
    await desk.let_expire()
    desk.house.failing = [status, status]
    for _ in range(2):
        with pytest.raises(NotSent):
            await desk.vault.bearer(OWNER, "jira")
    assert (await desk.credential()).status is CredentialStatus.OK
    assert await works(desk, await bearer_of(desk))


async def test_a_token_endpoint_that_is_gone_costs_no_login(desk: Desk) -> None:
    """A restart of the tool server signs everybody out."""
    await desk.sign_in()
    await desk.let_expire()
    await desk.house.stop()
    with pytest.raises(NotSent):
        await desk.vault.bearer(OWNER, "jira")
    await desk.house.start()
    assert await works(desk, await bearer_of(desk))


async def test_a_token_that_still_holds_serves_while_the_endpoint_is_down(desk: Desk) -> None:
    """A refresh ahead of time that fails makes calls fail that would have worked."""
    await desk.sign_in()
    soon = (desk.clock.now_ms() + 30_000, desk.clock.now_ms() - 3_600_000)
    sql = "UPDATE credential SET expires_ms = ?, updated_ms = ?"
    await desk.sql(sql, *soon)
    desk.house.failing = [503]
    assert await works(desk, await bearer_of(desk))
    assert desk.house.provider.counts["token_requests"] == 2


async def test_a_dead_refresh_token_needs_a_login_and_no_more(desk: Desk) -> None:
    """A refresh token that is refused is tried again and again, or the whole session breaks."""
    await desk.sign_in()
    await desk.let_expire()
    desk.house.provider.revoke_refresh()
    assert await desk.vault.bearer(OWNER, "jira") is None
    assert await desk.vault.bearer(OWNER, "jira") is None
    assert desk.house.provider.counts["refreshes"] == 1
    assert (await desk.credential()).status is CredentialStatus.NEEDS_LOGIN


async def test_an_answer_that_is_lost_costs_a_login_and_no_more(desk: Desk) -> None:
    """The server has rotated, its answer is lost: the old pair is tried for ever."""
    await desk.sign_in()
    await desk.let_expire()
    desk.house.lost = 1
    with pytest.raises(NotSent):
        await desk.vault.bearer(OWNER, "jira")
    assert await desk.vault.bearer(OWNER, "jira") is None


async def test_a_crash_between_refresh_and_saving_costs_a_login_and_no_more(house: ToolHouse, tmp_path: Path) -> None:
    """After a crash in the one bad moment a call hangs, fails for good, or goes out with a burnt token."""

    def dies(name: str) -> None:
        if name == "refresh.after_call":
            raise ConnectionAbortedError

    first = await Desk.open(house, tmp_path / "rejoinder.db", point=dies)
    await first.sign_in()
    await first.let_expire()
    with pytest.raises(ConnectionAbortedError):
        await first.vault.bearer(OWNER, "jira")
    again = await first.reborn()
    assert house.provider.counts["refreshed"] == 1
    assert await again.vault.bearer(OWNER, "jira") is None
    assert (await again.credential()).status is CredentialStatus.NEEDS_LOGIN
    await again.sign_in()
    assert await works(again, await bearer_of(again))
    await again.close()


async def test_a_caller_who_gives_up_does_not_cut_the_refresh_off(desk: Desk) -> None:
    """Somebody presses Stop while the token is refreshed, and the new pair is lost."""
    await desk.sign_in()
    await desk.let_expire()
    desk.house.gate = asyncio.Event()
    call = asyncio.create_task(desk.vault.bearer(OWNER, "jira"))
    while desk.house.provider.counts["refreshed"] < 1:  # noqa: ASYNC110  (the server counts, in its own time)
        await asyncio.sleep(0.01)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    desk.house.gate.set()
    assert await works(desk, await bearer_of(desk))
    assert desk.house.provider.counts["refreshes"] == 1


async def test_a_pair_that_was_not_saved_is_saved_before_it_is_used(desk: Desk) -> None:
    """A full disk during a refresh: the new pair is used unsaved and gone with the next restart."""
    await desk.sign_in()
    await desk.let_expire()
    await desk.sql(_FULL)
    for _ in range(2):
        with pytest.raises(NotSent):
            await desk.vault.bearer(OWNER, "jira")
    assert (await desk.credential()).version == 1
    await desk.sql("DROP TRIGGER full")
    assert await works(desk, await bearer_of(desk))
    assert desk.house.provider.counts["refreshes"] == 1
    assert (await desk.credential()).version == 2


# What a full disk does to every save of a login; an upsert begins as an insert.
_FULL = "CREATE TRIGGER full BEFORE INSERT ON credential BEGIN SELECT raise(ABORT, 'database or disk is full'); END"


async def test_the_program_signs_itself_in(desk: Desk) -> None:
    """A server with client credentials asks a person, or every call asks for a new token."""
    first = await bearer_of(desk, "whoever", "batch")
    assert await works(desk, first)
    assert await bearer_of(desk, "another", "batch") == first
    await asyncio.gather(*(desk.vault.renew(first) for _ in range(10)))
    assert desk.house.provider.counts["own"] == 2
    assert (await desk.credential("batch", "")).version == 2


async def test_a_copied_row_does_not_open(desk: Desk) -> None:
    """Whoever can write to the database gives themselves another person's login."""
    await desk.sign_in()
    row = await desk.credential()
    moved = (dataclasses.replace(row, owner="mallory"), dataclasses.replace(row, server="wiki"))
    for number, copy in enumerate(moved):
        await desk.sql(CREDENTIAL.upsert, *CREDENTIAL.encode(dataclasses.replace(copy, id=f"copy-{number}")))
    assert await desk.vault.bearer("mallory", "jira") is None
    assert await desk.vault.bearer(OWNER, "wiki") is None
    assert await works(desk, await bearer_of(desk))
