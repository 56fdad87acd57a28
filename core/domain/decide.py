"""`decide(view, event, stamp) -> Decision`: dispatch by type, nothing else.

The same three values always give the same decision, so a logged triple is a regression test.
"""

from __future__ import annotations

from typing import assert_never

from core.domain import events
from core.domain.decision import Decision, View
from core.domain.effects import CallTool
from core.domain.rules import (
    allowed,
    answer,
    arrive,
    commands,
    connections,
    credentials,
    edits,
    heard,
    holding,
    idle,
    mailbag,
    outcomes,
    resume,
    returning,
    tongue,
    tooling,
)
from core.domain.stamp import Stamp


def decide(view: View, event: events.Event, stamp: Stamp) -> Decision:
    """What follows from `event`, given what the view shows, at the moment and with the chance of `stamp`."""
    heard = tongue.listening(view, event)
    if isinstance(event, events.Arrival) and (refusal := allowed.turned_away(heard, event, stamp)) is not None:
        return refusal
    return tongue.kept(_decide(heard, event, stamp), view, heard)


def _decide(view: View, event: events.Event, stamp: Stamp) -> Decision:
    match event:
        case events.MessageReceived():
            return arrive.on_message(view, event, stamp)
        case events.ButtonPressed():
            return commands.on_button(view, event, stamp)
        case events.CommandIssued():
            return commands.on_command(view, event, stamp)
        case events.ResumeAsked():
            return resume.on_resume(view, event, stamp)
        case events.ModelReplied():
            return answer.on_replied(view, event, stamp)
        case events.ModelCut():
            return answer.on_cut(view, event, stamp)
        case events.ModelStopped():
            return answer.on_stopped(view, event, stamp)
        case events.ModelBusy():
            return answer.on_busy(view, event, stamp)
        case events.ModelRefused():
            return answer.on_refused(view, event, stamp)
        case events.HistoryLost():
            return answer.on_history_lost(view, event, stamp)
        case events.Delivered():
            return outcomes.on_delivered(event)
        case events.CardShown():
            return outcomes.on_card_shown(view, event, stamp)
        case events.FileFetched():
            return outcomes.on_file_fetched(event)
        case events.EffectDone():
            return Decision()
        case events.EffectWaits() if _is_call(view):
            return tooling.on_waits(view, event, stamp)
        case events.EffectStumbled() if _is_call(view):
            return tooling.on_stumbled(view, event, stamp)
        case events.EffectRefused() if _is_call(view):
            return tooling.on_refused(view, event, stamp)
        case events.EffectWaits():
            return outcomes.on_waits(view, event, stamp)
        case events.EffectStumbled():
            return outcomes.on_stumbled(view, event, stamp)
        case events.EffectRefused():
            return outcomes.on_refused(view, event)
        case events.CaughtUp():
            return mailbag.on_caught_up(view, event, stamp)
        case events.TimerDue():
            return idle.on_timer(view, event, stamp)
        case events.ThreadRead():
            return heard.on_thread_read(view, event, stamp)
        case events.Summarized():
            return returning.on_summarized(view, event, stamp)
        case events.MessageChanged():
            return edits.on_changed(view, event)
        case events.ToolReturned():
            return tooling.on_returned(view, event, stamp)
        case events.ApprovalMissing():
            return tooling.on_approval_missing(view, event, stamp)
        case events.SignInNeeded():
            return tooling.on_sign_in_needed(view, event, stamp)
        case events.SignedIn():
            return credentials.on_signed_in(view, event, stamp)
        case events.LinkStrayed():
            return holding.on_strayed(view, event, stamp)
        case events.CredentialDue():
            return connections.on_due(view, event, stamp)
        case events.CredentialReady():
            return credentials.on_ready(view, event, stamp)
        case _:
            assert_never(event)


def _is_call(view: View) -> bool:
    """Whether the effect that the event finishes was a tool call: what became of it concerns its turn."""
    return view.finishing is not None and isinstance(view.finishing.effect, CallTool)
