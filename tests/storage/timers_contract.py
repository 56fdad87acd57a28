"""The contract of the `Store` port: timers, the time that the program has been up, and what is forgotten for good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.effects import Deliver, EraseKind, ShowCard
from core.domain.entities import Phase, Session, Spend, TurnState
from core.domain.keys import PersonKey
from core.domain.leaving import Fact, Notices, Preference, Summary
from core.engine.ports import Due, Store
from tests.kit.store import (
    ANN,
    BOB,
    DAY,
    NOW_MS,
    PLACE,
    Script,
    accept,
    answering,
    bound,
    card,
    effect,
    given,
    message,
    said,
    session,
    started,
    turn,
)

ELSEWHERE = replace(PLACE, thread="t2")
SUMMARY = Summary(
    id="z1",
    session_id="s1",
    from_seq=1,
    to_seq=1,
    created_ms=NOW_MS,
    goal="g",
    facts=(Fact(text="a", words="a", seq=1),),
)


def timed(session_id: str, due_ms: int | None, *, human_ms: int = NOW_MS, phase: Phase = Phase.ACTIVE) -> Session:
    """A session with a timer."""
    return replace(session(session_id), due_ms=due_ms, last_human_ms=human_ms, phase=phase, idle_epoch=3)


async def knows(store: Store, *, place: object = PLACE, person: PersonKey = ANN) -> bool:
    """Whether a message there finds a conversation."""
    script = Script()
    await accept(store, said("probe", f"probe:{place}:{person}", person=person, place=place), script)  # type: ignore[arg-type]
    return script.view.session is not None


class TimersContract:
    """When a session is looked at again."""

    async def test_the_longest_overdue_are_asked_first(self, store: Store) -> None:
        """After a night of downtime somebody waits for a notice behind ten thousand younger ones."""
        await given(
            store, timed("s1", NOW_MS - 1), timed("s2", NOW_MS - 5), timed("s3", NOW_MS), timed("s4", NOW_MS + 1)
        )
        due = await store.due_sessions(NOW_MS, NOW_MS + 10, 2)
        assert due == (
            Due(session_id="s2", idle_epoch=3, due_ms=NOW_MS - 5),
            Due(session_id="s1", idle_epoch=3, due_ms=NOW_MS - 1),
        )
        assert [each.session_id for each in await store.due_sessions(NOW_MS, NOW_MS + 10, 9)] == ["s2", "s1", "s3"]

    async def test_a_timer_beyond_every_horizon_is_found_when_nothing_is_due(self, store: Store) -> None:
        """A clock that was wrong for a minute has set a timer for the year 2100, and nobody ever looks at it."""
        await given(store, timed("s1", NOW_MS + 99), timed("s2", NOW_MS + 5), timed("s3", None))
        assert [each.session_id for each in await store.due_sessions(NOW_MS, NOW_MS + 10, 9)] == ["s1"]
        assert [each.session_id for each in await store.due_sessions(NOW_MS + 5, NOW_MS + 10, 9)] == ["s2"]

    async def test_acts_of_the_future_are_found(self, store: Store) -> None:
        """The clock was set back by a day, and a conversation is neither warned nor parked for that day."""
        await given(
            store,
            timed("s1", NOW_MS + 50, human_ms=NOW_MS + 1),
            timed("s2", NOW_MS + 50, human_ms=NOW_MS),
            timed("s3", None, human_ms=NOW_MS + 1),
            timed("s4", NOW_MS + 60, human_ms=NOW_MS + 9),
        )
        found = await store.ahead_of_time(NOW_MS, 9)
        assert {each.session_id for each in found} == {"s1", "s4"}
        assert Due(session_id="s1", idle_epoch=3, due_ms=NOW_MS + 50) in found
        assert len(await store.ahead_of_time(NOW_MS, 1)) == 1
        assert await store.ahead_of_time(NOW_MS + 9, 9) == ()

    async def test_what_sleeps_without_a_timer_is_woken(self, store: Store) -> None:
        """Retention is switched on, and what was parked before is kept for ever."""
        asleep = [timed(f"s{n}", None, phase=phase) for n, phase in enumerate(Phase)]
        await given(store, *asleep, timed("later", NOW_MS + 70, phase=Phase.EXPIRED))
        assert await store.next_due_ms() == NOW_MS + 70
        await store.wake_unused(NOW_MS)
        woken = {each.session_id for each in await store.due_sessions(NOW_MS, NOW_MS + 99, 99)}
        assert woken == {each.id for each in asleep if each.phase in (Phase.EXPIRED, Phase.CLOSED)}
        assert await store.next_due_ms() == NOW_MS

    async def test_the_time_up_is_kept(self, store: Store) -> None:
        """A deletion waits for a day of running, and every start begins to count anew."""
        assert await store.uptime_ms() == 0
        for ms in (60_000, 3_600_000, 3_660_000):
            await store.keep_uptime(ms)
            assert await store.uptime_ms() == ms


class ForgettingContract:
    """What is forgotten for good."""

    async def test_nothing_of_that_name_is_nothing(self, store: Store) -> None:
        """Deleting twice fails, or takes somebody else's words along."""
        await given(store, *answering())
        for kind in EraseKind:
            doomed = await store.doomed(kind, "nobody")
            assert (doomed.sessions, doomed.places, doomed.cards) == ((), (), ())
            assert (await store.erase(kind, "nobody", NOW_MS)).rows == 0
        assert await knows(store)

    async def test_what_is_doomed_is_named_before(self, store: Store) -> None:
        """A notice of a forgotten conversation goes on offering a button, in a place that it had left."""
        stands, hidden = card("idle:0", ref="r1", place=ELSEWHERE), card("idle:1")
        asking = card("continue:s1", session_id="s2", ref="r2")
        await given(store, *answering(), stands, hidden, asking, *bound(session("s2", user="bob")))
        doomed = await store.doomed(EraseKind.SESSION, "s1")
        assert doomed.sessions == ("s1",)
        assert set(doomed.places) == {PLACE, ELSEWHERE}
        assert {each.ref for each in doomed.cards} == {"r1", "r2"}
        by_owner = await store.doomed(EraseKind.OWNER, "id-ann")
        assert (by_owner.sessions, set(by_owner.places)) == (("s1",), {PLACE, ELSEWHERE})
        assert {each.ref for each in by_owner.cards} == {"r1", "r2"}

    @pytest.mark.parametrize(("kind", "key"), [(EraseKind.SESSION, "s1"), (EraseKind.OWNER, "id-ann")])
    async def test_nothing_of_it_is_found_again(self, store: Store, kind: EraseKind, key: str) -> None:
        """Something of a forgotten conversation comes back: a word, an effect, a card, a timer."""
        other = session("s2", user="bob")
        await given(store, *answering(), card(ref="r1"), SUMMARY, replace(session(), due_ms=NOW_MS, next_seq=2))
        await given(store, *bound(other), message(1, "bob's own words", session_id="s2"))
        erased = await store.erase(kind, key, NOW_MS)
        assert erased.rows > 0
        assert erased.hits == 0
        assert not await knows(store)
        assert await store.summary("s1") is None
        assert await store.due_sessions(NOW_MS, NOW_MS + 9, 9) == ()
        assert await started(store) == []
        with pytest.raises(KeyError):
            await store.card("s1", "mailbag:1")
        with pytest.raises(KeyError):
            await store.delivery("t1")
        assert await knows(store, person=BOB)
        assert [each.text for each in await store.history("s2", 1, 9, 9)] == ["bob's own words"]
        assert (await store.erase(kind, key, NOW_MS)).rows == 0

    async def test_an_owner_goes_with_their_choices(self, store: Store) -> None:
        """After forgetting everything somebody is still known, and their choice of notices still holds."""
        choice = Preference(identity="id-ann", notices=Notices.OFF)
        await given(store, *answering(), choice, Spend(account="person:id-ann", day=DAY, settled=5))
        assert (await store.erase(EraseKind.OWNER, "id-ann", NOW_MS)).hits == 0
        script = Script()
        await accept(store, said("hello again", "again"), script)
        assert script.view.newcomer
        assert script.view.person is not None
        assert script.view.person.identity != "id-ann"
        assert script.view.spends == ()

    async def test_an_answer_in_anothers_conversation_goes_too(self, store: Store) -> None:
        """Somebody's words stay in a conversation that belongs to the thread's opener."""
        theirs = turn("t9", asker=BOB, first=2, last=2, state=TurnState.ANSWERED)
        await given(store, *answering(), *bound(session("s2", user="bob")), theirs)
        await given(store, message(2, "bob was here", turn_id="t9", author="Bob"))
        await given(store, effect("e9", Deliver(turn_id="t9")), effect("e8", ShowCard(card_key="mailbag:1")))
        assert (await store.erase(EraseKind.OWNER, "id-bob", NOW_MS)).hits == 0
        assert [each.text for each in await store.history("s1", 1, 9, 9)] == ["words"]
        with pytest.raises(KeyError):
            await store.delivery("t9")
        assert await knows(store)
