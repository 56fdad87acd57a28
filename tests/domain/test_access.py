"""The authorisation table, cell by cell. What is written out here is the promise; the code must equal it."""

from __future__ import annotations

import itertools

import pytest

from core.domain.entities import Person, Session
from core.domain.keys import Audience, PersonKey, Place, SessionKey
from core.domain.rules import people
from core.domain.rules.access import (
    Action,
    Actor,
    Destination,
    Verdict,
    actor_of,
    destination_of,
    resuming,
    verdict,
    wider,
)

OF_LETTER = {"A": Verdict.ALLOW, "C": Verdict.CONFIRM, "D": Verdict.DENY}

# Who can read at a destination, as far as its kind says so; elsewhere: as many as at the origin.
READS = {
    Destination.OTHER_PUBLIC: Audience.PUBLIC,
    Destination.PRIVATE: Audience.PRIVATE,
    Destination.DM: Audience.DM,
}

# Resume: one block for each origin, one row for each destination, one letter for each actor in the order
# owner, linked, participant, member, guest, stranger. 4 x 7 x 6 = 168 cells.
RESUME = {
    Audience.PUBLIC: """
        same_thread      A A D D D D
        same_channel     A A D D D D
        other_public     A A D D D D
        private          A A D D D D
        dm               A A D D D D
        other_workspace  A A D D D C
        other_platform   A A D D D C
    """,
    Audience.PRIVATE: """
        same_thread      A A D D D D
        same_channel     C C D D D D
        other_public     C C D D D D
        private          C C D D D D
        dm               A A D D D D
        other_workspace  C C D D D C
        other_platform   C C D D D C
    """,
    Audience.DM: """
        same_thread      A A D D D D
        same_channel     A A D D D D
        other_public     C C D D D D
        private          C C D D D D
        dm               A A D D D D
        other_workspace  A A D D D C
        other_platform   A A D D D C
    """,
    Audience.SHARED: """
        same_thread      A A D D D D
        same_channel     A A D D D D
        other_public     A A D D D D
        private          A A D D D D
        dm               A A D D D D
        other_workspace  A A D D D C
        other_platform   A A D D D C
    """,
}

# Search answers in the thread: it may show words of a conversation only where no more people read them.
SEARCH = {
    Audience.PUBLIC: """
        same_thread      A A D D D D
        same_channel     A A D D D D
        other_public     A A D D D D
        private          A A D D D D
        dm               A A D D D D
        other_workspace  A A D D D D
        other_platform   A A D D D D
    """,
    Audience.PRIVATE: """
        same_thread      A A D D D D
        same_channel     C C D D D D
        other_public     C C D D D D
        private          C C D D D D
        dm               A A D D D D
        other_workspace  C C D D D D
        other_platform   C C D D D D
    """,
    Audience.DM: """
        same_thread      A A D D D D
        same_channel     A A D D D D
        other_public     C C D D D D
        private          C C D D D D
        dm               A A D D D D
        other_workspace  A A D D D D
        other_platform   A A D D D D
    """,
    Audience.SHARED: """
        same_thread      A A D D D D
        same_channel     A A D D D D
        other_public     A A D D D D
        private          A A D D D D
        dm               A A D D D D
        other_workspace  A A D D D D
        other_platform   A A D D D D
    """,
}

# Elsewhere, what counts is who reads there: origin -> (dm, private, public, shared), for the owner.
ELSEWHERE = {
    Audience.DM: "A C C C",
    Audience.PRIVATE: "A C C C",
    Audience.PUBLIC: "A A A C",
    Audience.SHARED: "A A A A",
}

HOME = SessionKey(platform="slack", workspace="T1", channel="general", thread="t1", user="alice")
SESSION = Session(id="S1", owner="id-alice", home=HOME, created_ms=0)
HERE = ("slack", "T1")


def cells(table: dict[Audience, str]) -> list[tuple[Audience, Destination, Actor, Verdict]]:
    """A written table as cells."""
    found = []
    for origin, block in table.items():
        for line in block.strip().splitlines():
            name, *letters = line.split()
            found += [
                (origin, Destination(name), actor, OF_LETTER[letter])
                for actor, letter in zip(Actor, letters, strict=True)
            ]
    return found


