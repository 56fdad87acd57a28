"""The part of a view that is about logins at tool servers.

Knows: which rows such an event concerns. Must not know: what is decided from them, or how they are written.
Runs inside the writer's unit like `storage.views`, which loads everything else. Nothing here opens what is sealed.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable
from typing import TypeVar

from core.domain.decision import View
from core.domain.entities import Card, Phase, Session
from core.domain.events import (
    Arrival,
    ButtonPressed,
    CommandIssued,
    CredentialReady,
    Event,
    LinkStrayed,
    SignedIn,
    SignInNeeded,
)
from core.domain.keys import PersonKey
from core.domain.rules.returning import AWAY
from core.domain.tooling import Credential, Login
from storage.rows import CARD, CREDENTIAL, LOGIN, SESSION, TOOL_CALL, Scalar, Table, clean

E = TypeVar("E")

LOGINS_MAX = 50  # of one person, the newest: those that are asked now are among them
CONNECTIONS, WHY = "connections", "why"

_LOGIN = f"{LOGIN.select} WHERE id = ?"
_LOGINS = f"{LOGIN.select} WHERE owner = ? ORDER BY created_ms DESC, id DESC LIMIT ?"
_CREDENTIAL = f"{CREDENTIAL.select} WHERE id = ?"
_LIVE = f"{CREDENTIAL.select} WHERE owner = ? AND server = ? AND status IN ('ok', 'needs_login')"
_CREDENTIALS = f"{CREDENTIAL.select} WHERE owner = ? AND status IN ('ok', 'needs_login') ORDER BY server"
_HELD = f"{CREDENTIAL.select} WHERE owner = ? AND status = 'held' ORDER BY server, id"
_SHARED = (
    "SELECT EXISTS (SELECT 1 FROM credential WHERE server = ? AND issuer = ? AND account = ? COLLATE NOCASE"
    " AND account <> '' AND owner NOT IN ('', ?) AND status IN ('ok', 'needs_login'))"
)
_CARDS = f"{CARD.select} WHERE session_id = ? AND key = ?"
_WAITING = f"{TOOL_CALL.select} WHERE state = 'sign_in' ORDER BY created_ms, id"
_WAITS = "SELECT EXISTS (SELECT 1 FROM tool_call WHERE state = 'sign_in' AND session_id = ?)"
_ASKED_IN = "SELECT DISTINCT session_id FROM tool_call WHERE state = 'sign_in'"
_IDENTITY = "SELECT identity FROM person WHERE key = ?"
_USED = "SELECT DISTINCT server FROM tool_call WHERE session_id = ? AND server <> '' ORDER BY server"
_SESSION = f"{SESSION.select} WHERE id = ?"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What an event names of all this, by a button's subject or by itself."""

    login: Login | None = None
    credential: Credential | None = None


def named(conn: sqlite3.Connection, event: Event) -> tuple[Session | None, Signing]:
    """What the event names, and the session that it is about: where its card stands, or where it was asked."""
    match event:
        case SignedIn() | LinkStrayed():
            login = _one(conn, LOGIN, _LOGIN, event.login_id)
            return _living(conn, login), Signing(login=login)
        case CredentialReady():
            credential = _one(conn, CREDENTIAL, _CREDENTIAL, event.credential_id)
            return _one(conn, SESSION, _SESSION, event.session_id), Signing(credential=credential)
        case ButtonPressed():
            subject = clean(event.button.subject)
            login = _one(conn, LOGIN, _LOGIN, subject)
            if login is None:
                return None, Signing(credential=_one(conn, CREDENTIAL, _CREDENTIAL, subject))
            here = next((each for each in _cards_of(conn, (login,)) if each.place == event.place), None)
            session = None if here is None else _one(conn, SESSION, _SESSION, here.session_id)
            return session or _living(conn, login), Signing(login=login)
        case _:
            return None, Signing()


def complete(conn: sqlite3.Connection, view: View, event: Event, signing: Signing) -> View:
    """The view with everything that a decision about logins looks at."""
    if signing.login is not None:
        login = signing.login
        view = _about(conn, view, login.owner, login)
        return dataclasses.replace(
            view,
            login=login,
            credential=_one(conn, CREDENTIAL, _LIVE, login.owner, login.server),
            shared=isinstance(event, SignedIn) and _is_shared(conn, event.credential),
        )
    if signing.credential is not None:
        view = _about(conn, view, signing.credential.owner, None)
        calls = tuple(each for each in view.sign_in_calls if each.server == signing.credential.server)
        cards = _return_cards(conn, view.session)
        return dataclasses.replace(view, credential=signing.credential, sign_in_calls=calls, return_cards=cards)
    if isinstance(event, SignInNeeded) and view.turn is not None:
        return _about(conn, view, _identity(conn, view.turn.asker), None)
    if view.person is not None and _is_about_all(event):
        return _with_credentials(conn, view, view.person.identity)
    session = view.session
    if session is None:
        return view
    if view.policy.login_servers and _returns(event, session):
        view = _about_return(conn, view, session)
    turn = next(iter(view.task_turns), None) if view.turn is None else view.turn  # a button of a task names no turn
    if turn is not None and conn.execute(_WAITS, (session.id,)).fetchone()[0]:
        view = _about(conn, view, _identity(conn, turn.asker), None)
    return view


