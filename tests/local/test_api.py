"""The JSON API over a real socket, on the real engine and store."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest

from core.domain.decision import Policy
from core.domain.errors import Closing, StoreFull
from core.domain.events import Event, MessageReceived
from core.engine.ports import Accepted, Claim
from tests.kit.world import World
from tests.local.conftest import House, close_house, open_house


def thread_of(taken: dict[str, object]) -> str:
    """The thread of a 202."""
    return str(taken["thread"])


def error_of(answer: dict[str, object]) -> tuple[object, object]:
    """Status and code of an error; its sentence must be one."""
    error = answer["error"]
    assert isinstance(error, dict)
    assert str(error["message"]).endswith(".")
    return answer["_status"], error["code"]


async def test_a_message_is_taken_and_answered(house: House) -> None:
    """The first thing that anybody does would not work."""
    house.script("Hello, ", "Alice.")
    taken = await house.say("hi")
    await house.world.settle()
    shown = await house.messages(taken["thread"])
    assert [(each["author"], each["text"], each["state"]) for each in shown] == [
        ("alice", "hi", "done"),
        ("Rejoinder", "Hello, Alice.", "done"),
    ]
    assert shown[0]["id"] == taken["message"] == taken["thread"]
    lines = (await house.get("/api/threads", person="alice"))["threads"]
    assert isinstance(lines, list)
    assert [(each["title"], each["channel"]) for each in lines] == [("hi", "dm")]


async def test_the_same_key_gets_the_same_answer(house: House) -> None:
    """A client that repeats after a lost answer would be answered twice by the bot."""
    one, two = await asyncio.gather(house.say("hi", key="k"), house.say("hi", key="k"))
    three = await house.say("something else", key="k")
    assert one == two == three
    await house.world.settle()
    assert await house.texts(one["thread"]) == ["hi", "Hello."]
    assert await house.say("hi", key="k", person="bob") != one
    assert await house.say("hi", key="k", workspace="away") != one


async def test_the_same_key_gets_the_same_answer_after_a_restart(house: House) -> None:
    """A client that repeats after a restart would ask twice."""
    taken = await house.say("hi", key="k")
    path = house.world.path
    await house.server.stop()
    await house.world.close()
    later = await open_house(path)
    assert await later.say("hi", key="k") == taken
    await later.world.settle()
    assert await later.texts(taken["thread"]) == ["hi", "Hello."]
    await close_house(later)


async def test_a_thread_goes_on(house: House) -> None:
    """A second message would begin another conversation."""
    thread = thread_of(await house.say("one"))
    await house.world.settle()
    again = await house.say("two", thread=thread)
    assert again["thread"] == thread
    await house.world.settle()
    assert await house.texts(thread) == ["one", "Hello.", "two", "Hello."]
    elsewhere = await house.say("two", thread=thread, workspace="away", status=404)
    assert error_of(elsewhere) == (404, "unknown_thread")
    assert error_of(await house.say("two", thread=thread, channel="general", status=404))[0] == 404
    assert error_of(await house.say("two", thread="nowhere", status=404)) == (404, "unknown_thread")


async def test_a_direct_message_is_nobody_elses(house: House) -> None:
    """Bob would read what Alice says to the bot, or write into it."""
    thread = thread_of(await house.say("secret"))
    await house.world.settle()
    found = await house.get(f"/api/threads/{thread}", person="bob", status=404)
    assert "secret" not in json.dumps(found)
    assert (await house.get("/api/threads", person="bob"))["threads"] == []
    await house.say("hello?", person="bob", thread=thread, status=404)
    message = (await house.messages(thread))[1]["id"]
    press = {"person": "bob", "message": message, "button": "rj1:again:T:0"}
    assert error_of(await house.post("/api/actions", press)) == (404, "unknown_message")


async def test_people_talk_in_a_channel(house: House) -> None:
    """The bot would answer what Bob says to Alice, or ignore his question."""
    taken = await house.say("hello all", channel="general")
    await house.world.settle()
    for text in ("nice weather", "@alice lunch?", "@rejoinder and you?"):
        await house.say(text, person="bob", channel="general", thread=taken["thread"])
        await house.world.settle()
    texts = await house.texts(taken["thread"], "carol")
    assert texts == ["hello all", "Hello.", "nice weather", "@alice lunch?", "@rejoinder and you?", "Hello."]


async def test_a_command_is_private_and_not_on_the_board(house: House) -> None:
    """Others would see who asked for help; a resume code that was typed would be on the disk."""
    taken = await house.say("/help", channel="general", key="h")
    reply = taken["reply"]
    assert isinstance(reply, dict)
    assert reply["kind"] == "private"
    assert await house.say("/help", channel="general", key="h") == taken
    assert await house.say("/help ignored", channel="general", key="h") == taken
    mine = await house.messages(taken["thread"])
    assert (mine[0]["text"], mine[0]["private"]) == ("/help", True)
    assert len(mine) == 2
    await house.get(f"/api/threads/{taken['thread']}", person="bob", status=404)
    assert await house.world.store.board.get(thread_of(taken)) is None
    assert b"/help" not in house.world.path.read_bytes()


async def test_a_command_repeated_after_a_restart_says_that_it_was_done(house: House) -> None:
    """A repeated command would run twice, or be answered by silence."""
    thread = thread_of(await house.say("hi", channel="general"))
    await house.world.settle()
    await house.say("/new", channel="general", thread=thread, key="n")
    path = house.world.path
    await house.server.stop()
    await house.world.close()
    later = await open_house(path)
    reply = (await later.say("/new", channel="general", thread=thread, key="n"))["reply"]
    assert isinstance(reply, dict)
    assert "already done" in str(reply["text"])
    await close_house(later)


async def test_private_answers_are_gone_after_an_hour(house: House) -> None:
    """A code on somebody's screen would be kept as long as the process lives."""
    thread = thread_of(await house.say("hi"))
    await house.world.settle()
    await house.say("/help", thread=thread)
    assert len(await house.messages(thread)) == 4
    await house.world.clock.advance(3_601)
    assert len(await house.messages(thread)) == 2


