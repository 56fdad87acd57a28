"""In which language we speak: the person's own, the one of a conversation's owner, the server's, the installation's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.decision import Decision, Policy
from core.domain.entities import Card, Session
from core.domain.events import Arrival, MessageReceived, TimerDue
from core.domain.rules.tongue import listening
from core.domain.words import de, en, spoken_in
from tests.domain.builders import BOB, NOW, POLICY, SESSION, calm, issued, one, pressed, reply_of, rows, said, then

DE = Policy(language="de")
GERMAN = replace(SESSION, language="de")
QUIET = replace(SESSION, exchanges=3, due_ms=NOW, last_human_ms=NOW - POLICY.idle_warning_ms)
RINGS = TimerDue(source_keys=("timer:S1",), session_id="S1", idle_epoch=0)


def by(event: Arrival, locale: str) -> Arrival:
    """The same, by somebody whose client has this locale."""
    return replace(event, author=replace(event.author, locale=locale))


def in_server(event: MessageReceived, locale: str) -> MessageReceived:
    """The same, in a server whose people have chosen this locale."""
    return replace(event, locale=locale)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de-AT", "de"), ("de_DE", "de"), ("en-US", "en"), ("EN", "en"), ("fr", ""), ("den", ""), ("", "")],
)
def test_a_locale_is_one_of_our_languages_or_none(locale: str, language: str) -> None:
    """Somebody with `de-AT` would read English, or somebody with `fr` nothing at all."""
    assert spoken_in(locale) == language


@pytest.mark.parametrize(
    ("event", "policy", "session", "spoken"),
    [
        (issued("help"), POLICY, "", "en"),
        (issued("help"), DE, "", "de"),
        (by(issued("help"), "de-AT"), POLICY, "", "de"),
        (by(issued("help"), "en-GB"), DE, "de", "en"),
        (by(issued("help"), "fr"), DE, "", "de"),
        (issued("help"), POLICY, "de", "de"),
        (by(issued("help", by=BOB), "en-US"), POLICY, "de", "en"),
        (in_server(said(), "de"), POLICY, "", "de"),
        (in_server(said(), "de"), POLICY, "en", "en"),
        (RINGS, POLICY, "de", "de"),
        (RINGS, DE, "", "de"),
        (RINGS, DE, "en", "en"),
    ],
)
def test_whose_language_counts(event: Arrival | TimerDue, policy: Policy, session: str, spoken: str) -> None:
    """A private answer in a stranger's language, or a notice in the one of whoever came by last."""
    actor = BOB if isinstance(event, Arrival) and event.author.key == BOB else said().author.key
    view = calm(by=actor, session=replace(SESSION, language=session), policy=policy)
    assert listening(view, event).policy.language == spoken


def kept(decision: Decision) -> str:
    """The language that the session has afterwards."""
    return one(decision, Session).language


def test_a_conversation_keeps_its_owners_language() -> None:
    """What somebody is told an hour later would be in the installation's language again."""
    assert kept(then(calm(session=None), by(said(), "de"))) == "de"
    assert kept(then(calm(session=None), in_server(said(), "de"))) == "de"
    assert kept(then(calm(), by(said(), "de"))) == "de"
    assert kept(then(calm(session=GERMAN), by(said(), "en-US"))) == "en"
    assert kept(then(calm(session=GERMAN), said())) == "de"
    assert kept(then(calm(session=GERMAN), in_server(said(), "en-US"))) == "de"


def test_a_command_that_changes_nothing_else_is_enough() -> None:
    """Discord tells a person's language with commands and presses only; one /help would be for nothing."""
    assert kept(then(calm(), by(issued("help"), "de"))) == "de"
    assert rows(then(calm(session=GERMAN), by(issued("help"), "de")), Session) == []


def test_somebody_elses_language_is_not_the_owners() -> None:
    """Bob presses a button in Alice's thread, and her notices come in his language from then on."""
    decision = then(calm(by=BOB), by(pressed("resume", "S1", by=BOB), "de"))
    assert reply_of(decision) in de.WORDS.values()
    assert all(each.language == "" for each in rows(decision, Session))


@pytest.mark.parametrize(("language", "words"), [("", en.WORDS), ("de", de.WORDS)])
def test_a_timed_notice_speaks_it(language: str, words: dict[str, str]) -> None:
    """A German conversation would be parked in English."""
    card = one(then(calm(session=replace(QUIET, language=language)), RINGS), Card)
    assert card.text.startswith(words["idle.warned"].partition("{")[0])
