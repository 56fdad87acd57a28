"""What is stored so that a person can leave and come back, here or elsewhere.

Knows: summaries, tickets (resume codes without the code), claims, links, preferences, wrong guesses.
Must not know: SQL, JSON, platforms. Same conventions as `core.domain.entities`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.domain.keys import Audience, PersonKey, SessionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A pinned fact and the very words of message `seq` that it rests on."""

    text: str
    words: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is sent in place of the messages `from_seq..to_seq`; they themselves are kept."""

    id: str
    session_id: str
    from_seq: int
    to_seq: int
    created_ms: int
    goal: str = ""
    done: str = ""
    last: str = ""
    next: str = ""
    facts: tuple[Fact, ...] = ()
    correction: str = ""  # the person's own words; they win, and later summaries carry them on
    by: str = "extract"  # "model" or "extract" (made without a model call)
    tokens: int = 0  # estimated, as it is sent


class TicketState(StrEnum):
    """A ticket is used once; a newer one of the same session and kind replaces it, `[That wasn't me]` revokes it.

    Neither opens anything any more. But what was asked of the owner while it was live can still be answered after it
    was replaced: an idle notice is no answer.
    """

    LIVE = "live"
    USED = "used"
    REPLACED = "replaced"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A resume code without the code: that is derived from `id` and `generation` when it is shown.

    `private`: fetched by the owner for themselves ("Continue elsewhere"); whoever brings it is linked at once.
    """

    id: str
    session_id: str
    owner: str
    issued_ms: int
    expires_ms: int
    generation: int = 1
    private: bool = False
    state: TicketState = TicketState.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Live tickets that are worth nothing from now on: of one session and kind, or all of an owner."""

    session_id: str = ""
    private: bool = False
    owner: str = ""


class ClaimState(StrEnum):
    """What became of a request to move a session."""

    OPEN = "open"
    ALLOWED = "allowed"
    DENIED = "denied"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveClaim:
    """Somebody wants to go on with a session elsewhere, and a confirmation is needed.

    `ask_owner`: an unknown identity brought a code, the card stands at the origin for the owner. Else the owner asks
    to bring a history into a more visible place and confirms that there, privately.
    """

    id: str
    session_id: str
    ticket_id: str
    claimant: PersonKey
    claimant_name: str
    identity: str
    dest: SessionKey
    audience: Audience
    created_ms: int
    ask_owner: bool = True
    state: ClaimState = ClaimState.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An account was linked to an owner by a resume; for 48 h `[That wasn't me]` undoes it."""

    id: str
    session_id: str
    account: PersonKey
    before: str  # identity of the account until then
    after: str  # identity of the owner
    origin: SessionKey  # where the session lived
    at_ms: int
    undone_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What belonged to the identity `before` belongs to `after`: its accounts and its sessions.

    `undo`: exactly what the link of that id brought goes back.
    """

    link_id: str
    before: str
    after: str
    undo: bool = False


class Notices(StrEnum):
    """Where a person wants to read that a conversation is parked."""

    THREAD = "thread"
    DM = "dm"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What a person chose. `muted` are places (text form) without notices."""

    identity: str
    notices: Notices = Notices.THREAD
    muted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """Wrong codes of one account or channel inside the lock-out window; or when an account was last turned away."""

    key: str  # "person:<PersonKey>", "channel:<Place without its thread>", or "outside:<PersonKey>"
    times_ms: tuple[int, ...] = ()
