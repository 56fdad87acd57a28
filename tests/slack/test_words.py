"""What people read on Slack: commands as one types them there."""

from __future__ import annotations

import re

import pytest

from bots.slack.words import LANGUAGES, own, spelled
from core.domain import words
from core.domain.rules.commands import COMMANDS, listing
from tests.kit.slack_world import ALICE, DM, GENERAL, SlackWorld


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("`/sessions` shows yours", "`/rejoinder sessions` shows yours"),
        ("/help shows it.", "/rejoinder help shows it."),
        ("/stop: end it\n/new: begin", "/rejoinder stop: end it\n/rejoinder new: begin"),
        ("`/notices here on`, `/notices off`", "`/rejoinder notices here on`, `/rejoinder notices off`"),
        ("`/resume ABCD`", "`/resume ABCD`"),
        ("`/rejoinder help`", "`/rejoinder help`"),
        ("https://example.com/help and and/stop", "https://example.com/help and and/stop"),
        ("/newest", "/newest"),
    ],
)
def test_commands_are_called_as_in_slack(said: str, typed: str) -> None:
    """Who types what a sentence says would read that there is no such command."""
    assert spelled(said) == typed


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_names_a_command_that_slack_does_not_have(language: str) -> None:
    """A new sentence might name a command in another way."""
    sentences = [*words.LANGUAGES[language].values(), listing(language), own(language, "help")]
    names = "|".join(COMMANDS)
    for sentence in sentences:
        for found in re.finditer(rf"(\S*)/({names})\b", spelled(sentence)):
            assert found[2] == "resume", sentence


async def test_help_says_how_commands_are_typed_in_threads(world: SlackWorld) -> None:
    """In a thread Slack refuses slash commands; nobody would find the other way."""
    envelope = world.people.command(ALICE, GENERAL, "/rejoinder", "help")
    await world.settle()
    assert "/rejoinder sessions:" in str(envelope.response)
    assert "@Rejoinder sessions" in str(envelope.response)


async def test_a_wrong_code_is_answered_with_a_command_that_exists(world: SlackWorld) -> None:
    """`/sessions` is no command in Slack."""
    root = world.people.say(ALICE, DM, "resume ABCD-EFGH-JKMN-PQR7")
    await world.settle()
    assert "`/rejoinder sessions` shows yours" in world.answers(root, DM)[0]
