"""What the API shows, and to whom."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bots.local import ids, render
from bots.local.whispers import Whisper
from core.domain.decision import Choices, Form, FormField, Nothing, Private, Reply
from core.domain.entities import Button, FileRef
from core.domain.keys import Place
from core.domain.outline import Line, Outline
from core.domain.tasking import StepState
from core.engine.ports import Post, ThreadLine

HERE = Place(platform="local", workspace="home", channel="general", thread="t")
ALICE = ids.person_key("home", "alice")
POST = Post(id="p", key=ids.message_key(ALICE, "k1"), place=HERE, author="alice", text="hi", state="done", n=3)


def test_a_post_is_shown() -> None:
    """A script that follows the API's description would not find what it looks for."""
    shown = render.message(POST, "bob")
    assert shown == {
        "id": "p",
        "workspace": "home",
        "channel": "general",
        "thread": "t",
        "author": "alice",
        "bot": False,
        "text": "hi",
        "state": "done",
        "buttons": [],
        "created_ms": 0,
        "n": 3,
    }


def test_the_key_goes_back_to_its_sender_only() -> None:
    """The page could not tell its own message from another one; or others could repeat it."""
    assert render.message(POST, "alice")["key"] == "k1"
    assert "key" not in render.message(POST, "bob")
    assert "key" not in render.message(replace(POST, author=""), "")


def test_a_button_for_one_person_is_shown_to_that_person() -> None:
    """Somebody else would see a button that is not for them."""
    buttons = (Button(id="a", label="All"), Button(id="b", label="Bob", for_user="bob"))
    post = replace(POST, buttons=buttons)
    assert [each["label"] for each in render.message(post, "bob")["buttons"]] == ["All", "Bob"]  # type: ignore[index,union-attr,call-overload]
    assert [each["label"] for each in render.message(post, "alice")["buttons"]] == ["All"]  # type: ignore[index,union-attr,call-overload]


def test_the_bot_has_a_name_and_files_and_marks_are_shown() -> None:
    """An answer would stand there without an author, a file without a name."""
    ref = FileRef(id="f", handle="f", name="a.txt", media_type="text/plain", size_bytes=5)
    shown = render.message(replace(POST, author="", mark="seen", files=(ref,), taken=False, reply_to="q"), "bob")
    assert (shown["author"], shown["bot"], shown["mark"], shown["unsent"], shown["reply_to"]) == (
        "Rejoinder",
        True,
        "seen",
        True,
        "q",
    )
    described = {"name": "a.txt", "media_type": "text/plain", "size_bytes": 5}
    assert shown["files"] == [described | {"url": "/api/files/p/0?person=bob"}]
    assert render.message(replace(POST, files=(ref,)), "bob")["files"] == [described], "what people bring is not served"


def test_a_card_shows_its_steps() -> None:
    """The page has to read a task's steps out of Markdown."""
    lines = (Line(n=1, title="one", state=StepState.DONE, detail="2 s"),)
    outline = Outline(title="goal", lines=lines, foot="Done.")
    assert render.message(replace(POST, outline=outline), "bob")["steps"] == {
        "title": "goal",
        "lines": [{"n": 1, "title": "one", "state": "done", "detail": "2 s"}],
        "foot": "Done.",
    }


def test_private_lines_stand_where_they_were_said() -> None:
    """A private answer would appear above the message that it came after."""
    posts = [replace(POST, id=f"p{n}", n=n, created_ms=n) for n in (1, 2, 5)]
    lines = [
        Whisper(id="w2", to=ALICE, place=HERE, author="", text="b", created_ms=9, after_n=2),
        Whisper(id="w1", to=ALICE, place=HERE, author="alice", text="/a", created_ms=8, after_n=2),
    ]
    shown = render.in_order(posts, lines, "alice")
    assert [each["id"] for each in shown] == ["p1", "p2", "w1", "w2", "p5"]  # type: ignore[index,call-overload]


def test_a_thread_has_one_line() -> None:
    """A thread would have no name in the list, or one of ten lines; a direct message would show whose it is."""
    line = ThreadLine(place=replace(HERE, channel="dm:alice"), title="a\n b" + "x" * 90, last_ms=5, opener="")
    shown = render.thread_line(line)
    assert (shown["channel"], shown["opener"]) == ("dm", "Rejoinder")
    assert str(shown["title"]).startswith("a b")
    assert len(str(shown["title"])) == 80
    assert render.thread_line(replace(line, title="  "))["title"] == "(no words)"


def test_every_reply_has_its_shape() -> None:
    """A form or a list would reach the page as something that it cannot show."""
    button = Button(id="b", label="Go")
    form = Form(title="T", submit=button, fields=(FormField(id="f", label="F"),))
    kinds: list[Reply] = [Nothing(), Private(text="x", buttons=(button,)), form, Choices(text="x", options=(button,))]
    shown = [render.reply(each, "alice", "m") for each in kinds]
    assert [each["kind"] for each in shown] == ["nothing", "private", "form", "choices"]
    assert [len(render.reply_buttons(each)) for each in kinds] == [0, 1, 1, 1]
    assert all(each.get("message", "m") == "m" for each in shown)


@given(st.text(), st.text(), st.text())
def test_any_words_become_json(text: str, author: str, person: str) -> None:
    """Some words would break the page of everybody who sees them."""
    shown = render.message(replace(POST, text=text, author=author), person)
    assert json.loads(json.dumps(shown))["text"] == text
