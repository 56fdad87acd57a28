"""Commands, completions, lists, forms and menus: every way to say what one wants, answered in time and in private."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bots.discord import commands
from core.domain.codes import code_of, grouped
from core.domain.rules.commands import COMMANDS
from core.engine.points import nowhere
from storage.rows import TICKET
from tests.crash.fuse import Fuse, Spot
from tests.kit.discord_house import House
from tests.kit.discord_interactions import Interaction
from tests.kit.discord_oracle import OpenApi
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Channel
from tests.kit.world import KEYS

_CODE = re.compile(r"/resume ([0-9A-Z-]{19})")


async def talk(house: House, who: str = "alice", text: str = "My app is called Lumen.") -> Channel:
    """Somebody has talked with the bot in a thread."""
    house.script(["Noted."])
    discord = house.discord
    thread = discord.people.mention(who, discord.people.channel("general"), text)["id"]
    await house.answered(thread, "Noted.")
    return discord.world.channels[thread]


async def told(house: House, one: Interaction) -> str:
    """What the person reads; it is theirs alone."""
    await house.discord.told(one)
    assert one.ephemeral or one.modal or one.choices is not None or one.deleted
    return one.text


async def code_in(house: House, thread: Channel) -> str:
    """The code that stands in the thread's notice."""
    await house.pass_time(minutes=61)
    texts = await house.discord.until(lambda: [each for each in house.discord.texts(thread) if _CODE.search(each)])
    found = _CODE.search(texts[0])
    assert found is not None
    return found[1]


async def test_help_is_private(house: House) -> None:
    """A command is answered to whoever issued it, and to nobody else."""
    channel = house.discord.people.channel("general")
    assert "/sessions" in await told(house, house.discord.people.slash("alice", channel, "help"))
    assert house.discord.texts(channel) == []


async def test_every_command_of_the_core_is_known_and_answered(house: House) -> None:
    """Whatever Discord shows in its list is answered, in a thread, in a channel and in a direct conversation."""
    thread = await talk(house)
    places = (thread, house.discord.people.channel("general"), house.discord.people.dm("alice"))
    for name in COMMANDS:
        for place in places:
            assert await told(house, house.discord.people.slash("alice", place, name)) or name == "resume"


async def test_the_commands_fit_discords_own_document(house: House) -> None:
    """What is sent is what Discord takes; the payload is equal in every process."""
    discord = house.discord
    await discord.until(lambda: discord.rest.commands)
    names = [each["name"] for each in discord.rest.commands]
    assert names[:2] == ["resume", "ask"]
    assert names[-1] == "Continue from here"
    assert set(COMMANDS) <= set(names)
    made = commands.payload(COMMANDS)
    assert commands.digest(made, "x") == commands.digest(commands.payload(COMMANDS), "x")
    assert commands.digest(made, "x") != commands.digest(made, "y")
    oracle = OpenApi.load()
    if oracle is not None:
        oracle.request("PUT", "/applications/1/commands", made)
        assert oracle.problems == []


@pytest.mark.parametrize("how", ["grouped", "bare", "lower", "spaced"])
async def test_a_typed_code_brings_the_conversation_to_here(house: House, how: str) -> None:
    """`/resume CODE` in another channel opens a thread there, and the conversation goes on in it with its history."""
    discord = house.discord
    code = await code_in(house, await talk(house))
    typed = {"grouped": code, "bare": code.replace("-", ""), "lower": code.lower(), "spaced": f" {code} "}[how]
    other = discord.people.channel("other")
    await told(house, discord.people.slash("alice", other, "resume", code=typed))
    starter = (await discord.until(lambda: discord.ours(other)))[0]
    thread = await discord.until(lambda: discord.world.channels.get(starter["id"]))
    model = house.script(["It is Lumen."])
    discord.people.say("alice", thread, "what is it called?")
    await discord.until(lambda: "It is Lumen." in discord.texts(thread))
    assert "Lumen" in str(model.requests[0].messages)


