"""Where Slack opens no window, what it asks for can be typed."""

from __future__ import annotations

import pytest

from bots.slack import typed
from core.domain.keys import ButtonId
from tests.kit.planner import PLAN, Planner, plan
from tests.kit.slack_faults import Wrong
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SlackWorld
from tests.slack.test_leaving import HOUR, MINUTE, talk
from tests.slack.test_tools import asking

CODES = ("unknown_method", "expired_trigger_id")


def told(world: SlackWorld) -> str:
    """The id that a form is sent with, as Alice was told privately."""
    (text,) = [each.shown for each in world.server.slack.bots_messages() if "did not open the window" in each.shown]
    (channel,) = {each.channel for each in world.server.slack.bots_messages() if each.shown == text}
    assert channel == DM
    return text.split("`")[1]


async def asked_what_is_wrong(world: SlackWorld, code: str) -> str:
    """Alice has pressed "That's wrong"; returns the thread."""
    root = await talk(world, *(f"Point {n}: the code word is number{n}." for n in range(8)))
    await world.pass_time(61 * MINUTE)
    await world.pass_time(25 * HOUR)
    world.people.say(ALICE, GENERAL, "where were we?", root)
    await world.settle()
    world.server.faults.add("views.open", Wrong.ERROR, code=code)
    world.people.press(ALICE, world.with_button(root, "That's wrong"), "That's wrong")
    await world.settle()
    return root


@pytest.mark.parametrize("code", CODES)
async def test_a_correction_is_typed(world: SlackWorld, code: str) -> None:
    """Alice presses "That's wrong" and nothing happens: no window, no word."""
    model = world.script(["ok"])
    root = await asked_what_is_wrong(world, code)
    world.people.say(ALICE, DM, f"`{told(world)}` The name is Lumen, not Lumi.")
    await world.settle()
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    assert "The name is Lumen, not Lumi." in str(model.requests[-1].messages)
    assert len(model.requests) == 10, "the correction was answered as if it were a question"


async def test_somebody_elses_correction_counts_for_nothing(world: SlackWorld) -> None:
    """Bob sends what only Alice may."""
    model = world.script(["ok"])
    root = await asked_what_is_wrong(world, CODES[0])
    world.people.say(BOB, "D0BOB", f"{told(world)} The name is Bob.")
    await world.settle()
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    assert "The name is Bob." not in str(model.requests[-1].messages)


async def test_a_plan_is_changed_by_a_typed_wish(world: SlackWorld) -> None:
    """Alice presses "Change" under a plan and nothing happens."""
    await asking(world)
    await world.stop()
    model = Planner(world.clock, plan(("bake", ()), ("ice", (0,)), tools=("shop__make",)))
    world.model = model
    await world.start()
    root = world.ask("/task bake a cake")
    await world.settle()
    world.server.faults.add("views.open", Wrong.ERROR, code=CODES[0])
    world.people.press(ALICE, world.with_button(root, "Change"), "Change")
    await world.settle()
    world.people.say(ALICE, GENERAL, f"{MENTION} {told(world)} without nuts", root)
    await world.settle()
    assert model.calls[PLAN] == 2
    assert "without nuts" in str(model.requests[-1].messages)


@pytest.mark.parametrize("text", ["rj1:task_stop:{id}:0 now", "rj1:correct:{id}:0", "rj1:correct:x:0 words", "rj1: hi"])
def test_nothing_else_is_pressed_by_typing(text: str) -> None:
    """A message that somebody was made to paste presses a button."""
    assert typed.filled(text.format(id="0" * 26)) is None
    assert typed.filled(f"rj1:correct:{'0' * 26}:0 a\nb") == (ButtonId(verb="correct", subject="0" * 26), "a\nb")
