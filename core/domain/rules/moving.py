"""A conversation goes on in another place.

Knows: what a move does, whoever asked for it (see `resume` and `claiming` for who may). Theory:

* identity stays, the place changes: one binding more, and `session.home` says which of its bindings is the living
  one. The old binding stays, so that what is said at the old place is still known to belong here;
* a running turn finishes where it began (`turn.place`); what waits, and the cards that ask something, come along;
* whoever lives at the destination is parked first and named; nothing of it is lost;
* the old place says where the conversation went and offers `[Bring it back here] [Start new here]`. A message there
  is kept, held, and answered after the click.

The invariant: after any move, exactly one key is bound to the session and equal to its home.
Must not know: codes, claims, why somebody may do this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import (
    Binding,
    Button,
    Card,
    Forgotten,
    Level,
    Phase,
    Session,
)
from core.domain.events import ButtonPressed, MessageReceived
from core.domain.keys import Audience, ButtonId, PersonKey, Place, SessionKey
from core.domain.leaving import ClaimState, Link, MoveClaim
from core.domain.rules import connections, people, returning
from core.domain.rules.making import Making, incoming, new_session
from core.domain.rules.outcomes import newest
from core.domain.rules.replies import private
from core.domain.rules.spots import spot
from core.domain.rules.telling import quoted, title
from core.domain.rules.timeline import next_due
from core.domain.stamp import Stamp
from core.domain.words import say

FOLLOWING = ("mailbag:", "task:", "approval:", "login:")  # cards that ask something: they come along
_AWAKE = (Phase.ACTIVE, Phase.WARNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where to, who can read there, and what came with it: a new link, the claim that is being granted."""

    dest: SessionKey
    audience: Audience
    link: Link | None = None
    name: str = ""  # of the linked account's person, as they are shown
    claim: MoveClaim | None = None
    taken_back: bool = False  # the place that it leaves was not the owner's: it is not told where to


def key_at(view: View, place: Place, account: PersonKey) -> SessionKey:
    """The key of an account's session in a place; a shared thread has one for everybody."""
    shared = view.policy.shared_threads and place.thread != ""
    return SessionKey.at(place, "" if shared else account.user)


def occupied(view: View, *owners: str) -> bool:
    """Whether the destination holds a conversation that none of `owners` may park."""
    return view.there is not None and view.there.owner not in owners


def go_on(making: Making, move: Move) -> str:
    """The session goes on at the destination, which may be where it lives; what to say to whoever brought it there."""
    view, before = making.view, making.session
    parked = _park_there(making, move.dest)
    making.put(Binding(key=move.dest, session_id=before.id))
    stays = move.dest.place == before.home.place
    level = returning.come_back(making, tell=stays)
    making.session = replace(making.session, home=move.dest, audience=move.audience)
    if not stays:
        making.session = replace(making.session, crowded=False)
        _leave(making, before, move)
        _arrive(making, before, move, level, parked)
        _answered(making)
    _answer_strays(making, move.dest.place)
    code = "move.here" if stays else "move.moved"
    logins = connections.preflight(view, making.now_ms)
    sentences = (say(view.policy.language, code, memory=_memory(view, before, level)), logins, parked)
    return " ".join(each for each in sentences if each)


def parking(view: View) -> str:
    """The sentence that names what a move would park, "" when nothing lives there."""
    if view.there is None or view.there.phase not in _AWAKE:
        return ""
    code = "move.parks_running" if view.there_running else "move.parks"
    return say(view.policy.language, code, title=title(view.policy.language, view.there.title))


# ---------------------------------------------------------------------------------- the destination


def _park_there(making: Making, dest: SessionKey) -> str:
    """Park whoever lives at the destination; the sentence that names it."""
    view, there = making.view, making.view.there
    if there is None or there.home != dest:
        return ""
    if there.phase not in _AWAKE:
        return ""
    parked = replace(there, phase=Phase.PARKED)
    making.put(replace(parked, due_ms=next_due(parked, view.policy)))
    language = view.policy.language
    return say(language, "move.parked", title=title(language, there.title))