async def test_a_wrong_code_leaves_nothing_behind(house: House) -> None:
    """An unknown code, no code at all, and somebody else's are refused with the same words, and no trace stands."""
    discord = house.discord
    code = await code_in(house, await talk(house))
    other = discord.people.channel("other")
    said = {
        await told(house, discord.people.slash("bob", other, "resume", code=each))
        for each in (code, "0000-0000-0000-0000", "no code at all")
    }
    assert len(said) == 1
    assert discord.texts(other) == []


@pytest.mark.parametrize("yes", [True, False])
async def test_into_a_more_visible_place_only_after_a_yes(house: House, *, yes: bool) -> None:
    """A direct conversation is asked into a channel: its audience is named; after a no, nothing of it stands there."""
    discord = house.discord
    house.script(["Just us."])
    dm = discord.people.dm("alice")
    discord.people.say("alice", dm, "first")
    await house.answered(dm, "Just us.")
    await house.pass_time(minutes=61)
    notice = await discord.until(lambda: [each for each in discord.ours(dm) if "/resume " in each["content"]])
    code = notice[0]["content"].partition("/resume ")[2][:19]
    other = discord.people.channel("other")
    question = await discord.told(discord.people.slash("alice", other, "resume", code=code))
    assert question.answer is not None
    assert "everybody" in question.text
    starter = discord.ours(other)[0]
    button = question.buttons[0 if yes else 1]["custom_id"]
    await discord.told(discord.people.press_id("alice", question.answer, button))
    if yes:
        await discord.until(lambda: "goes on here" in str(discord.texts(starter["id"])))
    else:
        await discord.until(lambda: discord.texts(other) == [])
        assert starter["id"] not in discord.world.channels


async def test_completion_offers_my_own_conversations(house: House) -> None:
    """Typing `/resume` shows mine, by their words; choosing one goes on with it, without any code."""
    discord = house.discord
    await talk(house)
    await talk(house, "bob", "Secret plans.")
    other = discord.people.channel("other")
    asked = await discord.acknowledged(discord.people.complete("alice", other, "resume", "code", ""))
    assert asked.choices is not None
    assert [each["name"].startswith("My app is called Lumen.") for each in asked.choices] == [True]
    assert asked.answered_after is not None
    assert asked.answered_after < 1.0
    none = await discord.acknowledged(discord.people.complete("alice", other, "resume", "code", "secret"))
    assert none.choices == []
    await told(house, discord.people.slash("alice", other, "resume", code=asked.choices[0]["value"]))
    starter = (await discord.until(lambda: discord.ours(other)))[0]
    await discord.until(lambda: discord.world.channels.get(starter["id"]))


async def test_resume_without_a_code_asks_which(house: House) -> None:
    """Several conversations: a list to choose from; choosing goes on with that one."""
    discord = house.discord
    await talk(house)
    await talk(house, text="Another matter.")
    other = discord.people.channel("other")
    asked = discord.people.slash("alice", other, "resume")
    await told(house, asked)
    assert asked.answer is not None
    options = asked.buttons[0]["options"]
    assert len(options) == 2
    chosen = discord.people.press("alice", asked.answer, options[0]["label"])
    await told(house, chosen)
    starter = (await discord.until(lambda: discord.ours(other)))[0]
    await discord.until(lambda: discord.world.channels.get(starter["id"]))


async def test_resume_with_nothing_to_resume_asks_for_a_code(house: House) -> None:
    """Somebody who has no conversation here may have one elsewhere: a form asks for its code."""
    discord = house.discord
    code = await code_in(house, await talk(house))
    asked = await discord.told(discord.people.slash("dave", discord.people.channel("other"), "resume"))
    assert asked.modal is not None
    filled = discord.people.submit("dave", asked, code=code)
    assert "/sessions" in await told(house, filled)


async def test_a_form_is_answered_by_whichever_process(house: House) -> None:
    """A form that was opened before a restart is submitted after it (trap 6)."""
    discord = house.discord
    asked = await discord.told(discord.people.slash("dave", discord.people.channel("other"), "resume"))
    await house.stop()
    await house.start()
    assert await told(house, discord.people.submit("dave", asked, code="0000-0000-0000-0000"))


