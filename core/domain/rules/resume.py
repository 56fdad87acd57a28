"""Resume: by a code, by a button, by `/resume`; and codes to take along.

Knows: how a ticket is issued and used, and which cell of `access` a wish falls into. Theory:

* a code opens nothing by itself: it only says which conversation is meant; `access` says what its bearer may do;
* an unknown, an expired, a used, a revoked code and one that is somebody else's all end in one place, `_refused`, with
  the same words, so that nothing can be learned from a refusal; wrong ones are counted (`lockout`). Only the owner of
  what it once opened, who learns nothing by it, is told what became of it, and is offered the button;
* the owner of what a right code opens never meets the lock; a button carries the session's id and needs no code, so
  it neither expires nor locks;
* a use is one commit: the ticket that the view shows as live is used in the same transaction, and no other commit
  comes between.

Must not know: the code itself (the event carries its digest), what a move does (see `moving`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.domain.codes import placeholder
from core.domain.decision import Choices, Decision, Line, Private, View
from core.domain.entities import Button, Entity, Person, Phase, Session
from core.domain.events import ButtonPressed, CommandIssued, ResumeAsked
from core.domain.keys import ButtonId, SessionKey
from core.domain.leaving import Revocation, Ticket, TicketState
from core.domain.rules import claiming, linking, lockout, moving, people
from core.domain.rules.access import Action, Actor, Verdict, actor_of, destination_of, resuming, verdict
from core.domain.rules.access import wider as is_wider
from core.domain.rules.claiming import Wish
from core.domain.rules.making import Making
from core.domain.rules.replies import private
from core.domain.rules.returning import AWAY
from core.domain.rules.spots import plain
from core.domain.rules.telling import ago, clock, short, where
from core.domain.stamp import Stamp
from core.domain.words import say

CHOICES_MAX = 10  # more is a list for /sessions
TITLE_CHARS = 40  # of a button's 75 (Slack) or 80 (Discord)

Arrival = ResumeAsked | ButtonPressed | CommandIssued


def issue(making: Making, *, private: bool) -> Ticket:
    """A new ticket of the session; it revokes the older one of its kind."""
    session = making.session
    ticket = Ticket(
        id=making.stamp.ulid("ticket"),
        session_id=session.id,
        owner=session.owner,
        issued_ms=making.now_ms,
        expires_ms=making.now_ms + making.view.policy.code_ttl_ms,
        private=private,
    )
    making.put(Revocation(session_id=session.id, private=private), ticket)
    return ticket


# -------------------------------------------------------------------------------------- the three ways


def on_resume(view: View, event: ResumeAsked, stamp: Stamp) -> Decision:
    """A typed code, or a session named by its id (autocompletion)."""
    if event.digest:
        return _by_code(view, event, stamp)
    return _by_id(view, event, stamp, stranger="resume.refused")


def on_command(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """`/resume`: the only conversation there is to resume; else the choice.

    A code never comes here: the engine makes a `ResumeAsked` of it. What does is not one.
    """
    if event.rest.strip():
        return _refused(view)
    found = candidates(view.mine, moving.key_at(view, event.place, event.author.key))
    if len(found) == 1 and view.session is not None and view.session.id == found[0].session_id:
        return _by_id(view, event, stamp, stranger="resume.none")
    if not found:
        return private(view, "resume.none")
    options = tuple(_option(view, each, event, stamp.now_ms) for each in found[:CHOICES_MAX])
    return Decision(reply=Choices(text=say(view.policy.language, "resume.choose"), options=options))


def on_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """Every button of resuming, moving, claims and links; the subject is a session, card, claim or link."""
    return BUTTONS[event.button.verb](view, event, stamp)


def candidates(lines: Sequence[Line], here: SessionKey) -> tuple[Line, ...]:
    """What `/resume` at `here` may mean: the only one that sleeps here; else what lives elsewhere; else what ended."""
    asleep = tuple(each for each in lines if each.home == here and each.phase in AWAY)
    if len(asleep) == 1:
        return asleep
    open_ = tuple(
        each
        for each in lines
        if each.phase is not Phase.CLOSED and not (each.home == here and each.phase is Phase.ACTIVE)
    )
    return open_ or tuple(each for each in lines if each.phase is Phase.CLOSED)


def _option(view: View, line: Line, event: CommandIssued, now_ms: int) -> Button:
    language = view.policy.language
    label = say(
        language,
        "resume.option",
        title=short(line.title, TITLE_CHARS) or say(language, "mine.untitled"),
        place=plain(where(language, line.home, line.audience, event.place)),
        ago=ago(language, line.last_human_ms, now_ms),
    )
    button = ButtonId(verb="resume", subject=line.session_id)
    return Button(id=str(button), label=short(label, 75), for_user=event.author.key.user)


# ------------------------------------------------------------------------------------------ by a code


def _by_code(view: View, event: ResumeAsked, stamp: Stamp) -> Decision:
    session, ticket, person = view.session, view.ticket, view.person
    own = person is not None and session is not None and ticket is not None and people.owns(person, session)
    locked = lockout.locked(view.guesses, event.author.key, event.place, stamp.now_ms)
    if session is not None and ticket is not None and _live(ticket, session, stamp.now_ms) and (own or not locked):
        asked = _Asked.of(view, event, session)
        if ticket.private and asked.verdict is Verdict.CONFIRM and asked.actor is Actor.STRANGER:
            asked = _Asked.of(view, event, session, bears_private_code=True)
        if asked.verdict is Verdict.CONFIRM and asked.actor is Actor.STRANGER:
            return claiming.ask_owner(view, event, ticket, stamp)
        if asked.verdict is not Verdict.DENY and (own or asked.links or not ticket.private):
            return _proceed(view, event, stamp, asked, ticket)
    if own and session is not None and ticket is not None and session.phase is not Phase.ERASED:
        return _over(view, event, session, ticket)
    counts = not own and not locked
    return _refused(view, lockout.counted(view.guesses, event.author.key, event.place, stamp.now_ms) if counts else ())


def _live(ticket: Ticket, session: Session, now_ms: int) -> bool:
    return ticket.state is TicketState.LIVE and now_ms < ticket.expires_ms and session.phase is not Phase.ERASED


def _over(view: View, event: ResumeAsked, session: Session, ticket: Ticket) -> Decision:
    """The owner's own code, which opens nothing any more: they are told why, and offered what is left."""
    language = view.policy.language
    code = "resume.expired" if ticket.state is TicketState.LIVE else "resume.spent"
    name = short(session.title, TITLE_CHARS) or say(language, "mine.untitled")
    button = Button(
        id=str(ButtonId(verb="resume", subject=session.id)),
        label=say(language, "mine.resume", title=name),
        for_user=event.author.key.user,
    )
    return Decision(reply=Private(text=say(language, code), buttons=(button,)))


