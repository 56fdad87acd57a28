"""What the command line reads, and what housekeeping removes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.domain.decision import View
from core.domain.entities import Binding, EffectState, Person, Role
from core.domain.errors import BadInput, StoreDamaged
from core.domain.keys import Place, SessionKey
from core.engine.bell import HORIZON_MS
from core.engine.ports import Due
from storage import SqliteStore
from storage.housekeeping import DAY_MS, SLICE_ROWS
from storage.reading import detail, export, open_reading, sessions
from tests.kit.store import ANN, NOW_MS, Script, accept, answering, bound, card, effect, given, message, said, session


async def test_sessions_are_listed_while_the_bot_runs(store: SqliteStore) -> None:
    """An operator sees nothing, an old state, or disturbs the bot by looking."""
    await given(store, *answering(), message(2))
    later = replace(session("s2", user="bob"), last_human_ms=NOW_MS)
    await given(store, *bound(later))
    with open_reading(store.path) as conn:
        lines = sessions(conn)
        assert [(each.session.id, each.messages, each.owner_name, each.busy) for each in lines] == [
            ("s2", 0, "Bob", False),
            ("s1", 2, "Ann", True),
        ]
        assert [each.session.id for each in sessions(conn, owner="id-ann")] == ["s1"]
        assert len(sessions(conn, limit=1)) == 1
        with pytest.raises(Exception, match="readonly"):
            conn.execute("DELETE FROM session")


async def test_a_platform_catches_up_on_its_own_places(store: SqliteStore) -> None:
    """A conversation went elsewhere: what was said meanwhile where it was is read there, not at the other platform."""
    left = SessionKey.at(Place(platform="slack", workspace="T1", channel="C1", thread="1.2"), "ann")
    moved = session()
    await given(store, *bound(moved), Binding(key=left, session_id=moved.id))
    assert await store.homes("slack", 0) == (left.place,)
    assert await store.homes(moved.home.platform, 0) == (moved.home.place,)


async def test_one_session_is_shown_whole(store: SqliteStore) -> None:
    """`show` leaves something out, or mixes conversations."""
    await given(store, *answering(), message(2, "two", role=Role.ASSISTANT), card("task:1"))
    await given(store, *bound(session("s2", user="bob")), message(1, "of bob", session_id="s2"))
    with open_reading(store.path) as conn:
        shown = detail(conn, "s1")
        assert [each.text for each in shown.messages] == ["words", "two"]
        assert [each.id for each in shown.turns] == ["t1"]
        assert [each.id for each in shown.effects] == ["e1", "e2"]
        assert [each.key for each in shown.cards] == ["task:1"]
        with pytest.raises(KeyError):
            detail(conn, "unknown")


async def test_an_export_is_everything_and_plain(store: SqliteStore) -> None:
    """Somebody who asks for their data gets a part of it, or something that no program reads."""
    other = Person(key=replace(ANN, platform="slack"), identity="id-ann", name="Ann on Slack")
    await given(store, *answering(), message(2, "ünï"), *bound(session("s2")), other)
    await given(store, *bound(session("s3", user="bob")), message(1, "of bob", session_id="s3"))
    with open_reading(store.path) as conn:
        owner = json.loads(json.dumps(export(conn, "local/home/ann")))
        one = json.loads(json.dumps(export(conn, "s1")))
        with pytest.raises(BadInput):
            export(conn, "unknown")
    assert owner["owner"] == "id-ann"
    assert [each["name"] for each in owner["accounts"]] == ["Ann", "Ann on Slack"]
    assert [each["session"]["id"] for each in owner["sessions"]] == ["s1", "s2"]
    assert owner["sessions"][0] == one
    assert [each["text"] for each in one["messages"]] == ["words", "ünï"]
    assert "of bob" not in json.dumps(owner)


def test_reading_makes_nothing(database: Path) -> None:
    """A look at a wrong path leaves an empty database there."""
    with pytest.raises(FileNotFoundError), open_reading(database):
        pass
    assert not list(database.parent.iterdir())
    database.write_text("x")
    with pytest.raises(StoreDamaged), open_reading(database):
        pass


# --- timers and housekeeping ------------------------------------------------------------------------


async def test_due_timers_are_found_the_longest_overdue_first(store: SqliteStore) -> None:
    """A session is never warned, or warned before its time."""
    assert await store.next_due_ms() is None
    for n, due_ms in enumerate((30, None, 10, 20)):
        await given(store, replace(session(f"s{n}"), due_ms=due_ms, idle_epoch=n))
    assert await store.next_due_ms() == 10
    assert await store.due_sessions(9, HORIZON_MS, 9) == ()
    assert await store.due_sessions(20, HORIZON_MS, 9) == (
        Due(session_id="s2", idle_epoch=2, due_ms=10),
        Due(session_id="s3", idle_epoch=3, due_ms=20),
    )
    assert len(await store.due_sessions(99, HORIZON_MS, 1)) == 1


async def test_old_bookkeeping_goes_and_nothing_else(store: SqliteStore) -> None:
    """The database grows for ever; or a redelivery of last week is answered again."""
    old = [effect(f"old{n}", state=EffectState.DONE) for n in range(5)]
    await given(store, *answering(), *old, effect("open"))
    for n in range(0, SLICE_ROWS + 500, 250):
        await accept(store, said("old", *(f"old-{m}" for m in range(n, n + 250))), Script())
    now_ms = NOW_MS + 30 * DAY_MS + 1
    await accept(store, said("new", "new"), Script(), now_ms=now_ms - DAY_MS)
    removed = sum([await store.sweep(now_ms) for _ in range(4)])
    assert removed == SLICE_ROWS + 500 + len(old)
    assert await store.sweep(now_ms) == 0
    assert (await accept(store, said("new", "new"), Script())).duplicate
    assert not (await accept(store, said("old", "old-1"), Script())).duplicate
    assert [row.id for row in (await _view(store)).open_effects] == ["e1", "e2", "open"]


async def _view(store: SqliteStore) -> View:
    script = Script()
    await accept(store, said("look"), script)
    return script.view
