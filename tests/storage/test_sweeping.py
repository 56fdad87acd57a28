"""Tickets, claims and wrong codes go when they mean nothing any more, and not a day before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.leaving import ClaimState, Guesses, TicketState
from core.domain.rules import lockout
from core.domain.stamp import Stamp
from core.domain.tooling import ToolList
from storage import SqliteStore
from storage.housekeeping import DAY_MS, GUESS_KEPT_MS, TICKET_KEPT_MS
from tests.kit.store import NOW_MS, bound, given, session
from tests.storage.leaving_contract import claim, ticket


def ulid(at_ms: int, name: str = "x") -> str:
    """An id that was made at `at_ms`."""
    return Stamp(now_ms=at_ms, seed="s").ulid(name)


async def count(store: SqliteStore, table: str) -> int:
    """How many rows a table has."""
    sql = f"SELECT count(*) FROM {table}"  # noqa: S608  (the names stand below)
    return int(await store.read(lambda conn: conn.execute(sql).fetchone()[0]))


@pytest.mark.parametrize("state", list(TicketState))
async def test_old_tickets_go(store: SqliteStore, state: TicketState) -> None:
    """The table of codes would grow for ever."""
    old = ticket(ulid(NOW_MS), state=state, expires_ms=NOW_MS + 2 * DAY_MS)
    await given(store, *bound(session()), old)
    await store.sweep(NOW_MS + 2 * DAY_MS + TICKET_KEPT_MS)
    assert await count(store, "ticket") == 1
    await store.sweep(NOW_MS + 2 * DAY_MS + TICKET_KEPT_MS + 1)
    assert await count(store, "ticket") == 0


async def test_a_list_of_tools_goes_with_the_last_conversation_that_is_answered_with_it(store: SqliteStore) -> None:
    """Every change of a server's tools stays for ever, or a running conversation loses the tools it was promised."""
    await given(store, ToolList(digest="old", tools="[]"), ToolList(digest="used", tools="[]"))
    await given(store, *bound(replace(session("s1"), tools="used")), *bound(session("s2", user="bob")))
    await store.sweep(NOW_MS)
    found = await store.read(lambda conn: [row[0] for row in conn.execute("SELECT digest FROM tool_list")])
    assert found == ["used"]


async def test_a_code_that_lives_long_is_kept(store: SqliteStore) -> None:
    """With a long `CODE_TTL` a code was forgotten while it was still valid."""
    await given(store, *bound(session()), ticket(ulid(NOW_MS), expires_ms=NOW_MS + 365 * DAY_MS))
    await store.sweep(NOW_MS + 300 * DAY_MS)
    assert await count(store, "ticket") == 1


async def test_answered_claims_go_and_open_questions_stay(store: SqliteStore) -> None:
    """A question that still stands in a thread lost its answer, or answered ones piled up."""
    answered = [claim(ulid(NOW_MS, state), state=state) for state in ClaimState if state is not ClaimState.OPEN]
    asked, forgotten = claim(ulid(NOW_MS, "a")), replace(claim(ulid(NOW_MS, "b")), ask_owner=False)
    await given(store, *bound(session()), *answered, asked, forgotten)
    await store.sweep(NOW_MS + TICKET_KEPT_MS)
    assert await count(store, "move_claim") == 5
    await store.sweep(NOW_MS + TICKET_KEPT_MS + 1)
    assert await count(store, "move_claim") == 1


async def test_wrong_codes_are_kept_while_they_lock(store: SqliteStore) -> None:
    """Housekeeping opened a lock early."""
    assert max(lockout.PERSON.window_ms, lockout.CHANNEL.window_ms) <= GUESS_KEPT_MS
    await given(store, Guesses(key="person:a", times_ms=(NOW_MS - 5, NOW_MS)))
    await store.sweep(NOW_MS + GUESS_KEPT_MS)
    assert await count(store, "guesses") == 1
    await store.sweep(NOW_MS + GUESS_KEPT_MS + 1)
    assert await count(store, "guesses") == 0
