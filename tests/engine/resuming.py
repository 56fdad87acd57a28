"""What the tests of resuming share: people, places, and short words for what they do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

from core.domain.decision import Choices, Policy, Private
from core.domain.entities import Binding, Button, Person, Session
from core.domain.leaving import Link, MoveClaim, Ticket
from core.engine.ports import Accepted
from storage.rows import BINDING, CLAIM, LINK, PERSON, SESSION, TICKET, Table
from tests.kit.world import World

MINUTE = 60.0
HOUR = 60 * MINUTE
HERE = "t1"
AWAY = "away/general/t7"
AWAY_DM = "away/dm:alice/t8"
DM = "dm:alice"
E = TypeVar("E")

REFUSED = "That code does not work here. `/sessions` shows yours."

_CODE = re.compile(r"/resume ([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})")


async def rows(world: World, table: Table[E]) -> list[E]:
    """Every row of a table."""
    found = await world.store.read(lambda conn: conn.execute(table.select).fetchall())
    return [table.decode(row) for row in found]


async def sessions(world: World) -> list[Session]:
    """Every session, the oldest first."""
    found = await world.store.read(lambda conn: conn.execute(f"{SESSION.select} ORDER BY num").fetchall())
    return [SESSION.decode(row) for row in found]


async def session(world: World) -> Session:
    """The oldest session."""
    return (await sessions(world))[0]


async def tickets(world: World) -> list[Ticket]:
    """Every ticket, the oldest first."""
    found = await world.store.read(lambda conn: conn.execute(f"{TICKET.select} ORDER BY issued_ms, id").fetchall())
    return [TICKET.decode(row) for row in found]


async def claims(world: World) -> list[MoveClaim]:
    """Every claim, the oldest first."""
    found = await world.store.read(lambda conn: conn.execute(f"{CLAIM.select} ORDER BY created_ms, id").fetchall())
    return [CLAIM.decode(row) for row in found]


async def links(world: World) -> list[Link]:
    """Every link."""
    found = await world.store.read(lambda conn: conn.execute(LINK.select).fetchall())
    return [LINK.decode(row) for row in found]


async def identity(world: World, person: str, workspace: str = "home") -> str:
    """The identity of an account."""
    found = await world.store.read(lambda conn: conn.execute(PERSON.select).fetchall())
    known: list[Person] = [PERSON.decode(row) for row in found]
    return next(each.identity for each in known if (each.key.user, each.key.workspace) == (person, workspace))


async def bindings(world: World) -> dict[str, str]:
    """Session ids by the text form of their keys."""
    found = await world.store.read(lambda conn: conn.execute(BINDING.select).fetchall())
    all_of_them: list[Binding] = [BINDING.decode(row) for row in found]
    return {str(each.key): each.session_id for each in all_of_them}


async def talk(world: World, text: str, *, person: str = "alice", thread: str = HERE) -> None:
    """Somebody says something and is answered."""
    await world.say(person, text, thread=thread, key=f"{person}:{thread}:{text}")
    await world.settle()


async def pass_time(world: World, seconds: float) -> None:
    """Let time pass, then let the alarm ring."""
    await world.clock.leap(seconds)
    await world.engine.ring()
    await world.settle()


async def noticed(world: World, *, thread: str = HERE) -> str:
    """Alice talks and falls silent; the code of the notice."""
    await talk(world, "My app is called Lumen.", thread=thread)
    await pass_time(world, 31 * MINUTE)
    return await code_in(world, thread)


async def code_in(world: World, thread: str = HERE) -> str:
    """The code that the newest card of a thread shows."""
    for text in reversed(await world.answers(thread)):
        if found := _CODE.search(text):
            return found[1]
    raise AssertionError("no code is shown")


def code_of(accepted: Accepted, world: World) -> str:
    """The code in a private answer, as the platform shows it."""
    found = _CODE.search(world.local.reveal(said(accepted)))
    assert found is not None
    return found[1]


def said(accepted: Accepted) -> str:
    """The private words that the acting person gets at once."""
    assert isinstance(accepted.decision.reply, Private), accepted.decision.reply
    return accepted.decision.reply.text


def offered(accepted: Accepted) -> tuple[Button, ...]:
    """The buttons of an immediate answer."""
    reply = accepted.decision.reply
    return reply.options if isinstance(reply, Choices) else reply.buttons if isinstance(reply, Private) else ()


async def choose(world: World, person: str, accepted: Accepted, label: str, *, thread: str) -> Accepted:
    """Press a button of an immediate answer, by the beginning of its label."""
    button = next(each for each in offered(accepted) if each.label.startswith(label))
    pressed = await world.press_id(person, button.id, thread=thread)
    await world.settle()
    return pressed


async def press(world: World, person: str, label: str, *, thread: str = HERE) -> Accepted:
    """Press the newest button with this label in a thread."""
    pressed = await world.press(person, label, thread=thread)
    await world.settle()
    return pressed


async def resume(world: World, person: str, code: str, *, thread: str) -> Accepted:
    """Type `/resume CODE`."""
    accepted = await world.command(person, f"resume {code}", thread=thread)
    await world.settle()
    return accepted


async def carried(world: World, *, thread: str = HERE, person: str = "alice") -> str:
    """Alice asks for a code to take along; its text."""
    found = next(each for each in await sessions(world) if str(each.home.place).endswith(thread.rpartition("/")[2]))
    accepted = await world.press_id(person, f"rj1:carry:{found.id}:0", thread=thread)
    return code_of(accepted, world)


async def everywhere(world: World, words: str) -> list[str]:
    """The files of the data directory that hold these words, in any case, grouped or not."""
    await world.store.fold()
    bare = words.replace("-", "")
    needles = {each.encode() for word in (words, bare) for each in (word, word.lower())}
    folder: Path = world.path.parent
    return [
        each.name
        for each in sorted(folder.rglob("*"))
        if each.is_file() and any(n in each.read_bytes() for n in needles)
    ]


def policy(**changes: object) -> Policy:
    """A policy that differs from the default."""
    return Policy(**changes)  # type: ignore[arg-type]
