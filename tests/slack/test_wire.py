"""Payloads become events: what is for the bot, what a press means, what cannot be understood."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack import ids, wire
from bots.slack.heard import Arrived, Deleted, Edited, HomeOpened, Ignored, Revoked, StopPressed
from bots.slack.ids import Me, Ref
from bots.slack.interactions import CHOOSE, Origin
from bots.slack.words_in import decoded
from core.domain.errors import BadInput
from core.domain.events import Address, ButtonPressed, CommandIssued, MessageReceived
from core.domain.keys import Audience, ButtonId
from tests.kit import slack_fuzz

ME = Me(team="T1", user="U0BOT", bot="B0BOT")
NAMES = {"U1": "Alice", "U2": "Bob", "U0BOT": "Rejoinder"}
SUBJECT = "01J000000000000000000SESSN"
Json = dict[str, Any]


def heard(body: Json, audience: Audience = Audience.PUBLIC) -> object:
    """What a payload says."""
    return wire.parse(body, ME, NAMES, audience)


def event(**fields: object) -> Json:
    """An event of a message by Alice in a thread of a channel."""
    message = {
        "type": "message",
        "user": "U1",
        "channel": "C1",
        "ts": "2.000100",
        "thread_ts": "1.000100",
        "text": "hi",
    }
    return {"type": "event_callback", "event_id": "Ev1", "event": {**message, **fields}}


def message(**fields: object) -> MessageReceived:
    """The message that such an event is."""
    found = heard(event(**fields))
    assert isinstance(found, Arrived)
    assert isinstance(found.event, MessageReceived)
    return found.event


def command(**fields: object) -> tuple[str, str]:
    """The command that such an event is."""
    found = heard(event(**fields))
    assert isinstance(found, Arrived)
    assert isinstance(found.event, CommandIssued), found.event
    return found.event.name, found.event.rest


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"text": "hi"}, Address.PLAIN),
        ({"text": "<@U0BOT> hi"}, Address.MENTION),
        ({"text": "hi <@U0BOT|rejoinder>"}, Address.MENTION),
        ({"text": "<@U0BOT> hi", "thread_ts": "2.000100"}, Address.DIRECT),
        ({"text": "<@U2> hi"}, Address.OTHER),
        ({"text": " <@U2|bob> hi"}, Address.OTHER),
        ({"text": "<!subteam^S1|@team> hi"}, Address.OTHER),
        ({"text": "<@U2> ask <@U0BOT>"}, Address.MENTION),
        ({"text": "hi <@U2>"}, Address.PLAIN),
        ({"text": "hi", "channel": "D1"}, Address.DIRECT),
        ({"text": "<@U2> hi", "channel": "D1"}, Address.DIRECT),
    ],
)
def test_how_a_message_relates_to_the_bot(fields: Json, address: Address) -> None:
    """The bot would speak when it is not spoken to, or not when it is."""
    assert message(**fields).address is address


def test_a_message_and_its_mention_are_one() -> None:
    """One mention comes as two events with one key in common."""
    one, other = message(text="<@U0BOT> hi"), message(type="app_mention", text="<@U0BOT> hi", event_ts="2.000100")
    assert set(one.source_keys) & set(other.source_keys) >= {"slack:m:T1:C1:2.000100"}


def test_the_keys_of_a_message() -> None:
    """The names under which the same delivery may come again."""
    assert message(client_msg_id="abc-1").source_keys == ("slack:m:T1:C1:2.000100", "slack:e:Ev1", "slack:c:abc-1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<@U0BOT> new", ("new", "")),
        ("<@U0BOT>, help", ("help", "")),
        ("<@U0BOT> /stop", ("stop", "")),
        ("<@U0BOT> notices off", ("notices", "off")),
        ("<@U0BOT> resume", ("resume", "")),
        ("<@U0BOT> resume K3PF-9T2M-7QWX-A4BC", ("resume", "K3PF9T2M7QWXA4BC")),
        ("resume k3pf 9t2m 7qwx a4bc", ("resume", "K3PF9T2M7QWXA4BC")),
        ("`/resume K3PF-9T2M-7QWX-A4BC`", ("resume", "K3PF9T2M7QWXA4BC")),
        ("<@U0BOT>", ("help", "")),
    ],
)
def test_typed_commands(text: str, expected: tuple[str, str]) -> None:
    """Commands that are typed in a thread, where Slack refuses the slash."""
    assert command(text=text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<@U0BOT> help me with this, please",
        "<@U0BOT> stop worrying about that",
        "<@U0BOT> new ideas?",
        "resume the documentation",
        "resume",
        "help",
        "<@U0BOT> resume my conversation from yesterday",
    ],
)
def test_questions_are_no_commands(text: str) -> None:
    """A question that begins with a command's word would be swallowed."""
    assert isinstance(heard(event(text=text)), Arrived)
    assert message(text=text).text


