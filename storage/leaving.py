"""The part of a view that is about leaving and coming back: notices, tickets, claims, links, lists.

Knows: which rows such an event concerns. Must not know: what is decided from them, or how they are written.
Runs inside the writer's unit like `storage.views`, which loads everything else.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import TypeVar

from core.domain.decision import Found, Line, Policy, Pulled, Tail, View
from core.domain.entities import Level, Person, Phase, Role, Session
from core.domain.events import (
    Arrival,
    ButtonPressed,
    CommandIssued,
    Event,
    MessageReceived,
    ResumeAsked,
    Summarized,
    TimerDue,
)
from core.domain.keys import Audience, PersonKey, Place, SessionKey
from core.domain.leaving import Guesses, Link, MoveClaim, Summary, Ticket
from core.domain.rules.allowed import outside, told_key
from core.domain.rules.finding import FOUND_MAX, SHOW
from core.domain.tooling import ToolCall
from storage import tasking
from storage.rows import (
    CARD,
    CLAIM,
    GUESSES,
    LINK,
    PERSON,
    PREFERENCE,
    SEQ_BITS,
    SEQ_MASK,
    SESSION,
    SUMMARY,
    TICKET,
    Scalar,
    Table,
)
from storage.search import search

E = TypeVar("E")

TAIL_MESSAGES = 24
LINES_MAX = 50  # of a list of sessions: more is a search
CARDS_MAX = 50
LAST_WORDS_CHARS = 200
RESUME = "resume"
LISTING = ("sessions", RESUME, "forget")  # the commands that show or count a person's sessions

_TICKET_BY_ID = f"{TICKET.select} WHERE id = ?"
_TICKET_BY_DIGEST = f"{TICKET.select} WHERE digest = ?"
_TICKET_LIVE = f"{TICKET.select} WHERE session_id = ? AND private = 0 AND state = 'live'"
_CLAIM = f"{CLAIM.select} WHERE id = ?"
_CLAIMS = f"{CLAIM.select} WHERE session_id = ?1 AND (state = 'open' OR claimant = ?2) ORDER BY created_ms, id"
_LINK = f"{LINK.select} WHERE id = ?"
_PERSON = f"{PERSON.select} WHERE key = ?"
_ACCOUNTS = "SELECT key FROM person WHERE identity = ? ORDER BY key"
_NOTICE = (
    f"{CARD.select} WHERE session_id = ? AND key >= 'idle:' AND key < 'idle;'"
    " ORDER BY created_ms DESC, rowid DESC LIMIT 1"
)
_ANNOUNCEMENT = (
    f"{CARD.select} WHERE session_id = ? AND key >= 'retention:' AND key < 'retention;'"
    " ORDER BY created_ms DESC, rowid DESC LIMIT 1"
)
_CARDS = f"{CARD.select} WHERE session_id = ? AND buttons <> '[]' ORDER BY created_ms, rowid LIMIT ?"
_SUMMARY = f"{SUMMARY.select} WHERE session_id = ? ORDER BY to_seq DESC, created_ms DESC LIMIT 1"
_PREFERENCE = f"{PREFERENCE.select} WHERE identity = ?"
_GUESSES = f"{GUESSES.select} WHERE key = ?"
_NUM = "SELECT num FROM session WHERE id = ?"
_TAIL = "SELECT id, role, tokens FROM message WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?"
_THERE = (
    f"SELECT {SESSION.fields_of('s')} FROM binding AS b JOIN session AS s ON s.id = b.session_id"
    " WHERE b.key = ?1 AND s.home = ?1 AND s.id <> ?2 AND s.phase NOT IN ('closed', 'erased')"
)
_OFFER = f"{CARD.select} WHERE session_id = ? AND key = ? AND buttons <> '[]'"
_RUNNING = "SELECT EXISTS (SELECT 1 FROM turn WHERE session_id = ? AND state IN ('open', 'stopping'))"
_NEIGHBOUR = (
    "SELECT EXISTS (SELECT 1 FROM binding AS b JOIN card AS c ON c.session_id = b.session_id"
    " WHERE b.key >= ? AND b.key < ? AND b.session_id <> ? AND c.key >= 'idle:' AND c.key < 'idle;'"
    " AND c.place = ? AND c.buttons <> '[]' AND c.created_ms >= ?)"
)
_ASKING = "c.key >= 'mailbag:' AND c.key < 'mailbag;'" + "".join(
    f" OR c.key >= '{kind}:' AND c.key < '{kind};'" for kind in ("approval", "unsure", "claim")
)
# A login's card keeps a button when it is answered: only the one that asks makes it wait.
_ASKING += " OR c.key >= 'login:' AND c.key < 'login;' AND instr(c.buttons, ':sign_in:') > 0"
_SPOKEN = "NOT (s.phase = 'closed' AND s.next_seq = 1 AND s.title = '')"  # what ended before its first word is nothing
_MINE = (
    "SELECT s.id, s.title, s.phase, s.home, s.audience, s.last_human_ms, coalesce(substr(m.text, 1, ?), ''), s.level,"
    f" EXISTS (SELECT 1 FROM card AS c WHERE c.session_id = s.id AND c.buttons <> '[]' AND ({_ASKING}))"
    f" OR EXISTS ({tasking.ASKING})"
    " FROM session AS s LEFT JOIN message AS m ON m.id = (s.num << ?) + s.next_seq - 1"
    f" WHERE s.owner = ? AND s.phase <> 'erased' AND {_SPOKEN} ORDER BY s.last_human_ms DESC, s.num DESC LIMIT ?"
)
_SETTLED = f"SELECT EXISTS (SELECT 1 FROM session AS s WHERE owner = ? AND phase <> 'erased' AND {_SPOKEN})"
_SESSION = f"{SESSION.select} WHERE id = ?"
_BOUND = (
    "SELECT b.key, b.session_id FROM binding AS b JOIN session AS s ON s.id = b.session_id"
    " WHERE b.key >= ? AND b.key < ? AND s.owner = ? AND s.phase <> 'erased' AND NOT EXISTS"
    " (SELECT 1 FROM adopted AS a WHERE a.link_id = ? AND a.kind = 'session' AND a.key = s.id) ORDER BY b.key"
)
_KEYS_OF = "SELECT key FROM binding WHERE session_id = ? ORDER BY key"


def find_ticket(conn: sqlite3.Connection, digest: str) -> Ticket | None:
    """The ticket whose code has this digest, in whatever state it is."""
    return _one(conn, TICKET, _TICKET_BY_DIGEST, digest)


def find_claim(conn: sqlite3.Connection, claim_id: str) -> MoveClaim | None:
    """The claim with this id."""
    return _one(conn, CLAIM, _CLAIM, claim_id)


def find_link(conn: sqlite3.Connection, link_id: str) -> Link | None:
    """The link with this id."""
    return _one(conn, LINK, _LINK, link_id)


def newest_summary(conn: sqlite3.Connection, session_id: str) -> Summary | None:
    """What is sent in front of a session's last messages, if anything."""
    return _one(conn, SUMMARY, _SUMMARY, session_id)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What an event names of all this: by a code's digest, or by a button's subject."""

    ticket: Ticket | None = None
    claim: MoveClaim | None = None
    link: Link | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """Where a session would go."""
        dest = () if self.claim is None else (self.claim.dest.place,)
        return dest if self.link is None else (*dest, self.link.origin.place)


def complete(conn: sqlite3.Connection, view: View, event: Event, named: Named, key: SessionKey | None) -> View:
    """The view with everything that a decision about leaving and coming back looks at.

    `key` is where the acting person's session lives at the event's place; None for an event without a person.
    """
    session = view.session
    if session is not None and isinstance(event, Arrival | TimerDue | Summarized):
        view = _about_session(conn, view, session, named)
    if isinstance(event, TimerDue) and session is not None:
        view = dataclasses.replace(view, neighbour_noticed=_neighbour_noticed(conn, session))
    person = view.person
    if person is None:
        return view
    if isinstance(event, CommandIssued) or (isinstance(event, ButtonPressed) and session is None):
        view = dataclasses.replace(view, preference=_one(conn, PREFERENCE, _PREFERENCE, person.identity))
    if _lists(event):
        view = dataclasses.replace(view, mine=mine(conn, person.identity))
    if isinstance(event, ResumeAsked | ButtonPressed | CommandIssued):
        view = _about_move(conn, view, event, named, key)
    if isinstance(event, Arrival) and outside(view.policy, event):
        told = _one(conn, GUESSES, _GUESSES, told_key(event.author.key))
        view = dataclasses.replace(view, guesses=view.guesses if told is None else (*view.guesses, told))
    if isinstance(event, ButtonPressed) and event.button.verb == SHOW and view.call is not None:
        view = dataclasses.replace(view, found=_found(conn, person, view.call))
    return view


def _found(conn: sqlite3.Connection, person: Person, call: ToolCall) -> tuple[Found, ...]:
    """What the search of a call finds for the acting person."""
    query = json.loads(call.input).get("query", "")
    return search(conn, person.identity, str(query), here=call.session_id, limit=FOUND_MAX)


def mine(conn: sqlite3.Connection, identity: str, limit: int = LINES_MAX) -> tuple[Line, ...]:
    """A person's sessions everywhere, the last used first."""
    rows = conn.execute(_MINE, (LAST_WORDS_CHARS, SEQ_BITS, identity, limit)).fetchall()
    return tuple(
        [
            Line(
                session_id=row[0],
                title=row[1],
                phase=Phase(row[2]),
                home=SessionKey.parse(row[3]),
                audience=Audience(row[4]),
                last_human_ms=row[5],
                last_words=row[6],
                level=Level(row[7]),
                waits_for_you=bool(row[8]),
            )
            for row in rows
        ]
    )


