"""Consent before a conversation goes where it might not belong.

Knows: the two questions that stand between a valid code and a move. To the **owner, at the origin**: somebody unknown
brought a code elsewhere; nothing is consumed until `[Allow]`, which links the accounts and moves. To the **mover, in
private**: others could read there, or two accounts would become one; `[Yes, ...]` names what it means.
An answer is looked at as of the moment it is given: the mover's code must still be live, the mover still who they were,
and the audience no wider than the one that was named. The owner may answer later than their code lives: a new notice
replaces it, and takes nothing back.
Must not know: which cell of the table asked for it (see `resume`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import Button, ButtonStyle, Person
from core.domain.events import ButtonPressed, ResumeAsked
from core.domain.keys import Audience, ButtonId, SessionKey
from core.domain.leaving import ClaimState, MoveClaim, Ticket, TicketState
from core.domain.rules import linking, moving, people
from core.domain.rules.access import Actor, actor_of
from core.domain.rules.making import Making
from core.domain.rules.moving import Move
from core.domain.rules.outcomes import newest
from core.domain.rules.replies import private
from core.domain.rules.spots import readers, spot
from core.domain.rules.telling import quoted
from core.domain.stamp import Stamp
from core.domain.words import say

OPEN_MAX = 3  # questions to one owner about one code
_ASKED_IN_TIME = (TicketState.LIVE, TicketState.REPLACED)  # of the owner, who has not answered yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where somebody wants to go on, with which ticket (None: by a button), and what that means."""

    dest: SessionKey
    audience: Audience
    ticket: Ticket | None = None
    wider: bool = False  # others could read there
    links: bool = False  # the account comes under the owner


# ------------------------------------------------------------------------------ asking the owner


def ask_owner(view: View, event: ResumeAsked, ticket: Ticket, stamp: Stamp) -> Decision:
    """A stranger brought a right code: ask the owner, consume nothing."""
    session, person, language = view.session, view.person, view.policy.language
    assert session is not None  # noqa: S101  (a ticket has its session, an arrival its person)
    assert person is not None  # noqa: S101
    ours = [each for each in view.claims if each.ticket_id == ticket.id and each.ask_owner]
    if any(each.claimant == person.key and each.state is ClaimState.DENIED for each in ours):
        return private(view, "claim.was_denied")
    waiting = [each for each in ours if each.state is ClaimState.OPEN]
    known = next((each for each in waiting if each.claimant == person.key), None)
    if known is None and len(waiting) >= OPEN_MAX:
        return private(view, "claim.too_many")
    making = Making(view, stamp, session)
    making.put(*people.remember(person, newcomer=view.newcomer))
    claim = _claim(view, stamp, Wish(dest=moving.key_at(view, event.place, person.key), audience=event.audience))
    claim = replace(claim, ticket_id=ticket.id, ask_owner=True)
    if known is not None:
        claim = replace(claim, id=known.id, created_ms=known.created_ms)
    making.put(claim)
    _show(making, claim)
    no = _button("deny", claim.id, person.key.user, say(language, "claim.button.withdraw"))
    return making.done(Private(text=say(language, "claim.asked"), buttons=(no,)))


def _show(making: Making, claim: MoveClaim) -> None:
    """The question at the origin, new or brought up to date."""
    session, language = making.session, making.view.native or making.view.policy.language
    to = spot(language, claim.dest, claim.audience, session.home.place)
    audience = readers(language, claim.dest.place, claim.audience, there=True)
    text = say(language, "claim.ask", name=quoted(claim.claimant_name), place=to, readers=audience)
    key = f"claim:{claim.id}"
    stands = next((each for each in making.view.cards if each.key == key), None)
    if stands is not None:
        making.card(newest(stands, text=text))
        return
    user = session.home.user
    yes = _button("allow", claim.id, user, say(language, "claim.button.allow"), ButtonStyle.PRIMARY)
    no = _button("deny", claim.id, user, say(language, "claim.button.deny"))
    making.card(making.new_card(key, text, (yes, no)))


def on_allow(view: View, _event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Allow]`: the code is used up, the accounts are linked, the conversation goes on there: one commit."""
    session, person, claim = view.session, view.person, view.claim
    if session is None or person is None or claim is None or not claim.ask_owner:
        return private(view, "private.gone")
    if not people.owns(person, session):
        return private(view, "claim.not_yours")
    if claim.state is not ClaimState.OPEN:
        return private(view, "private.already_done")
    claimant = view.claimant or Person(key=claim.claimant, identity=claim.identity, name=claim.claimant_name)
    making = Making(view, stamp, session)
    if view.ticket is None or view.ticket.id != claim.ticket_id or view.ticket.state not in _ASKED_IN_TIME:
        return _close(making, claim, ClaimState.VOID, "claim.void")
    if moving.occupied(view, session.owner, claimant.identity):
        return private(view, "move.occupied_there")
    made = None if claimant.identity == session.owner else linking.link(making, claimant)
    making.put(replace(view.ticket, state=TicketState.USED))
    move = Move(dest=claim.dest, audience=claim.audience, link=made, name=claim.claimant_name, claim=claim)
    moving.go_on(making, move)
    return _close(making, claim, ClaimState.ALLOWED, "claim.allowed")


def on_deny(view: View, _event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Deny]` of the owner, or the mover's own `[No]`."""
    session, person, claim = view.session, view.person, view.claim
    if session is None or person is None or claim is None:
        return private(view, "private.gone")
    own = person.key == claim.claimant
    if not own and not (claim.ask_owner and people.owns(person, session)):
        return private(view, "claim.not_yours")
    if claim.state is not ClaimState.OPEN:
        return private(view, "private.already_done")
    making = Making(view, stamp, session)
    if own:
        return _close(making, claim, ClaimState.VOID, "claim.withdrawn")
    return _close(making, claim, ClaimState.DENIED, "claim.denied")


