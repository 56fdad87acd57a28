"""A conversation leaves Slack for another platform, and comes from there."""

from __future__ import annotations

from core.domain.decision import Private
from core.domain.events import CommandIssued
from core.engine.ports import Accepted
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, GENERAL, SlackWorld
from tests.kit.world import author_at, place_of
from tests.slack.test_leaving import code_in, parked

THERE = "away/dm:alice/t9"


async def resume_elsewhere(world: SlackWorld, code: str, person: str = "alice") -> Accepted:
    """Somebody types the code in the built-in web chat."""
    place = place_of(THERE)
    event = CommandIssued(
        source_keys=(f"elsewhere:{code}:{person}",),
        author=author_at(person, place),
        place=place,
        name="resume",
        rest=code,
    )
    accepted = await world.engine.accept(event)
    await world.settle()
    return accepted


async def test_a_stranger_with_a_code_is_shown_to_the_owner(world: SlackWorld) -> None:
    """A code in the wrong hands opens nothing: the owner is asked where the conversation lives, and may say no."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    accepted = await resume_elsewhere(world, code)
    assert isinstance(accepted.decision.reply, Private)
    asked = world.with_button(root, "Deny")
    assert world.server.slack.status(GENERAL, root) == "suspended"
    assert all(each["visible_to_user_ids"] == [ALICE] for each in asked.buttons)
    world.people.press(ALICE, asked, "Deny")
    await world.settle()
    (session,) = await world.sessions()
    assert session.home.platform == "slack"


async def test_the_owner_allows_it_and_it_goes_on_there(world: SlackWorld) -> None:
    """After Allow the conversation lives on the other platform; its thread in Slack says so and can bring it back."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    await resume_elsewhere(world, code)
    world.people.press(ALICE, world.with_button(root, "Deny"), "Allow")
    await world.settle()
    (session,) = await world.sessions()
    assert session.home.platform == "local"
    told = world.with_button(root, "That wasn't me")
    assert {"Bring it back here", "Start new here"} <= {each["text"]["text"] for each in told.buttons}
    world.people.press(ALICE, told, "Bring it back here")
    await world.settle()
    (session,) = await world.sessions()
    assert (session.home.platform, session.home.thread) == ("slack", root)


async def test_a_code_fetched_in_private_needs_no_question(world: SlackWorld) -> None:
    """`Continue elsewhere` gives the owner a code in a window; whoever brings it is taken for the owner."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    other = world.people.say(ALICE, GENERAL, f"{MENTION} resume {code}")
    await world.settle()
    world.people.press(ALICE, world.with_button(other, "Continue elsewhere"), "Continue elsewhere")
    await world.settle()
    (modal,) = world.modals()
    fetched = code_in(str(modal.view["blocks"]))
    assert all(fetched not in each for each in (*world.answers(root), *world.answers(other)))
    await resume_elsewhere(world, fetched)
    (session,) = await world.sessions()
    assert session.home.platform == "local"
