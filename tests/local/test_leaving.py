"""Leaving and coming back on the built-in chat: exports, forgetting, lesser buttons, codes, threads with people."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.local import wire
from bots.local.chat import LocalChat
from bots.web import landing
from core.domain.decision import Policy
from core.domain.errors import BadInput
from storage.rows import SESSION
from tests.kit.scripted import ScriptedModel
from tests.local.conftest import House, Json, close_house, open_house

MINUTE = 60.0
WORDS = "My app is called Heron, since 2024."
CODE = "ABCD-EFGH-JKMN-PQRS"


async def answered(house: House, text: str, *, person: str = "alice", **fields: object) -> Json:
    """Somebody says something and is answered; where it was said."""
    said = await house.post("/api/messages", {"person": person, "channel": "dm", "text": text} | fields, status=202)
    await house.world.settle()
    return said


async def press(house: House, message: object, label: str, *, person: str = "alice", value: object = None) -> Json:
    """Press the button with this label on a message or a private answer."""
    assert isinstance(message, dict)
    buttons = message["buttons"]
    assert isinstance(buttons, list)
    button = next(each for each in buttons if each["label"] == label)
    body = {"person": person, "message": message.get("message") or message["id"], "button": button["id"]}
    reply = (await house.post("/api/actions", body | ({} if value is None else {"value": value})))["reply"]
    await house.world.settle()
    assert isinstance(reply, dict)
    return reply


def reply_of(said: Json) -> Json:
    """The private answer to a command."""
    assert isinstance(said["reply"], dict)
    return said["reply"]


# ----------------------------------------------------------------------------------------- /export


async def test_an_export_is_complete_and_each_link_works_once(house: House) -> None:
    """Somebody who asks for their data gets a part of it, somebody else's, or gives the link away for ever."""
    said = await answered(house, WORDS, files=[FILE])
    await answered(house, "Not for bob", person="bob")
    await answered(house, "@rejoinder hello", channel="general", person="bob", thread=None)
    await house.say("/notices dm", thread=said["thread"])
    await house.world.clock.leap(2 * 3600)
    await house.world.engine.ring()
    await house.world.settle()
    links = reply_of(await house.say("/export", thread=said["thread"]))["downloads"]
    assert isinstance(links, list)
    assert [each["name"] for each in links] == ["rejoinder-export.md", "rejoinder-export.json"]
    files = {}
    for link in links:
        async with house.http.get(house.server.url + link["url"]) as response:
            assert response.status == 200
            assert response.headers["Content-Disposition"] == f'attachment; filename="{link["name"]}"'
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            files[link["name"]] = await response.text()
        assert (await house.get(link["url"], status=410))["error"]["code"] == "gone"  # type: ignore[index]
    told = json.loads(files["rejoinder-export.json"])
    assert [each["text"] for each in told["sessions"][0]["messages"]] == [
        "My app is called Heron, since 2024.",
        "Hello.",
    ]
    assert told["sessions"][0]["files"][0]["data"] == FILE["data"]
    assert told["sessions"][0]["summaries"][0]["goal"]
    assert told["preference"]["notices"] == "dm"
    assert [each["text"] for each in told["posts"]] == [WORDS]
    for text in files.values():
        assert "My app is called Heron" in text
        assert "bob" not in text
        assert "{code:" not in text
    assert f"# {WORDS}" in files["rejoinder-export.md"]


async def test_a_link_does_not_last(house: House) -> None:
    """A link that was left in a window opens everything of a person tomorrow."""
    await answered(house, "hello")
    links = reply_of(await house.say("/export"))["downloads"]
    await house.world.clock.leap(601)
    await house.get(links[0]["url"], status=410)  # type: ignore[index]
    await house.get("/api/export/never-was", status=410)


FILE = {"name": "note.txt", "media_type": "text/plain", "data": "aGVsbG8gZmlsZQ=="}


# ----------------------------------------------------------------------------------------- /forget


