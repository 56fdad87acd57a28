"""The contract of the `Store` port: deliveries, claims, and which effects may start."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.domain.effects import Deliver, FetchFile
from core.domain.entities import (
    EffectState,
    TurnState,
)
from core.engine.ports import Claim, Store
from tests.kit.store import (
    NOW_MS,
    ROOM,
    Script,
    accept,
    answering,
    bound,
    done,
    effect,
    given,
    replied,
    said,
    session,
    started,
    turn,
)


class ClaimsContract:
    """Who may start, and who may finish."""

    # --- deliveries -------------------------------------------------------------------------------

    async def test_a_delivery_with_several_keys_is_known_by_any_of_them(self, store: Store) -> None:
        """A platform's redelivery under another name gets a second answer."""
        first, second, third = Script(), Script(), Script()
        assert not (await accept(store, said("hi", "k1", "k2"), first)).duplicate
        assert (await accept(store, said("hi", "k2", "k3"), second)).duplicate
        assert (await accept(store, said("hi", "k3"), third)).duplicate
        assert len(first.views) == 1
        assert not second.views
        assert not third.views

    async def test_one_delivery_may_name_a_key_twice(self, store: Store) -> None:
        """A message whose platform sends the same id in two fields is dropped as its own duplicate."""
        assert not (await accept(store, said("hi", "k1", "k1"), Script())).duplicate

    async def test_a_rule_that_raises_leaves_nothing_behind(self, store: Store) -> None:
        """A message that met a bug is lost, because its redelivery counts as seen."""

        def broken(*_: object) -> object:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await accept(store, said("hi", "k1"), broken)  # type: ignore[arg-type]
        again = Script(*bound(session()))
        assert not (await accept(store, said("hi", "k1"), again)).duplicate
        assert again.view.session is None

    async def test_of_many_equal_deliveries_at_once_one_counts(self, store: Store) -> None:
        """A platform that sends twice in the same moment gets two answers."""
        all_of_them = await asyncio.gather(*(accept(store, said("hi", "k", f"k{n}"), Script()) for n in range(20)))
        assert [each.duplicate for each in all_of_them].count(False) == 1

    # --- claims -----------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "claim",
        [
            Claim(effect_id="e1", boot="other", attempt=1),
            Claim(effect_id="e1", boot="b1", attempt=2),
            Claim(effect_id="e2", boot="b1", attempt=1),
            Claim(effect_id="unknown", boot="b1", attempt=1),
        ],
        ids=["boot", "attempt", "effect", "unknown"],
    )
    async def test_a_result_is_taken_only_from_who_holds_the_claim(self, store: Store, claim: Claim) -> None:
        """A stalled performer writes its answer over its successor's."""
        await given(store, *answering())
        assert await started(store, AskModel=9) == ["e1"]
        script = Script(replace(turn(), state=TurnState.ANSWERED))
        stale = await accept(store, replied("t1"), script, finishes=claim)
        assert stale.stale
        assert not script.views
        taken = await accept(store, replied("t1"), script, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        assert not taken.stale

    async def test_a_result_is_taken_once(self, store: Store) -> None:
        """An answer that arrives twice is stored twice."""
        await given(store, *answering())
        await started(store)
        claim = Claim(effect_id="e1", boot="b1", attempt=1)
        assert not (await accept(store, replied("t1"), Script(), finishes=claim)).stale
        assert (await accept(store, replied("t1"), Script(), finishes=claim)).stale

    async def test_an_effect_that_was_taken_back_is_not_finished(self, store: Store) -> None:
        """A call that was put back to wait is ended by the late answer of its last attempt."""
        await given(store, *answering())
        await started(store)
        await given(store, effect("e1", attempt=1))
        claim = Claim(effect_id="e1", boot="b1", attempt=1)
        assert (await accept(store, replied("t1"), Script(), finishes=claim)).stale
        assert await started(store, boot="b2") == ["e1"]

    async def test_the_rule_sees_the_effect_as_it_was_and_may_put_it_back(self, store: Store) -> None:
        """A call that met a busy model is lost instead of tried again."""
        await given(store, *answering())
        await started(store)
        later = Script(effect("e1", attempt=1, not_before_ms=NOW_MS + 5_000))
        await accept(store, replied("t1"), later, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        assert later.view.finishing == effect("e1", state=EffectState.STARTED, boot="b1", attempt=1)
        assert "e1" not in [row.id for row in later.view.open_effects]
        assert await store.next_effect_ms(NOW_MS) == NOW_MS + 5_000
        assert await started(store) == []
        (row,) = await store.claim(boot="b1", now_ms=NOW_MS + 5_000, room=ROOM)
        assert (row.id, row.attempt, row.state) == ("e1", 2, EffectState.STARTED)

    async def test_orphans_are_what_other_boots_had_started(self, store: Store) -> None:
        """After a crash an answer in the making stays unfinished for ever."""
        await given(store, effect("e1"), effect("e2"), effect("e3"))
        await started(store, boot="old", AskModel=2)
        await started(store, boot="new")
        assert [(row.id, row.boot, row.attempt) for row in await store.orphans("new")] == [
            ("e1", "old", 1),
            ("e2", "old", 1),
        ]

    # --- starting ---------------------------------------------------------------------------------

    async def test_effects_start_in_the_commit_that_decides_them(self, store: Store) -> None:
        """Every answer begins one commit later than it could."""
        script = Script(*answering())
        accepted = await accept(store, said(), script, room={"AskModel": 1})
        assert [(row.id, row.state, row.boot, row.attempt) for row in accepted.started] == [
            ("e1", EffectState.STARTED, "b1", 1)
        ]
        assert await started(store) == ["e2"]
        finished = await accept(store, replied("t1"), Script(), finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        assert not finished.stale

    async def test_no_more_start_than_there_is_room(self, store: Store) -> None:
        """A crowd opens more model calls than the limit."""
        rows = [effect(f"e{n}") for n in range(5)]
        accepted = await accept(store, said(), Script(*rows), room={"AskModel": 2})
        assert [row.id for row in accepted.started] == ["e0", "e1"]
        assert await started(store, AskModel=1) == ["e2"]
        assert await started(store, Deliver=9, AskModel=0) == []
        assert await started(store) == ["e3", "e4"]

    async def test_nothing_starts_before_its_time(self, store: Store) -> None:
        """Three quick messages are three answers; a Retry-After is not obeyed."""
        row = effect("e1", not_before_ms=NOW_MS + 600)
        assert not (await accept(store, said(), Script(row), room=ROOM)).started
        assert await store.next_effect_ms(NOW_MS) == NOW_MS + 600
        assert await started(store, now_ms=NOW_MS + 599) == []
        assert await started(store, now_ms=NOW_MS + 600) == ["e1"]
        assert await store.next_effect_ms(NOW_MS + 600) is None

    async def test_what_waits_for_others_does_not_hide_what_is_due_next(self, store: Store) -> None:
        """While one answer waits for its place in a thread, every other question waits seconds to be asked."""
        later = effect("e3", not_before_ms=NOW_MS + 600)
        await accept(store, said(), Script(effect("e1", order_key="o"), effect("e2", order_key="o"), later))
        assert await started(store) == ["e1"]
        assert await store.next_effect_ms(NOW_MS) == NOW_MS + 600
        assert await started(store, now_ms=NOW_MS + 600) == ["e3"]
        assert await store.next_effect_ms(NOW_MS + 600) == NOW_MS + 600  # e2, which waits for e1

    async def test_a_clock_that_was_set_back_holds_nothing_up(self, store: Store) -> None:
        """After a clock correction nobody is answered until the old time is reached again."""
        await given(store, effect("e1", created_ms=NOW_MS + 3_600_000), now_ms=NOW_MS + 3_600_000)
        await given(store, now_ms=NOW_MS)
        assert await started(store, now_ms=NOW_MS) == ["e1"]

    async def test_what_is_ripe_longest_starts_first(self, store: Store) -> None:
        """Under load a repeated call starves behind new ones."""
        await given(
            store,
            effect("new", created_ms=NOW_MS + 9),
            effect("repeat", created_ms=NOW_MS, not_before_ms=NOW_MS + 5),
            effect("old", created_ms=NOW_MS + 1),
        )
        assert await started(store, now_ms=NOW_MS + 10) == ["old", "repeat", "new"]

    async def test_effects_of_one_order_run_one_after_the_other(self, store: Store) -> None:
        """Two answers in one thread overtake each other."""
        rows = [effect(f"e{n}", Deliver(turn_id=f"t{n}"), order_key="place") for n in range(3)]
        accepted = await accept(store, said(), Script(*rows), room=ROOM)
        assert [row.id for row in accepted.started] == ["e0"]
        assert await started(store) == []
        await accept(store, done(), Script(), finishes=Claim(effect_id="e0", boot="b1", attempt=1))
        assert await started(store) == ["e1"]

    async def test_a_repeated_effect_keeps_its_place_in_the_order(self, store: Store) -> None:
        """After a rate limit the second answer stands before the first."""
        rows = [effect(f"e{n}", Deliver(turn_id=f"t{n}"), order_key="place") for n in range(2)]
        await accept(store, said(), Script(*rows), room=ROOM)
        back = replace(rows[0], attempt=1, not_before_ms=NOW_MS + 100)
        put_back = await accept(
            store, done(), Script(back), finishes=Claim(effect_id="e0", boot="b1", attempt=1), room=ROOM
        )
        assert not put_back.started
        assert await started(store) == []
        assert await started(store, now_ms=NOW_MS + 100) == ["e0"]

    async def test_a_new_effect_does_not_overtake_an_older_one_of_its_order(self, store: Store) -> None:
        """An answer decided later is posted before an earlier one that waits for a slot."""
        await given(store, effect("e1", order_key="place"))
        accepted = await accept(store, said(), Script(effect("e2", order_key="place")), room=ROOM)
        assert not accepted.started
        assert await started(store) == ["e1"]

    async def test_an_effect_that_makes_way_lets_the_next_start_at_once(self, store: Store) -> None:
        """A stopped delivery blocks its thread until somebody looks again."""
        await given(store, effect("e1", order_key="place"))
        ended = effect("e1", order_key="place", state=EffectState.FAILED)
        accepted = await accept(store, said(), Script(effect("e2", order_key="place"), ended), room=ROOM)
        assert [row.id for row in accepted.started] == ["e2"]

    async def test_an_effect_waits_for_those_it_names(self, store: Store) -> None:
        """The model is asked before the attachment is here."""
        fetch = FetchFile(platform="local", file_id="f", handle="h", name="n", media_type="text/plain")
        rows = (effect("ask", waits=("f1", "f2")), effect("f1", fetch), effect("f2", fetch))
        accepted = await accept(store, said(), Script(*rows), room=ROOM)
        assert [row.id for row in accepted.started] == ["f1", "f2"]
        await accept(store, done(), Script(), finishes=Claim(effect_id="f1", boot="b1", attempt=1))
        assert await started(store) == []
        failed = Script(effect("f2", fetch, state=EffectState.FAILED))
        await accept(store, done(), failed, finishes=Claim(effect_id="f2", boot="b1", attempt=1))
        assert await started(store) == ["ask"]

    async def test_what_is_waited_for_in_an_earlier_commit_counts(self, store: Store) -> None:
        """The model is asked without a file that an earlier message brought."""
        await given(store, effect("f1"))
        accepted = await accept(store, said(), Script(effect("ask", waits=("f1",))), room={"AskModel": 1})
        assert not accepted.started
