"""What people do about a conversation that they left: wait, come back with a code, move, forget, look.

Knows: how a stage's chat is used for it. Must not know: what must hold afterwards, but for what a `Look` names.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

from bots.local import ids
from bots.local.wire import Pressing, Saying
from core.domain.keys import Place
from storage.rows import SESSION
from tests.crash.acts import Carry, Choose, Command, Leap, Look

if TYPE_CHECKING:
    from tests.crash.stage import Stage

_CODE = re.compile(r"/resume ([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})")
_CHANNEL = "general"
TASK = "/task "
_CARDS = "SELECT card.key FROM card JOIN board_post ON board_post.id = card.ref ORDER BY board_post.n"


async def do(stage: Stage, act: Command | Choose | Carry | Leap | Look, n: int) -> None:
    """Carry out one act, the `n`-th of the story."""
    match act:
        case Command():
            await _command(stage, act, n)
        case Choose():
            await _choose(stage, act, n)
        case Carry():
            await _carry(stage, act, n)
        case Leap():
            await _leap(stage, act, n)
        case Look():
            await _look(stage, act)
        case _:
            assert_never(act)


async def _command(stage: Stage, act: Command, n: int) -> None:
    """Issue it; whoever repeats it sends the same text under the same key."""
    if "{code}" in act.text and not stage.code:
        stage.code = await _code_in(stage, "t1")
    text = act.text.replace("{code}", stage.code)
    stage.stops += text in ("/stop", "/new")  # which pauses tasks
    if act.opens:
        await _open(stage, text, act.person, (act.thread, act.workspace), f"c{n}")
    elif act.thread in stage.rooms:
        if text.startswith(TASK):
            stage.note_goal(act, f"c{n}")
        await _type(stage, text, act.person, stage.rooms[act.thread], f"c{n}")


async def _choose(stage: Stage, act: Choose, n: int) -> None:
    """Issue the command and press the button; private answers do not outlive a process, so both are done again."""
    key, place = f"c{n}:{len(stage.lives)}", stage.rooms[act.thread]
    gone = await stage.local.root(place.thread) is None  # it was done before the process died
    reply = {} if gone else await _type(stage, act.text, act.person, place, key)
    button = next((each for each in _buttons(reply) if each["label"].startswith(act.label)), None)
    if button is not None:
        pressing = Pressing(person=act.person, message=str(reply["message"]), button=button["id"], key=f"p{key}")
        await stage.chat.press(pressing)
    stage.alive()
    await stage.settle()
    for each in stage.spoken:
        each.forgotten |= act.forgets and each.say.thread == act.thread


async def _carry(stage: Stage, act: Carry, n: int) -> None:
    """Ask /why, press `Continue elsewhere`, and type the code there; after a death with a new code."""
    if act.thread not in stage.rooms:
        return
    key = f"c{n}:{len(stage.lives)}"
    reply = await _type(stage, "/why", act.person, stage.rooms[act.thread], f"{key}:why")
    button = next((each for each in _buttons(reply) if each["label"] == "Continue elsewhere"), None)
    if button is None:
        return
    pressing = Pressing(person=act.person, message=str(reply["message"]), button=button["id"], key=f"p{key}")
    shown = (await stage.chat.press(pressing))["reply"]
    stage.alive()
    assert isinstance(shown, dict)
    code = _CODE.search(str(shown["text"]))
    assert code is not None, shown
    await _open(stage, f"/resume {code[1]}", act.person, (act.to, act.workspace), f"c{n}")


async def _leap(stage: Stage, act: Leap, n: int) -> None:
    """Let it pass once, however often the process dies in what follows."""
    await stage.settle()
    if n not in stage.leapt:
        stage.leapt.add(n)
        await stage.clock.leap(act.seconds)
    await stage.life.engine.ring()
    stage.alive()
    await stage.settle()
    for each in stage.spoken:
        each.forgotten |= act.forgets


async def _look(stage: Stage, act: Look) -> None:
    """Note what is otherwise than it must be."""
    await stage.settle()
    seen = await stage.life.store.read(_seen)
    stage.alive()
    wanted = {
        "phases": act.phases,
        "cards": act.cards,
        "home": stage.rooms[act.home] if act.home else None,
        "summaries": act.summaries,
        "used": act.used,
    }
    for name, want in wanted.items():
        if want not in ((), None, seen[name]):
            stage.wrong.append(f"{name}: {seen[name]} instead of {want}")


def _seen(conn: sqlite3.Connection) -> dict[str, object]:
    sessions = [SESSION.decode(row) for row in conn.execute(f"{SESSION.select} ORDER BY num")]
    return {
        "phases": tuple(each.phase.value for each in sessions),
        "cards": tuple(key.partition(":")[0] for (key,) in conn.execute(_CARDS)),
        "home": next((each.home.place for each in sessions if each.title.startswith("one")), None),
        "summaries": conn.execute("SELECT count(*) FROM summary").fetchone()[0],
        "used": conn.execute("SELECT count(*) FROM ticket WHERE state = 'used'").fetchone()[0],
    }


# ------------------------------------------------------------------------------------------- helpers


async def _type(stage: Stage, text: str, person: str, place: Place, key: str) -> Mapping[str, object]:
    """The private answer to a command in a thread."""
    saying = Saying(person=person, workspace=place.workspace, channel=_CHANNEL, text=text, thread=place.thread, key=key)
    reply = (await stage.chat.say(saying))["reply"]
    assert isinstance(reply, dict)
    return reply


async def _open(stage: Stage, text: str, person: str, to: tuple[str, str], key: str) -> None:
    """Issue a command that begins the thread `to` (name, workspace)."""
    thread, workspace = to
    told = await stage.chat.say(Saying(person=person, workspace=workspace, channel=_CHANNEL, text=text, key=key))
    place = Place(platform=ids.PLATFORM, workspace=workspace, channel=_CHANNEL, thread=str(told["thread"]))
    stage.alive()
    stage.rooms[thread] = place


async def _code_in(stage: Stage, thread: str) -> str:
    """The code that the newest notice in a thread shows."""
    for post in reversed(await stage.local.posts(stage.rooms[thread])):
        if found := _CODE.search(post.text):
            return found[1]
    raise AssertionError("no code is shown")


def _buttons(reply: Mapping[str, object]) -> list[dict[str, str]]:
    buttons = reply.get("buttons", [])
    assert isinstance(buttons, list)
    return buttons