async def test_stop_keeps_what_was_said(house: House) -> None:
    """Stop would not stop, or the half answer would be gone."""
    gate = asyncio.Event()
    house.script("Once upon ", gate, "a time.")
    thread = thread_of(await house.say("a story"))
    await house.world.run(1.0)
    answer = (await house.messages(thread))[1]
    assert (answer["text"], answer["state"]) == ("Once upon ", "streaming")
    buttons = answer["buttons"]
    assert isinstance(buttons, list)
    press = {"person": "alice", "message": answer["id"], "button": buttons[0]["id"], "key": "p"}
    first = await house.post("/api/actions", press, status=200)
    assert await house.post("/api/actions", press, status=200) == first
    gate.set()
    await house.world.settle()
    stopped = (await house.messages(thread))[1]
    assert stopped["state"] == "stopped"
    assert str(stopped["text"]).startswith("Once upon")
    again = await house.post("/api/actions", press | {"key": "q"}, status=200)
    assert again["reply"]["kind"] == "private"  # type: ignore[index]


async def test_a_button_that_is_not_there_is_answered(house: House) -> None:
    """An old or made-up button would end in an error page, or do something."""
    thread = thread_of(await house.say("hi"))
    await house.world.settle()
    message = (await house.messages(thread))[1]["id"]
    press = {"person": "alice", "message": message, "button": "rj1:stop:NOTHERE:7"}
    gone = (await house.post("/api/actions", press, status=200))["reply"]
    assert isinstance(gone, dict)
    assert (gone["kind"], gone["buttons"]) == ("private", [])
    for button, status in (("stop", 400), ("rj1:stop:x:-1", 400), ("rj1:stop:" + "x" * 200 + ":0", 400)):
        assert error_of(await house.post("/api/actions", press | {"button": button}))[0] == status
    assert error_of(await house.post("/api/actions", press | {"message": "nope"})) == (404, "unknown_message")
    assert error_of(await house.post("/api/actions", press | {"message": "w-nope"})) == (410, "gone")


async def test_somebody_elses_button_says_whose_it_is(house: House) -> None:
    """A colleague who presses Stop was told that the button is gone, and sees the answer run on."""
    gate = asyncio.Event()
    house.script("Once ", gate, "a time.")
    thread = thread_of(await house.say("a story", channel="general"))
    await house.world.run(1.0)
    answer = (await house.messages(thread))[1]
    press = {"person": "bob", "message": answer["id"], "button": answer["buttons"][0]["id"]}  # type: ignore[index]
    told = (await house.post("/api/actions", press, status=200))["reply"]
    assert told["text"] == "Only the person who asked can do that."  # type: ignore[index]
    gate.set()
    await house.world.settle()
    assert (await house.messages(thread))[1]["state"] == "done"


async def test_files_reach_the_board_and_the_engine(house: House) -> None:
    """An attached file would be dropped on the way."""
    data = base64.b64encode(b"name: Heron").decode()
    file = {"name": "notes.txt", "media_type": "text/plain", "data": data}
    taken = await house.say("", files=[file])
    shown = (await house.messages(taken["thread"]))[0]
    assert shown["files"] == [{"name": "notes.txt", "media_type": "text/plain", "size_bytes": 11}]
    assert await house.world.local.fetch_file(f"{taken['message']}.0", 100) == b"name: Heron"
    await house.world.settle()
    assert (await house.texts(taken["thread"]))[1] == "Hello."


async def test_time_passes(house: House) -> None:
    """Nobody could see what becomes of an idle conversation without waiting for a day."""
    assert await house.post("/api/time", {"by": "30m"}) == {"time_offset_ms": 1_800_000, "_status": 200}
    assert (await house.post("/api/time", {"by": "24h"}))["time_offset_ms"] == 88_200_000
    assert house.offsets == [1_800_000, 88_200_000]
    assert (await house.get("/api/about"))["time_offset_ms"] == 88_200_000
    for wrong in ({"by": "-24h"}, {"by": 5}, {}, {"by": "24h", "x": 1}):
        assert error_of(await house.post("/api/time", wrong))[0] == 400