async def test_forgetting_empties_the_page_and_a_repeated_request_stays_refused(house: House) -> None:
    """What was forgotten stands on the page, or comes back when the browser sends it again."""
    said = await answered(house, "zanzibar-canary", key="k1")
    thread = said["thread"]
    asked = reply_of(await house.say("/forget", thread=thread))
    await house.world.clock.advance(1)
    with house.world.local.hub.subscribed("alice") as page:
        done = await press(house, asked, "Forget for good")
        page.close()
        seen = [each async for each in page.events(0.01)]
    assert any(each.startswith("event: forgotten") for each in seen)
    assert str(done["text"]).startswith("Forgotten.")
    assert await house.texts(thread) == [done["text"]]
    assert (await house.get("/api/threads", person="alice", workspace="home"))["threads"] == []
    body = {"person": "alice", "channel": "dm", "text": "zanzibar-canary", "key": "k1"}
    await house.post("/api/messages", body, status=202)  # the same answer as before, for an hour
    house.chat = LocalChat(house.world.local, house.world.engine)  # as after a restart
    with pytest.raises(BadInput, match="forgotten"):
        await house.chat.say(wire.parse_saying(json.dumps(body).encode()))
    assert (await house.get("/api/threads", person="alice", workspace="home"))["threads"] == []


# ------------------------------------------------------------------------------- notices and codes


async def test_a_notice_has_its_menu_and_its_code_only_while_shown(house: House) -> None:
    """A code lies on the disk, or the lesser choices crowd the notice."""
    said = await answered(house, "hello")
    await house.world.clock.leap(31 * MINUTE)
    await house.world.engine.ring()
    await house.world.settle()
    card = (await house.messages(said["thread"]))[-1]
    assert card["card"] is True
    buttons = card["buttons"]
    assert isinstance(buttons, list)
    assert [each["label"] for each in buttons if not each.get("menu")] == ["Resume", "Keep open 24 h", "End"]
    assert [each["label"] for each in buttons if each.get("menu")] == ["No notices here", "No notices at all"]
    code = str(card["text"]).partition("/resume ")[2][:19]
    assert len(code) == 19
    await house.world.store.fold()
    assert not any(code.encode() in each.read_bytes() for each in house.world.path.parent.iterdir() if each.is_file())


@pytest.mark.parametrize("text", [f"/resume {CODE}", f"resume {CODE}", f"  resume {CODE.lower().replace('-', ' ')} "])
async def test_a_typed_code_never_comes_on_the_board(house: House, text: str) -> None:
    """A code that was typed without its slash can be read by everybody in the channel."""
    said = await house.say(text, channel="general")
    assert "does not work here" in str(reply_of(said)["text"])
    rows = await house.world.store.read(lambda conn: conn.execute("SELECT count(*) FROM board_post").fetchone())
    assert rows == (0,)


async def test_a_summary_is_corrected_by_a_form(house: House) -> None:
    """The person's correction is stored as the form's wrapping, or not at all."""
    said = await answered(house, "My app is called Heron.")
    await house.world.clock.leap(25 * 3600)
    await house.world.engine.ring()
    await house.world.settle()
    await answered(house, "I am back", thread=said["thread"])
    card = next(each for each in await house.messages(said["thread"]) if "summary" in str(each["text"]))
    form = await press(house, card, "That's wrong")
    assert form["kind"] == "form"
    await press(house, form | {"buttons": [form["submit"]]}, "Save", value={"correction": "It is called Lumen."})
    shown = await press(house, card, "Show summary")
    assert str(shown["text"]).endswith("it wins over everything above): It is called Lumen.")


# ------------------------------------------------------------------------------ threads and people


async def test_what_others_said_before_is_heard(house: House) -> None:
    """Somebody calls the bot into a discussion and it knows nothing of it."""
    model = house.world.model
    assert isinstance(model, ScriptedModel)
    thread = (await answered(house, "@bob lunch at noon?", channel="general"))["thread"]
    await house.say("@alice make it one", channel="general", person="bob", thread=thread)
    await answered(house, "@rejoinder what do they want?", channel="general", person="carol", thread=thread)
    sent = json.dumps(model.requests[-1].messages)
    assert '<heard from=\\"alice\\">' in sent
    assert "make it one" in sent
    assert sent.index("make it one") < sent.index("what do they want?")


