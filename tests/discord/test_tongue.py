"""In which language the bot speaks on Discord: the person's, once a command or press has told it; else the server's."""

from __future__ import annotations

from dataclasses import replace

from core.domain.words import LANGUAGES
from tests.kit.discord_house import House
from tests.kit.discord_world import Channel

ENDLESS = ["More. ", "<stop_reason>max_tokens"]


async def reads(house: House, thread: Channel, language: str, code: str) -> None:
    """Wait until the thread has this sentence of ours, in this language."""
    words = LANGUAGES[language][code].partition("{")[0]
    await house.discord.until(lambda: any(words in each for each in house.discord.texts(thread)) or None)


async def asked(house: House, language: str) -> Channel:
    """Alice has asked in a thread; what stands under the answer is in this language."""
    house.script(ENDLESS)
    discord = house.discord
    thread = discord.people.mention("alice", discord.people.channel("general"), "tell me all")["id"]
    await discord.until(lambda: discord.world.channels.get(thread))
    await reads(house, discord.world.channels[thread], language, "answer.cut_long")
    return discord.world.channels[thread]


async def helped(house: House, where: Channel, language: str) -> None:
    """`/help` is answered in this language."""
    told = await house.discord.told(house.discord.people.slash("alice", where, "help"))
    assert LANGUAGES[language]["command.sessions"] in told.text


async def test_a_person_is_spoken_to_in_their_own_language(house: House) -> None:
    """A German gets private answers in German, and an English notice half an hour later; also after a restart."""
    house.discord.people.locale = "de"
    thread = await asked(house, "en")  # a message does not tell it
    await helped(house, thread, "de")
    await house.stop()
    await house.start()
    house.discord.people.say("alice", thread, "and now?")
    await reads(house, thread, "de", "answer.cut_long")
    await house.pass_time(minutes=31)
    await reads(house, thread, "de", "idle.warned")


async def test_a_new_conversation_knows_what_another_was_told(house: House) -> None:
    """Somebody who has used a command is a stranger in every new thread."""
    house.discord.people.locale = "de"
    await helped(house, house.discord.people.channel("general"), "de")
    await asked(house, "de")


async def test_the_language_of_a_server_counts_until_then(house: House) -> None:
    """In a German server everybody is spoken to in English until they use a command."""
    discord = house.discord
    await house.stop()
    discord.people.guild().locale = "de"
    discord.gateway.forget_sessions()
    house.clock.advance(6_000)  # Discord allows one IDENTIFY in 5 s
    await house.start()
    thread = await asked(house, "de")
    await house.pass_time(minutes=31)
    await reads(house, thread, "de", "idle.warned")
    await helped(house, thread, "en")


async def test_the_default_of_a_server_is_nobodys_choice(house: House) -> None:
    """Every server says `en-US` until its people choose; a German installation would speak English in all of them."""
    await house.stop()
    house.policy = replace(house.policy, language="de")
    await house.start()
    await asked(house, "de")
