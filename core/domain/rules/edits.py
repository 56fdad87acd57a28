"""A person changes a message of theirs, or takes it back: what we hold of it follows.

Knows: a message may stand in a history, in that of others who heard it, or wait to be answered. An answer that was
given stays. What was taken back leaves a word that it was, because a history must not have holes. Doing it twice
changes nothing. Must not know: how a platform tells of it.
"""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Decision, View
from core.domain.entities import Entity, Forgotten, Message, Phase, Session
from core.domain.events import MessageChanged
from core.domain.rules.titles import title_of
from core.domain.tokens import weigh
from core.domain.words import say


def on_changed(view: View, event: MessageChanged) -> Decision:
    """Everything that we hold of the message reads as it reads now."""
    changes: list[Entity] = []
    sessions: dict[str, Session] = {}
    for each in view.altered:
        session = sessions.get(each.session.id, each.session)
        if session.phase is Phase.ERASED:
            continue
        if each.message is not None:
            told = event.text or say(view.policy.language, "edit.gone")
            files = each.message.files if event.text else ()
            message = replace(each.message, text=told, blocks="", tokens=weigh(told, files), files=files)
            changes.append(message)
            sessions[session.id] = _session(session, each.message, message)
        elif each.waiting is not None and (event.text or each.waiting.files):
            changes.append(replace(each.waiting, text=event.text))
        elif each.waiting is not None:
            changes.append(Forgotten(waiting=(each.waiting.id,)))
    before = {each.session.id: each.session.title for each in view.altered}
    titled = tuple(each.id for each in sessions.values() if each.title != before[each.id])
    return Decision(changes=(*sessions.values(), *changes), titled=titled)


def _session(session: Session, before: Message, after: Message) -> Session:
    """The session with the other sum of tokens, and a title that says nothing which was taken back."""
    counted = before.seq >= session.fresh_from_seq
    tokens = session.tokens + (after.tokens - before.tokens if counted else 0)
    titled = session.title and session.title == title_of(before.text)
    return replace(session, tokens=max(tokens, 0), title=title_of(after.text) if titled else session.title)
