"""What must hold when a story has come to its end, however often the process died in it.

Knows: the rows, the board, what people were told. Must not know: how it came about.

* no message that was acknowledged is lost: it stands once in the history or waits for a choice that is on the board,
  and its turn has ended: received = answered + queued + refused;
* each turn has exactly one post, final, reading what the turn says; a whole answer has no word twice or missing;
* order is kept: of a person's messages, and of the answers in a thread;
* nothing is left behind: open effects, drafts, reserved money, half-delivered parts;
* nothing was done twice: no second call at once, nothing generated again that was saved, no result of the dead, no
  tool that must not run twice, no finished step of a task;
* a conversation that is awake lives in exactly one place, no stretch of history is summarised twice, and what was
  forgotten stands in no file.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from core.domain.entities import Message, Part, Phase, Turn, TurnState
from core.domain.rules.attempts import ATTEMPTS_MAX, DIED
from core.domain.rules.present import present
from core.domain.tasking import AT_WORK
from core.engine.delivering import NOTHING_MORE
from core.engine.ports import Post
from storage.rows import MESSAGE, PART, POST, SEQ_MASK, SESSION, STEP, TURN
from tests.crash.stage import Spoken, Stage
from tests.crash.talker import read_answer, text_for

ENDED = (TurnState.ANSWERED, TurnState.STOPPED, TurnState.FAILED)
_STATES = {TurnState.ANSWERED: "done", TurnState.STOPPED: "stopped", TurnState.FAILED: "failed"}
_OPEN_EFFECTS = "SELECT kind, state, attempt FROM effect WHERE state IN ('pending', 'started', 'unknown')"
_MESSAGES = "SELECT id, " + MESSAGE.select.removeprefix("SELECT ") + " ORDER BY id"
_POSTS = "SELECT n, " + POST.select.removeprefix("SELECT ") + " ORDER BY n"
_LEFT = {
    "open effects": _OPEN_EFFECTS,
    "drafts": "SELECT effect_id, text FROM draft",
    "reserved money": "SELECT account, reserved FROM spend WHERE reserved <> 0",
    "posts still being written": "SELECT key, text FROM board_post WHERE state = 'streaming'",
    "people's posts not taken": "SELECT id, text FROM board_post WHERE taken = 0 AND author <> ''",
    "failed effects": "SELECT kind, failure FROM effect WHERE state = 'failed'",
}


_STUCK = (
    "SELECT k.state, c.buttons FROM task AS k JOIN card AS c ON c.key = 'task:' || k.id"
    " WHERE (c.buttons = '[]') <> (k.state <> 'paused') OR k.state NOT IN ('done', 'paused', 'stopped', 'failed')"
)
_TASKS = "SELECT goal, state FROM task"
_RUNNING_MAX = 2  # tasks of a person: a further one is refused
_SHOWN = f"{TURN.select} WHERE step_id = ''"

Answers = Callable[[str], tuple[str | None, bool]]  # see `talker.read_answer`


@dataclass(slots=True, kw_only=True)
class _Found:
    """The rows of a story's end, and what is wrong with them."""

    messages: list[Message]
    turns: dict[str, Turn]
    parts: list[Part]
    posts: list[Post]
    waiting: list[tuple[str, int]]  # text, held
    cards: dict[str, tuple[str, bool]]  # ref of the post -> kind, has buttons
    tasks: dict[str, str]  # their goals and states
    sources: set[str]
    wrong: list[str]


async def check(stage: Stage) -> None:
    """Raise `AssertionError` with everything that is wrong at the story's end."""
    stage.fuse.disarm()  # looking is not part of the story
    most = len(stage.lives) + stage.model.mishaps_met + stage.stops + stage.anew
    wrong = [f"{text!r} was asked for {n} times" for text, n in stage.model.calls.items() if n > most]
    wrong += [f"notes were asked for {n} times" for n in stage.model.summaries.values() if n > most]
    wrong += await stage.life.store.read(lambda conn: look(conn, stage.spoken))
    wrong += await _remembered(stage)
    wrong += await stage.life.store.read(lambda conn: _unexplained(conn, stage))
    wrong += [f"{what} was made {n} times" for what, n in stage.workshop.made.items() if n > _most(stage, what)]
    wrong += stage.wrong + stage.model.wrong
    assert not wrong, "; ".join(wrong)