def _is_about_all(event: Event) -> bool:
    """Whether it is about everything of the acting person's."""
    if isinstance(event, CommandIssued):
        return event.name.lower() == CONNECTIONS
    return isinstance(event, ButtonPressed) and event.button.verb == "forget_all"


def _returns(event: Event, session: Session) -> bool:
    """Whether somebody comes back, or asks how it stands."""
    if isinstance(event, CommandIssued) and event.name.lower() == WHY:
        return True
    return isinstance(event, Arrival) and session.phase in (*AWAY, Phase.CLOSED)


def _about(conn: sqlite3.Connection, view: View, owner: str, login: Login | None) -> View:
    """What the owner was asked, what waits for it, and where that stands."""
    logins = (login,) if login is not None else _newest(_all(conn, LOGIN, _LOGINS, owner, LOGINS_MAX))
    waiting = _all(conn, TOOL_CALL, _WAITING)
    if login is not None:
        waiting = tuple(each for each in waiting if each.server == login.server)
    identities = {key: _identity(conn, key) for key in {each.asker for each in waiting}}
    view = _with_credentials(conn, view, owner)
    return dataclasses.replace(
        view,
        caller=owner,
        logins=logins,
        login_cards=_cards_of(conn, logins),
        sign_in_calls=tuple(each for each in waiting if identities[each.asker] == owner),
    )


def _with_credentials(conn: sqlite3.Connection, view: View, owner: str) -> View:
    return dataclasses.replace(
        view,
        credentials=_all(conn, CREDENTIAL, _CREDENTIALS, owner),
        held=_all(conn, CREDENTIAL, _HELD, owner),
    )


def _is_shared(conn: sqlite3.Connection, new: Credential | None) -> bool:
    """Whether the account is a login of somebody else's here."""
    if new is None:
        return False
    return bool(conn.execute(_SHARED, (new.server, new.issuer, new.account, new.owner)).fetchone()[0])


def _return_cards(conn: sqlite3.Connection, session: Session | None) -> tuple[Card, ...]:
    if session is None:
        return ()
    keys = (f"idle:{session.idle_epoch - 1}", f"memory:{session.idle_epoch}:{session.idle_epoch}")
    found = (_one(conn, CARD, _CARDS, session.id, key) for key in keys)
    return tuple(each for each in found if each is not None)


def _newest(logins: Iterable[Login]) -> tuple[Login, ...]:
    """The newest for each server."""
    found: dict[str, Login] = {}
    for each in logins:
        found.setdefault(each.server, each)
    return tuple(found.values())


def _about_return(conn: sqlite3.Connection, view: View, session: Session) -> View:
    used = [row[0] for row in conn.execute(_USED, (session.id,)).fetchall()]
    owner = view.person.identity if view.person is not None else session.owner
    return dataclasses.replace(
        view,
        used_servers=tuple(each for each in used if each in view.policy.login_servers),
        credentials=_all(conn, CREDENTIAL, _CREDENTIALS, owner),
    )


def _cards_of(conn: sqlite3.Connection, logins: Iterable[Login]) -> tuple[Card, ...]:
    """The cards of these questions: where each was asked first, and in the sessions that wait; their private ones."""
    waiting = [row[0] for row in conn.execute(_ASKED_IN).fetchall()]
    places = [(each.session_id, each.id) for each in logins]
    places += [(session_id, each.id) for each in logins for session_id in waiting if session_id != each.session_id]
    found = (
        _one(conn, CARD, _CARDS, session_id, f"{kind}:{login_id}")
        for session_id, login_id in places
        for kind in ("login", "mine")
    )
    return tuple(each for each in found if each is not None)


def _living(conn: sqlite3.Connection, login: Login | None) -> Session | None:
    """The session where it was asked first; when that is gone, another one that waits for it."""
    if login is None:
        return None
    sessions = (login.session_id, *(each.session_id for each in _cards_of(conn, (login,))))
    found = (_one(conn, SESSION, _SESSION, each) for each in dict.fromkeys(sessions))
    return next((each for each in found if each is not None and each.phase is not Phase.ERASED), None)


def _identity(conn: sqlite3.Connection, account: PersonKey) -> str:
    row = conn.execute(_IDENTITY, (str(account),)).fetchone()
    return "" if row is None else str(row[0])


def _one(conn: sqlite3.Connection, table: Table[E], sql: str, *values: Scalar) -> E | None:
    row = conn.execute(sql, values).fetchone()
    return None if row is None else table.decode(row)


def _all(conn: sqlite3.Connection, table: Table[E], sql: str, *values: Scalar) -> tuple[E, ...]:
    return tuple([table.decode(row) for row in conn.execute(sql, values).fetchall()])
