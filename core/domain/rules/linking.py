"""Two accounts become one owner, and can be taken apart again.

Knows: what a link changes. An account comes under the owner's identity with everything that it has (accounts that
were linked to it before, its own conversations), so that nobody loses a conversation by linking. For 48 h either side
can undo it: exactly what the link brought goes back, what the account took from the owner goes home, and every live
code of the owner is worth nothing, because the account may have seen them. Where the account had the conversation
stands an empty one of its own that is over, so that a plain word of it is still for us, and begins a new one.
Must not know: how the link came about (see `claiming` and `resume`), which both sides have agreed to.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, Private, Pulled, View
from core.domain.entities import Binding, Forgotten, Person, Phase, Session, TurnState
from core.domain.events import ButtonPressed
from core.domain.keys import Audience, ButtonId, PersonKey, SessionKey
from core.domain.leaving import Adoption, Link, Revocation
from core.domain.rules import looping, moving
from core.domain.rules.making import Making
from core.domain.rules.moving import Move
from core.domain.rules.outcomes import newest
from core.domain.rules.replies import private
from core.domain.rules.timeline import next_due
from core.domain.stamp import Stamp
from core.domain.words import say

UNDO_MS = 48 * 3_600_000


def link(making: Making, person: Person) -> Link:
    """The account comes under the owner of the session."""
    session = making.session
    made = Link(
        id=making.stamp.ulid("link"),
        session_id=session.id,
        account=person.key,
        before=person.identity,
        after=session.owner,
        origin=session.home,
        at_ms=making.now_ms,
    )
    making.put(person, made, Adoption(link_id=made.id, before=made.before, after=made.after))
    return made


def on_undo(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[That wasn't me]`: unlinks, moves back, revokes. Either side may press it."""
    session, person, made = view.session, view.person, view.link
    if session is None or person is None or made is None:
        return private(view, "private.gone")
    if made.undone_ms is not None:
        return private(view, "private.already_done")
    if person.identity != made.after:
        return private(view, "private.not_yours")
    if stamp.now_ms - made.at_ms > UNDO_MS:
        return _too_late(view, made, stamp)
    unanswered = tuple(each for each in view.waiting if each.asker == made.account)
    view = replace(view, waiting=tuple(each for each in view.waiting if each not in unanswered))
    making = Making(view, stamp, session)
    making.put(
        Forgotten(waiting=tuple(each.id for each in unanswered)),
        replace(made, undone_ms=stamp.now_ms),
        Adoption(link_id=made.id, before=made.before, after=made.after, undo=True),
        Revocation(owner=made.after),
    )
    _stop_for(making, made)
    for each in view.pulled:
        _give_back(making, each, made)
    if has(made.account, session.home):
        audience = event.audience if event.place == made.origin.place else Audience.DM
        moving.go_on(making, Move(dest=made.origin, audience=audience, taken_back=True))
    else:
        moving.void_claims(making)
    _retell(making, made, "link.undone")
    return making.done(Private(text=say(view.policy.language, "link.undone_reply")))


def has(account: PersonKey, key: SessionKey) -> bool:
    """Whether a place is the account's: its own, or a shared thread of its workspace."""
    return account.is_of(key.platform, key.workspace) and key.user in ("", account.user)


def _too_late(view: View, made: Link, stamp: Stamp) -> Decision:
    assert view.session is not None  # noqa: S101  (the caller has looked)
    making = Making(view, stamp, view.session)
    _retell(making, made, "")
    return making.done(Private(text=say(view.policy.language, "link.too_late")))


def _stop_for(making: Making, made: Link) -> None:
    """No answer goes on being written for the account, and no tool runs or waits for its word."""
    turn = making.view.running
    if turn is not None and turn.asker == made.account and turn.state is TurnState.OPEN:
        looping.stop(making, turn)


def _give_back(making: Making, pulled: Pulled, made: Link) -> None:
    """A conversation that the account brought to itself goes home; one that it began since is its own again."""
    session = pulled.session
    if session.id == making.session.id:
        _begin_anew(making, pulled, made)
    elif pulled.earlier is not None:
        _begin_anew(making, pulled, made)
        if has(made.account, session.home):
            # Who can read at the earlier place is not known here; until somebody writes there it is the narrowest.
            phase = Phase.PARKED if session.phase in (Phase.ACTIVE, Phase.WARNED) else session.phase
            home = replace(session, home=pulled.earlier, phase=phase, audience=Audience.DM)
            making.put(replace(home, due_ms=next_due(home, making.view.policy)))
    elif session.created_ms >= made.at_ms:
        making.put(replace(session, owner=made.before))


def _begin_anew(making: Making, pulled: Pulled, made: Link) -> None:
    """Where the account had the conversation, what it says next begins one of its own: it has spoken to us there."""
    making.put(Forgotten(binding=pulled.keys))
    for key in pulled.keys:
        fresh = Session(
            id=making.stamp.ulid(f"fresh:{key}"),
            owner=made.before,
            home=key,
            created_ms=making.now_ms,
            last_human_ms=making.now_ms,
            phase=Phase.CLOSED,
        )
        making.put(replace(fresh, due_ms=next_due(fresh, making.view.policy)), Binding(key=key, session_id=fresh.id))


def _retell(making: Making, made: Link, code: str) -> None:
    """Every card that offers to undo the link stops doing so, and tells that it is undone when it is."""
    for card in making.view.cards:
        left = tuple(each for each in card.buttons if ButtonId.parse(each.id).subject != made.id)
        if left == card.buttons:
            continue
        if code:
            there = "" if card.place == made.origin.place else "_there"
            making.card(newest(card, text=say(making.view.policy.language, f"{code}{there}"), buttons=()))
        else:
            making.card(newest(card, buttons=left))