def _most(stage: Stage, what: str) -> int:
    """How often a tool may have run: what must not happen twice once, the rest once in each life."""
    return 1 if what.startswith("make:") else len(stage.lives)


def _unexplained(conn: sqlite3.Connection, stage: Stage) -> list[str]:
    """Turns that ended otherwise than answered, although nothing in the story explains it."""
    wrong = []
    poor = stage.house.policy.budget_person_day is not None
    states = {state for _, state in conn.execute(_TASKS)}
    if "paused" in states and not (stage.stops or stage.model.mishaps_met or poor):
        wrong.append("a task was paused by nobody")
    if "stopped" in states and not stage.stops:
        wrong.append("a task was stopped by nobody")
    if "failed" in states and not (stage.model.mishaps_met or poor):
        wrong.append("a task failed without a reason")
    for turn in map(TURN.decode, conn.execute(TURN.select)):
        if turn.state is TurnState.STOPPED and not stage.stops:
            wrong.append("stopped by nobody")
        if turn.state is TurnState.FAILED:
            died = stage.deaths > 0 and stage.deaths + stage.model.mishaps_met >= ATTEMPTS_MAX
            explained = died if turn.failure == DIED else stage.model.mishaps_met > 0
            if turn.failure.startswith("budget"):
                explained = poor
            if not explained:
                wrong.append(f"failed without a reason: {turn.failure}")
    return wrong


def look(conn: sqlite3.Connection, spoken: list[Spoken], answers: Answers = read_answer) -> list[str]:
    """Everything that is wrong in a database that has come to rest; `answers` reads what the model has said."""
    found = _find(conn)
    found.wrong += [f"{what}: {rows}" for what, sql in _LEFT.items() if (rows := conn.execute(sql).fetchall())]
    _check_places(conn, found)
    _check_messages(found, spoken)
    _check_order(found, spoken)
    found.wrong += _check_tasks(conn)
    for turn in found.turns.values():
        _check_parts(found, turn, _check_answer(found, turn, answers))
    _check_posts(found)
    return found.wrong


def _check_places(conn: sqlite3.Connection, found: _Found) -> None:
    """Whoever writes where a conversation lives reaches it, and no two stretches of notes cover the same."""
    bound = dict(conn.execute("SELECT key, session_id FROM binding").fetchall())
    sessions = {session.id: session for session in map(SESSION.decode, conn.execute(SESSION.select))}
    for session in sessions.values():
        if session.phase in (Phase.ACTIVE, Phase.WARNED) and bound.get(str(session.home)) != session.id:
            found.wrong.append(f"{session.title!r} is not found where it lives")
    found.wrong += [f"{key} leads nowhere" for key, session_id in bound.items() if session_id not in sessions]
    found.wrong += [f"{s.title!r} was not deleted" for s in sessions.values() if s.phase is Phase.ERASED]
    twice = "SELECT session_id, to_seq FROM summary GROUP BY 1, 2 HAVING count(*) > 1"
    found.wrong += [f"{row} was summarised twice" for row in conn.execute(twice)]


async def _remembered(stage: Stage) -> list[str]:
    """What was forgotten and stands in a file all the same."""
    words = [each.say.text for each in stage.spoken if each.forgotten]
    if not words:
        return []
    await stage.life.store.fold()
    files = [path for path in stage.path.parent.iterdir() if path.is_file()]
    return [f"{text!r} stands in {path.name}" for path in files for text in words if text.encode() in path.read_bytes()]


