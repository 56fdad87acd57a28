"""A person's message comes in.

Knows: when a message is for the bot (DESIGN section 3), and whether it opens a turn, joins the one that is still
collecting, or waits. No model call ever misses a message that joined it: joining ends when the call starts. What is
said where the conversation has moved to joins no turn that is answered where it came from.
Must not know: payloads, or how the answer is made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from core.domain.decision import Decision, View
from core.domain.effects import Deliver
from core.domain.entities import Binding, EffectRow, EffectState, Forgotten, Phase, Turn, TurnState, Waiting
from core.domain.events import Address, MessageReceived
from core.domain.keys import SessionKey
from core.domain.rules import earlier, looping, moving, people, returning
from core.domain.rules.making import Making, incoming, new_session
from core.domain.stamp import Stamp

DEBOUNCE_MAX_MS = 3_000  # somebody who keeps typing is answered all the same


def for_us(view: View, event: MessageReceived) -> bool:
    """Whether the bot was spoken to."""
    match event.address:
        case Address.DIRECT | Address.MENTION:
            return True
        case Address.PLAIN:
            return view.addressed_before
        case Address.OTHER:
            return False
        case _:
            assert_never(event.address)


def key_of(view: View, event: MessageReceived) -> SessionKey:
    """Under which key the person's session in this place lives."""
    shared = view.policy.shared_threads and event.place.thread
    return SessionKey.at(event.place, "" if shared else event.author.key.user)


def on_message(view: View, event: MessageReceived, stamp: Stamp) -> Decision:
    """A message opens a turn, joins one, waits, or is not for us."""
    if view.person is None or not for_us(view, event):
        return Decision()
    session = view.session
    if session is None or session.phase in (Phase.CLOSED, Phase.ERASED):
        session = new_session(key_of(view, event), view.person, stamp)
    elif moving.has_left(view, key_of(view, event)):
        return moving.on_stray(view, event, stamp)
    making = Making(view, stamp, session)
    making.put(*people.remember(view.person, newcomer=view.newcomer))
    if session is view.session:
        _follow(making, key_of(view, event))
    returning.come_back(making)
    crowded = making.session.crowded or event.address is not Address.DIRECT
    making.session = replace(making.session, audience=event.audience, crowded=crowded)
    message = incoming(event, session.id, stamp)
    turn = view.running if session is view.session else None
    if message.held:
        making.put(message)
    elif turn is None:
        read = event.filled and session is not view.session
        making.open_turn((message,), pause_ms=view.policy.debounce_ms, read_thread=read)
        if session is not view.session:
            earlier.offer(making, event)
    elif looping.make_way(making):
        ready = tuple(each for each in view.waiting if not each.held)
        making.put(Forgotten(waiting=tuple(each.id for each in ready)))
        making.open_turn((*ready, message), pause_ms=view.policy.debounce_ms)
    elif turn.place == event.place and (asking := _collecting(view, turn, message)) is not None:
        _join(making, turn, asking, message)
    else:
        making.wait(message)
    return making.done(received=1)


def _follow(making: Making, key: SessionKey) -> None:
    """The one conversation of a direct channel goes on in the thread in which the person writes now."""
    before = making.session.home
    if key != before and moving.wanders(making.view, making.session, key):
        making.put(Forgotten(binding=(before,)), Binding(key=key, session_id=making.session.id))
        making.session = replace(making.session, home=key)


def _collecting(view: View, turn: Turn, message: Waiting) -> EffectRow | None:
    """The pending first call of a turn that this message may join.

    A repeated turn counts as new only while nothing stands after it: its messages are one range of seqs.
    """
    asking = looping.asking_of(view, turn)
    if asking is None or asking.state is not EffectState.PENDING or asking.attempt:
        return None
    first = turn.state is TurnState.OPEN and not (turn.said or turn.stalls or turn.stripped or turn.rounds)
    newest = view.session is not None and turn.last_seq == view.session.next_seq - 1
    overtakes = any(each.asker == message.asker and not each.held for each in view.waiting)
    return asking if first and newest and not overtakes and turn.asker == message.asker else None


def _join(making: Making, turn: Turn, asking: EffectRow, message: Waiting) -> None:
    taken = making.take((message,), turn.id)
    latest_ms = min(making.now_ms + making.view.policy.debounce_ms, turn.created_ms + DEBOUNCE_MAX_MS)
    asked_ms = max(asking.not_before_ms, latest_ms)
    making.put(
        replace(turn, last_seq=taken[-1].seq, reply_to=message.ref or turn.reply_to),
        replace(asking, not_before_ms=asked_ms, waits=(*asking.waits, *making.fetch((message,)))),
        *(replace(each, not_before_ms=asked_ms) for each in _unopened(making.view, turn)),
    )


def _unopened(view: View, turn: Turn) -> list[EffectRow]:
    """The delivery of `turn` while nothing of it stands anywhere."""
    return [
        each
        for each in view.open_effects
        if isinstance(each.effect, Deliver)
        and each.effect.turn_id == turn.id
        and each.state is EffectState.PENDING
        and not each.attempt
    ]