async def test_the_clock_of_real_people_is_not_moved(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Trying the web chat would expire everybody's Slack conversations."""
    house = await open_house(tmp_path_factory.mktemp("data") / "rejoinder.db", time_travel=False)
    assert error_of(await house.post("/api/time", {"by": "24h"})) == (409, "no_time_travel")
    about = await house.get("/api/about")
    assert (about["time_travel"], about["time_offset_ms"], house.offsets) == (False, 0, [])
    await close_house(house)


async def test_about_says_who_answers(house: House) -> None:
    """The page would not know that it is the demo model that answers, or which commands there are."""
    about = await house.get("/api/about")
    assert (about["model"], about["offline"], about["version"]) == ("scripted", True, "0.0.test")
    assert about["commands"] == [{"name": "help", "help": "what I can do"}]
    assert about["people"] == ["alice", "bob", "carol"]


class Refusing:
    """The engine's intake, refusing until told otherwise."""

    def __init__(self, world: World, error: Exception | None) -> None:
        self.error = error
        self.seen: list[str] = []
        self._world = world

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Refuse, or hand over."""
        if isinstance(event, MessageReceived):
            self.seen.append(event.ref)
        if self.error is not None:
            raise self.error
        return await self._world.engine.accept(event, finishes=finishes)


@pytest.mark.parametrize(
    ("error", "status"), [(StoreFull(code="store_full"), 507), (Closing(code="closing"), 503)], ids=["full", "closing"]
)
async def test_what_is_refused_now_is_taken_later(house: House, error: Exception, status: int) -> None:
    """A message sent while the disk is full or the bot restarts would be lost, or answered twice later."""
    intake = Refusing(house.world, error)
    house.chat._intake = intake  # noqa: SLF001 - the seam is the constructor; here it is changed while it runs
    refused = await house.say("hi", key="k", status=status)
    assert error_of(refused)[0] == status
    [waiting] = await house.world.store.board.untaken()
    assert (await house.messages(waiting.place.thread))[0]["unsent"] is True
    intake.error = None
    taken = await house.say("hi", key="k")
    assert taken["message"] == waiting.id == taken["thread"]
    assert await house.world.store.board.untaken() == ()
    await house.world.settle()
    assert await house.texts(taken["thread"]) == ["hi", "Hello."]


@pytest.mark.parametrize("path", ["/api/nothing", "/nothing", "/static/../adapter.py", "/static/secret"])
async def test_what_is_not_there_is_told_in_json(house: House, path: str) -> None:
    """A typing error would be answered by a page of HTML, or by our source."""
    found = await house.get(path, status=404)
    assert found["error"]["code"] == "not_found"  # type: ignore[index]


async def test_the_wrong_method_is_told(house: House) -> None:
    """The answer would not say which method is right."""
    async with house.http.get(house.server.url + "/api/messages") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_bodies_have_a_limit(house: House) -> None:
    """One request could take all of the memory."""
    assert error_of(await house.post("/api/messages", b" " * 1_000_001)) == (400, "bad_json")
    assert error_of(await house.say("x" * 1_000_001, status=413)) == (413, "body_too_large")
    assert error_of(await house.say("x" * 100_001, status=413)) == (413, "text_too_long")
    assert error_of(await house.post("/api/messages", b" " * 28_000_001)) == (413, "body_too_large")


@pytest.mark.parametrize(
    "query", [{}, {"person": ""}, {"person": "a" * 65}, {"person": "a\x00b"}], ids=["none", "empty", "long", "nul"]
)
async def test_reading_needs_a_person(house: House, query: dict[str, str]) -> None:
    """Somebody could read as nobody."""
    for path in ("/api/threads", "/api/threads/x", "/api/stream"):
        found = await house.get(path, status=400, **query)
        assert found["error"]["code"] in {"missing_key", "bad_name", "bad_text"}  # type: ignore[index]
    await house.get("/api/threads", status=400, person="alice", workspace="work")


async def test_a_german_house_speaks_german_everywhere(tmp_path: Path) -> None:
    """Whoever set LANGUAGE=de would read English when something is gone."""
    house = await open_house(tmp_path / "rejoinder.db", house_policy=Policy(language="de"))
    thread = thread_of(await house.say("hallo"))
    await house.world.settle()
    message = (await house.messages(thread))[1]["id"]
    press = {"person": "alice", "message": message, "button": "rj1:stop:NOTHERE:7"}
    gone = (await house.post("/api/actions", press, status=200))["reply"]
    assert isinstance(gone, dict)
    assert str(gone["text"]).startswith("Den Knopf gibt es nicht mehr")
    told = await house.post("/api/actions", press | {"message": "w-nope"}, status=410)
    assert "nicht mehr aufgehoben" in str(told)
    await close_house(house)