def _find(conn: sqlite3.Connection) -> _Found:
    session_of = dict(conn.execute("SELECT num, id FROM session").fetchall())
    return _Found(
        messages=[
            MESSAGE.decode(row[1:], session_id=session_of[row[0] >> 24], seq=row[0] & SEQ_MASK)
            for row in conn.execute(_MESSAGES)
        ],
        turns={turn.id: turn for turn in map(TURN.decode, conn.execute(f"{_SHOWN} ORDER BY first_seq"))},
        parts=[PART.decode(row) for row in conn.execute(PART.select)],
        posts=[POST.decode(row[1:], n=row[0]) for row in conn.execute(_POSTS)],
        waiting=conn.execute("SELECT text, held FROM waiting ORDER BY n").fetchall(),
        tasks=dict(conn.execute(_TASKS).fetchall()),
        cards={
            ref: (key.partition(":")[0], buttons != "[]")
            for ref, key, buttons in conn.execute("SELECT ref, key, buttons FROM card")
        },
        sources={row[0] for row in conn.execute("SELECT key FROM source")},
        wrong=[],
    )


def _check_messages(found: _Found, spoken: list[Spoken]) -> None:
    """Received = answered + queued + refused, and each message once."""
    people = [each for each in found.messages if each.role == "user"]
    stands = Counter(each.text for each in people) + Counter(text for text, _ in found.waiting)
    choice_open = any(kind in ("mailbag", "moved") and buttons for kind, buttons in found.cards.values())
    chosen = {kind for kind, _ in found.cards.values()} & {"mailbag", "moved"}
    by_text = {each.text: each for each in people}
    goals = _no_messages(found, spoken, stands)
    spoken = [each for each in spoken if each.say.text not in goals or each.key not in found.sources]
    for each in spoken:
        text = each.say.text
        if stands[text] != (not each.forgotten):
            found.wrong.append(f"{text!r} stands {stands[text]} times (acknowledged: {each.acknowledged})")
        if each.key not in found.sources:
            found.wrong.append(f"the key of {text!r} is not known")
        message = by_text.get(text)
        if message is None:
            if not each.forgotten and not (choice_open and (text, 1) in found.waiting):
                found.wrong.append(f"{text!r} waits for nothing")
        elif message.turn_id:
            if found.turns[message.turn_id].state not in ENDED:
                found.wrong.append(f"the turn of {text!r} is open")
        elif not chosen:
            found.wrong.append(f"{text!r} was never answered, and nobody chose that")
    unknown = stands - Counter(each.say.text for each in spoken)
    if unknown:
        found.wrong.append(f"nobody said {list(unknown)}")


def _no_messages(found: _Found, spoken: list[Spoken], stands: Counter[str]) -> set[str]:
    """Goals that need not stand in the history: they do when the steps are over. A third task at once is refused."""
    goals = {each for each, state in found.tasks.items() if state != "done" and not stands[each]}
    if len(found.tasks) >= _RUNNING_MAX:
        goals |= {each.say.text for each in spoken if each.is_goal and each.say.text not in found.tasks}
    return goals


def _check_tasks(conn: sqlite3.Connection) -> list[str]:
    """A task is over or waits for a click that its card offers; a step that is done has its whole result."""
    wrong = [f"a task is {state} and offers {buttons}" for state, buttons in conn.execute(_STUCK)]
    steps = map(STEP.decode, conn.execute(STEP.select))
    wrong += [
        f"step {step.n} is {step.state} with {step.result!r}"
        for step in steps
        if step.state in AT_WORK or step.result != (text_for(f"step {step.title}") if step.state == "done" else "")
    ]
    open_turns = "SELECT id, state FROM turn WHERE step_id <> '' AND state IN ('open', 'stopping')"
    return wrong + [f"a hidden turn is open: {row}" for row in conn.execute(open_turns)]


