"""The tool loop of a turn: a call returns, is answered for by its person, goes wrong, or is left.

Knows: a call that may have happened and must not happen twice is put before its person; what the outside did wrong
becomes a result that says so, so a turn never hangs on a dead server. Must not know: how a call is made, what stands
on a card, how the turn goes on (`looping`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.domain.decision import Decision, Private, View
from core.domain.entities import EffectRow, EffectState, Turn
from core.domain.events import (
    ApprovalMissing,
    ButtonPressed,
    EffectRefused,
    EffectStumbled,
    EffectWaits,
    SignInNeeded,
    ToolReturned,
)
from core.domain.rules import approving, attempts, beginning, credentials, finding, looping, returning, rounds
from core.domain.rules.answer import TELL_WAITING_MS
from core.domain.rules.making import Making
from core.domain.rules.replies import private
from core.domain.rules.tool_texts import instead
from core.domain.stamp import Stamp
from core.domain.tooling import CallState, ToolCall
from core.domain.words import say

UNREACHABLE_MS = 15_000  # a server that is not there is waited for this long: it may be restarting
REPEATS = 1  # a call that does no harm twice is made once more after a broken connection


def on_returned(view: View, event: ToolReturned, stamp: Stamp) -> Decision:
    """A call is over: its result is stored, and the model gets it when the others are over too."""
    return _outcome(view, stamp, lambda making, turn, call: _returned(making, turn, call, event))


def on_approval_missing(view: View, event: ApprovalMissing, stamp: Stamp) -> Decision:
    """Between the reply and the call the tool has become one that is asked for."""

    def ask(making: Making, turn: Turn, call: ToolCall) -> None:
        call = replace(call, kind=event.kind, state=CallState.ASKING)
        approving.ask(making, turn, call)
        looping.step(making, turn, call)

    return _outcome(view, stamp, ask)


def on_sign_in_needed(view: View, event: SignInNeeded, stamp: Stamp) -> Decision:
    """The call waits for a login of its person."""
    del event

    def wait(making: Making, turn: Turn, call: ToolCall) -> None:
        if not credentials.ask(making, turn, call):
            looping.fail(making, turn, call, "login_refused")
            return
        looping.step(making, turn, replace(call, state=CallState.SIGN_IN))

    return _outcome(view, stamp, wait)


def on_waits(view: View, event: EffectWaits, stamp: Stamp) -> Decision:
    """The call was not made: it waits a little, then its result says that the server is not there."""

    def wait(making: Making, turn: Turn, call: ToolCall, row: EffectRow) -> None:
        waiting = attempts.postpone(row, stamp.now_ms, event.retry_ms, event.code)
        late = waiting.not_before_ms > row.created_ms + UNREACHABLE_MS and event.code == "tool_unreachable"
        if waiting.state is EffectState.FAILED or late:
            making.put(replace(row, state=EffectState.FAILED, failure=event.code))
            looping.fail(making, turn, call, event.code)
        else:
            making.put(waiting)
            if waiting.not_before_ms - row.created_ms >= TELL_WAITING_MS and turn.activity.startswith("calling:"):
                making.put(replace(turn, activity="awaits:server"))

    return _outcome(view, stamp, _with_row(view, wait))


def on_stumbled(view: View, event: EffectStumbled, stamp: Stamp) -> Decision:
    """The call may have happened: again if it does no harm, else the person or the model is told."""

    def judge(making: Making, turn: Turn, call: ToolCall, row: EffectRow) -> None:
        died = event.code == attempts.DIED
        if died and not call.kind.repeatable:
            call = replace(call, state=CallState.UNKNOWN)
            approving.ask_whether(making, turn, call)
            looping.step(making, turn, call)
            return
        again = attempts.stumble(row, stamp.now_ms, event.code, blameless=event.blameless)
        worth = row.deaths + 1 < attempts.ATTEMPTS_MAX if died else _worth_repeating(row, event)
        if worth and call.kind.repeatable and again.state is EffectState.PENDING:
            making.put(again)
        else:
            making.put(replace(row, state=EffectState.FAILED, failure=event.code))
            looping.fail(making, turn, call, "tool_died" if died else event.code)

    return _outcome(view, stamp, _with_row(view, judge))


def on_refused(view: View, event: EffectRefused, stamp: Stamp) -> Decision:
    """A definite no."""
    return _outcome(view, stamp, lambda making, turn, call: looping.fail(making, turn, call, event.code))


def on_button(view: View, event: ButtonPressed, stamp: Stamp) -> Decision:
    """The person decides about a call; only who asked may, and only once."""
    language, call, turn = view.policy.language, view.call, view.turn
    verb = event.button.verb
    if view.session is None or call is None or turn is None:
        return private(view, "private.gone")
    if not approving.may_answer(view, call):
        return private(view, "private.not_yours")
    making = Making(view, stamp, view.session)
    returning.act(making)
    if verb == finding.SHOW:
        return making.done(finding.shown(view, call))
    if verb == approving.ASK_AGAIN:
        approving.take_back(making, call)
        return making.done(Private(text=say(language, "approval.asks_again", tool=approving.label(call))))
    wanted, rule = BUTTONS[verb]
    if call.state is not wanted or turn.state.over:
        return private(view, "private.already_done")
    rule(making, turn, call)
    return making.done()


# -------------------------------------------------------------------------------------- the outcomes

_Rule = Callable[[Making, Turn, ToolCall], None]


def _outcome(view: View, stamp: Stamp, rule: _Rule) -> Decision:
    """Apply a rule to the call that an effect was for; nothing when it is over already."""
    session, turn, call = view.session, view.turn, view.call
    if session is None or turn is None or call is None or turn.state.over or call.state is not CallState.PENDING:
        return Decision()
    making = Making(view, stamp, session)
    rule(making, turn, call)
    return making.done()


def _with_row(view: View, rule: Callable[[Making, Turn, ToolCall, EffectRow], None]) -> _Rule:
    def apply(making: Making, turn: Turn, call: ToolCall) -> None:
        if view.finishing is not None:
            rule(making, turn, call, view.finishing)

    return apply


def _returned(making: Making, turn: Turn, call: ToolCall, event: ToolReturned) -> None:
    event = beginning.carried_out(making, turn, call, event)
    if event.failure:
        looping.fail(making, turn, call, event.failure, result=event.content)
        return
    ended = rounds.over(call, CallState.DONE, event.content, is_error=event.is_error)
    ended = replace(ended, hidden=event.hidden)
    if event.hidden:
        finding.offer(making, turn, ended)
    looping.step(making, turn, ended)


def _worth_repeating(row: EffectRow, event: EffectStumbled) -> bool:
    return event.code == "tool_cut" and row.faults < REPEATS


# --------------------------------------------------------------------------------------- the buttons


def _approve(making: Making, turn: Turn, call: ToolCall) -> None:
    approving.settled(making, call, "approval.approved")
    _run(making, turn, call)


def _deny(making: Making, turn: Turn, call: ToolCall) -> None:
    approving.settled(making, call, "approval.denied")
    looping.step(making, turn, rounds.over(call, CallState.DENIED, instead("denied"), is_error=True))


def _always(making: Making, turn: Turn, call: ToolCall) -> None:
    """This call, and whatever else of the same tool waits in this round, runs; later ones are not asked for."""
    making.put(approving.permit(call, making.now_ms))
    approving.settled(making, call, "approval.always", undo=True)
    same = [
        each
        for each in making.view.calls
        if (each.turn_id, each.server, each.tool) == (call.turn_id, call.server, call.tool)
        and each.state is CallState.ASKING
        and each.id != call.id
    ]
    for each in same:
        approving.settled(making, each, "approval.approved")
    _run(making, turn, call, *same)


def _happened(making: Making, turn: Turn, call: ToolCall) -> None:
    approving.settled(making, call, "unsure.happened")
    looping.step(making, turn, rounds.over(call, CallState.DONE, instead("happened"), is_error=False))


def _rerun(making: Making, turn: Turn, call: ToolCall) -> None:
    approving.settled(making, call, "unsure.rerun")
    _run(making, turn, call)


def _skip(making: Making, turn: Turn, call: ToolCall) -> None:
    approving.settled(making, call, "unsure.skipped")
    skipped = rounds.over(call, CallState.SKIPPED, instead("skipped"), is_error=True, failure="skipped")
    looping.step(making, turn, skipped)


def _run(making: Making, turn: Turn, *calls: ToolCall) -> None:
    running = tuple(approving.approved(call) for call in calls)
    for call in running:
        rounds.issue(making, call)
    looping.step(making, turn, *running)


# The buttons about a call: the state in which each means something, and what it does.
BUTTONS: Mapping[str, tuple[CallState, _Rule]] = {
    approving.APPROVE: (CallState.ASKING, _approve),
    approving.DENY: (CallState.ASKING, _deny),
    approving.ALWAYS: (CallState.ASKING, _always),
    "call_happened": (CallState.UNKNOWN, _happened),
    "call_rerun": (CallState.UNKNOWN, _rerun),
    "call_skip": (CallState.UNKNOWN, _skip),
}
VERBS = frozenset({*BUTTONS, approving.ASK_AGAIN, finding.SHOW})
