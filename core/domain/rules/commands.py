"""What a person asks for by a command or a button instead of a message.

Knows: stop, again, new, help. The owner check is here: a wrong person gets a private answer and changes nothing;
an old button gets the present state. Must not know: where the button or command came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import Phase, Session, Turn, TurnState
from core.domain.events import ButtonPressed, CommandIssued
from core.domain.rules import (
    answer,
    connections,
    credentials,
    forgetting,
    idle,
    looping,
    mailbag,
    memory,
    mine,
    moving,
    notices,
    people,
    resume,
    retention,
    steering,
    tooling,
)
from core.domain.rules.making import Making
from core.domain.rules.replies import private
from core.domain.stamp import Stamp
from core.domain.words import say

# Buttons that only the owner of the session may press, here or by a linked account.
OWNERS_VERBS: dict[str, Callable[[View, ButtonPressed, Stamp], Decision]] = {
    "keep": lambda view, _event, stamp: idle.on_keep(view, stamp),
    "end": lambda view, _event, stamp: idle.on_end(view, stamp),
    "mute_here": lambda view, _event, stamp: idle.on_mute(view, stamp, everywhere=False),
    "mute_all": lambda view, _event, stamp: idle.on_mute(view, stamp, everywhere=True),
    "summary": lambda view, _event, _stamp: memory.on_summary(view),
    "wrong": lambda view, _event, _stamp: memory.on_wrong(view),
    "correct": memory.on_correct,
    "stay": retention.on_stay,
}

# Buttons about the person themself: their subject is the identity, or the rule looks at whose it is.
OWN_VERBS: Mapping[str, Callable[[View, ButtonPressed, Stamp], Decision]] = {
    **notices.BUTTONS,
    **forgetting.BUTTONS,
    **credentials.BUTTONS,
    connections.DISCONNECT: connections.on_disconnect,
}


# Buttons whose rules look themselves at who pressed.
ELSEWHERE: Mapping[str, Callable[[View, ButtonPressed, Stamp], Decision]] = {
    **dict.fromkeys(resume.BUTTONS, resume.on_button),
    **dict.fromkeys(steering.BUTTONS, steering.on_button),
}


def on_command(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    """Dispatch by name; an unknown one is answered privately."""
    rule = COMMANDS.get(event.name.lower())
    return private(view, "private.unknown_command", name=event.name[:40]) if rule is None else rule(view, event, stamp)


def on_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:  # noqa: C901, PLR0911  (one way out for each no)
    """Dispatch by verb after the owner check."""
    if event.button.verb in OWN_VERBS:
        return OWN_VERBS[event.button.verb](view, event, stamp)
    session = view.session
    if view.person is None or session is None or session.phase is Phase.ERASED:
        return private(view, "private.gone")
    verb = event.button.verb
    if verb in ELSEWHERE:
        return ELSEWHERE[verb](view, event, stamp)
    if verb in mailbag.CHOICES:
        if view.card is None:
            return private(view, "private.gone")
        if not people.owns(view.person, session):
            return private(view, "private.not_owner")
        return mailbag.on_choice(view, session, view.card, event, stamp)
    if verb in tooling.VERBS:
        return tooling.on_button(view, event, stamp)
    if verb in OWNERS_VERBS:
        if not people.owns(view.person, session):
            return private(view, "private.not_owner")
        return OWNERS_VERBS[verb](view, event, stamp)
    steer: dict[str, Callable[[View, Turn, Stamp], Decision]] = {"stop": _stop, "again": _repeat}
    if verb not in steer or view.turn is None or view.turn.id != event.button.subject or view.turn.step_id:
        return private(view, "private.gone")
    return steer[verb](view, view.turn, stamp)


def listing(language: str) -> str:
    """The commands and what they do, one a line."""
    return "\n".join(f"/{name}: {say(language, f'command.{name}')}" for name in COMMANDS)


def _on_help(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    del event, stamp
    return private(view, "private.help", commands=listing(view.policy.language))


def _on_stop(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    del event
    if view.running is not None:
        return _stop(view, view.running, stamp)
    work = steering.newest_busy(view)
    if view.session is None or work is None:
        return private(view, "private.nothing_running")
    return steering.on_stop(view, view.session, work, stamp)


def _on_new(view: View, event: CommandIssued, stamp: Stamp) -> Decision:
    key = moving.key_at(view, event.place, event.author.key)
    if moving.has_left(view, key):
        return moving.start_new(view, key, event.audience, stamp)
    return _new(view, stamp)


def _stop(view: View, turn: Turn, stamp: Stamp) -> Decision:
    session = _steerable(view, turn)
    if session is None:
        return private(view, "private.not_yours")
    if turn.state is TurnState.STOPPING:
        return private(view, "private.stopped")
    if turn.state is not TurnState.OPEN or (looping.asking_of(view, turn) is None and not turn.activity):
        return private(view, "private.already_finished")
    making = Making(view, stamp, session)
    making.human_act()
    looping.stop(making, turn)
    return making.done(Private(text=say(view.policy.language, "private.stopped")))


def _repeat(view: View, turn: Turn, stamp: Stamp) -> Decision:
    """Try a failed turn again: the same message, from where it stopped."""
    session = _steerable(view, turn)
    if session is None:
        return private(view, "private.not_yours")
    if turn.state is not TurnState.FAILED:
        return private(view, "private.already_done")
    if view.running is not None:
        return private(view, "private.one_at_a_time")
    making = Making(view, stamp, session)
    making.human_act()
    answer.again(making, turn)
    return making.done()


def _new(view: View, stamp: Stamp) -> Decision:
    """Close the session that lives here; the next message starts another."""
    if view.session is None or view.session.phase in (Phase.CLOSED, Phase.ERASED):
        return private(view, "private.new")
    if view.person is None or not people.owns(view.person, view.session):
        return private(view, "private.not_owner")
    making = Making(view, stamp, view.session)
    words = say(view.policy.language, "private.new")
    if steering.pause_all(making):
        words = f"{words} {say(view.policy.language, 'task.paused_by_new')}"
    making.session = replace(making.session, phase=Phase.CLOSED, due_ms=None)
    return making.done(Private(text=words))


def _steerable(view: View, turn: Turn) -> Session | None:
    if view.person is None or view.session is None:
        return None
    return view.session if people.may_steer(view.person, view.session, turn) else None


# Every command and its rule, in the order in which help lists them: help, completion and the platforms' own
# command lists come from here.
COMMANDS: Mapping[str, Callable[[View, CommandIssued, Stamp], Decision]] = {
    "task": steering.on_task,
    "sessions": mine.on_sessions,
    "resume": resume.on_command,
    "new": _on_new,
    "stop": _on_stop,
    "why": mine.on_why,
    "connections": connections.on_connections,
    "notices": notices.on_notices,
    "export": mine.on_export,
    "forget": forgetting.on_forget,
    "privacy": mine.on_privacy,
    "help": _on_help,
}