def _refused(view: View, rows: Sequence[Entity] = ()) -> Decision:
    """The one end of every code that opens nothing."""
    return Decision(changes=tuple(rows), reply=Private(text=say(view.policy.language, "resume.refused")))


# ----------------------------------------------------------------------------------- by a session's id


def _by_id(view: View, event: Arrival, stamp: Stamp, *, stranger: str) -> Decision:
    """The id of a session is no secret and proves nothing: only who may anyway goes on."""
    session, person = view.session, view.person
    if session is None or person is None or session.phase is Phase.ERASED:
        return private(view, stranger)
    asked = _Asked.of(view, event, session)
    owns = asked.actor in (Actor.OWNER, Actor.LINKED)
    if asked.verdict is Verdict.DENY or (asked.verdict is Verdict.CONFIRM and not owns):
        return private(view, stranger)
    return _proceed(view, event, stamp, asked, None)


def _on_resume_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    return _by_id(view, event, stamp, stranger="resume.not_yours")


# ------------------------------------------------------------------------------------------ going on


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The cell that a wish falls into."""

    actor: Actor
    verdict: Verdict
    wider: bool
    links: bool

    @classmethod
    def of(cls, view: View, event: Arrival, session: Session, *, bears_private_code: bool = False) -> _Asked:
        """Look the wish up. Who bears a code that its owner fetched in private counts as linked, and becomes so."""
        person: Person | None = view.person
        assert person is not None  # noqa: S101  (an arrival has its person)
        actor = actor_of(person, session, view.accounts, spoke=view.spoke, guest=event.author.guest)
        if bears_private_code:
            actor = Actor.LINKED
        destination = destination_of(session.home, event.place, event.audience)
        action: Action = resuming(destination)
        found = verdict(
            action,
            origin=session.audience,
            destination=destination,
            reads=event.audience,
            actor=actor,
            shared=session.home.user == "",
        )
        wider = is_wider(session.audience, destination, event.audience)
        return cls(actor=actor, verdict=found, wider=wider, links=bears_private_code)


def _proceed(view: View, event: Arrival, stamp: Stamp, asked: _Asked, ticket: Ticket | None) -> Decision:
    session, person = view.session, view.person
    assert session is not None  # noqa: S101  (the caller has looked)
    assert person is not None  # noqa: S101
    dest = moving.key_at(view, event.place, event.author.key)
    if asked.verdict is Verdict.ALLOW and dest.place == session.home.place and session.home.user == "":
        dest = session.home
    if moving.occupied(view, session.owner, person.identity):
        return private(view, "move.occupied")
    wish = Wish(dest=dest, audience=event.audience, ticket=ticket, wider=asked.wider, links=asked.links)
    if asked.verdict is Verdict.CONFIRM or (asked.links and view.settled):
        return claiming.ask_mover(view, wish, stamp)
    return claiming.take(Making(view, stamp, session), wish)


# ------------------------------------------------------------------------------------ a code to take along


def _on_carry(view: View, _event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Continue elsewhere]`: a code for the owner alone. Whoever brings it is taken for the owner."""
    session, person, language = view.session, view.person, view.policy.language
    if session is None or person is None:
        return private(view, "private.gone")
    if not people.owns(person, session):
        return private(view, "resume.not_yours")
    making = Making(view, stamp, session)
    ticket = issue(making, private=True)
    shown = placeholder(ticket.id, ticket.generation)
    return making.done(
        Private(text=say(language, "resume.carry", code=shown, until=clock(ticket.expires_ms, stamp.now_ms)))
    )


def _owners(rule: Callable[[View, ButtonPressed, Stamp], Decision]) -> Callable[[View, ButtonPressed, Stamp], Decision]:
    """The rule behind the owner check."""

    def checked(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
        if view.session is None or view.person is None or not people.owns(view.person, view.session):
            return private(view, "resume.not_yours")
        return rule(view, event, stamp)

    return checked


BUTTONS: Mapping[str, Callable[[View, ButtonPressed, Stamp], Decision]] = {
    "resume": _on_resume_button,
    "bring_back": _on_resume_button,
    "start_new": _owners(moving.on_start_new),
    "carry": _on_carry,
    "allow": claiming.on_allow,
    "deny": claiming.on_deny,
    "confirm": claiming.on_confirm,
    "undo": linking.on_undo,
}