def _check_order(found: _Found, spoken: list[Spoken]) -> None:
    """A person's messages stand as they were said; after a mail-bag, those of before and those of after it do.

    Those that nobody wanted answered are put aside at once, while others may still wait.
    """
    stands = [each.text for each in found.messages if each.role == "user" and each.turn_id]
    mailbag = any(kind == "mailbag" for kind, _ in found.cards.values())
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for each in spoken:
        if each.say.text in stands and not each.swapped:
            key = (each.say.person, each.say.thread, each.held and mailbag)
            groups.setdefault(key, []).append(each.say.text)
    for said in groups.values():
        kept = [text for text in stands if text in said]
        if kept != said:
            found.wrong.append(f"said {said}, stored {kept}")


def _check_answer(found: _Found, turn: Turn, answers: Answers) -> str:
    """The text that a turn has said, held against what was asked."""
    stored = [each for each in found.messages if each.turn_id == turn.id and each.role == "assistant"]
    text = stored[0].text if stored else ""
    if len(stored) > 1 or (stored and stored[0].seq != turn.answer_seq):
        found.wrong.append(f"{len(stored)} answers of one turn")
    asked = [each.text for each in found.messages if each.turn_id == turn.id and each.role == "user"]
    _check_text(found, turn, text, asked, answers)
    return text


def _check_parts(found: _Found, turn: Turn, text: str) -> None:
    """The posts of a turn are its parts, one for each, and together they read what the turn says."""
    posts = [post for post in found.posts if post.key.startswith(f"bot:{turn.id}:")]
    parts = sorted((part for part in found.parts if part.turn_id == turn.id), key=lambda part: part.n)
    if not posts or [(part.ref, part.final) for part in parts] != [(post.id, True) for post in posts]:
        found.wrong.append(f"{len(posts)} posts of a turn, parts {parts}")
        return
    shown = present(turn, text, "en")
    reads = "".join(post.text for post in posts if post.text != NOTHING_MORE)
    if "".join(reads.split()) != "".join(shown.text.split()):  # blank space may go where a part ends
        found.wrong.append(f"a turn that says {shown.text!r} reads {[post.text for post in posts]}")
    states = [*["done" for _ in posts[1:]], _STATES.get(turn.state, "?")]
    if [post.state for post in posts] != states or posts[-1].buttons != shown.buttons:
        found.wrong.append(f"a turn that is {turn.state} is shown as {[(post.state, post.buttons) for post in posts]}")


def _check_text(found: _Found, turn: Turn, text: str, asked: list[str], answers: Answers) -> None:
    """What was said answers what was asked; files and what nobody answered before may stand in between."""
    if not text and (turn.state is not TurnState.ANSWERED or turn.finish_note == "moved_on"):
        return
    question, whole = answers(text)
    if question is None or whole < (turn.state is TurnState.ANSWERED):
        found.wrong.append(f"no {turn.state} answer: {text!r}")
    elif question and not re.search(".*".join(rf"{re.escape(each)}(?!\w)" for each in asked), question):
        found.wrong.append(f"asked {asked}, answered {question!r}")


def _check_posts(found: _Found) -> None:
    """Every post of ours is a turn's or a card's; answers stand in the order of their turns."""
    ours = [post for post in found.posts if not post.author]
    turn_of = {post.id: post.key.split(":")[1] for post in ours if post.key.split(":")[1] in found.turns}
    for post in ours:
        if post.id not in turn_of and post.id not in found.cards:
            found.wrong.append(f"a post of nobody: {post}")
    if set(found.cards) - {post.id for post in ours}:
        found.wrong.append("a card that is nowhere")
    for session in {turn.session_id for turn in found.turns.values()}:
        wanted = [turn.id for turn in found.turns.values() if turn.session_id == session]
        stand = [turn_of[post.id] for post in ours if post.id in turn_of and turn_of[post.id] in wanted]
        if list(dict.fromkeys(stand)) != wanted:
            found.wrong.append("answers stand in another order than their turns")