def person(workspace: str, user: str, identity: str) -> Person:
    """An account of slack."""
    return Person(key=PersonKey(platform="slack", workspace=workspace, user=user), identity=identity, name=user)


def test_every_cell_of_resuming_is_as_promised() -> None:
    """168 of 168 cells: nobody gets a conversation who should not, everybody who should gets it."""
    found = cells(RESUME)
    assert len({each[:3] for each in found}) == len(found) == 168
    wrong = [
        (origin.value, destination.value, actor.value)
        for origin, destination, actor, expected in found
        if verdict(
            resuming(destination),
            origin=origin,
            destination=destination,
            reads=READS.get(destination, origin),
            actor=actor,
        )
        is not expected
    ]
    assert wrong == []


def test_every_cell_of_searching_is_as_promised() -> None:
    """Words of a private conversation are not quoted where others read, and never those of somebody else."""
    found = cells(SEARCH)
    assert len(found) == 168
    for origin, destination, actor, expected in found:
        given = verdict(
            Action.SEARCH, origin=origin, destination=destination, reads=READS.get(destination, origin), actor=actor
        )
        assert given is expected, (origin, destination, actor)


@pytest.mark.parametrize("action", [Action.SHOW_SUMMARY, Action.END])
def test_only_the_owner_sees_a_summary_or_ends(action: Action) -> None:
    """A summary is answered in private, so its place does not matter; whose it is does."""
    for origin, destination, actor, reads in itertools.product(Audience, Destination, Actor, Audience):
        expected = Verdict.ALLOW if actor in (Actor.OWNER, Actor.LINKED) else Verdict.DENY
        assert verdict(action, origin=origin, destination=destination, reads=reads, actor=actor) is expected


def test_stop_is_for_the_owner_and_for_who_asked() -> None:
    """In the thread, whoever asked may stop their answer; from elsewhere only the owner may."""
    for destination, actor in itertools.product(Destination, Actor):
        asked_here = actor is Actor.PARTICIPANT and destination is Destination.SAME_THREAD
        expected = Verdict.ALLOW if actor in (Actor.OWNER, Actor.LINKED) or asked_here else Verdict.DENY
        given = verdict(
            Action.STOP, origin=Audience.PUBLIC, destination=destination, reads=Audience.PUBLIC, actor=actor
        )
        assert given is expected


@pytest.mark.parametrize("destination", [Destination.OTHER_WORKSPACE, Destination.OTHER_PLATFORM])
def test_elsewhere_the_audience_decides(destination: Destination) -> None:
    """In another workspace the owner is asked exactly where more people read than at the origin."""
    for origin, letters in ELSEWHERE.items():
        for reads, letter in zip(Audience, letters.split(), strict=True):
            for actor in (Actor.OWNER, Actor.LINKED):
                given = verdict(
                    Action.RESUME_ELSEWHERE, origin=origin, destination=destination, reads=reads, actor=actor
                )
                assert given is OF_LETTER[letter], (origin, reads, actor)


def test_a_shared_thread_is_brought_back_by_who_takes_part_in_it() -> None:
    """Where a thread's conversation belongs to all of them, a participant may resume it there, and only there."""
    for destination, actor in itertools.product(Destination, (Actor.PARTICIPANT, Actor.MEMBER, Actor.GUEST)):
        given = verdict(
            resuming(destination),
            origin=Audience.PUBLIC,
            destination=destination,
            reads=Audience.PUBLIC,
            actor=actor,
            shared=True,
        )
        here = destination is Destination.SAME_THREAD and actor is Actor.PARTICIPANT
        assert given is (Verdict.ALLOW if here else Verdict.DENY)


def test_resuming_here_means_only_here() -> None:
    """The right to resume in the thread is not one to take it elsewhere."""
    for destination in set(Destination) - {Destination.SAME_THREAD}:
        given = verdict(
            Action.RESUME_HERE,
            origin=Audience.PUBLIC,
            destination=destination,
            reads=Audience.PUBLIC,
            actor=Actor.OWNER,
        )
        assert given is Verdict.DENY


def test_wider_means_that_somebody_reads_who_could_not() -> None:
    """The same thread is never wider; another private place always is, its people are others."""
    for origin, reads in itertools.product(Audience, Audience):
        assert not wider(origin, Destination.SAME_THREAD, reads)
        expected = reads.wider_than(origin) or (origin is reads is Audience.PRIVATE)
        assert wider(origin, Destination.OTHER_WORKSPACE, reads) is expected


