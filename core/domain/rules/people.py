"""Who may do what.

Knows: the acting person, the session's owner, the turn's asker. Must not know: how an account was proven.
"""

from __future__ import annotations

from core.domain.entities import Entity, Person, Session, Turn


def owns(person: Person, session: Session) -> bool:
    """Whether the person is the session's owner, by this account or by a linked one."""
    return person.identity == session.owner


def may_steer(person: Person, session: Session, turn: Turn) -> bool:
    """Whether the person may stop or repeat a turn: who asked, and the owner of the session."""
    return owns(person, session) or person.key == turn.asker


def remember(person: Person, *, newcomer: bool) -> tuple[Entity, ...]:
    """The change that stores a person seen for the first time, or under a new name."""
    return (person,) if newcomer else ()