@pytest.mark.parametrize(
    "fields",
    [
        {"bot_id": "B1"},
        {"user": "U0BOT"},
        {"subtype": "channel_join"},
        {"subtype": "bot_message"},
        {"text": "hi", "thread_ts": "2.000100"},
        {"user": 5},
        {"channel": None},
        {"ts": "yesterday"},
        {"thread_ts": "1.0/../x"},
        {"channel": "C1/../../x"},
    ],
)
def test_what_is_not_for_us(fields: Json) -> None:
    """Bots, joins, talk among people, and what is malformed."""
    assert isinstance(heard(event(**fields)), Ignored)


def test_text_as_its_author_saw_it() -> None:
    """The model would read ids, entities and Slack's brackets."""
    said = "<@U1> &amp; <@U9|carl> in <#C2|general> <!here> <https://a.b/c|the page> <https://a.b>"
    said += " <mailto:x@y.z|x@y.z> 1 &lt; 2"
    assert decoded(said, NAMES) == "@Alice & @carl in #general @here [the page](https://a.b/c) https://a.b x@y.z 1 < 2"


def test_edits_and_deletions() -> None:
    """What people change afterwards is known; a preview that Slack adds is no edit."""
    now, before = {"user": "U1", "ts": "2.000100", "text": "new"}, {"user": "U1", "ts": "2.000100", "text": "old"}
    changed = heard(event(subtype="message_changed", message=now, previous_message=before))
    assert isinstance(changed, Edited)
    assert (changed.text, changed.ref) == ("new", "C1/2.000100/2.000100")
    preview = heard(event(subtype="message_changed", message=before, previous_message=before))
    assert isinstance(preview, Ignored)
    gone = heard(event(subtype="message_deleted", deleted_ts="2.000100", previous_message=before))
    assert isinstance(gone, Deleted)


def test_other_events() -> None:
    """Stop, Home, being thrown out."""
    stop = heard(event(type="agent_session_stopped", streaming_message_ts=["3.000100", 5]))
    assert isinstance(stop, StopPressed)
    assert stop.streams == ("3.000100",)
    assert isinstance(heard(event(type="app_home_opened", tab="home", channel="D1")), HomeOpened)
    assert isinstance(heard(event(type="app_home_opened", tab="messages", channel="D1")), Ignored)
    assert isinstance(heard(event(type="tokens_revoked")), Revoked)


def press(value: str = "", **fields: object) -> Json:
    """A press of a button in a thread."""
    button = value or str(ButtonId(verb="resume", subject=SUBJECT))
    return {
        "type": "block_actions",
        "user": {"id": "U1", "team_id": "T1"},
        "channel": {"id": "C1", "name": "general"},
        "container": {"type": "message", "message_ts": "3.000100", "channel_id": "C1", "thread_ts": "1.000100"},
        "trigger_id": "1.2.abc",
        "actions": [{"type": "button", "action_id": button, "value": button, "action_ts": "4.0001"}],
        **fields,
    }


