"""Tools on Discord: the question stands in the thread, is for who asked, and survives a death."""

from __future__ import annotations

from core.engine.ports import Clock
from tests.crash.workshop import Workshop
from tests.discord.test_journeys import asked, notice
from tests.kit.discord_house import House
from tests.kit.scripted import Use

MAKE = Use("shop__make", {"of": "@everyone a cake"})


async def asking(house: House) -> Workshop:
    """The product again, with tools."""
    clock: Clock = house.clock
    shop = Workshop(clock)
    await house.stop()
    house.tools = shop
    await house.start()
    return shop


async def test_a_tool_is_allowed_by_who_asked(house: House) -> None:
    """Alice is asked in her thread; Bob's press changes nothing; hers makes it, and the answer goes on."""
    shop = await asking(house)
    house.script(["I bake.", MAKE], ["It is baked."])
    discord = house.discord
    thread = await asked(house, "bake a cake")
    card = await notice(house, thread, "shop: make")
    assert card["allowed_mentions"]["parse"] == [] if "allowed_mentions" in card else True
    other = await discord.told(discord.people.press("bob", card, "Approve"))
    assert other.ephemeral
    assert not shop.made
    await discord.acknowledged(discord.people.press("alice", card, "Approve"))
    await notice(house, thread, "I bake.\n\nIt is baked.")
    await notice(house, thread, "Approved")
    assert shop.made == {"make:@everyone a cake": 1}


async def test_a_question_survives_a_death(house: House) -> None:
    """Killed while the question is open, and again in the call: it is asked once more whether it happened."""
    shop = await asking(house)
    house.script([MAKE], ["Good."])
    discord = house.discord
    thread = await asked(house, "bake a cake")
    card = await notice(house, thread, "May I use")
    await house.crash()
    await house.start()
    await discord.acknowledged(discord.people.press("alice", card, "Approve"))
    await discord.until(lambda: shop.made)
    await house.crash()
    await house.start()
    unsure = await notice(house, thread, "I do not know whether it happened")
    await discord.acknowledged(discord.people.press("alice", unsure, "It happened"))
    await notice(house, thread, "Good.")
    assert shop.made == {"make:@everyone a cake": 1}