async def test_a_new_root_offers_the_conversation_that_was_left(house: House) -> None:
    """Somebody begins anew by accident, and the conversation of yesterday is out of sight."""
    await answered(house, "Trip to Rome")
    await house.world.clock.leap(24 * 3600)
    said = await answered(house, "And the hotel?")
    offer = (await house.messages(said["thread"]))[-1]
    assert offer["text"] == "Continue “Trip to Rome” here?"
    await press(house, offer, "Continue")
    rows = await house.world.store.read(lambda conn: conn.execute(f"{SESSION.select} ORDER BY num").fetchall())
    assert SESSION.decode(rows[0]).home.thread == said["thread"]


async def test_no_offer_after_a_week_in_channels_or_when_it_was_ended(house: House) -> None:
    """Old or ended conversations are pressed upon people."""
    said = await answered(house, "Trip to Rome")
    await house.say("/new", thread=said["thread"])
    ended = await answered(house, "Something else")
    assert len(await house.messages(ended["thread"])) == 2
    await house.world.clock.leap(8 * 24 * 3600)
    late = await answered(house, "A week later")
    assert len(await house.messages(late["thread"])) == 2
    channel = await answered(house, "In a channel", channel="general")
    assert len(await house.messages(channel["thread"])) == 2


# --------------------------------------------------------------------------------------- settings


@pytest.fixture
async def single(tmp_path: Path) -> AsyncIterator[House]:
    """A chat with one conversation for each direct channel."""
    house = await open_house(tmp_path / "rejoinder.db", house_policy=Policy(single_dm=True))
    yield house
    await close_house(house)


async def test_one_conversation_in_a_direct_channel(single: House) -> None:
    """With `dm_sessions = single` every thread begins anew, or the answer stands in the wrong one."""
    model = single.world.model
    assert isinstance(model, ScriptedModel)
    first = await answered(single, "My app is called Heron.")
    second = await answered(single, "What is it called?")
    assert first["thread"] != second["thread"]
    assert len(await single.messages(second["thread"])) == 2
    assert "My app is called Heron." in json.dumps(model.requests[-1].messages)
    third = await answered(single, "Back in the first", thread=first["thread"])
    assert third["thread"] == first["thread"]
    assert len(await single.messages(first["thread"])) == 4
    sessions = await single.world.store.read(lambda conn: conn.execute("SELECT count(*) FROM session").fetchone())
    assert sessions == (1,)
    assert "everything" in str(reply_of(await single.say("/why"))["text"])
    assert "A new conversation" in str(reply_of(await single.say("/new", thread=second["thread"]))["text"])
    await answered(single, "A new one")
    assert "Heron" not in json.dumps(model.requests[-1].messages)


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[House]:
    """A chat in which a thread is one conversation for everybody."""
    house = await open_house(tmp_path / "rejoinder.db", house_policy=Policy(shared_threads=True))
    yield house
    await close_house(house)


async def test_in_a_shared_thread_everybody_is_named(shared: House) -> None:
    """The model takes bob's words for alice's."""
    model = shared.world.model
    assert isinstance(model, ScriptedModel)
    thread = (await answered(shared, "I like tea.", channel="general"))["thread"]
    await answered(shared, "@rejoinder and I like coffee", channel="general", person="bob", thread=thread)
    sent = json.dumps(model.requests[-1].messages)
    assert '<message from=\\"alice\\">\\nI like tea.\\n</message>' in sent
    assert '<message from=\\"bob\\">\\n@rejoinder and I like coffee\\n</message>' in sent
    refused = reply_of(await shared.say("/forget", channel="general", person="bob", thread=thread))
    assert refused["text"] == "Only the person whose conversation this is can do that."
    assert "yours and mine" in str(
        reply_of(await shared.say("/forget", channel="general", person="alice", thread=thread))["text"]
    )


# ---------------------------------------------------------------------------------- the /r page


async def test_the_page_of_a_link_asks_nothing_and_changes_nothing(house: House) -> None:
    """Opening a link uses the code up, sends it somewhere, or runs a script that is not ours."""
    async with house.http.get(house.server.url + "/r") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        text = await response.text()
        allowed = response.headers["Content-Security-Policy"]
    assert allowed == landing.policy(text)
    assert allowed.startswith("default-src 'none'; style-src 'sha256-")
    assert "{{" not in text
    assert (await house.post("/r", {}))["_status"] == 405


def test_the_page_speaks_the_language_of_the_bot() -> None:
    """A German bot leads to an English page."""
    assert 'lang="de"' in landing.page("de")
    assert "Hier weitermachen" in landing.page("de")
