"""Names of people, places and buttons as text, and back."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from core.domain.errors import BadInput
from core.domain.keys import BUTTON_ID_MAX_CHARS, ButtonId, PersonKey, Place, SessionKey
from core.domain.rules import commands, mailbag
from tests.domain.builders import ALICE, THREAD, stamp
from tests.domain.strategies import any_text


@given(any_text, any_text, any_text)
@example("a/b", "%", "%2F")
@example("\ud83d\ude00", "\ud800", "")
@example("", "", "")
def test_a_person_key_is_its_text(platform: str, workspace: str, user: str) -> None:
    """A person with odd letters in the name is somebody else after a restart."""
    key = PersonKey(platform=platform, workspace=workspace, user=user)
    assert PersonKey.parse(str(key)) == key


@given(any_text, any_text, any_text, any_text)
@example("slack", "T1", "a/b", "%25")
def test_a_place_is_its_text(platform: str, workspace: str, channel: str, thread: str) -> None:
    """An answer goes to another thread after a restart."""
    place = Place(platform=platform, workspace=workspace, channel=channel, thread=thread)
    assert Place.parse(str(place)) == place


@given(any_text, any_text, any_text, any_text, any_text)
@example("a", "b", "c", "", "d")
@example("a", "b", "c", "d", "")
def test_a_session_key_is_its_text_and_its_place(p: str, w: str, c: str, t: str, u: str) -> None:
    """A conversation is not found again, or two of them share one name."""
    key = SessionKey(platform=p, workspace=w, channel=c, thread=t, user=u)
    assert SessionKey.parse(str(key)) == key
    assert SessionKey.at(key.place, u) == key
    assert str(key) == f"{key.place}/{str(key).rsplit('/', 1)[1]}"


@given(any_text, any_text)
def test_the_text_is_plain_ascii_without_a_slash_inside_a_part(user: str, channel: str) -> None:
    """Two places could get one key, or the database refuses it."""
    text = str(SessionKey(platform="p", workspace="w", channel=channel, thread="", user=user))
    assert text.isascii()
    assert text.count("/") == 4


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d", "a/b/%FF", "a/%C3%28/c"])
def test_a_text_that_is_no_person_is_refused(text: str) -> None:
    """A damaged row shows up as a crash instead of a clear error."""
    with pytest.raises(BadInput) as caught:
        PersonKey.parse(text)
    assert caught.value.code == "bad_key"


@pytest.mark.parametrize("kind", [Place, SessionKey])
def test_another_number_of_parts_is_refused(kind: type[Place | SessionKey]) -> None:
    """A place is read as a session or the other way round."""
    with pytest.raises(BadInput):
        kind.parse("a/b/c")


def test_the_same_key_is_made_from_any_kind_of_event() -> None:
    """A button press does not find the session that a message opened."""
    assert SessionKey.at(THREAD, ALICE.user) == SessionKey.parse("local/home/general/t1/alice")


def test_every_button_of_ours_fits_into_the_platforms_limit() -> None:
    """A button cannot be posted at Discord."""
    for verb in ("stop", "again", *mailbag.CHOICES):
        text = str(ButtonId(verb=verb, subject=stamp().ulid("card"), version=2**31))
        assert len(text) <= BUTTON_ID_MAX_CHARS
        assert str(ButtonId.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rj1",
        "rj1:stop:T1",
        "rj1:stop:T1:0:1",
        "rj2:stop:T1:0",
        "rj1::T1:0",
        "rj1:stop::0",
        "rj1:stop:T1:",
        "rj1:stop:T1:-1",
        "rj1:stop:T1:x",
        "rj1:stop:T1:\u0661",
        "rj1:stop:T1:\u00b2",
        f"rj1:stop:{'T' * 100}:0",
    ],
)
def test_what_is_no_button_of_ours_is_refused(text: str) -> None:
    """A forged or foreign button does something, or breaks the adapter."""
    with pytest.raises(BadInput) as caught:
        ButtonId.parse(text)
    assert caught.value.code == "bad_button"


@given(any_text)
def test_any_text_is_a_button_or_refused(text: str) -> None:
    """A strange custom_id ends as an error of ours."""
    try:
        button = ButtonId.parse(text)
    except BadInput:
        return
    assert ButtonId.parse(str(button)) == button


def test_a_button_of_exactly_the_limit_is_read() -> None:
    """The longest button that a platform takes does not work."""
    text = f"rj1:stop:{'T' * (BUTTON_ID_MAX_CHARS - 11)}:0"
    assert len(text) == BUTTON_ID_MAX_CHARS
    assert ButtonId.parse(text).subject == "T" * (BUTTON_ID_MAX_CHARS - 11)


def test_only_commands_that_exist_are_listed() -> None:
    """Help names a command that nobody answers."""
    assert [line.partition(":")[0] for line in commands.listing("en").splitlines()] == [
        f"/{name}" for name in commands.COMMANDS
    ]


def test_an_account_without_a_workspace_is_one_of_all_its_platforms() -> None:
    """On Discord an account is the same in every server: its owner is known in all, and on no other platform."""
    everywhere = PersonKey(platform="discord", workspace="", user="7")
    one = PersonKey(platform="slack", workspace="T1", user="U7")
    assert [everywhere.is_of("discord", each) for each in ("1", "@me", "")] == [True, True, True]
    assert not everywhere.is_of("slack", "T1")
    assert one.is_of("slack", "T1")
    assert not one.is_of("slack", "T2")
    for account, place in ((everywhere, "discord/1/2/3"), (everywhere, "discord/%40me/2/"), (one, "slack/T1/C1/")):
        low, high = account.places
        assert low <= place < high
    for account, place in ((everywhere, "discordia/1/2/3"), (one, "slack/T10/C1/"), (one, "slack/T2/C1/")):
        low, high = account.places
        assert not low <= place < high
