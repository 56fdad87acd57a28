"""The contract of the `Store` port: what a decision sees, and what becomes of its rows."""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Policy
from core.domain.effects import AskModel, ShowCard
from core.domain.entities import (
    Binding,
    Button,
    EffectRow,
    FileRef,
    Forgotten,
    Person,
    Spend,
    TurnState,
    Waiting,
)
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
from core.engine.ports import Claim, Store
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
    done,
    effect,
    given,
    message,
    pressed,
    replied,
    said,
    session,
    stamp,
    started,
    turn,
)


class ViewsContract:
    """What a rule is shown."""

    # --- views ------------------------------------------------------------------------------------

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
        """A budget is overspent, yesterday's is charged today, or what was reserved at midnight is never given back."""
        mine = [
            Spend(account="person:id-ann", day=DAY, settled=1),
            Spend(account="workspace:local/home", day=DAY, settled=2),
        ]
        others = [
            Spend(account="person:id-ann", day="2025-11-23", settled=3),
            Spend(account="person:id-bob", day=DAY, settled=4),
        ]
        reserved = AskModel(turn_id="t1", reserved=5, accounts=("person:id-ann",), day="2025-11-23")
        await given(store, *answering(), *mine, *others)
        script = Script()
        await accept(store, said("two"), script)
        assert set(script.view.spends) == set(mine)
        await given(store, effect("e1", reserved))
        script = Script()
        await accept(store, said("three"), script)
        assert set(script.view.spends) == {*mine, others[0]}
        await started(store)
        script = Script()
        await accept(store, replied("t1"), script, finishes=Claim(effect_id="e1", boot="b1", attempt=1))
        assert set(script.view.spends) == {*mine, others[0]}

    async def test_the_last_row_of_a_decision_counts(self, store: Store) -> None:
        """A turn that ended stays open for ever, because its earlier state was written last."""
        ended = turn(state=TurnState.ANSWERED)
        following = turn("t2", first=2, last=2)
        await given(store, *bound(session()), turn())
        await given(store, following, turn(said="x"), ended)
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

    async def test_half_a_character_anywhere_is_no_error(self, store: Store) -> None:
        """A message with half an emoji in a name, key or button is delivered for ever."""
        half = "x\ud83d"
        odd = replace(ANN, user=half)
        place = replace(PLACE, channel=half)
        script = Script(*bound(session(user=half, place=place)), Person(key=odd, identity="id", name=half))
        assert not (await accept(store, said("one", half, person=odd, place=place, name=half), script)).duplicate
        assert (await accept(store, said("one", half, person=odd, place=place, name=half), script)).duplicate
        again = Script()
        await accept(store, said("two", person=odd, place=place, name=half), again)
        assert again.view.session is not None
        assert not again.view.newcomer
        await accept(store, pressed(half, person=odd, place=place), Script())
