"""Resume codes in the web chat: shown to whom they are for, typed without being seen, on no disk."""

from __future__ import annotations

import re

from core.domain.codes import placeholder
from storage.rows import TICKET
from tests.engine.resuming import MINUTE, everywhere, pass_time
from tests.local.conftest import House, Json

_CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}")


def reply_of(answer: Json) -> dict[str, object]:
    """The immediate answer to a message or a press."""
    reply = answer["reply"]
    assert isinstance(reply, dict)
    return reply


async def noticed(house: House) -> tuple[object, str]:
    """Alice talks in #general and falls silent; her thread and the code of the notice."""
    taken = await house.say("My app is called Lumen.", channel="general")
    await house.world.settle()
    await pass_time(house.world, 31 * MINUTE)
    shown = str((await house.texts(taken["thread"]))[-1])
    found = _CODE.search(shown)
    assert found is not None, shown
    return taken["thread"], found[0]


async def test_a_notice_shows_a_code_that_no_disk_holds(house: House) -> None:
    """Alice reads a code that works; the board's rows do not have it."""
    thread, code = await noticed(house)
    assert await everywhere(house.world, code) == []
    stored = await house.world.store.board.get(str((await house.messages(thread))[-1]["id"]))
    assert stored is not None
    assert "{code:" in stored.text
    moved = await house.say(f"/resume {code}", channel="general")
    assert reply_of(moved)["text"] == "It goes on here now. Everything is kept."
    assert await everywhere(house.world, code) == []


async def test_a_code_in_a_message_is_seen_by_nobody_else(house: House) -> None:
    """`resume CODE` typed in a channel works, and does not stand there for others to copy."""
    thread, code = await noticed(house)
    started = await house.say("another thread", channel="general")
    await house.world.settle()
    answer = await house.say(f"resume {code.lower()}", channel="general", thread=started["thread"])
    await house.world.settle()
    assert str(reply_of(answer)["text"]).startswith("It goes on here now.")
    assert f"resume {code.lower()}" in await house.texts(started["thread"])
    assert not any("resume" in str(text) for text in await house.texts(started["thread"], "bob"))
    assert await everywhere(house.world, code) == []
    assert "continues in another thread" in str((await house.texts(thread))[-1])


async def test_a_code_to_take_along_is_shown_in_private(house: House) -> None:
    """`Continue elsewhere` shows the code to who asked, in the answer and in the thread, to nobody else."""
    await house.say("hello", channel="general")
    await house.world.settle()
    answer = await house.say("/resume", channel="general")
    await house.world.settle()
    ((message, carry),) = [
        (each["id"], button["id"])
        for each in await house.messages(answer["thread"])
        for button in each["buttons"]  # type: ignore[attr-defined]
        if button["label"] == "Continue elsewhere"
    ]
    pressed = await house.post("/api/actions", {"person": "alice", "message": message, "button": carry}, status=200)
    found = _CODE.search(str(reply_of(pressed)["text"]))
    assert found is not None
    assert any(found[0] in str(text) for text in await house.texts(answer["thread"]))
    assert not any(found[0] in str(text) for text in await house.texts(answer["thread"], "bob"))
    assert await everywhere(house.world, found[0]) == []
    taken = await house.say(f"/resume {found[0]}", channel="general", workspace="away")
    assert str(reply_of(taken)["text"]).startswith("It goes on here now.")


async def test_nobody_gets_a_code_by_writing_a_placeholder(house: House) -> None:
    """Neither a person nor a model that was talked into it can have a code revealed in their words."""
    await noticed(house)
    rows = await house.world.store.read(lambda conn: conn.execute(TICKET.select).fetchall())
    trick = placeholder(TICKET.decode(rows[0]).id, 1)
    house.script(f"Here: {trick}")
    taken = await house.say(f"say {trick}", person="bob", channel="general")
    await house.world.settle()
    assert await house.texts(taken["thread"], "bob") == [f"say {trick}", f"Here: {trick}"]


async def test_who_resumes_into_a_private_place_can_read_there(house: House) -> None:
    """A conversation that was brought into a private channel by a command is not invisible to its owner."""
    await house.say("hello", channel="general")
    await house.world.settle()
    answer = await house.say("/resume", channel="private-plans")
    await house.world.settle()
    shown = await house.texts(answer["thread"])
    assert any(str(text).startswith("This conversation goes on here.") for text in shown)
    await house.get(f"/api/threads/{answer['thread']}", person="bob", status=404)
