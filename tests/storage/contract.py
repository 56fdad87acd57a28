"""The contract of the `Store` port: every implementation passes these, unchanged.

A subclass gives the fixture `store`. Each test says what a person would notice if it failed.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.domain.decision import Policy
from core.domain.effects import AskModel, Deliver, FetchFile, ShowCard
from core.domain.entities import (
    Binding,
    Button,
    Draft,
    EffectRow,
    EffectState,
    Entity,
    FileCopy,
    FileRef,
    Forgotten,
    Part,
    Person,
    Role,
    Spend,
    TurnState,
    Waiting,
)
from core.domain.errors import HistoryUnreadable
from core.domain.events import (
    CardShown,
    CaughtUp,
    CommandIssued,
    EffectStumbled,
    Event,
    FileFetched,
    MessageReceived,
    TimerDue,
)
from core.domain.keys import Place, SessionKey
from core.engine.ports import Accepted, Claim, Decide, Store
from tests.kit.store import (
    ANN,
    BOB,
    DAY,
    NOW_MS,
    PLACE,
    Script,
    answering,
    bound,
    card,
    done,
    effect,
    message,
    pressed,
    replied,
    said,
    session,
    stamp,
    turn,
)

ROOM = {"AskModel": 9, "Deliver": 9, "ShowCard": 9, "FetchFile": 9, "Mark": 9}


async def accept(  # noqa: D103
    store: Store, event: Event, decide: Decide, *, now_ms: int = NOW_MS, boot: str = "b1", **more: object
) -> Accepted:
    return await store.accept(event, stamp(now_ms=now_ms), decide, policy=Policy(), boot=boot, **more)  # type: ignore[arg-type]


async def given(store: Store, *rows: Entity, now_ms: int = NOW_MS) -> None:
    """Bring rows into the store by way of a decision about an unheard-of session."""
    await accept(store, done("nobody"), Script(*rows), now_ms=now_ms)


async def started(store: Store, boot: str = "b1", now_ms: int = NOW_MS, **room: int) -> list[str]:
    """Claim what is ready; the ids."""
    return [row.id for row in await store.claim(boot=boot, now_ms=now_ms, room=room or ROOM)]


class StoreContract:
    """What every store does."""

    # --- deliveries -----------------------------------------------------------------------------------

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

    # --- claims ---------------------------------------------------------------------------------------

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
        assert await store.next_effect_ms() == NOW_MS + 5_000
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

    # --- starting -------------------------------------------------------------------------------------

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
        assert await store.next_effect_ms() == NOW_MS + 600
        assert await started(store, now_ms=NOW_MS + 599) == []
        assert await started(store, now_ms=NOW_MS + 600) == ["e1"]
        assert await store.next_effect_ms() is None

    async def test_a_clock_that_was_set_back_holds_nothing_up(self, store: Store) -> None:
        """After a clock correction nobody is answered until the old time is reached again."""
        await given(store, effect("e1", created_ms=NOW_MS + 3_600_000), now_ms=NOW_MS + 3_600_000)
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

    # --- drafts, parts, deliveries --------------------------------------------------------------------

    async def test_a_running_answer_is_what_was_said_and_its_drafts(self, store: Store) -> None:
        """After a crash the words that people have already read are gone."""
        await given(store, *answering(), replace(turn(), said="Once "))
        await started(store)
        await store.progress([Draft(effect_id="e1", n=0, text="upon ")], [Part(turn_id="t1", n=0, ref="m1", start=0)])
        await store.progress([Draft(effect_id="e1", n=1, text="a time")], [])
        delivery = await store.delivery("t1")
        assert delivery.text == "Once upon a time"
        assert delivery.parts == (Part(turn_id="t1", n=0, ref="m1", start=0),)
        assert await store.draft_of("e1") == "upon a time"
        assert await store.draft_of("unknown") == ""

    async def test_the_outcome_ends_the_draft_and_a_late_one_is_ignored(self, store: Store) -> None:
        """The end of an old draft stands behind the finished answer."""
        await given(store, *answering())
        await started(store)
        await store.progress([Draft(effect_id="e1", n=0, text="draft")], [])
        answered = Script(
            turn(state=TurnState.ANSWERED, answer_seq=2),
            message(2, "the answer", role=Role.ASSISTANT, turn_id="t1"),
            replace(session(), next_seq=3),
        )
        await accept(store, replied("t1"), answered, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        await store.progress([Draft(effect_id="e1", n=1, text="late")], [])
        assert await store.draft_of("e1") == ""
        assert (await store.delivery("t1")).text == "the answer"

    async def test_parts_are_brought_up_to_date_while_the_delivery_is_open(self, store: Store) -> None:
        """After a restart the answer is posted again below itself."""
        await given(store, *answering())
        await started(store)
        part = Part(turn_id="t1", n=0, ref="m1", start=0)
        await store.progress([], [part])
        await store.progress([], [replace(part, confirmed_chars=7, final=True)])
        assert (await store.delivery("t1")).parts == (replace(part, confirmed_chars=7, final=True),)
        await accept(store, done(), Script(), finishes=Claim(effect_id="e2", boot="b1", attempt=1))
        await store.progress([], [replace(part, ref="late")])
        assert (await store.delivery("t1")).parts[0].ref == "m1"

    async def test_the_same_draft_twice_is_the_same_draft(self, store: Store) -> None:
        """A draft that is saved again after a full disk stands there twice."""
        await given(store, *answering())
        await started(store)
        for _ in range(2):
            await store.progress([Draft(effect_id="e1", n=0, text="once")], [])
        assert await store.draft_of("e1") == "once"

    async def test_what_is_unknown_is_a_key_error(self, store: Store) -> None:
        """A performer waits for ever for something that does not exist."""
        for call in (store.delivery("t"), store.conversation("t", 1), store.card("s", "k")):
            with pytest.raises(KeyError):
                await call

    # --- conversations --------------------------------------------------------------------------------

    async def test_a_conversation_is_the_newest_within_the_budget(self, store: Store) -> None:
        """The model forgets the last words, or gets more than it can take."""
        rows = [message(seq, f"m{seq}", tokens=10) for seq in range(1, 201)]
        await given(
            store, replace(session(), next_seq=202), *rows, message(201, turn_id="t1"), turn(first=201, last=201)
        )
        told = await store.conversation("t1", 35)
        assert [each.seq for each in told.messages] == [199, 200, 201]
        assert not told.whole
        told = await store.conversation("t1", 10_000)
        assert [each.seq for each in told.messages] == list(range(1, 202))
        assert told.whole
        assert told.turn == turn(first=201, last=201)
        assert told.session == replace(session(), next_seq=202)

    async def test_a_fresh_start_hides_what_was_before_it(self, store: Store) -> None:
        """After an acknowledged fresh start the model still gets the old words."""
        rows = [message(seq) for seq in range(1, 5)]
        await given(store, replace(session(), next_seq=5, fresh_from_seq=3), *rows, turn(first=4, last=4))
        told = await store.conversation("t1", 1_000)
        assert [each.seq for each in told.messages] == [3, 4]
        assert told.whole

    async def test_the_turns_own_messages_are_always_there(self, store: Store) -> None:
        """A question that is longer than the budget is not asked at all."""
        rows = [message(1), message(2, tokens=900, turn_id="t1"), message(3, tokens=900, turn_id="t1")]
        await given(store, replace(session(), next_seq=4), *rows, turn(first=2, last=3))
        told = await store.conversation("t1", 100)
        assert [each.seq for each in told.messages] == [2, 3]
        assert not told.whole

    async def test_what_the_model_refused_is_not_told_again(self, store: Store) -> None:
        """One refused question makes every later one be refused."""
        refused = turn("t0", first=2, last=2, state=TurnState.FAILED, failure="model_refusal")
        rows = [message(1), message(2, turn_id="t0"), message(3, turn_id="t1")]
        await given(store, replace(session(), next_seq=4), *rows, refused, turn(first=3, last=3))
        told = await store.conversation("t1", 1_000)
        assert [each.seq for each in told.messages] == [1, 3]
        assert told.whole
        again = await store.conversation("t0", 1_000)
        assert 2 in [each.seq for each in again.messages]

    async def test_files_come_with_the_messages_that_are_told(self, store: Store) -> None:
        """The model does not see an attachment."""
        ref = FileRef(id="f1", handle="h", name="a.txt", media_type="text/plain", size_bytes=3)
        copies = [
            FileCopy(file_id=each, session_id="s1", media_type="text/plain", data="YWJj") for each in ("f1", "f9")
        ]
        await given(store, replace(session(), next_seq=2), message(1, files=(ref,)), turn(), *copies)
        assert (await store.conversation("t1", 1_000)).files == {"f1": copies[0]}

    async def test_a_message_may_be_put_again(self, store: Store) -> None:
        """An answer that goes on is refused, or stands there twice."""
        await given(store, replace(session(), next_seq=2), message(1, "half"), turn())
        await given(store, message(1, "whole"))
        assert [each.text for each in (await store.conversation("t1", 1_000)).messages] == ["whole"]

    async def test_broken_blocks_are_an_unreadable_history(self, store: Store) -> None:
        """A damaged history ends in an internal error instead of an acknowledged fresh start."""
        await given(store, replace(session(), next_seq=2), message(1, role=Role.ASSISTANT, blocks='[{"type":'), turn())
        with pytest.raises(HistoryUnreadable):
            await store.conversation("t1", 1_000)

    async def test_text_that_is_no_text_is_stored_all_the_same(self, store: Store) -> None:
        """A message with half an emoji in it can never be stored and is delivered for ever."""
        odd = "half \ud83d, whole \ud83d\ude00, nul \x00"
        await given(store, replace(session(), next_seq=2), message(1, odd), turn())
        told = await store.conversation("t1", 1_000)
        assert told.messages[0].text == "half \ufffd, whole \U0001f600, nul \x00"

    # --- views ----------------------------------------------------------------------------------------

    async def test_a_first_message_has_a_new_person_and_nothing_else(self, store: Store) -> None:
        """A newcomer gets somebody else's conversation."""
        script = Script()
        await accept(store, said(), script)
        view = script.view
        assert view.person == Person(key=ANN, identity=stamp().ulid("identity"), name="Ann")
        assert view.newcomer
        assert (view.session, view.turn, view.running, view.card, view.finishing) == (None,) * 5
        assert not view.addressed_before
        assert not view.waiting
        assert not view.open_effects

    async def test_a_known_person_is_known_and_a_new_name_is_news(self, store: Store) -> None:
        """A person is a stranger after every message, or keeps an old name for ever."""
        await given(store, Person(key=ANN, identity="id-ann", name="Ann"))
        same, renamed = Script(), Script()
        await accept(store, said("one"), same)
        assert same.view.person == Person(key=ANN, identity="id-ann", name="Ann")
        assert not same.view.newcomer
        await accept(store, said("two", name="Anna"), renamed)
        assert renamed.view.person == Person(key=ANN, identity="id-ann", name="Anna")
        assert renamed.view.newcomer

    async def test_a_message_sees_its_session_whole(self, store: Store) -> None:
        """A second message does not know that the first is being answered."""
        waiting = [
            Waiting(id=each, session_id="s1", author="Ann", asker=ANN, text=each, ref="", received_ms=NOW_MS)
            for each in ("w2", "w1")
        ]
        mailbag = card(buttons=(Button(id="b", label="Answer all"),), created_ms=NOW_MS + 1)
        older = card("mailbag:0", buttons=(Button(id="b", label="Answer all"),))
        closed = card("mailbag:2", created_ms=NOW_MS + 2)
        await given(store, *answering(), *waiting, mailbag, older, closed, card("idle:1"))
        script = Script()
        await accept(store, said("two"), script)
        view = script.view
        assert view.session == replace(session(), next_seq=2)
        assert view.turn == view.running == turn()
        assert view.waiting == tuple(waiting)
        assert [row.id for row in view.open_effects] == ["e1", "e2"]
        assert view.card == mailbag
        assert view.addressed_before

    async def test_sessions_of_others_and_of_other_places_are_not_seen(self, store: Store) -> None:
        """Somebody reads along in another person's conversation."""
        await given(store, *answering())
        for event in (
            said("bob", person=BOB),
            said("elsewhere", place=replace(PLACE, thread="t2")),
            said("channel", place=replace(PLACE, thread="")),
        ):
            script = Script()
            await accept(store, event, script)
            assert script.view.session is None
            assert not script.view.addressed_before

    async def test_a_shared_thread_has_one_session(self, store: Store) -> None:
        """In a shared thread everybody talks with a bot of their own, or strangers' words are taken."""
        shared = session(user="", owner="id-ann")
        mine = (*bound(shared), replace(turn(), asker=ANN), message(1, turn_id="t1"), message(2, author="Cleo"))
        await given(store, *mine)
        policy = Policy(shared_threads=True)

        async def view_of(event: MessageReceived) -> tuple[bool, bool]:
            script = Script()
            await store.accept(event, stamp(), script, policy=policy, boot="b1")
            return script.view.session is not None, script.view.addressed_before

        cleo = replace(BOB, user="cleo")
        assert await view_of(said("a")) == (True, True)
        assert await view_of(said("b", person=BOB)) == (True, False)
        assert await view_of(said("c", person=cleo)) == (True, True)
        assert await view_of(said("d", place=replace(PLACE, thread=""))) == (False, False)

    async def test_a_button_leads_to_what_it_is_about(self, store: Store) -> None:
        """A button does nothing, or something to another conversation."""
        old = turn("t0", state=TurnState.ANSWERED)
        await given(store, *answering(), old, card("task:1"))
        expected = {
            "card-task:1": (card("task:1"), turn()),
            "t0": (None, old),
            "s1": (None, turn()),
        }
        for subject, (shown, named) in expected.items():
            script = Script()
            await accept(store, pressed(subject), script)
            assert script.view.session is not None
            assert (script.view.card, script.view.turn, script.view.running) == (shown, named, turn())
        script = Script()
        await accept(store, pressed("unknown"), script)
        assert script.view.session is None

    async def test_every_event_finds_its_session(self, store: Store) -> None:
        """A command, a timer or an outcome meets an empty conversation."""
        mailbag = card(buttons=(Button(id="b", label="Answer all"),))
        await given(store, *answering(), card("task:1"), mailbag)
        author = said().author
        cases: list[tuple[Event, str | None]] = [
            (CommandIssued(source_keys=("c",), author=author, place=PLACE, name="status"), None),
            (TimerDue(source_keys=("t",), session_id="s1", idle_epoch=0), None),
            (CaughtUp(session_id="s1"), "mailbag:1"),
            (CardShown(session_id="s1", card_key="task:1", version=1, ref="r"), "task:1"),
            (FileFetched(session_id="s1", file_id="f", media_type="x"), None),
            (replied("t1"), None),
            (done("s1"), None),
        ]
        for event, key in cases:
            script = Script()
            await accept(store, event, script)
            assert script.view.session is not None, event
            assert script.view.turn == turn(), event
            assert (script.view.card.key if script.view.card else None) == key, event

    async def test_the_end_of_showing_a_card_sees_the_card(self, store: Store) -> None:
        """A card that could not be shown is never shown again."""
        await given(store, *bound(session()), card("task:1"), effect("e1", ShowCard(card_key="task:1")))
        await started(store)
        script = Script()
        stumbled = EffectStumbled(session_id="s1", code="cut")
        await accept(store, stumbled, script, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        assert script.view.card == card("task:1")

    async def test_the_accounts_of_today_are_seen(self, store: Store) -> None:
        """A budget is overspent, or yesterday's is charged today."""
        mine = [
            Spend(account="person:id-ann", day=DAY, settled=1),
            Spend(account="workspace:local/home", day=DAY, settled=2),
        ]
        others = [
            Spend(account="person:id-ann", day="2025-11-23", settled=3),
            Spend(account="person:id-bob", day=DAY, settled=4),
        ]
        reserved = AskModel(turn_id="t1", reserved=5, accounts=("person:id-ann",), day="2025-11-23")
        await given(store, *answering(), effect("e1", reserved), *mine, *others)
        await started(store)
        script = Script()
        await accept(store, said("two"), script)
        assert set(script.view.spends) == set(mine)
        script = Script()
        await accept(store, replied("t1"), script, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        assert set(script.view.spends) == {*mine, others[0]}

    async def test_the_last_row_of_a_decision_counts(self, store: Store) -> None:
        """A turn that ended stays open for ever, because its earlier state was written last."""
        ended = turn(state=TurnState.ANSWERED)
        following = turn("t2", first=2, last=2)
        await given(store, *bound(session()), following, turn(said="x"), ended)
        script = Script()
        await accept(store, said("two"), script)
        assert script.view.running == following

    async def test_rows_are_forgotten_and_unbound(self, store: Store) -> None:
        """Messages are answered twice; a moved conversation still listens at its old place."""
        waiting = Waiting(id="w1", session_id="s1", author="A", asker=ANN, text="x", ref="", received_ms=NOW_MS)
        await given(store, *bound(session()), waiting)
        await given(store, Forgotten(waiting=("w1",)))
        script = Script(Binding(key=session().home, session_id=""))
        await accept(store, said("one"), script)
        assert script.view.waiting == ()
        script = Script()
        await accept(store, said("two"), script)
        assert script.view.session is None
        await given(store, *bound(session()))
        await given(store, Forgotten(binding=(session().home,)))
        script = Script()
        await accept(store, said("three"), script)
        assert script.view.session is None

    async def test_a_move_binds_another_key(self, store: Store) -> None:
        """A conversation that was moved is not found at its new place."""
        there = Place(platform="discord", workspace="g", channel="c", thread="")
        await given(store, *bound(session()), Binding(key=SessionKey.at(there, "ann"), session_id="s1"))
        script = Script()
        await accept(store, said("one", place=there), script)
        assert script.view.session == session()

    async def test_held_messages_are_found_by_platform(self, store: Store) -> None:
        """What was said while we were away is never answered."""
        slack = replace(PLACE, platform="slack")
        waiting = Waiting(
            id="w1", session_id="s1", author="A", asker=ANN, text="x", ref="", received_ms=NOW_MS, held=True
        )
        rows = [replace(waiting, id=each, session_id=each[:2]) for each in ("s1a", "s1b", "s2a")]
        other = session("s2", place=slack)
        await given(store, *bound(session()), other, *rows, replace(waiting, id="w3", session_id="s3", held=False))
        assert await store.holding("local") == ("s1",)
        assert await store.holding("slack") == ("s2",)
        assert await store.holding("loca") == ()

    async def test_every_field_of_every_row_comes_back(self, store: Store) -> None:
        """Some detail of a conversation is lost by storing it."""
        waiting = Waiting(
            id="w", session_id="s1", author="Ä/é", asker=replace(ANN, user="a/b %"), text="\n", ref="r",
            received_ms=7, held=True,
            files=(FileRef(id="f", handle="h", name="n", media_type="m", size_bytes=9),),
        )  # fmt: skip
        full = turn(
            state=TurnState.STOPPING, said="s", stitched=True, failure="f", stalls=2, waiting_since_ms=3, retry_ms=4,
            told_waiting=True, stripped=True, continued=2, answer_seq=5, model="m", finish_note="n",
        )  # fmt: skip
        shown = card("mailbag:1", buttons=(Button(id="i", label="l", for_user="u"),), shown_version=3, ref="r")
        row: EffectRow = effect(
            "e9", AskModel(turn_id="t1", reserved=3, accounts=("a", "b"), day="d"), not_before_ms=9, deadline_ms=8,
            order_key="o", waits=("e8",), attempt=4, failure="f",
        )  # fmt: skip
        whole = replace(session(), title="t", due_ms=5, recovered_ms=6, exchanges=2, tokens=7, idle_epoch=8)
        await given(store, *bound(whole), waiting, full, shown, row)
        script = Script()
        await accept(store, said("x"), script)
        view = script.view
        assert (view.session, view.turn, view.waiting, view.card) == (whole, full, (waiting,), shown)
        assert view.open_effects == (row,)