@pytest.mark.parametrize(
    ("place", "reads", "expected"),
    [
        (("slack", "T1", "general", "t1"), Audience.PUBLIC, Destination.SAME_THREAD),
        (("slack", "T1", "general", "t2"), Audience.PUBLIC, Destination.SAME_CHANNEL),
        (("slack", "T1", "general", ""), Audience.PUBLIC, Destination.SAME_CHANNEL),
        (("slack", "T1", "random", "t1"), Audience.PUBLIC, Destination.OTHER_PUBLIC),
        (("slack", "T1", "random", "t1"), Audience.SHARED, Destination.OTHER_PUBLIC),
        (("slack", "T1", "secret", "t1"), Audience.PRIVATE, Destination.PRIVATE),
        (("slack", "T1", "D1", ""), Audience.DM, Destination.DM),
        (("slack", "T2", "general", "t1"), Audience.PUBLIC, Destination.OTHER_WORKSPACE),
        (("slack", "T2", "D1", ""), Audience.DM, Destination.OTHER_WORKSPACE),
        (("discord", "T1", "general", "t1"), Audience.PUBLIC, Destination.OTHER_PLATFORM),
    ],
)
def test_how_far_a_place_is(place: tuple[str, str, str, str], reads: Audience, expected: Destination) -> None:
    """A place is classified by where it is, not by what it is called."""
    platform, workspace, channel, thread = place
    where = Place(platform=platform, workspace=workspace, channel=channel, thread=thread)
    assert destination_of(HOME, where, reads) is expected


@pytest.mark.parametrize(
    ("who", "accounts", "seen", "expected"),
    [
        (person("T1", "alice", "id-alice"), (), "", Actor.OWNER),
        (person("T2", "ally", "id-alice"), (), "", Actor.LINKED),
        (person("T1", "bob", "id-bob"), (), "spoke", Actor.PARTICIPANT),
        (person("T1", "bob", "id-bob"), (), "", Actor.MEMBER),
        (person("T1", "gus", "id-gus"), (), "guest", Actor.GUEST),
        (person("T2", "eve", "id-eve"), (), "spoke", Actor.STRANGER),
        (person("T2", "bobby", "id-bob"), (PersonKey(platform="slack", workspace="T1", user="bob"),), "", Actor.MEMBER),
    ],
)
def test_who_acts(who: Person, accounts: tuple[PersonKey, ...], seen: str, expected: Actor) -> None:
    """Somebody who is known at the origin as another person is no stranger there, whichever account they use."""
    assert actor_of(who, SESSION, accounts, spoke=seen == "spoke", guest=seen == "guest") is expected


def test_a_right_that_was_revoked_is_gone_at_use() -> None:
    """A linked account that was unlinked between the issue of a code and its use is a stranger again."""
    before = person("T2", "ally", "id-alice")
    after = person("T2", "ally", "id-other")
    for reads in Audience:
        cell = {"origin": Audience.PUBLIC, "destination": Destination.OTHER_WORKSPACE, "reads": reads}
        assert actor_of(before, SESSION, (), spoke=False, guest=False) is Actor.LINKED
        actor = actor_of(after, SESSION, (), spoke=False, guest=False)
        assert actor is Actor.STRANGER
        for action in (Action.SEARCH, Action.SHOW_SUMMARY, Action.STOP, Action.END):
            assert verdict(action, actor=actor, **cell) is Verdict.DENY  # type: ignore[arg-type]
        assert verdict(Action.RESUME_ELSEWHERE, actor=actor, **cell) is Verdict.CONFIRM  # type: ignore[arg-type]


def test_the_table_agrees_with_the_owner_check_of_commands() -> None:
    """The short check that buttons use says the same as the table."""
    for who in (person("T1", "alice", "id-alice"), person("T2", "x", "id-alice"), person("T1", "bob", "id-bob")):
        actor = actor_of(who, SESSION, (), spoke=False, guest=False)
        end = verdict(
            Action.END,
            origin=Audience.PUBLIC,
            destination=Destination.SAME_THREAD,
            reads=Audience.PUBLIC,
            actor=actor,
        )
        assert people.owns(who, SESSION) is (end is Verdict.ALLOW)