def _arrive(making: Making, before: Session, move: Move, level: Level, parked: str) -> None:
    """The destination is told in one line what came along; where the conversation had left from, in that very card."""
    view, session = making.view, making.session
    language = view.policy.language
    buttons = returning.memory_buttons(session, language) if level is not Level.FULL else ()
    if move.link is not None:
        buttons = (*buttons, _button("undo", move.link.id, session.home.user, language))
    buttons = (*buttons, carry_button(language, session))
    memory = _memory(view, before, level)
    asking = [each for each in view.cards if each.key.startswith("moved:") and each.place == move.dest.place]
    if asking:
        sentences = (say(language, "move.back", memory=memory), parked)
        making.card(newest(asking[-1], text=" ".join(filter(None, sentences)), buttons=buttons))
        return
    origin = spot(language, before.home, before.audience, move.dest.place)
    sentences = (say(language, "move.arrived", place=origin, memory=memory), parked)
    card_id = making.stamp.ulid("card:arrived")
    making.card(
        Card(
            id=card_id,
            session_id=session.id,
            key=f"arrived:{card_id}",
            place=move.dest.place,
            text=" ".join(filter(None, sentences)),
            buttons=buttons,
            created_ms=making.now_ms,
        )
    )


def _answered(making: Making) -> None:
    """The new conversation there had asked whether this one shall go on there: it does."""
    offer, language = making.view.offer, making.view.policy.language
    if offer is not None:
        text = say(language, "mine.continued", title=title(language, making.session.title))
        making.card(newest(offer, text=text, buttons=()))


def _memory(view: View, before: Session, level: Level) -> str:
    """How much came along, in the words that every return has."""
    if level is Level.FULL:
        return say(view.policy.language, "move.everything")
    return returning.level_line(view, before, level)


def _answer_strays(making: Making, place: Place) -> None:
    """What was said here while the conversation lived elsewhere is answered now, or with the next turn."""
    strays = tuple(each for each in making.view.waiting if each.said_at == str(place))
    if not strays:
        return
    if making.view.running is not None:
        making.put(*(replace(each, held=False, said_at="") for each in strays))
    else:
        making.put(Forgotten(waiting=tuple(each.id for each in strays)))
        making.open_turn(strays, pause_ms=0)


# ------------------------------------------------------------------------------------ the old place


def _leave(making: Making, before: Session, move: Move) -> None:
    """The old place says where it went; what asks something there comes along."""
    view, language = making.view, making.view.policy.language
    notice = view.notice
    if notice is not None and notice.buttons:
        making.card(newest(notice, text=say(language, "move.notice"), buttons=()))
    for each in view.waiting:
        if not each.said_at:
            making.put(replace(each, ref=""))  # a reply cannot point into another place
    for card in making.cards:
        if card.key.startswith(FOLLOWING) and card.place == before.home.place:
            _take_along(making, card, move)
        elif card.key.startswith("moved:") and card.place != move.dest.place:
            making.card(newest(card, text=say(language, "move.left", place=_to(making, move, card.place))))
    void_claims(making, move.claim)
    making.card(_moved_card(making, before.home, move))


def void_claims(making: Making, but: MoveClaim | None = None) -> None:
    """Questions about this session that are open, but for the one that was just answered, have no object any more."""
    language = making.view.policy.language
    cards = {card.key: card for card in making.view.cards}
    for claim in making.view.claims:
        if claim.state is not ClaimState.OPEN or (but is not None and claim.id == but.id):
            continue
        making.put(replace(claim, state=ClaimState.VOID))
        card = cards.get(f"claim:{claim.id}")
        if card is not None:
            making.card(newest(card, text=say(language, "claim.void"), buttons=()))


def _moved_card(making: Making, old: SessionKey, move: Move) -> Card:
    """Where it went, and how to get it back."""
    language = making.view.policy.language
    card_id = making.stamp.ulid("card:moved")
    to = _to(making, move, old.place)
    text, buttons = say(language, "move.left", place=to), _choices(card_id, old.user, language)
    if move.taken_back:
        text, buttons = say(language, "link.taken_back"), ()
    elif move.link is not None:
        text = say(language, "link.continued", place=to, name=quoted(move.name))
        buttons = (_button("undo", move.link.id, old.user, language), *buttons)
    return Card(
        id=card_id,
        session_id=making.session.id,
        key=f"moved:{card_id}",
        place=old.place,
        text=text,
        buttons=buttons,
        created_ms=making.now_ms,
    )


def _choices(card_id: str, user: str, language: str) -> tuple[Button, ...]:
    return tuple(_button(verb, card_id, user, language) for verb in ("bring_back", "start_new"))


def _take_along(making: Making, card: Card, move: Move) -> None:
    """The card is shown anew at the destination; its old posting says so."""
    if card.ref:
        making.card(left_behind(making, card, card.ref, card.place, _to(making, move, card.place)))
    buttons = tuple(replace(each, for_user=move.dest.user) for each in card.buttons)
    along = newest(card, place=move.dest.place, ref="", buttons=buttons)
    making.put(along)
    making.show(along)  # whatever shows it now shows it at the old place