def _lists(event: Event) -> bool:
    if isinstance(event, CommandIssued):
        return event.name.lower() in LISTING
    return isinstance(event, MessageReceived) and event.root and event.audience is Audience.DM


def _about_session(conn: sqlite3.Connection, view: View, session: Session, named: Named) -> View:
    ticket = named.ticket
    if named.claim is not None:
        ticket = _one(conn, TICKET, _TICKET_BY_ID, named.claim.ticket_id)
    return dataclasses.replace(
        view,
        notice=_one(conn, CARD, _NOTICE, session.id),
        announcement=_one(conn, CARD, _ANNOUNCEMENT, session.id) if session.retention_told_ms is not None else None,
        ticket=ticket or _one(conn, TICKET, _TICKET_LIVE, session.id),
        summary=newest_summary(conn, session.id),
        tail=_tail(conn, session.id),
        preference=_one(conn, PREFERENCE, _PREFERENCE, session.owner),
    )


def _about_move(conn: sqlite3.Connection, view: View, event: Event, named: Named, key: SessionKey | None) -> View:
    session, person, claimant, dest = view.session, view.person, None, key
    if person is None:
        return view
    if named.claim is not None:
        dest = named.claim.dest
        claimant = _one(conn, PERSON, _PERSON, str(named.claim.claimant))
    elif named.link is not None:
        dest = named.link.origin
    there = None
    if dest is not None:
        there = _one(conn, SESSION, _THERE, str(dest), session.id if session is not None else "")
    view = dataclasses.replace(
        view,
        claim=named.claim,
        claimant=claimant,
        link=named.link,
        there=there,
        there_running=there is not None and _true(conn, _RUNNING, there.id),
    )
    if there is not None and session is not None:
        view = dataclasses.replace(view, offer=_one(conn, CARD, _OFFER, there.id, f"continue:{session.id}"))
    if session is not None:
        view = dataclasses.replace(
            view,
            claims=_all(conn, CLAIM, _CLAIMS, session.id, str(person.key)),
            cards=_all(conn, CARD, _CARDS, session.id, CARDS_MAX),
            pulled=() if named.link is None else _pulled(conn, named.link),
            accounts=_accounts(conn, person),
            settled=_true(conn, _SETTLED, person.identity),
        )
    if isinstance(event, ResumeAsked):
        view = dataclasses.replace(view, guesses=_guesses(conn, event.author.key, event.place))
    return view


