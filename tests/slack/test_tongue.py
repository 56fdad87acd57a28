"""In which language the bot speaks on Slack: the one in which the person uses Slack, where it is one of ours."""

from __future__ import annotations

import pytest

from core.domain.words import de, en
from tests.kit.scripted import Step
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, BOB, GENERAL, SlackWorld

HALF_AN_HOUR_S = 31 * 60.0
ENDLESS: list[Step] = ["More. ", "<stop_reason>max_tokens"]


@pytest.mark.parametrize(("locale", "words"), [("de-DE", de.WORDS), ("en-GB", en.WORDS), ("fr-FR", en.WORDS)])
async def test_a_person_is_spoken_to_in_their_own_language(
    world: SlackWorld, locale: str, words: dict[str, str]
) -> None:
    """A German reads English under an answer, in the notice, on its buttons, or in what only they are told."""
    world.server.slack.locales[ALICE] = locale
    world.script(ENDLESS)
    root = world.ask("tell me all")
    await world.settle()
    assert words["answer.cut_long"] in world.answers(root)[-1]
    await world.pass_time(HALF_AN_HOUR_S)
    notice = world.with_button(root, words["button.resume"])
    assert words["idle.warned"].partition("{")[0] in notice.shown
    envelope = world.people.command(ALICE, GENERAL, "/rejoinder", "help")
    await world.settle()
    assert envelope.response is not None
    assert words["command.sessions"] in str(envelope.response["blocks"])


async def test_a_notice_speaks_its_owners_language(world: SlackWorld) -> None:
    """Bob's language reaches Alice's thread: she cannot read her notice any more."""
    world.server.slack.locales[BOB] = "de-DE"
    root = world.ask("hello")
    await world.settle()
    world.people.say(BOB, GENERAL, f"{MENTION} hallo", root)
    await world.settle()
    await world.pass_time(HALF_AN_HOUR_S)
    assert en.WORDS["idle.warned"].partition("{")[0] in world.with_button(root, en.WORDS["button.resume"]).shown
