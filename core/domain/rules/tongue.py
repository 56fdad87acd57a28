"""In which language we speak: the person's own, as far as their platform tells it; else the installation's.

Knows: whose words count. What a person does is answered in their own language; what happens by itself in a
conversation (timers, outcomes) speaks the language of its owner, which the session keeps. A server's locale is a hint
for a conversation whose owner's is not known. Must not know: sentences.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, View
from core.domain.entities import Session
from core.domain.events import Arrival, Event, MessageReceived
from core.domain.words import spoken_in


def listening(view: View, event: Event) -> View:
    """The view with the policy in the language of what follows, and its session in the one of its owner."""
    if isinstance(event, Arrival):
        view = _learning(view, event)
    spoken = view.spoken or (view.session.language if view.session is not None else "")
    if not spoken and isinstance(event, MessageReceived):
        spoken = spoken_in(event.locale)
    if spoken in ("", view.policy.language):
        return view
    native = (view.session.language if view.session is not None else "") or view.policy.language
    return replace(view, policy=replace(view.policy, language=spoken), native=native)


def _learning(view: View, event: Arrival) -> View:
    own = spoken_in(event.author.locale)
    hint = spoken_in(event.locale) if isinstance(event, MessageReceived) else ""
    session = view.session
    if session is not None and view.person is not None and session.owner == view.person.identity:
        session = replace(session, language=own or session.language or hint)
    if session == view.session:
        session = view.session  # no row is new that reads the same
    return replace(view, session=session, spoken=own, hinted=hint) if own or hint else view


def kept(decision: Decision, before: View, view: View) -> Decision:
    """The decision with the session whose language has been learnt, when nothing else of it changes."""
    learnt = view.session
    if learnt is None or learnt is before.session:
        return decision
    if any(isinstance(each, Session) and each.id == learnt.id for each in decision.changes):
        return decision
    return replace(decision, changes=(*decision.changes, learnt))
