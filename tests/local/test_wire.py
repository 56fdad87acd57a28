"""What comes in over the API is understood or refused with a sentence, whatever it is."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.local import ids, wire
from core.domain.errors import BadInput
from core.domain.events import Address
from core.domain.keys import PersonKey, Place
from core.engine.ports import Post

GOOD = {"person": "alice", "channel": "dm", "text": "hi"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)
field_names = st.sampled_from(
    ["person", "channel", "workspace", "thread", "text", "key", "files", "message", "button", "value", "by", "x"]
)


def body(**fields: object) -> bytes:
    """A good message with some fields different; `...` takes a field out."""
    return json.dumps({k: v for k, v in (GOOD | fields).items() if v is not ...}).encode()


def file(content: bytes = b"hello", **fields: object) -> dict[str, object]:
    """A good file with some fields different."""
    return {"name": "a.txt", "media_type": "text/plain", "data": base64.b64encode(content).decode()} | fields


def test_a_message_is_read() -> None:
    """The simplest message could not be sent."""
    saying = wire.parse_saying(body())
    assert (saying.person, saying.channel, saying.text) == ("alice", "dm", "hi")
    assert (saying.workspace, saying.thread, saying.key, saying.files) == (None, None, None, ())
    assert not saying.is_command


def test_a_file_is_read() -> None:
    """A file would be lost or called something else."""
    saying = wire.parse_saying(body(text="", files=[file(b"12345", name="Screenshot 9.41\u202fAM.png")]))
    assert saying.files[0].size_bytes == 5
    assert saying.files[0].name == "Screenshot 9.41\u202fAM.png"
    assert base64.b64decode(saying.files[0].data) == b"12345"


REFUSED = [
    (b"", "bad_json"),
    (b"{", "bad_json"),
    (b"[]", "bad_json"),
    (b"null", "bad_json"),
    (b"\xff\xfe", "bad_json"),
    (b'{"person": NaN}', "bad_json"),
    (b'{"text":"a","text":"b"}', "bad_json"),
    (b"[" * 100_000, "bad_json"),
    (b'{"a":' * 100_000, "bad_json"),
    (b'{"person":' + b"9" * 5_000 + b"}", "bad_json"),
    (body(person=...), "missing_key"),
    (body(channel=...), "missing_key"),
    (body(text=...), "missing_key"),
    (body(nick="al"), "unknown_key"),
    (body(person=7), "wrong_type"),
    (body(text=["a"]), "wrong_type"),
    (body(files={}), "wrong_type"),
    (body(files=["a"]), "wrong_type"),
    (body(key=5), "wrong_type"),
    (body(text=""), "empty_text"),
    (body(text=" \n\t"), "empty_text"),
    (body(text="\u200b\u202e"), "empty_text"),
    (body(text="a\x00b"), "bad_text"),
    (b'{"person":"alice","channel":"dm","text":"\\ud83d"}', "bad_text"),
    (b'{"person":"al\\ud83d","channel":"dm","text":"hi"}', "bad_text"),
    (body(text="x" * 100_001), "text_too_long"),
    (body(text="ä" * 50_001), "text_too_long"),
    (body(text="x" * 1_100_000), "body_too_large"),
    (body(person=""), "bad_name"),
    (body(person="x" * 65), "bad_name"),
    (body(person=" alice"), "bad_name"),
    (body(person="al\u202eice"), "bad_name"),
    (body(person="al\nice"), "bad_name"),
    (body(person="rejoinder"), "bad_name"),
    (body(channel="#general"), "bad_name"),
    (body(channel="dm:bob"), "bad_name"),
    (body(channel="a/b"), "bad_name"),
    (body(workspace="work"), "unknown_workspace"),
    (body(key=""), "bad_key"),
    (body(key="k" * 201), "bad_key"),
    (body(text="/"), "bad_command"),
    (body(text="/ help"), "bad_command"),
    (body(text="/help", files=[file()]), "bad_command"),
    (body(files=[file()] * 11), "too_many_files"),
    (body(files=[file(b"")]), "bad_file"),
    (body(files=[file(data="no base64!")]), "bad_file"),
    (body(files=[file(name="")]), "bad_file"),
    (body(files=[file(name="a\nb")]), "bad_file"),
    (body(files=[file(media_type="text")]), "bad_file"),
    (body(files=[file(extra=1)]), "unknown_key"),
    (body(files=[file(b"x" * 20_000_001)]), "file_too_large"),
]


@pytest.mark.parametrize(("raw", "code"), REFUSED, ids=[f"{n}-{code}" for n, (_, code) in enumerate(REFUSED)])
def test_bad_input_is_refused_with_a_sentence(raw: bytes, code: str) -> None:
    """Whoever sends this would get a 500, or be answered as if it were fine."""
    with pytest.raises(BadInput) as refused:
        wire.parse_saying(raw)
    assert refused.value.code == code
    assert refused.value.detail.endswith(".")


@pytest.mark.parametrize("text", ["a\u202eb\u2066c", "a\r\nb", "\x1b[31mred", "\ufffd", "🦆", "\u0627"])
def test_unusual_words_are_kept(text: str) -> None:
    """People's words would be changed or refused because they are written the other way, or are no letters."""
    assert wire.parse_saying(body(text=text)).text == text