def _close(making: Making, claim: MoveClaim, state: ClaimState, code: str) -> Decision:
    language = making.view.policy.language
    making.put(replace(claim, state=state))
    card = making.view.card
    if card is not None and card.key == f"claim:{claim.id}":
        making.card(newest(card, text=say(language, code), buttons=()))
    return making.done(Private(text=say(language, code)))


# ------------------------------------------------------------------------------ asking the mover


def ask_mover(view: View, wish: Wish, stamp: Stamp, *, instead_of: MoveClaim | None = None) -> Decision:
    """Others could read there, or two accounts would become one: say so in private, and wait for a yes."""
    session, person, language = view.session, view.person, view.policy.language
    assert session is not None  # noqa: S101  (the caller has looked)
    assert person is not None  # noqa: S101
    making = Making(view, stamp, session)
    making.put(*people.remember(person, newcomer=view.newcomer))
    if instead_of is not None:
        making.put(replace(instead_of, state=ClaimState.VOID))
    claim = _claim(view, stamp, wish)
    making.put(claim)
    audience = readers(language, wish.dest.place, wish.audience)
    sentences = [say(language, "resume.confirm", readers=audience)] if wish.wider else []
    if wish.links:
        sentences.append(say(language, "link.confirm"))
    sentences.append(moving.parking(view))
    label = say(language, "resume.button.yes", readers=audience) if wish.wider else say(language, "link.button.yes")
    buttons = (
        _button("confirm", claim.id, person.key.user, label, ButtonStyle.PRIMARY),
        _button("deny", claim.id, person.key.user, say(language, "resume.button.no")),
    )
    return making.done(Private(text=" ".join(each for each in sentences if each), buttons=buttons))


def on_confirm(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Yes, ...]`: the mover confirmed what was named, unless the world has changed since."""
    session, person, claim = view.session, view.person, view.claim
    if session is None or person is None or claim is None:
        return private(view, "private.gone")
    ticket = view.ticket if claim.ticket_id and view.ticket is not None and view.ticket.id == claim.ticket_id else None
    objection = _objection(view, claim, person)
    if not objection and not _still_may(view, claim, ticket, stamp.now_ms):
        objection = "resume.refused"
    if objection:
        return private(view, objection)
    links = not people.owns(person, session)
    audience = event.audience if event.place == claim.dest.place else claim.audience
    if audience.wider_than(claim.audience):
        wish = Wish(dest=claim.dest, audience=audience, ticket=ticket, wider=True, links=links)
        return ask_mover(view, wish, stamp, instead_of=claim)
    making = Making(view, stamp, session)
    making.put(replace(claim, state=ClaimState.ALLOWED))
    return take(making, Wish(dest=claim.dest, audience=audience, ticket=ticket, links=links), claim)


def _objection(view: View, claim: MoveClaim, person: Person) -> str:
    """Why this question is not one that the person can say yes to, "" when it is."""
    if claim.ask_owner or person.key != claim.claimant:
        return "claim.not_yours"
    if claim.state is not ClaimState.OPEN:
        return "private.already_done"
    owner = view.session.owner if view.session is not None else ""
    return "move.occupied" if moving.occupied(view, owner, person.identity) else ""


def _still_may(view: View, claim: MoveClaim, ticket: Ticket | None, now_ms: int) -> bool:
    """Whether what allowed the question still holds: the code is live, the mover is who they were."""
    session, person = view.session, view.person
    if session is None or person is None:
        return False
    live = ticket is not None and ticket.state is TicketState.LIVE and now_ms < ticket.expires_ms
    if claim.ticket_id and not live:
        return False
    if people.owns(person, session):
        return True
    actor = actor_of(person, session, view.accounts, spoke=view.spoke, guest=False)
    return ticket is not None and ticket.private and actor is Actor.STRANGER


def take(making: Making, wish: Wish, claim: MoveClaim | None = None) -> Decision:
    """The acting person goes on with the session; an account that is not the owner's yet is linked."""
    view, person = making.view, making.view.person
    assert person is not None  # noqa: S101  (an arrival has its person)
    made = None
    if wish.links:
        made = linking.link(making, person)
    else:
        making.put(*people.remember(person, newcomer=view.newcomer))
    if wish.ticket is not None:
        making.put(replace(wish.ticket, state=TicketState.USED))
    move = Move(dest=wish.dest, audience=wish.audience, link=made, name=person.name, claim=claim)
    words = moving.go_on(making, move)
    language = view.policy.language
    if made is None:
        return making.done(Private(text=words))
    undo = _button("undo", made.id, person.key.user, say(language, "link.button.unlink"))
    return making.done(Private(text=f"{words} {say(language, 'link.linked')}", buttons=(undo,)))


# --------------------------------------------------------------------------------------- helpers


def _claim(view: View, stamp: Stamp, wish: Wish) -> MoveClaim:
    session, person = view.session, view.person
    assert session is not None  # noqa: S101  (the caller has looked)
    assert person is not None  # noqa: S101
    return MoveClaim(
        id=stamp.ulid("claim"),
        session_id=session.id,
        ticket_id=wish.ticket.id if wish.ticket is not None else "",
        claimant=person.key,
        claimant_name=person.name,
        identity=person.identity,
        dest=wish.dest,
        audience=wish.audience,
        created_ms=stamp.now_ms,
        ask_owner=False,
    )


def _button(verb: str, subject: str, user: str, label: str, style: ButtonStyle = ButtonStyle.PLAIN) -> Button:
    return Button(id=str(ButtonId(verb=verb, subject=subject)), label=label, style=style, for_user=user)
