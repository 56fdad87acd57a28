"""Resume codes as text: how they are made, typed, hidden and shown."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.codes import CodeKeys, code_of, digest_of, grouped, normalize, placeholder, reveal, typed
from core.domain.events import Author, CommandIssued, Event, MessageReceived, ResumeAsked
from core.domain.keys import PersonKey, Place
from core.engine.intake import understood

KEYS = CodeKeys(derive=b"d" * 32, lookup=b"l" * 32)
TICKET = "01KAV9FT00K3E96N99YT04KVVT"
CODE = code_of(KEYS, TICKET, 1)
PLACE = Place(platform="local", workspace="home", channel="general", thread="t1")
ALICE = Author(key=PersonKey(platform="local", workspace="home", user="alice"), name="Alice")


def command(rest: str, name: str = "resume") -> CommandIssued:
    """Alice types `/resume ...`."""
    return CommandIssued(source_keys=("k",), author=ALICE, place=PLACE, name=name, rest=rest)


def message(text: str) -> MessageReceived:
    """Alice writes in a thread."""
    return MessageReceived(source_keys=("k",), author=ALICE, place=PLACE, text=text, ref="m1")


def digest(event: Event) -> str:
    """The digest that an event carries, "" for any other event."""
    return event.digest if isinstance(event, ResumeAsked) else ""


def as_people_type(chance: random.Random) -> str:
    """The code as somebody may type it: case, groups, separators, look-alikes, space around."""
    alike = {"0": "0oO", "1": "1iIlL"}
    chars = [chance.choice(alike.get(each, each + each.lower())) for each in CODE]
    separator = chance.choice(["", " ", "-", "–", "—", "_", ".", " - ", "  ", "\u00a0", "\t"])  # noqa: RUF001
    size = chance.choice([4, 4, 4, 8, 16])
    text = separator.join("".join(chars[at : at + size]) for at in range(0, 16, size))
    return chance.choice(["", " ", "\n"]) + text + chance.choice(["", " ", "\n"])


def test_a_thousand_ways_to_type_a_code_are_the_same_code() -> None:
    """Case, hyphens, spaces and I, L, O are forgiven, in the command and in a message."""
    chance = random.Random(3)
    seen: set[str] = set()
    while len(seen) < 1_000:
        seen.add(as_people_type(chance))
    wanted = digest_of(KEYS, CODE)
    for text in seen:
        assert normalize(text) == CODE
        assert digest(understood(command(text), KEYS, "Rejoinder")) == wanted, text
        assert digest(understood(message(f"resume {text}"), KEYS, "Rejoinder")) == wanted, text


@pytest.mark.parametrize(
    "text",
    [
        "resume",
        "resume my work please",
        "resume that old story mate",
        "resume ABCD-EFGH-JKMN",
        f"please resume {CODE}",
        f"resume {CODE} now",
        f"@bob resume {CODE}",
        f"resume{CODE}",
        f"{CODE}",
        "resume ABCD-EFGH-JKMN-PQRU",
    ],
)
def test_other_words_stay_a_message(text: str) -> None:
    """Only `resume CODE` and nothing else is a code; whatever else somebody writes is answered as a message."""
    event = message(text)
    assert typed(text, "Rejoinder") is None
    assert understood(event, KEYS, "Rejoinder") is event


@pytest.mark.parametrize(
    "text", [f"@Rejoinder resume {CODE}", f"rejoinder, Resume {CODE}", f"resume `{CODE}`", f"/resume {CODE}"]
)
def test_the_bot_may_be_addressed(text: str) -> None:
    """A mention of the bot in front, or the quoted form of the notice, is still a code."""
    assert digest(understood(message(text), KEYS, "Rejoinder")) == digest_of(KEYS, CODE)


@given(st.text(max_size=80))
def test_whatever_follows_resume_never_stays_in_the_event(rest: str) -> None:
    """No event carries what was typed after `/resume`: it might be a code with a slip of the finger."""
    event = understood(command(rest), KEYS, "Rejoinder")
    if rest.strip():
        assert isinstance(event, ResumeAsked)
        assert event.session_id == (rest.strip() if re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", rest.strip()) else "")
    else:
        assert isinstance(event, CommandIssued)


def test_autocompletion_names_a_session() -> None:
    """What autocompletion fills in is an id, not a code."""
    event = understood(command(TICKET), KEYS, "Rejoinder")
    assert isinstance(event, ResumeAsked)
    assert (event.session_id, event.digest) == (TICKET, "")


def test_another_command_is_left_alone() -> None:
    """Only resume takes a code."""
    event = command(CODE, name="sessions")
    assert understood(event, KEYS, "Rejoinder") is event


def test_a_code_follows_from_its_ticket() -> None:
    """A repeat after a crash shows the same code; another ticket, generation or key shows another."""
    other = CodeKeys(derive=b"e" * 32, lookup=b"l" * 32)
    assert code_of(KEYS, TICKET, 1) == CODE
    assert len({CODE, code_of(KEYS, TICKET, 2), code_of(KEYS, TICKET[:-1] + "0", 1), code_of(other, TICKET, 1)}) == 4
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{16}", CODE)


def test_codes_do_not_cluster() -> None:
    """20,000 tickets have 20,000 codes, and every character occurs about equally often in every place."""
    codes = {code_of(KEYS, f"T{n}", 1) for n in range(20_000)}
    assert len(codes) == 20_000
    for place in range(16):
        counts = [sum(code[place] == char for code in codes) for char in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"]
        assert 500 < min(counts) < max(counts) < 750


def test_only_a_placeholder_is_revealed() -> None:
    """A sentence carries the ticket's id; the code appears in it only while it is sent."""
    stored = f"Type `/resume {placeholder(TICKET, 1)}`."
    assert CODE not in stored.replace("-", "")
    assert reveal(KEYS, stored) == f"Type `/resume {grouped(CODE)}`."
    for text in ("{code:short:1}", "{code}", rf"\{{code:{TICKET}:1\}}", "plain"):
        assert reveal(KEYS, text) == text


def test_keys_do_not_show_themselves() -> None:
    """A key in a log line or an error is not readable."""
    assert "d" * 8 not in repr(KEYS)
    assert "l" * 8 not in repr(KEYS)