@given(st.dictionaries(field_names, json_values, max_size=8), st.sampled_from(["say", "press", "time"]))
def test_any_json_is_understood_or_refused(fields: dict[str, object], what: str) -> None:
    """Some body would bring the handler down."""
    parse = {"say": wire.parse_saying, "press": wire.parse_pressing, "time": wire.parse_time}[what]
    with contextlib.suppress(BadInput):
        parse(json.dumps(fields).encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_understood_or_refused(raw: bytes) -> None:
    """Some bytes would bring the handler down."""
    for parse in (wire.parse_saying, wire.parse_pressing, wire.parse_time):
        with pytest.raises(BadInput):
            parse(raw)


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("/help", "help", ""),
        ("/Resume  7QKM 2R9D ", "resume", "7QKM 2R9D"),
        ("/a\nb", "a", "b"),
        ("/usr/bin/env", "usr/bin/env", ""),
    ],
)
def test_a_command_is_split(text: str, name: str, rest: str) -> None:
    """`/Resume CODE` would not be understood because of its capital letter or a space."""
    place = Place(platform="local", workspace="home", channel="general", thread="t")
    event = wire.command_issued(text, key=ids.person_key("home", "alice"), place=place, source_key="k")
    assert (event.name, event.rest, event.author.name) == (name, rest, "alice")


def a_post(text: str, *, author: str = "bob", root: bool = False, channel: str = "general") -> Post:
    """A post in a thread that alice opened, or its root."""
    place = Place(platform="local", workspace="home", channel=channel, thread="t")
    return Post(id="t" if root else "p", key="k", place=place, author=author, text=text, state="done")


@pytest.mark.parametrize(
    ("post", "address"),
    [
        (a_post("hi", author="alice", root=True), Address.DIRECT),
        (a_post("@bob hi", author="alice", root=True), Address.DIRECT),
        (a_post("hi", author="alice"), Address.DIRECT),
        (a_post("@bob what do you think?", author="alice"), Address.OTHER),
        (a_post("@bob ask @rejoinder", author="alice"), Address.DIRECT),
        (a_post("hi"), Address.PLAIN),
        (a_post("@Rejoinder: and now?"), Address.MENTION),
        (a_post("what does @REJOINDER say"), Address.MENTION),
        (a_post("mail me@rejoinder.example"), Address.PLAIN),
        (a_post("@rejoinders are many"), Address.OTHER),
        (a_post(" @alice no"), Address.OTHER),
        (a_post("@alice no, @rejoinder yes"), Address.MENTION),
        (a_post("@ alice"), Address.PLAIN),
        (a_post("@bob hi", channel="dm:bob"), Address.DIRECT),
    ],
)
def test_who_a_message_is_for(post: Post, address: Address) -> None:
    """The bot would answer what was meant for somebody else, or stay silent when it was asked."""
    assert wire.message_received(post, opener="alice").address is address


def test_a_press_is_read() -> None:
    """A form could not be sent, or would arrive in another order each time."""
    fields = {"person": "alice", "message": "m", "button": "rj1:stop:T:0"}
    assert wire.parse_pressing(json.dumps(fields).encode()).value == ""
    both = wire.parse_pressing(json.dumps(fields | {"value": {"b": "2", "a": "ä"}}).encode())
    assert both.value == '{"a":"ä","b":"2"}'
    for wrong in (5, ["a"], {"a": 1}, "x" * 9_000, "\x00"):
        with pytest.raises(BadInput):
            wire.parse_pressing(json.dumps(fields | {"value": wrong}).encode())


names = st.text(min_size=1, max_size=12)


@given(names, names, names, names)
def test_keys_of_people_never_meet(one: str, key_one: str, other: str, key_other: str) -> None:
    """Somebody's message would be taken for a repetition of somebody else's, and be lost."""
    first, second = ids.person_key("home", one), ids.person_key("home", other)
    kinds = (ids.message_key, ids.command_key, ids.press_key)
    keys = {make(person, key) for make in kinds for person, key in {(first, key_one), (second, key_other)}}
    distinct = len({(one, key_one), (other, key_other)})
    assert len(keys) == distinct * len(kinds)
    assert ids.message_key(PersonKey(platform="local", workspace="away", user=one), key_one) not in keys


@given(st.text(max_size=50))
def test_ids_are_short_and_plain(key: str) -> None:
    """An id would not fit into an address or a button."""
    made = ids.derived_id(key)
    assert len(made) == 24
    assert made.isascii()
    assert made.isalnum()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@rejoinder stop", "stop"),
        ("  @Rejoinder, HELP! ", "help"),
        ("@rejoinder why?", ""),
        ("@rejoinder stop the presses", ""),
        ("@rejoinder zebra", ""),
        ("stop", ""),
        ("@bob stop", ""),
    ],
)
def test_a_command_word_needs_a_mention_and_nothing_else(text: str, name: str) -> None:
    """A sentence that contains a command word is taken for the command, or the command for a sentence."""
    assert wire.spoken_command(text) == name
    assert wire.parse_saying(body(text=text)).is_command is bool(name)
    if name:
        assert wire.command(text) == (name, "")
        with_file = wire.parse_saying(body(text=text, files=[file()]))
        assert not with_file.is_command
