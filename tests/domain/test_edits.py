"""What a person changes afterwards: our history follows, and has no holes."""

from __future__ import annotations

from dataclasses import replace

from core.domain.decision import Altered, View
from core.domain.entities import FileRef, Forgotten, Message, Phase, Role, Session, Waiting
from core.domain.events import MessageChanged
from core.domain.keys import PersonKey, Place, SessionKey
from core.domain.rules.edits import on_changed

PLACE = Place(platform="slack", workspace="T1", channel="C1", thread="1.0")
ALICE = PersonKey(platform="slack", workspace="T1", user="U1")
SESSION = Session(
    id="S", owner="O", home=SessionKey.at(PLACE, "U1"), created_ms=0, title="My secret", tokens=100, next_seq=2
)
MESSAGE = Message(session_id="S", seq=1, role=Role.USER, text="My secret", created_ms=0, ref="r", tokens=3, blocks="[]")
WAITING = Waiting(id="W", session_id="S", author="Alice", asker=ALICE, text="My secret", ref="r", received_ms=0)


def changed(*altered: Altered, text: str) -> tuple[object, ...]:
    """What becomes of it."""
    event = MessageChanged(place=PLACE, ref="r", text=text)
    return on_changed(View(altered=altered), event).changes


def test_an_edit_is_followed() -> None:
    """The model would answer what was never meant."""
    session, message = changed(Altered(session=SESSION, message=MESSAGE), text="My plan is better")
    assert isinstance(message, Message)
    assert isinstance(session, Session)
    assert (message.text, message.seq, message.blocks) == ("My plan is better", 1, "")
    assert session.tokens == 100 - 3 + message.tokens
    assert session.title == "My plan is better"


def test_an_edit_leaves_the_files_on_the_scales() -> None:
    """After a slip of the pen was mended, a conversation with a large file is taken for a short one."""
    file = FileRef(id="F1", handle="h", name="a.txt", media_type="text/plain", size_bytes=3_000)
    with_file = replace(MESSAGE, files=(file,), tokens=1_003)
    session, message = changed(Altered(session=replace(SESSION, tokens=1_100), message=with_file), text="My secret!")
    assert isinstance(message, Message)
    assert isinstance(session, Session)
    assert (message.tokens, session.tokens) == (1_004, 1_101)


def test_what_was_taken_back_is_gone() -> None:
    """The words would stay in our history and in the title, although their author took them back."""
    session, message = changed(Altered(session=SESSION, message=MESSAGE), text="")
    assert "secret" not in f"{session}{message}"
    assert isinstance(message, Message)
    assert "taken back" in message.text


def test_a_waiting_message_is_changed_or_dropped() -> None:
    """The bot would answer a message that its author took back before it was read."""
    (edited,) = changed(Altered(session=SESSION, waiting=WAITING), text="new")
    assert isinstance(edited, Waiting)
    assert edited.text == "new"
    (dropped,) = changed(Altered(session=SESSION, waiting=WAITING), text="")
    assert dropped == Forgotten(waiting=("W",))


def test_a_forgotten_conversation_is_left_alone() -> None:
    """An edit would bring words back into a conversation that was forgotten."""
    erased = replace(SESSION, phase=Phase.ERASED)
    assert changed(Altered(session=erased, message=MESSAGE), text="new") == ()