def pressed(body: Json) -> tuple[ButtonPressed, Arrived]:
    """The press that such a payload is."""
    found = heard(body)
    assert isinstance(found, Arrived)
    assert isinstance(found.event, ButtonPressed)
    return found.event, found


def test_a_press_in_a_thread() -> None:
    """Place, button and keys of a press."""
    found, arrived = pressed(press())
    assert found.place == ids.place("T1", "C1", "1.000100")
    assert found.button == ButtonId(verb="resume", subject=SUBJECT)
    assert found.source_keys == ("slack:a:T1:C1:3.000100:4.0001", "slack:t:1.2.abc")
    assert arrived.moves
    assert arrived.desk.trigger == "1.2.abc"


def test_a_press_under_a_root_message_is_in_its_thread() -> None:
    """A card that begins a thread: what it does happens below it."""
    found, _ = pressed(press(container={"type": "message", "message_ts": "3.000100", "channel_id": "C1"}))
    assert found.place.thread == "3.000100"
    ephemeral = {"type": "message", "message_ts": "3.000100", "channel_id": "C1", "is_ephemeral": True}
    found, _ = pressed(press(container=ephemeral))
    assert found.place.thread == ""


def test_a_choice_from_a_menu() -> None:
    """The overflow menu and the list press what was chosen."""
    button = str(ButtonId(verb="mute_all", subject=SUBJECT))
    action = {"type": "overflow", "action_id": "menu", "selected_option": {"value": button}, "action_ts": "1.1"}
    found, _ = pressed(press(actions=[action]))
    assert found.button.verb == "mute_all"


def test_a_press_in_a_window_happens_where_it_was_opened() -> None:
    """A modal carries its place."""
    view = {"id": "V1", "type": "modal", "private_metadata": str(Origin(channel="C1", thread="1.000100"))}
    found, arrived = pressed(press(container={"type": "view", "view_id": "V1"}, view=view, channel=None))
    assert found.place == ids.place("T1", "C1", "1.000100")
    assert arrived.desk.view == "V1"


def test_a_submitted_form() -> None:
    """One field is the value itself; a list's value is the button."""
    submit = str(ButtonId(verb="correct", subject=SUBJECT))
    state = {"values": {"correction": {"value": {"type": "plain_text_input", "value": "Lumen"}}}}
    view = {"id": "V1", "callback_id": submit, "private_metadata": str(Origin(channel="C1")), "state": state}
    body = {"type": "view_submission", "user": {"id": "U1"}, "view": view, "trigger_id": "t.1"}
    found, arrived = pressed(body)
    assert (found.button.verb, found.value) == ("correct", "Lumen")
    assert arrived.desk.submitted
    chosen = {"values": {"choice": {CHOOSE: {"type": "static_select", "selected_option": {"value": submit}}}}}
    found, _ = pressed(body | {"view": view | {"callback_id": CHOOSE, "state": chosen}})
    assert (found.button.verb, found.value) == ("correct", "")


def test_foreign_presses_are_ignored() -> None:
    """Buttons of other apps, links, nonsense."""
    assert isinstance(heard(press(value="buy:now")), Ignored)
    assert isinstance(heard(press(actions=[])), Ignored)
    assert isinstance(heard(press(user={"id": None})), Ignored)


@given(st.text(alphabet="CDU0123456789./", max_size=40))
def test_refs_are_read_back_or_refused(text: str) -> None:
    """A ref that we did not make would be believed."""
    try:
        found = Ref.parse(text)
    except BadInput:
        return
    assert Ref.parse(str(found)) == found


def test_any_json_is_understood_or_ignored() -> None:
    """A payload of any shape would stop the bot."""
    chance = random.Random(1)
    templates = slack_fuzz.templates()
    for _ in range(3_000):
        body = slack_fuzz.spoiled(chance.choice(templates), chance)
        assert isinstance(heard(body), Arrived | Ignored | Edited | Deleted | HomeOpened | StopPressed | Revoked)