async def test_continue_from_here_on_a_parked_notice(house: House) -> None:
    """The message menu does what the Resume button does."""
    discord = house.discord
    thread = await talk(house)
    await code_in(house, thread)
    notice = next(each for each in discord.ours(thread) if _CODE.search(each["content"]))
    await discord.acknowledged(discord.people.menu("alice", thread, "Continue from here", notice))
    await discord.until(lambda: any("Back" in each for each in discord.texts(thread)))


async def test_ask_opens_a_thread_with_the_question(house: House) -> None:
    """`/ask` in a channel: the question stands for all to see, and is answered in its thread."""
    discord = house.discord
    channel = discord.people.channel("other")
    house.script(["Four."])
    await discord.acknowledged(discord.people.slash("alice", channel, "ask", text="two and two?"))
    starter = (await discord.until(lambda: discord.ours(channel)))[0]
    assert starter["content"] == "> two and two?"
    await house.answered(starter["id"], "Four.")


async def test_from_a_server_without_us_we_answer_in_private(house: House) -> None:
    """The app is installed to the person only: the answer goes to their direct messages, and they are told where."""
    discord = house.discord
    discord.people.guild("foreign", bot_in=False)
    there = discord.people.channel("lobby", guild="foreign")
    house.script(["Four."])
    asked = discord.people.slash("alice", there, "ask", text="two and two?")
    dm = discord.people.dm("alice")
    assert dm.id in await told(house, asked)
    await house.answered(dm, "Four.")
    assert discord.texts(there) == []
    discord.rest.closed_dms.add(discord.world.person("bob").id)
    assert "closed" in await told(house, discord.people.slash("bob", there, "ask", text="me?"))


async def test_no_code_is_on_the_disk(house: House) -> None:
    """The code stands in the thread and nowhere in our files."""
    thread = await talk(house)
    code = await code_in(house, thread)
    rows = await house.store.read(lambda conn: conn.execute(TICKET.select).fetchall())
    ticket = TICKET.decode(rows[0])
    assert grouped(code_of(KEYS, ticket.id, ticket.generation)) == code
    await house.stop()
    for file in house.path.parent.iterdir():
        data = file.read_bytes()
        assert code.encode() not in data
        assert code.replace("-", "").encode() not in data


async def down_for_a_while(house: House) -> None:
    """The process is dead, and Discord tells whoever has typed something that the application did not respond."""
    house.discord.time.advance(4.0)
    house.clock.advance(4_000)
    await house.start()


async def test_what_was_typed_anew_is_done_once(house: House) -> None:
    """The bot was away; whoever was told that nothing came of it typed it anew, and gets it answered twice."""
    discord = house.discord
    channel = discord.people.channel("general")
    model = house.script(["Once."], ["Twice."])
    await house.crash()
    discord.people.slash("alice", channel, "ask", text="what is it?")
    await down_for_a_while(house)
    await told(house, discord.people.slash("alice", channel, "ask", text="what is it?"))
    (starter,) = await discord.until(lambda: discord.ours(channel))
    await house.answered(starter["id"], "Once.")
    assert len(model.requests) == 1


async def test_what_had_begun_when_it_died_goes_on(discord: DiscordServer, tmp_path: Path) -> None:
    """The question stands there quoted, and whoever waits for it waits for ever."""
    house = House(tmp_path / "begun.db", discord)
    house.script(["Once."])
    fuse = Fuse(Spot(point="accept.before_commit", hit=1))
    house.point = fuse.point
    await house.start()
    channel = discord.people.channel("general")
    discord.people.slash("alice", channel, "ask", text="what is it?")
    (starter,) = await discord.until(lambda: discord.ours(channel))
    await discord.until(lambda: fuse.dead)
    await house.crash()
    house.point = nowhere
    await down_for_a_while(house)
    await house.answered(starter["id"], "Once.")
    await house.stop()


async def test_a_clock_that_is_ahead_changes_nothing(house: House) -> None:
    """The machine's clock is a minute ahead of Discord's: every question seems to come too late, and none is taken."""
    discord = house.discord
    house.clock.advance(60_000)
    channel = discord.people.channel("general")
    house.script(["Once."])
    discord.people.slash("alice", channel, "ask", text="what is it?")
    (starter,) = await discord.until(lambda: discord.ours(channel))
    await house.answered(starter["id"], "Once.")
