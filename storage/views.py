"""Loads the `View` that a decision may look at, by event type.

Knows: which rows an event concerns. Must not know: what is decided from them, or how they are written.
Runs inside the writer's unit, on its connection: the view is the present, nobody writes between view and changes.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from core.domain.decision import Policy, View
from core.domain.effects import AskModel, CallTool, ShowCard
from core.domain.entities import Card, EffectRow, Person, Session, Spend, Turn, Waiting
from core.domain.events import (
    ApprovalMissing,
    Arrival,
    ButtonPressed,
    CardShown,
    CaughtUp,
    CommandIssued,
    CredentialDue,
    CredentialReady,
    Delivered,
    EffectDone,
    EffectRefused,
    EffectStumbled,
    EffectWaits,
    Event,
    FileFetched,
    HistoryLost,
    LinkStrayed,
    MessageChanged,
    MessageReceived,
    ModelBusy,
    ModelCut,
    ModelRefused,
    ModelReplied,
    ModelStopped,
    ResumeAsked,
    SignedIn,
    SignInNeeded,
    Summarized,
    ThreadRead,
    TimerDue,
    ToolReturned,
)
from core.domain.keys import Audience, PersonKey, Place, SessionKey
from core.domain.rules.resume import candidates
from core.domain.stamp import Stamp
from core.domain.tasking import Work
from core.domain.tooling import ToolCall
from storage import leaving, lookups, signing, tasking
from storage.leaving import Named, key_of_session
from storage.rows import (
    CARD,
    EFFECT,
    PERMIT,
    PERSON,
    SEQ_BITS,
    SESSION,
    SPEND,
    TOOL_CALL,
    TURN,
    WAITING,
    Scalar,
    Table,
    clean,
)
from storage.signing import Signing

E = TypeVar("E")

_AT_KEY = f"SELECT {SESSION.fields_of('s')} FROM binding AS b JOIN session AS s ON s.id = b.session_id WHERE b.key = ?"
_IN_CHANNEL = (
    f"SELECT {SESSION.fields_of('s')} FROM binding AS b JOIN session AS s ON s.id = b.session_id"
    " WHERE b.key >= ? AND b.key < ? AND s.home = b.key AND s.phase NOT IN ('closed', 'erased')"
    " ORDER BY s.last_human_ms DESC, s.num DESC LIMIT 1"
)
_SESSION = f"{SESSION.select} WHERE id = ?"
_TURN = f"{TURN.select} WHERE id = ?"
_OPEN_TURN = f"{TURN.select} WHERE session_id = ? AND state IN ('open', 'stopping') AND step_id = ''"
_WAITING = f"{WAITING.select} WHERE session_id = ? ORDER BY n"
_OPEN_EFFECTS = f"{EFFECT.select} WHERE session_id = ? AND state IN ('pending', 'started') ORDER BY n"
_CARD_BY_ID = f"{CARD.select} WHERE id = ?"
_CARD_BY_KEY = f"{CARD.select} WHERE session_id = ? AND key = ?"
_MAILBAG = (
    f"{CARD.select} WHERE session_id = ? AND key >= 'mailbag:' AND key < 'mailbag;' AND buttons <> '[]'"
    " ORDER BY created_ms DESC, rowid DESC LIMIT 1"
)
_MOVED = (
    f"{CARD.select} WHERE session_id = ? AND key >= 'moved:' AND key < 'moved;' AND place = ?"
    " ORDER BY created_ms DESC, rowid DESC LIMIT 1"
)
_CALL = f"{TOOL_CALL.select} WHERE id = ?"
_CALLS = f"{TOOL_CALL.select} WHERE turn_id = ? ORDER BY round, n"
_PERMITS = f"{PERMIT.select} WHERE session_id = ?"
_CARDS = f"{CARD.select} WHERE session_id = ? AND buttons <> '[]' ORDER BY created_ms, rowid LIMIT ?"
_PERSON = f"{PERSON.select} WHERE key = ?"
_SPEND = f"{SPEND.select} WHERE account = ? AND day = ?"
_ASKED = (
    "SELECT EXISTS (SELECT 1 FROM turn WHERE session_id = ? AND asker = ?)"
    " OR EXISTS (SELECT 1 FROM waiting WHERE session_id = ? AND asker = ?)"
)
_WROTE = "SELECT 1 FROM message WHERE id > ? AND id < ? AND role = 'user' AND author = ? LIMIT 1"
_LOOK_BACK_MESSAGES = 1_000  # of a shared thread, when a person without a turn of their own writes there


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """The rows that an event is about."""

    session: Session | None = None
    turn: Turn | None = None
    card: Card | None = None
    work: Work | None = None
    call: ToolCall | None = None
    named: Named = field(default_factory=Named)
    signing: Signing = field(default_factory=Signing)


def load(conn: sqlite3.Connection, event: Event, stamp: Stamp, policy: Policy, finishing: EffectRow | None) -> View:
    """Load the view of `event`; `finishing` is the effect it is the outcome of, as it was while started."""
    subject = _subject(conn, event, policy, finishing)
    person, newcomer, places, key = None, False, subject.named.places, None
    if isinstance(event, Arrival):
        person, newcomer = _person(conn, event.author.key, event.author.name, stamp)
        places = (event.place, *places)
        key = key_of_session(event.place, event.author.key, policy)
        subject = _only_one(conn, event, person, key) or subject
    session, running = subject.session, None
    waiting: tuple[Waiting, ...] = ()
    open_effects: tuple[EffectRow, ...] = ()
    if session is not None:
        running = _one(conn, TURN, _OPEN_TURN, session.id)
        waiting = _all(conn, WAITING, _WAITING, session.id)
        open_effects = _all(conn, EFFECT, _OPEN_EFFECTS, session.id)
    addressed = False
    if isinstance(event, MessageReceived) and session is not None:
        addressed = _addressed_before(conn, event, session, policy)
    spoke = False
    if isinstance(event, Arrival) and session is not None and not session.home.user:
        spoke = _asked(conn, event.author.key, session)
    view = View(
        policy=policy,
        person=person,
        newcomer=newcomer,
        session=session,
        turn=subject.turn or running,
        running=running,
        waiting=waiting,
        open_effects=open_effects,
        finishing=finishing,
        card=subject.card,
        spends=_spends(conn, _accounts(session, person, places, (finishing, *open_effects), stamp)),
        addressed_before=addressed,
        spoke=spoke,
        altered=lookups.altered(conn, event.place, event.ref) if isinstance(event, MessageChanged) else (),
        call=subject.call,
    )
    view = tasking.complete(conn, view, event, subject.work or tasking.work_of(conn, subject.turn))
    view = _about_tools(conn, view, event)
    view = signing.complete(conn, view, event, subject.signing)
    return leaving.complete(conn, view, event, subject.named, key)


# --- which rows -------------------------------------------------------------------------------------


def _subject(  # noqa: C901, PLR0911, PLR0912 -- one arm for each event
    conn: sqlite3.Connection, event: Event, policy: Policy, finishing: EffectRow | None
) -> _Subject:
    match event:
        case MessageReceived() | CommandIssued():
            return _subject_of_place(conn, event, policy)
        case ResumeAsked():
            ticket = leaving.find_ticket(conn, event.digest) if event.digest else None
            session_id = ticket.session_id if ticket is not None else event.session_id
            return _Subject(session=_session(conn, session_id), named=Named(ticket=ticket))
        case ButtonPressed():
            return _subject_of_button(conn, event, clean(event.button.subject))
        case ModelReplied() | ModelCut() | ModelStopped() | ModelBusy() | ModelRefused() | HistoryLost() | Delivered():
            return _subject_of_turn(conn, event.turn_id)
        case ToolReturned() | SignInNeeded() | ApprovalMissing():
            return _subject_of_turn(conn, event.turn_id, event.call_id)
        case CardShown():
            card = _one(conn, CARD, _CARD_BY_KEY, event.session_id, event.card_key)
            return _Subject(session=_session(conn, event.session_id), card=card)
        case EffectWaits() | EffectStumbled() | EffectRefused() | EffectDone():
            if finishing is not None and isinstance(finishing.effect, CallTool):
                return _subject_of_turn(conn, finishing.effect.turn_id, finishing.effect.call_id)
            card = None
            if finishing is not None and isinstance(finishing.effect, ShowCard):
                card = _one(conn, CARD, _CARD_BY_KEY, finishing.session_id, finishing.effect.card_key)
            return _Subject(session=_session(conn, event.session_id), card=card)
        case CaughtUp():
            card = _one(conn, CARD, _MAILBAG, event.session_id)
            return _Subject(session=_session(conn, event.session_id), card=card)
        case FileFetched() | TimerDue() | ThreadRead() | Summarized():
            return _Subject(session=_session(conn, event.session_id))
        case SignedIn() | LinkStrayed() | CredentialReady():
            session, found = signing.named(conn, event)
            return _Subject(session=session, signing=found)
        case MessageChanged() | CredentialDue():
            return _Subject()
        case _:
            assert_never(event)


def _subject_of_turn(conn: sqlite3.Connection, turn_id: str, call_id: str = "") -> _Subject:
    turn = _one(conn, TURN, _TURN, turn_id)
    call = _one(conn, TOOL_CALL, _CALL, call_id) if call_id else None
    return _Subject(session=_session(conn, turn.session_id) if turn else None, turn=turn, call=call)


def _about_tools(conn: sqlite3.Connection, view: View, event: Event) -> View:
    """The calls of the turn that the event is about, what their person permits here, and what asks for them."""
    session, turn = view.session, view.turn
    if session is not None and isinstance(event, ButtonPressed | CommandIssued | SignedIn):
        tooled = [each for each in view.task_turns if each.rounds and (turn is None or each.id != turn.id)]
        more = (call for each in tooled for call in _all(conn, TOOL_CALL, _CALLS, each.id))
        view = dataclasses.replace(view, calls=tuple(more))
    if session is None or turn is None:
        return view
    if isinstance(event, ModelReplied) and event.calls:
        view = dataclasses.replace(view, permits=_all(conn, PERMIT, _PERMITS, session.id))
    if not turn.rounds:
        return view
    cards = _all(conn, CARD, _CARDS, session.id, leaving.CARDS_MAX) if turn.awaits_since_ms is not None else ()
    return dataclasses.replace(view, calls=(*_all(conn, TOOL_CALL, _CALLS, turn.id), *view.calls), cards=cards)


def _subject_of_place(conn: sqlite3.Connection, event: MessageReceived | CommandIssued, policy: Policy) -> _Subject:
    key = key_of_session(event.place, event.author.key, policy)
    wanders = policy.single_dm and event.audience is Audience.DM
    session = _in_channel(conn, key) if wanders else None
    if session is not None:
        return _Subject(session=session, card=_one(conn, CARD, _MAILBAG, session.id))
    session = _one(conn, SESSION, _AT_KEY, str(key))
    card = None
    if session is not None and session.home.place != key.place:
        card = _one(conn, CARD, _MOVED, session.id, str(key.place))
    elif session is not None and isinstance(event, MessageReceived):
        card = _one(conn, CARD, _MAILBAG, session.id)
    return _Subject(session=session, card=card)


def _in_channel(conn: sqlite3.Connection, key: SessionKey) -> Session | None:
    """The conversation that a person used last in a direct channel, in whatever thread."""
    low = str(dataclasses.replace(key, thread="", user="")).rstrip("/")
    return _one(conn, SESSION, _IN_CHANNEL, f"{low}/", f"{low}0")


def _only_one(conn: sqlite3.Connection, event: Arrival, person: Person, key: SessionKey) -> _Subject | None:
    """For `/resume`: the one conversation that it can mean, if there is just one."""
    if not isinstance(event, CommandIssued) or event.name.lower() != leaving.RESUME:
        return None
    found = candidates(leaving.mine(conn, person.identity), key)
    return _Subject(session=_session(conn, found[0].session_id)) if len(found) == 1 else None


def _subject_of_button(  # noqa: PLR0911 -- one way out for each kind of subject
    conn: sqlite3.Connection, event: ButtonPressed, subject: str
) -> _Subject:
    card = _one(conn, CARD, _CARD_BY_ID, subject)
    if card is not None:
        return _Subject(session=_session(conn, card.session_id), card=card)
    turn = _one(conn, TURN, _TURN, subject)
    if turn is not None:
        return _Subject(session=_session(conn, turn.session_id), turn=turn)
    work = tasking.find(conn, subject)
    if work is not None:
        return _Subject(session=_session(conn, work.task.session_id), work=work)
    call = _one(conn, TOOL_CALL, _CALL, subject)
    if call is not None:
        return _subject_of_turn(conn, call.turn_id, call.id)
    claim = leaving.find_claim(conn, subject)
    if claim is not None:
        card = _one(conn, CARD, _CARD_BY_KEY, claim.session_id, f"claim:{claim.id}")
        return _Subject(session=_session(conn, claim.session_id), card=card, named=Named(claim=claim))
    link = leaving.find_link(conn, subject)
    if link is not None:
        return _Subject(session=_session(conn, link.session_id), named=Named(link=link))
    session, found = signing.named(conn, event)
    if found.login is not None or found.credential is not None:
        return _Subject(session=session, signing=found)
    return _Subject(session=_session(conn, subject))


def _session(conn: sqlite3.Connection, session_id: str) -> Session | None:
    return _one(conn, SESSION, _SESSION, session_id)


def _person(conn: sqlite3.Connection, key: PersonKey, name: str, stamp: Stamp) -> tuple[Person, bool]:
    known = _one(conn, PERSON, _PERSON, str(key))
    if known is None:
        return Person(key=key, identity=stamp.ulid("identity"), name=name), True
    if known.name != clean(name):
        return dataclasses.replace(known, name=name), True
    return known, False


def _addressed_before(conn: sqlite3.Connection, event: MessageReceived, session: Session, policy: Policy) -> bool:
    """Whether this author already has a session here, or in a shared one: has ever spoken in it."""
    if key_of_session(event.place, event.author.key, policy).user:
        return True  # found under the author's own key
    if _asked(conn, event.author.key, session):
        return True
    num = conn.execute("SELECT num FROM session WHERE id = ?", (session.id,)).fetchone()[0]
    first = (num << SEQ_BITS) + max(0, session.next_seq - _LOOK_BACK_MESSAGES)
    last = (num + 1) << SEQ_BITS
    return conn.execute(_WROTE, (first, last, clean(event.author.name))).fetchone() is not None


def _asked(conn: sqlite3.Connection, account: PersonKey, session: Session) -> bool:
    """Whether this account, whatever its name is, has asked something in this session."""
    return bool(conn.execute(_ASKED, (session.id, str(account), session.id, str(account))).fetchone()[0])


# --- money ------------------------------------------------------------------------------------------


def _accounts(
    session: Session | None,
    person: Person | None,
    places: Iterable[Place],
    calls: Iterable[EffectRow | None],
    stamp: Stamp,
) -> dict[tuple[str, str], None]:
    """The (account, day) pairs that a decision may touch: owner's, actor's, workspaces', and those of reservations.

    A reservation may be yesterday's: `calls` are all effects that the decision may finish.
    """
    today = datetime.fromtimestamp(stamp.now_ms / 1000, tz=UTC).date().isoformat()
    accounts: dict[tuple[str, str], None] = {}
    if session is not None:
        accounts[f"person:{session.owner}", today] = None
        accounts[f"workspace:{session.home.platform}/{session.home.workspace}", today] = None
    if person is not None:
        accounts[f"person:{person.identity}", today] = None
    for place in places:
        accounts[f"workspace:{place.platform}/{place.workspace}", today] = None
    for row in calls:
        if row is not None and isinstance(row.effect, AskModel):
            accounts.update(dict.fromkeys((each, row.effect.day) for each in row.effect.accounts))
    return accounts


def _spends(conn: sqlite3.Connection, accounts: Iterable[tuple[str, str]]) -> tuple[Spend, ...]:
    found = (_one(conn, SPEND, _SPEND, account, day) for account, day in accounts)
    return tuple(each for each in found if each is not None)


# --- rows -------------------------------------------------------------------------------------------


def _one(conn: sqlite3.Connection, table: Table[E], sql: str, *values: Scalar) -> E | None:
    row = conn.execute(sql, values).fetchone()
    return None if row is None else table.decode(row)


def _all(conn: sqlite3.Connection, table: Table[E], sql: str, *values: Scalar) -> tuple[E, ...]:
    return tuple([table.decode(row) for row in conn.execute(sql, values).fetchall()])
