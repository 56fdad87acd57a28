"""Tasks and their steps as a decision and a performer see them.

Knows: which rows make a piece of work. Must not know: what is decided from them.
Functions of one connection: the writer's, inside its unit, or a reader's.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable

from core.domain.decision import View
from core.domain.entities import Card, Turn
from core.domain.events import Arrival, ButtonPressed, CommandIssued, Event, SignedIn, TimerDue, ToolReturned
from core.domain.tasking import ASKS, BUSY, OPEN, SETTLED, START_TASK, Task, TaskState, Work
from storage.rows import CARD, PERSON, STEP, TASK, TURN

WORKS_MAX = 20  # open tasks of one session that a decision looks at


def _among(states: Iterable[TaskState]) -> str:
    return ", ".join(f"'{each.value}'" for each in states)


_TASK = f"{TASK.select} WHERE id = ?"
_OPEN = f"{TASK.select} WHERE session_id = ? AND state IN ({_among(OPEN)}) ORDER BY created_ms, id LIMIT ?"
_ALL = f"{TASK.select} WHERE session_id = ? ORDER BY created_ms, id"
_STEPS = f"{STEP.select} WHERE task_id = ? ORDER BY n"
_CARD = f"{CARD.select} WHERE session_id = ? AND key = ?"
_PERSON = f"{PERSON.select} WHERE key = ?"
_TURN = f"{TURN.select} WHERE id = ?"
_OPEN_TURNS = f"{TURN.select} WHERE session_id = ? AND state IN ('open', 'stopping') AND task_id = ?"
_BUSY = (
    f"SELECT count(*) FROM task WHERE state IN ({_among(BUSY)})"
    " AND asker IN (SELECT key FROM person WHERE identity = ?)"
)
ASKING = f"SELECT 1 FROM task AS k WHERE k.session_id = s.id AND k.state IN ({_among(ASKS)})"  # of the session `s`


def complete(conn: sqlite3.Connection, view: View, event: Event, work: Work | None) -> View:
    """The view with everything that a decision about tasks looks at; `work` is the task that the event names."""
    if view.session is not None and isinstance(event, Arrival | TimerDue | SignedIn):
        works = open_works(conn, view.session.id)
        concerned = works if work is None else (work,)
    else:  # whatever ends may let the answer of a task begin
        answers = (find(conn, each.task_id) for each in view.waiting if each.task_id)
        works = tuple([each for each in answers if each is not None])
        concerned = works if work is None else (work, *works)
    asker = None
    if view.call is not None and (view.call.server, view.call.tool) == ("", START_TASK):
        row = conn.execute(_PERSON, (str(view.call.asker),)).fetchone()
        asker = None if row is None else PERSON.decode(row)
    acting, may_begin = view.person or asker, isinstance(event, CommandIssued | ButtonPressed | ToolReturned)
    return dataclasses.replace(
        view,
        work=work,
        works=works,
        task_cards=cards_of(conn, concerned),
        task_turns=turns_of(conn, concerned),
        busy_tasks=busy_of(conn, acting.identity) if may_begin and acting is not None else 0,
        asker=asker,
    )


def work_of(conn: sqlite3.Connection, turn: Turn | None) -> Work | None:
    """The work that a turn belongs to."""
    return find(conn, turn.task_id) if turn is not None and turn.task_id else None


def find(conn: sqlite3.Connection, task_id: str) -> Work | None:
    """The task with this id, and its steps."""
    row = conn.execute(_TASK, (task_id,)).fetchone()
    return None if row is None else _with_steps(conn, TASK.decode(row))


def open_works(conn: sqlite3.Connection, session_id: str) -> tuple[Work, ...]:
    """The tasks of a session that are not over, the oldest first."""
    rows = conn.execute(_OPEN, (session_id, WORKS_MAX)).fetchall()
    return tuple([_with_steps(conn, TASK.decode(row)) for row in rows])


def all_works(conn: sqlite3.Connection, session_id: str) -> tuple[Work, ...]:
    """Every task of a session, the oldest first."""
    return tuple([_with_steps(conn, TASK.decode(row)) for row in conn.execute(_ALL, (session_id,)).fetchall()])


def cards_of(conn: sqlite3.Connection, works: Iterable[Work]) -> tuple[Card, ...]:
    """The cards of tasks."""
    keys = ((work.task.session_id, f"task:{work.task.id}") for work in works)
    rows = (conn.execute(_CARD, key).fetchone() for key in keys)
    return tuple([CARD.decode(row) for row in rows if row is not None])


def turns_of(conn: sqlite3.Connection, works: Iterable[Work]) -> tuple[Turn, ...]:
    """The open turns of tasks, and the newest turns of steps that are not over."""
    found: dict[str, Turn] = {}
    for work in works:
        for row in conn.execute(_OPEN_TURNS, (work.task.session_id, work.task.id)).fetchall():
            turn = TURN.decode(row)
            found[turn.id] = turn
        for step in work.steps:
            if step.state not in SETTLED and step.turn_id and step.turn_id not in found:
                row = conn.execute(_TURN, (step.turn_id,)).fetchone()
                found |= {} if row is None else {step.turn_id: TURN.decode(row)}
    return tuple(found.values())


def busy_of(conn: sqlite3.Connection, identity: str) -> int:
    """How many tasks go on for a person, over all accounts."""
    return int(conn.execute(_BUSY, (identity,)).fetchone()[0])


def _with_steps(conn: sqlite3.Connection, task: Task) -> Work:
    rows = conn.execute(_STEPS, (task.id,)).fetchall()
    return Work(task=task, steps=tuple([STEP.decode(row) for row in rows]))
