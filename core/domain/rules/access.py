"""Who may do what with a conversation, and where: the authorisation table, as data.

Theory. Possession of a code is never the whole authorisation: a code that was seen in a channel is not a secret, so
what counts is who acts, where the conversation lives, and where it would go. Four facts make a cell:

* the **origin**: who can read where the conversation lives now;
* the **destination**: how far away from there it is asked for;
* the **actor**, as they are *at this moment*: nobody keeps a right that was revoked between the issue of a code and
  its use, because nothing about the actor is stored with the code;
* the **action**.

The owner (by this account, or by a linked one) may take a conversation anywhere. Everybody else of the origin's
workspace is known not to be the owner, so a code in their hands opens nothing. Only somebody who is unknown at the
origin and comes from outside it, another workspace or platform, may *be* the owner: the owner is asked, at the origin.

A **wider** destination is one where somebody may read who could not read the origin: then the owner's own ALLOW
becomes a CONFIRM that names the audience. Width is a rank (DM, private, public, shared) with one exception: two
private places have different people in them (two private threads of one channel, too), so another private place is
wider than this one. A public place of another workspace is not wider than a public one here: what everybody here
may read is no secret, and the owner sees where they type.

CONFIRM therefore has two readers: for the owner it is a question to themselves, in private; for a stranger it is a
question to the owner, at the origin. Must not know: codes, tickets, how an account was proven, what is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from core.domain.entities import Person, Session
from core.domain.keys import Audience, PersonKey, Place, SessionKey


class Action(StrEnum):
    """What somebody wants to do with a conversation."""

    RESUME_HERE = "resume_here"  # in the thread that it lives in
    RESUME_ELSEWHERE = "resume_elsewhere"  # take it to another place
    SHOW_SUMMARY = "show_summary"  # answered in private, wherever it is asked
    SEARCH = "search"  # see words of it in an answer at the destination
    STOP = "stop"  # end the answer that is running
    END = "end"  # close it


class Destination(StrEnum):
    """How far from where the conversation lives."""

    SAME_THREAD = "same_thread"
    SAME_CHANNEL = "same_channel"
    OTHER_PUBLIC = "other_public"
    PRIVATE = "private"
    DM = "dm"
    OTHER_WORKSPACE = "other_workspace"
    OTHER_PLATFORM = "other_platform"


class Actor(StrEnum):
    """Who acts, seen from the origin."""

    OWNER = "owner"  # by an account of the origin's workspace
    LINKED = "linked"  # by another account of the owner's
    PARTICIPANT = "participant"  # of this very conversation; for STOP: who asked for the answer
    MEMBER = "member"  # of the origin's workspace
    GUEST = "guest"  # there, but only in some places
    STRANGER = "stranger"  # unknown at the origin


class Verdict(StrEnum):
    """What follows."""

    ALLOW = "allow"
    CONFIRM = "confirm"
    DENY = "deny"


# One letter for each actor, in their order: owner, linked, participant, member, guest, stranger.
# A allow, C confirm, D deny, S allow where the thread's conversation is shared (`thread_sessions = "shared"`).
_EVERYWHERE_THE_OWNER = dict.fromkeys(Destination, "AADDDD")
TABLE: Mapping[Action, Mapping[Destination, str]] = {
    Action.RESUME_HERE: {Destination.SAME_THREAD: "AASDDD"},
    Action.RESUME_ELSEWHERE: {
        Destination.SAME_CHANNEL: "AADDDD",
        Destination.OTHER_PUBLIC: "AADDDD",
        Destination.PRIVATE: "AADDDD",
        Destination.DM: "AADDDD",
        Destination.OTHER_WORKSPACE: "AADDDC",
        Destination.OTHER_PLATFORM: "AADDDC",
    },
    Action.SHOW_SUMMARY: _EVERYWHERE_THE_OWNER,
    Action.SEARCH: _EVERYWHERE_THE_OWNER,
    Action.STOP: _EVERYWHERE_THE_OWNER | {Destination.SAME_THREAD: "AAADDD"},
    Action.END: _EVERYWHERE_THE_OWNER,
}

# Where the history itself would be read by others: an ALLOW becomes a CONFIRM if the destination is wider.
EXPOSING = frozenset({Action.RESUME_ELSEWHERE, Action.SEARCH})

# Origin -> the audiences that are wider. Another private place has other people in it.
WIDER: Mapping[Audience, frozenset[Audience]] = {
    Audience.DM: frozenset({Audience.PRIVATE, Audience.PUBLIC, Audience.SHARED}),
    Audience.PRIVATE: frozenset({Audience.PRIVATE, Audience.PUBLIC, Audience.SHARED}),
    Audience.PUBLIC: frozenset({Audience.SHARED}),
    Audience.SHARED: frozenset(),
}

_LETTERS = {"A": Verdict.ALLOW, "C": Verdict.CONFIRM, "D": Verdict.DENY}


def verdict(
    action: Action,
    *,
    origin: Audience,
    destination: Destination,
    reads: Audience,
    actor: Actor,
    shared: bool = False,
) -> Verdict:
    """The cell of the table. `reads`: who can read at the destination; `shared`: the conversation is a thread's.

    An action that does not exist at a destination (RESUME_HERE anywhere but there) is denied.
    """
    letters = TABLE[action].get(destination)
    letter = "D" if letters is None else letters[list(Actor).index(actor)]
    if letter == "S":
        letter = "A" if shared else "D"
    found = _LETTERS[letter]
    if found is Verdict.ALLOW and action in EXPOSING and wider(origin, destination, reads):
        return Verdict.CONFIRM
    return found


def resuming(destination: Destination) -> Action:
    """Which of the two kinds of resuming a destination means."""
    return Action.RESUME_HERE if destination is Destination.SAME_THREAD else Action.RESUME_ELSEWHERE


def wider(origin: Audience, destination: Destination, reads: Audience) -> bool:
    """Whether somebody may read at the destination who could not read the origin."""
    return destination is not Destination.SAME_THREAD and reads in WIDER[origin]


def destination_of(home: SessionKey, place: Place, reads: Audience) -> Destination:
    """How far `place`, which `reads` can read, is from where a conversation lives."""
    if place.platform != home.platform:
        return Destination.OTHER_PLATFORM
    if place.workspace != home.workspace:
        return Destination.OTHER_WORKSPACE
    if place == home.place:
        return Destination.SAME_THREAD
    if place.channel == home.channel:
        return Destination.SAME_CHANNEL
    by_audience = {Audience.DM: Destination.DM, Audience.PRIVATE: Destination.PRIVATE}
    return by_audience.get(reads, Destination.OTHER_PUBLIC)


def actor_of(person: Person, session: Session, accounts: Iterable[PersonKey], *, spoke: bool, guest: bool) -> Actor:
    """Who `person` is now, seen from where `session` lives.

    Args:
        person: the acting account, with its identity as it is now.
        session: what they want to act upon.
        accounts: every account of the acting identity.
        spoke: they said something in this very conversation.
        guest: the platform knows them as a guest of the origin's workspace.
    """
    home = (session.home.platform, session.home.workspace)
    if person.identity == session.owner:
        return Actor.OWNER if person.key.is_of(*home) else Actor.LINKED
    if not any(each.is_of(*home) for each in (person.key, *accounts)):
        return Actor.STRANGER
    if spoke:
        return Actor.PARTICIPANT
    return Actor.GUEST if guest else Actor.MEMBER