def _true(conn: sqlite3.Connection, sql: str, *values: Scalar) -> bool:
    return bool(conn.execute(sql, values).fetchone()[0])


def _tail(conn: sqlite3.Connection, session_id: str) -> tuple[Tail, ...]:
    num = conn.execute(_NUM, (session_id,)).fetchone()[0]
    rows = conn.execute(_TAIL, (num << SEQ_BITS, (num + 1) << SEQ_BITS, TAIL_MESSAGES)).fetchall()
    return tuple([Tail(seq=row[0] & SEQ_MASK, role=Role(row[1]), tokens=row[2]) for row in reversed(rows)])


def _neighbour_noticed(conn: sqlite3.Connection, session: Session) -> bool:
    place = str(session.home.place)
    values = (f"{place}/", f"{place}0", session.id, place, session.last_human_ms)
    return _true(conn, _NEIGHBOUR, *values)


def _guesses(conn: sqlite3.Connection, account: PersonKey, place: Place) -> tuple[Guesses, ...]:
    keys = (f"person:{account}", f"channel:{dataclasses.replace(place, thread='')}")
    found = (_one(conn, GUESSES, _GUESSES, each) for each in keys)
    return tuple(each for each in found if each is not None)


def _accounts(conn: sqlite3.Connection, person: Person) -> tuple[PersonKey, ...]:
    found = [PersonKey.parse(row[0]) for row in conn.execute(_ACCOUNTS, (person.identity,)).fetchall()]
    return tuple(dict.fromkeys((*found, person.key)))


def _pulled(conn: sqlite3.Connection, link: Link) -> tuple[Pulled, ...]:
    """What the linked account has of the owner's sessions; those that it had before the link are its own."""
    found: dict[str, list[SessionKey]] = {}
    for key_text, session_id in conn.execute(_BOUND, (*link.account.places, link.after, link.id)):
        key = SessionKey.parse(key_text)
        if key.user == link.account.user:
            found.setdefault(session_id, []).append(key)
    pulled = []
    for session_id, keys in found.items():
        session = _one(conn, SESSION, _SESSION, session_id)
        others = [SessionKey.parse(row[0]) for row in conn.execute(_KEYS_OF, (session_id,)).fetchall()]
        earlier = next((each for each in others if each not in keys), None)
        if session is not None:
            pulled.append(Pulled(session=session, keys=tuple(keys), earlier=earlier))
    return tuple(pulled)


def key_of_session(place: Place, person: PersonKey, policy: Policy) -> SessionKey:
    """The key under which a person's session in a place is bound."""
    shared = policy.shared_threads and place.thread != ""
    return SessionKey.at(place, "" if shared else person.user)


def _one(conn: sqlite3.Connection, table: Table[E], sql: str, *values: Scalar) -> E | None:
    row = conn.execute(sql, values).fetchone()
    return None if row is None else table.decode(row)


def _all(conn: sqlite3.Connection, table: Table[E], sql: str, *values: Scalar) -> tuple[E, ...]:
    return tuple([table.decode(row) for row in conn.execute(sql, values).fetchall()])