def _to(making: Making, move: Move, here: Place) -> str:
    """Where it goes, as it may be said at `here`."""
    language = making.view.policy.language
    if move.taken_back:
        return say(language, "move.elsewhere")
    return spot(language, move.dest, move.audience, here)


def left_behind(making: Making, card: Card, ref: str, place: Place, to: str) -> Card:
    """The posting `ref` at `place` of a card that has moved along."""
    return Card(
        id=making.stamp.ulid(f"card:left:{card.key}:{card.wanted_version}"),
        session_id=card.session_id,
        key=f"left:{card.key}:{card.wanted_version}",
        place=place,
        text=say(making.view.policy.language, "move.card_left", place=to),
        ref=ref,
        created_ms=making.now_ms,
    )


def carry_button(language: str, session: Session) -> Button:
    """`[Continue elsewhere]`, wherever a conversation is shown to its owner."""
    return _button("carry", session.id, session.home.user, language)


def _button(verb: str, subject: str, user: str, language: str) -> Button:
    return Button(
        id=str(ButtonId(verb=verb, subject=subject)), label=say(language, f"move.button.{verb}"), for_user=user
    )


# --------------------------------------------------------------------- afterwards, at the old place


def has_left(view: View, key: SessionKey) -> bool:
    """Whether the session that is bound to `key` lives elsewhere now."""
    session = view.session
    return session is not None and session.home.place != key.place and not wanders(view, session, key)


def wanders(view: View, session: Session, key: SessionKey) -> bool:
    """Whether it is the one conversation of a direct channel, which is wherever the person writes there."""
    here = replace(key, thread="") == replace(session.home, thread="")
    return view.policy.single_dm and session.audience is Audience.DM and here


def on_stray(view: View, event: MessageReceived, stamp: Stamp) -> Decision:
    """Something is said where the conversation no longer lives: kept, and answered after the person's choice."""
    session, person = view.session, view.person
    assert session is not None  # noqa: S101  (see `has_left`)
    assert person is not None  # noqa: S101
    making = Making(view, stamp, session)
    making.put(*people.remember(person, newcomer=view.newcomer))
    here = str(event.place)
    told = any(each.said_at == here for each in view.waiting)
    making.wait(replace(incoming(event, session.id, stamp), held=True, said_at=here))
    if not told or view.card is None:
        _ask_again(making, event)
    return making.done(received=1)


def _ask_again(making: Making, event: MessageReceived) -> None:
    """The question stands below what was said; where it stood before it is only told."""
    session, language, card = making.session, making.view.policy.language, making.view.card
    if card is not None and card.buttons:  # only the newest question has its buttons
        making.card(newest(card, buttons=()))
    card_id = making.stamp.ulid("card:moved")
    to = spot(language, session.home, session.audience, event.place)
    making.card(
        Card(
            id=card_id,
            session_id=session.id,
            key=f"moved:{card_id}",
            place=event.place,
            text=say(language, "move.waits", place=to),
            buttons=_choices(card_id, event.author.key.user, language),
            created_ms=making.now_ms,
        )
    )


def on_start_new(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """`[Start new here]`: the place belongs to a new conversation, which begins with what waits here."""
    key = key_at(view, event.place, event.author.key)
    if not has_left(view, key) or view.there is not None:
        return private(view, "private.already_done")
    return start_new(view, key, event.audience, stamp)


def start_new(view: View, key: SessionKey, audience: Audience, stamp: Stamp) -> Decision:
    """A new conversation at `key`, which its old one has left."""
    session, person, card = view.session, view.person, view.card
    assert session is not None  # noqa: S101  (see `has_left`)
    assert person is not None  # noqa: S101
    strays = tuple(each for each in view.waiting if each.said_at == str(key.place))
    if strays:
        making = Making(view, stamp, replace(new_session(key, person, stamp), audience=audience))
        making.put(Forgotten(waiting=tuple(each.id for each in strays)))
        making.open_turn(tuple(replace(each, held=False, said_at="") for each in strays), pause_ms=0)
    else:
        making = Making(view, stamp, session)
        making.put(Forgotten(binding=(key,)))
    if card is not None and card.key.startswith("moved:"):
        making.card(newest(card, text=say(view.policy.language, "move.started_new"), buttons=()))
    return making.done(Private(text=say(view.policy.language, "private.new")) if not strays else None)
