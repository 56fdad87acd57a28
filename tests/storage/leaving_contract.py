"""The contract of the `Store` port: what a decision about leaving and coming back sees, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.codes import code_of, digest_of
from core.domain.decision import Line, View
from core.domain.entities import Binding, Button, Entity, Level, Person, Phase, Role, Waiting
from core.domain.errors import StoreError
from core.domain.events import Author, ButtonPressed, CommandIssued, Event, ResumeAsked, Summarized, TimerDue
from core.domain.keys import Audience, ButtonId, PersonKey, Place, SessionKey
from core.domain.leaving import (
    Adoption,
    ClaimState,
    Fact,
    Guesses,
    Link,
    MoveClaim,
    Notices,
    Preference,
    Revocation,
    Summary,
    Ticket,
    TicketState,
)
from core.engine.ports import Store
from tests.kit.store import ANN, BOB, NOW_MS, PLACE, Script, accept, bound, card, given, message, said, session, turn
from tests.kit.world import KEYS

AWAY = Place(platform="local", workspace="away", channel="general", thread="t9")
ANN_AWAY = PersonKey(platform="local", workspace="away", user="ann")
OPEN = (Button(id="rj1:x:y:0", label="x"),)


def ticket(ticket_id: str = "k1", **more: object) -> Ticket:
    """A live ticket of session s1."""
    plain = Ticket(id=ticket_id, session_id="s1", owner="id-ann", issued_ms=NOW_MS, expires_ms=NOW_MS + 1000)
    return replace(plain, **more)  # type: ignore[arg-type]


def claim(claim_id: str = "c1", **more: object) -> MoveClaim:
    """An open claim of Ann's account in away."""
    plain = MoveClaim(
        id=claim_id,
        session_id="s1",
        ticket_id="k1",
        claimant=ANN_AWAY,
        claimant_name="Ann",
        identity="id-other",
        dest=SessionKey.at(AWAY, "ann"),
        audience=Audience.PUBLIC,
        created_ms=NOW_MS,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def link(link_id: str = "l1", **more: object) -> Link:
    """Ann's account in away came under Ann."""
    plain = Link(
        id=link_id,
        session_id="s1",
        account=ANN_AWAY,
        before="id-other",
        after="id-ann",
        origin=SessionKey.at(PLACE, "ann"),
        at_ms=NOW_MS,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def asked(digest: str = "", *, session_id: str = "", person: PersonKey = ANN, place: Place = PLACE) -> ResumeAsked:
    """Somebody wants to go on."""
    author = Author(key=person, name=person.user.capitalize())
    key = f"{digest}:{session_id}:{person}:{place}"
    return ResumeAsked(source_keys=(key,), author=author, place=place, digest=digest, session_id=session_id)


def pressed(subject: str, *, person: PersonKey = ANN, place: Place = PLACE) -> ButtonPressed:
    """Somebody presses a button about `subject`."""
    author = Author(key=person, name=person.user.capitalize())
    button = ButtonId(verb="resume", subject=subject)
    return ButtonPressed(source_keys=(f"press:{subject}:{person}:{place}",), author=author, place=place, button=button)


def digest(ticket_id: str = "k1", generation: int = 1) -> str:
    """Under what the code of a ticket is found."""
    return digest_of(KEYS, code_of(KEYS, ticket_id, generation))


async def seen(store: Store, event: Event) -> View:
    """What a decision on `event` is shown."""
    script = Script()
    await accept(store, event, script)
    return script.view


class LeavingContract:
    """What a rule about leaving is shown."""

    async def test_every_field_comes_back(self, store: Store) -> None:
        """A summary, a choice or a link was changed by being stored."""
        whole = replace(
            session(),
            audience=Audience.PRIVATE,
            crowded=True,
            keep_until_ms=5,
            summary_id="z1",
            unsaid="words",
            asked_back=True,
            retention_told_ms=7,
            code_until_ms=9,
            retention_told_up_ms=8,
        )
        facts = (Fact(text="a", words="é", seq=3), Fact(text="b", words="c", seq=4))
        summary = Summary(
            id="z1",
            session_id="s1",
            from_seq=1,
            to_seq=9,
            created_ms=3,
            goal="g",
            done="d",
            last="l",
            next="n",
            facts=facts,
            correction="no",
            by="model",
            tokens=12,
        )
        choice = Preference(identity="id-ann", notices=Notices.DM, muted=("a", "b"))
        bare, binding, person = bound(whole)
        await given(store, bare, binding, person, summary, choice, ticket(private=False), claim(), link(undone_ms=4))
        view = await seen(store, asked(digest()))
        assert (view.session, view.summary, view.preference, view.ticket) == (whole, summary, choice, ticket())
        assert view.claims == (claim(),)
        assert (await seen(store, pressed("l1"))).link == link(undone_ms=4)

    async def test_a_ticket_is_found_by_the_digest_of_its_code_only(self, store: Store) -> None:
        """A right code opened nothing, or a wrong one opened something."""
        await given(store, *bound(session()), ticket(), ticket("k2", private=True, generation=3))
        found = await seen(store, asked(digest()))
        assert (found.ticket, found.session) == (ticket(), session())
        assert (await seen(store, asked(digest("k2", 3)))).ticket == ticket("k2", private=True, generation=3)
        for wrong in (digest("k2"), digest("k3"), "k1", code_of(KEYS, "k1", 1)):
            nothing = await seen(store, asked(wrong))
            assert (nothing.ticket, nothing.session) == (None, None)

    @pytest.mark.parametrize("state", list(TicketState))
    async def test_a_dead_ticket_is_shown_as_dead(self, store: Store, state: TicketState) -> None:
        """A used code could not be told from a live one."""
        await given(store, *bound(session()), ticket())
        await given(store, ticket(state=state))
        found = (await seen(store, asked(digest()))).ticket
        assert found == ticket(state=state)

    async def test_a_new_ticket_takes_the_place_of_the_live_one_of_its_kind(self, store: Store) -> None:
        """Two codes of one notice were valid at the same time, or the code to take along died with the notice's."""
        await given(store, *bound(session()), ticket("k1"), ticket("p1", private=True))
        await given(store, Revocation(session_id="s1"), ticket("k2"))
        states = [
            found.ticket.state
            for each in ("k1", "k2", "p1")
            if (found := await seen(store, asked(digest(each)))).ticket is not None
        ]
        assert states == [TicketState.REPLACED, TicketState.LIVE, TicketState.LIVE]

    async def test_two_live_tickets_of_a_kind_are_refused(self, store: Store) -> None:
        """A rule that forgets to revoke would leave two codes alive without anybody noticing."""
        await given(store, *bound(session()), ticket("k1"))
        with pytest.raises(StoreError):
            await given(store, ticket("k2"))

    async def test_all_tickets_of_an_owner_die_together(self, store: Store) -> None:
        """After `That wasn't me` a code that the other account has seen still worked."""
        other = session("s2", user="bob")
        await given(store, *bound(session()), *bound(other), ticket("k1"), ticket("p1", private=True))
        await given(store, Revocation(session_id="s1"), ticket("k2"))
        await given(store, ticket("b1", session_id="s2", owner="id-bob"), Revocation(owner="id-ann"))
        for name, state in (("k1", "revoked"), ("k2", "revoked"), ("p1", "revoked"), ("b1", "live")):
            found = (await seen(store, asked(digest(name)))).ticket
            assert found is not None
            assert found.state == state

    async def test_a_claim_is_found_with_its_ticket_its_card_and_who_made_it(self, store: Store) -> None:
        """`Allow` could not see what it allows."""
        ann = Person(key=ANN_AWAY, identity="id-other", name="Ann")
        asks = card("claim:c1", buttons=OPEN)
        await given(store, *bound(session()), ann, ticket(), claim(), asks)
        view = await seen(store, pressed("c1"))
        assert (view.claim, view.ticket, view.card, view.claimant) == (claim(), ticket(), asks, ann)
        assert view.session == session()

    async def test_open_claims_and_ones_own_are_shown(self, store: Store) -> None:
        """Who was denied could ask again and again, or a fourth question came to the owner."""
        bobs = claim("c3", claimant=BOB, state=ClaimState.DENIED)
        mine = claim("c2", state=ClaimState.DENIED)
        await given(store, *bound(session()), ticket(), claim(), mine, bobs)
        view = await seen(store, asked(digest(), person=ANN_AWAY, place=AWAY))
        assert [each.id for each in view.claims] == ["c1", "c2"]

    async def test_a_move_sees_who_lives_at_its_destination(self, store: Store) -> None:
        """A conversation that lives at the destination was pushed out without being parked."""
        there = session("s2", place=AWAY, owner="id-ann")
        await given(store, *bound(session()), *bound(there), ticket(), claim())
        assert (await seen(store, asked(digest(), place=PLACE))).there is None
        assert (await seen(store, asked(digest(), person=ANN_AWAY, place=AWAY))).there == there
        asking = card("continue:s1", session_id="s2", buttons=OPEN)
        await given(store, asking, card("continue:s3", session_id="s2", buttons=OPEN))
        assert (await seen(store, pressed("s1", person=ANN_AWAY, place=AWAY))).offer == asking
        await given(store, replace(asking, buttons=()))
        by_claim = await seen(store, pressed("c1"))
        assert by_claim.offer is None
        assert (by_claim.there, by_claim.there_running) == (there, False)
        await given(store, turn("t9", session_id="s2"))
        assert (await seen(store, pressed("c1", person=BOB))).there_running

    @pytest.mark.parametrize("phase", [Phase.CLOSED, Phase.ERASED])
    async def test_what_ended_there_is_in_nobodys_way(self, store: Store, phase: Phase) -> None:
        """A conversation that was ended long ago was named as one to be parked."""
        there = replace(session("s2", place=AWAY, owner="id-ann"), phase=phase)
        await given(store, *bound(session()), *bound(there), ticket())
        assert (await seen(store, asked(digest(), person=ANN_AWAY, place=AWAY))).there is None

    async def test_what_moved_away_does_not_live_there(self, store: Store) -> None:
        """The key that a conversation has left still counted as its home."""
        moved = replace(session("s2", owner="id-ann"), home=SessionKey.at(AWAY, "ann"))
        left = Binding(key=SessionKey.at(PLACE, "ann"), session_id="s2")
        other = session("s3", user="bob", place=replace(PLACE, thread="t5"))
        await given(store, moved, Binding(key=moved.home, session_id="s2"), left, *bound(other))
        view = await seen(store, asked(session_id="s3"))
        assert view.there is None

    async def test_a_message_at_a_place_that_was_left_sees_the_card_about_it(self, store: Store) -> None:
        """A second card asked the same question, or none did."""
        moved = replace(session(), home=SessionKey.at(AWAY, "ann"))
        left = Binding(key=SessionKey.at(PLACE, "ann"), session_id="s1")
        _, home, person = bound(moved)
        old = card("moved:1", buttons=OPEN)
        new = card("moved:2", buttons=OPEN, created_ms=NOW_MS + 1)
        elsewhere = card("moved:3", place=AWAY, created_ms=NOW_MS + 2)
        await given(store, moved, home, left, person, old, new, elsewhere, card("mailbag:1", buttons=OPEN))
        view = await seen(store, said("hello?"))
        assert (view.session, view.card) == (moved, new)

    async def test_held_messages_of_a_place_that_was_left_are_no_mail(self, store: Store) -> None:
        """What waits for a choice in the old thread was offered again in the new one after every restart."""
        waiting = Waiting(
            id="w1", session_id="s1", author="Ann", asker=ANN, text="x", ref="r", received_ms=1, held=True
        )
        await given(store, *bound(session()), replace(waiting, said_at=str(PLACE)))
        assert await store.holding("local") == ()
        await given(store, replace(waiting, id="w2"))
        assert await store.holding("local") == ("s1",)

    async def test_what_a_move_takes_along_is_shown(self, store: Store) -> None:
        """A card that asks something was left behind, or one that asks nothing was moved."""
        asks, told = card("mailbag:1", buttons=OPEN), card("arrived:1")
        await given(store, *bound(session()), ticket(), asks, told, card("mailbag:2", session_id="s2", buttons=OPEN))
        assert (await seen(store, asked(digest()))).cards == (asks,)

    async def test_guesses_of_the_account_and_the_channel(self, store: Store) -> None:
        """A lock was forgotten, or somebody was locked for what others did elsewhere."""
        mine = Guesses(key=f"person:{ANN}", times_ms=(1, 2, 3))
        ours = Guesses(key=f"channel:{replace(PLACE, thread='')}", times_ms=(4,))
        others = Guesses(key=f"person:{BOB}", times_ms=(5,))
        far = Guesses(key=f"channel:{replace(AWAY, thread='')}", times_ms=(6,))
        await given(store, mine, ours, others, far)
        assert (await seen(store, asked("nothing"))).guesses == (mine, ours)
        assert (await seen(store, said())).guesses == ()

    async def test_accounts_and_past_of_who_acts(self, store: Store) -> None:
        """Somebody known as another person counted as a stranger, or a newcomer as somebody with a past."""
        bob = session("s2", user="bob")
        bobby = Person(key=replace(BOB, workspace="away"), identity="id-bob", name="Bobby")
        await given(store, *bound(session()), *bound(bob), bobby, ticket())
        view = await seen(store, asked(digest(), person=bobby.key, place=AWAY))
        assert view.accounts == (bobby.key, BOB)
        assert view.settled
        new = await seen(store, asked(digest(), person=ANN_AWAY, place=AWAY))
        assert new.accounts == (ANN_AWAY,)
        assert not new.settled

    async def test_adoption_takes_everything_and_gives_exactly_that_back(self, store: Store) -> None:
        """Linking lost somebody's conversations, or undoing it gave away somebody else's."""
        mine = session("s2", place=AWAY, owner="id-other")
        other = Person(key=replace(ANN_AWAY, workspace="third"), identity="id-other", name="Ann")
        await given(store, *bound(session()), *bound(mine), other, link())
        await given(store, Adoption(link_id="l1", before="id-other", after="id-ann"))
        for key in (ANN_AWAY, other.key):
            view = await seen(store, said("a", str(key), person=key, place=replace(AWAY, workspace=key.workspace)))
            assert view.person is not None
            assert view.person.identity == "id-ann"
        adopted = (await seen(store, asked(session_id="s2"))).session
        assert adopted is not None
        assert adopted.owner == "id-ann"
        await given(store, Adoption(link_id="l1", before="id-other", after="id-ann", undo=True))
        for session_id, owner in (("s1", "id-ann"), ("s2", "id-other")):
            found = (await seen(store, asked(session_id=session_id, place=replace(PLACE, thread=session_id)))).session
            assert found is not None
            assert found.owner == owner
        for key, identity in ((ANN_AWAY, "id-other"), (other.key, "id-other"), (ANN, "id-ann")):
            place = replace(AWAY, workspace=key.workspace)
            person = (await seen(store, said("b", f"b{key}", person=key, place=place))).person
            assert person is not None
            assert person.identity == identity

    async def test_what_a_linked_account_took_is_shown_for_the_undoing(self, store: Store) -> None:
        """After the undoing an account still reached a conversation that it had taken."""
        origin, taken_from = SessionKey.at(PLACE, "ann"), SessionKey.at(replace(PLACE, thread="t2"), "ann")
        here, there = SessionKey.at(AWAY, "ann"), SessionKey.at(replace(AWAY, thread="t8"), "ann")
        moved, taken = replace(session(), home=here), replace(session("s2"), home=there)
        began = session("s3", place=replace(AWAY, thread="t7"), owner="id-ann")
        own = session("s4", place=replace(AWAY, thread="t6"), owner="id-ann")
        somebody = session("s5", user="bob", place=AWAY)
        keys = [(origin, "s1"), (here, "s1"), (taken_from, "s2"), (there, "s2")]
        rows: list[Entity] = [moved, taken, *(Binding(key=key, session_id=name) for key, name in keys)]
        await given(store, *rows, *bound(began), *bound(somebody), link())
        await given(store, replace(own, owner="id-other"), Binding(key=own.home, session_id="s4"))
        await given(store, Adoption(link_id="l1", before="id-other", after="id-ann"))
        pulled = {each.session.id: (each.keys, each.earlier) for each in (await seen(store, pressed("l1"))).pulled}
        assert pulled == {"s1": ((here,), origin), "s2": ((there,), taken_from), "s3": ((began.home,), None)}

    async def test_a_list_of_ones_own_conversations(self, store: Store) -> None:
        """`/sessions` showed somebody else's, the wrong order, or not what waits for an answer."""
        older = replace(
            session("s2", place=AWAY), last_human_ms=NOW_MS - 5, title="older", next_seq=3, level=Level.SUMMARY
        )
        newer = replace(session(), last_human_ms=NOW_MS, title="newer", audience=Audience.DM)
        gone = replace(session("s3", place=replace(PLACE, thread="t3")), phase=Phase.ERASED)
        words = message(2, "the very last words " * 40, session_id="s2", role=Role.ASSISTANT)
        asks = card("mailbag:1", session_id="s2", buttons=OPEN)
        notice = card("idle:0", buttons=OPEN)
        await given(store, *bound(older), *bound(newer), *bound(gone), *bound(session("s4", user="bob")))
        await given(store, message(1, session_id="s2"), words, asks, notice)
        author = Author(key=ANN, name="Ann")
        issued = CommandIssued(source_keys=("c",), author=author, place=PLACE, name="sessions")
        found = (await seen(store, issued)).mine
        assert [each.session_id for each in found] == ["s1", "s2"]
        assert found[1] == Line(
            session_id="s2",
            title="older",
            phase=Phase.ACTIVE,
            home=older.home,
            audience=Audience.PUBLIC,
            last_human_ms=NOW_MS - 5,
            last_words=words.text[:200],
            level=Level.SUMMARY,
            waits_for_you=True,
        )
        assert not found[0].waits_for_you

    async def test_resume_without_a_code_sees_the_only_conversation(self, store: Store) -> None:
        """`/resume` with one conversation elsewhere did nothing, or took one of several without asking."""
        only = session("s2", place=AWAY, owner="id-ann")
        await given(store, *bound(only), Person(key=ANN, identity="id-ann", name="Ann"))
        author = Author(key=ANN, name="Ann")
        issued = CommandIssued(source_keys=("c1",), author=author, place=PLACE, name="resume")
        view = await seen(store, issued)
        assert (view.session, len(view.mine)) == (only, 1)
        await given(store, *bound(session("s3", place=replace(PLACE, thread="t5"))))
        view = await seen(store, replace(issued, source_keys=("c2",)))
        assert (view.session, len(view.mine)) == (None, 2)

    async def test_a_timer_sees_notice_ticket_tail_and_neighbours(self, store: Store) -> None:
        """A thread got two notices, or parking did not know how much was said."""
        rows = [message(n, tokens=n) for n in range(1, 31)]
        first, second = card("idle:1"), card("idle:2", created_ms=NOW_MS + 1)
        here = replace(session(), next_seq=31)
        await given(store, *bound(here), *rows, ticket(), ticket("p1", private=True), first, second)
        ring = TimerDue(source_keys=("r1",), session_id="s1", idle_epoch=0)
        view = await seen(store, ring)
        assert (view.notice, view.ticket) == (second, ticket())
        assert [(each.seq, each.tokens) for each in view.tail] == [(n, n) for n in range(7, 31)]
        assert not view.neighbour_noticed
        bob = session("s2", user="bob")
        await given(store, *bound(bob), card("idle:0", session_id="s2", buttons=OPEN))
        assert (await seen(store, replace(ring, source_keys=("r2",)))).neighbour_noticed
        await given(store, card("idle:0", session_id="s2", wanted_version=2))
        assert not (await seen(store, replace(ring, source_keys=("r3",)))).neighbour_noticed

    async def test_a_summary_that_was_written_sees_the_one_before(self, store: Store) -> None:
        """A correction was lost with the next summary."""
        old = Summary(id="z1", session_id="s1", from_seq=1, to_seq=4, created_ms=1, correction="no")
        new = replace(old, id="z2", to_seq=8, created_ms=2)
        await given(store, *bound(session()), old, new)
        event = Summarized(
            session_id="s1", from_seq=1, to_seq=9, goal="", done="", last="", next="", facts=(), by="extract"
        )
        assert (await seen(store, event)).summary == new

    async def test_whoever_shares_a_thread_is_known_by_account(self, store: Store) -> None:
        """Somebody who took another's display name could bring back a conversation that is not theirs."""
        shared = replace(session(), home=SessionKey.at(PLACE, ""), next_seq=2)
        await given(store, shared, Binding(key=shared.home, session_id="s1"), message(1, author="Bob"), turn())
        assert (await seen(store, pressed("s1"))).spoke
        assert not (await seen(store, pressed("s1", person=BOB))).spoke

    async def test_a_card_for_one_person_stays_theirs(self, store: Store) -> None:
        """A card meant for one person's private place came back without its person."""
        private = card("idle:0", recipient=ANN)
        await given(store, *bound(session()), private)
        assert await store.card("s1", "idle:0") == private
