"""Tools on Slack: the question stands in the thread, is for who asked, and survives a death."""

from __future__ import annotations

import pytest

from tests.crash.workshop import Workshop
from tests.kit.scripted import Use
from tests.kit.slack_world import ALICE, BOB, SlackWorld

MAKE = Use("shop__make", {"of": "<!channel> a cake"})


async def asking(world: SlackWorld) -> Workshop:
    """The product again, with tools."""
    shop = Workshop(world.clock)
    await world.stop()
    world.tools = shop
    await world.start()
    return shop


async def test_a_tool_is_allowed_by_who_asked(world: SlackWorld) -> None:
    """Alice is asked in her thread; Bob does not even see the buttons; hers makes it, and the answer goes on."""
    shop = await asking(world)
    world.script(["I bake.", MAKE], ["It is baked."])
    root = world.ask("bake a cake")
    await world.run(8.0)
    card = world.with_button(root, "Approve")
    assert "shop: make" in card.shown
    assert "<!channel>" not in str(card.blocks)
    with pytest.raises(AssertionError, match="does not see"):
        world.people.press(BOB, card, "Approve")
    world.people.press(ALICE, card, "Approve")
    await world.settle()
    assert shop.made == {"make:<!channel> a cake": 1}
    texts = world.answers(root)
    assert "I bake.\n\nIt is baked." in texts
    assert any(each.startswith("Approved") for each in texts)
    assert not any(each.buttons for each in world.ours(root))


async def test_a_question_survives_a_death(world: SlackWorld) -> None:
    """Killed while the question is open, and again in the call: it is asked once more whether it happened."""
    shop = await asking(world)
    world.script([MAKE], ["Good."])
    root = world.ask("bake a cake")
    await world.run(8.0)
    await world.reborn()
    world.people.press(ALICE, world.with_button(root, "Approve"), "Approve")
    while not shop.made:
        await world.run(0.25)
    await world.reborn()
    await world.run(5.0)
    world.people.press(ALICE, world.with_button(root, "It happened"), "It happened")
    await world.settle()
    assert shop.made == {"make:<!channel> a cake": 1}
    assert "Good." in world.answers(root)
