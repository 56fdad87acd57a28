"""What people live through on Discord: talking, streaming, stopping, crashing, leaving and coming back."""

from __future__ import annotations

import asyncio
import re

from core.domain.errors import NotSent, Refused
from tests.kit.discord_house import House
from tests.kit.discord_world import Channel, Payload

SILENT, NO_PREVIEW = 1 << 12, 1 << 2


async def asked(house: House, text: str, who: str = "alice") -> Channel:
    """Somebody asks in #general; the thread, once it is there."""
    discord = house.discord
    message = discord.people.mention(who, discord.people.channel("general"), text)
    return await discord.until(lambda: discord.world.channels.get(message["id"]))


async def notice(house: House, thread: Channel, words: str) -> Payload:
    """The bot's message in the thread that has these words."""
    ours = house.discord.ours
    return await house.discord.until(lambda: next((each for each in ours(thread) if words in each["content"]), None))


async def test_a_mention_is_answered_in_a_thread_of_its_own(house: House) -> None:
    """Somebody mentions the bot in a channel: one thread opens, and the answer stands there."""
    house.script(["Hello, ", "Alice."])
    discord = house.discord
    channel = discord.people.channel("general")
    asked = discord.people.mention("alice", channel, "hi there")
    await house.answered(asked["id"], "Hello, Alice.")
    thread = discord.world.channels[asked["id"]]
    assert (thread.name, thread.owner_id, thread.auto_archive) == ("hi there", discord.world.bot.id, 4320)
    assert discord.texts(channel) == []


async def test_in_the_thread_no_mention_is_needed(house: House) -> None:
    """The conversation goes on without calling the bot each time, and nothing is asked twice."""
    model = house.script(["One."], ["Two."])
    discord = house.discord
    asked = discord.people.mention("alice", discord.people.channel("general"), "first")
    await house.answered(asked["id"], "One.")
    thread = discord.world.channels[asked["id"]]
    said = discord.people.say("alice", thread, "second")
    ours = await house.answered(thread, "One.", "Two.")
    assert ours[1]["message_reference"]["message_id"] == said["id"]
    assert "first" in str(model.requests[1].messages)


async def test_a_direct_message_is_answered_there(house: House) -> None:
    """A direct conversation needs no thread and no mention."""
    house.script(["Just us."])
    dm = house.discord.people.dm("alice")
    house.discord.people.say("alice", dm, "psst")
    await house.answered(dm, "Just us.")


async def test_stop_keeps_what_was_said(house: House) -> None:
    """The Stop button under a growing answer ends it at once, and only its asker may press it."""
    gate = asyncio.Event()
    house.script(["So far ", gate])
    discord = house.discord
    asked = discord.people.mention("alice", discord.people.channel("general"), "go")
    message = (await house.answered(asked["id"], "So far"))[0]
    other = await discord.told(discord.people.press("bob", message, "Stop"))
    assert "Only" in other.text
    assert other.ephemeral
    await discord.told(discord.people.press("alice", message, "Stop"))
    await house.answered(asked["id"], "So far \n\n_Stopped. What was said so far is kept._")


async def test_a_crash_in_mid_answer_is_finished_in_the_same_message(house: House) -> None:
    """Killed while it speaks: after the restart the very message is complete, and there is one."""
    gate = asyncio.Event()
    house.script(["Once upon a time ", gate])
    discord = house.discord
    asked = discord.people.mention("alice", discord.people.channel("general"), "story")
    before = await house.answered(asked["id"], "Once upon a time")
    await asyncio.sleep(0.6)  # a tick of the draft
    await house.crash()
    house.script(["there was a bot."])
    await house.start()
    after = await house.answered(asked["id"], "Once upon a time there was a bot.")
    assert after[0]["id"] == before[0]["id"]
    assert discord.gateway.identifies == 1


async def test_three_quick_messages_are_one_turn(house: House) -> None:
    """Somebody who presses Enter three times is answered once."""
    discord = house.discord
    dm = discord.people.dm("alice")
    model = house.script(["All three."])
    for text in ("one", "two", "three"):
        discord.people.say("alice", dm, text)
    await house.answered(dm, "All three.")
    assert len(model.requests) == 1


async def test_what_arrives_while_answering_is_seen_and_answered_next(house: House) -> None:
    """A second question during an answer gets a sign at once, and its own answer then."""
    gate = asyncio.Event()
    house.script(["First", gate, "."], ["Second."])
    discord = house.discord
    thread = await asked(house, "one")
    await discord.until(lambda: discord.texts(thread) == ["First"])
    said = discord.people.say("alice", thread, "two")
    await discord.until(lambda: discord.world.messages[thread.id][said["id"]].get("marks"))
    gate.set()
    await house.answered(thread, "First.", "Second.")


async def test_a_busy_model_is_waited_for_and_said(house: House) -> None:
    """The model is busy for a minute: the person reads so, with a Stop button, and then the answer."""
    retry_ms = house.clock.now_ms() + 60_000
    house.script([NotSent(code="model_busy", retry_ms=retry_ms)], ["Here."])
    thread = await asked(house, "go")
    message = await notice(house, thread, "busy")
    assert [each["label"] for each in message["components"][0]["components"]] == ["Stop"]
    house.clock.advance(61_000)
    await house.engine.ring()
    await house.answered(thread, "Here.")


async def test_a_failure_is_said_plainly_and_tried_again(house: House) -> None:
    """A definite no of the model's is told in words, and a button tries again in the same message."""
    house.script([Refused(code="model_auth")], ["Now it works."])
    thread = await asked(house, "go")
    message = await notice(house, thread, "key for the language model")
    await house.discord.acknowledged(house.discord.people.press("alice", message, "Try again"))
    ours = await house.answered(thread, "Now it works.")
    assert ours[0]["id"] == message["id"]


async def test_a_long_answer_stands_whole_in_several_messages(house: House) -> None:
    """9,000 characters with code in them: in order, nothing lost, every fence closed and opened again."""
    lines = [f"print({n}, 'a line of code that is long enough to matter')" for n in range(100)]
    blocks = ["```python\n" + "\n".join(lines[at : at + 25]) + "\n```" for at in range(0, 100, 25)]  # none is a file
    text = "Look:\n\n" + "\n\n".join(blocks) + "\n\nAnd then:\n\n" + "words and more words. " * 150
    house.script([text[at : at + 400] for at in range(0, len(text), 400)])
    thread = await asked(house, "long please")
    discord = house.discord
    await discord.until(lambda: "".join(discord.texts(thread)).endswith("words and more words."))
    parts = discord.texts(thread)
    assert len(parts) >= 4
    assert all(each.count("```") % 2 == 0 for each in parts)
    assert all(len(each) <= 2000 for each in parts)
    whole = re.sub(r"\n```(?:python)?\n?|```(?:python)?\n", "\n", "\n".join(parts))
    assert [each for each in whole.split("\n") if each.startswith("print")] == lines


async def test_mentions_of_the_models_ping_nobody(house: House) -> None:
    """Whatever the model writes, nobody is woken by it and no preview unfolds."""
    house.script(["@everyone <@1> <@&2> https://example.org"])
    thread = await asked(house, "go")
    await notice(house, thread, "@everyone")
    await house.discord.until(lambda: house.engine.idle)
    log = house.discord.rest.log
    sent = [each.body or {} for each in log if re.search(r"/messages(/\d+)?$", each.path) and each.method != "GET"]
    assert len(sent) >= 2
    assert all(each["allowed_mentions"]["parse"] == [] for each in sent)
    assert all(each["flags"] & NO_PREVIEW for each in sent)


async def test_a_quiet_thread_gets_one_silent_notice_that_is_edited(house: House) -> None:
    """Warned, parked, expired: one message without a ping, edited each time; then the return says what is left."""
    discord = house.discord
    house.script(["Noted."], ["Welcome back."])
    thread = await asked(house, "My app is called Lumen.")
    await house.answered(thread, "Noted.")
    await house.pass_time(minutes=31)
    first = await notice(house, thread, "I keep everything and park")
    labels = [each.get("label") for row in first["components"] for each in row["components"]]
    assert labels[:3] == ["Resume", "Keep open 24 h", "End"]
    assert first["components"][1]["components"][0]["type"] == 3
    assert first["flags"] & SILENT
    await house.pass_time(minutes=31)
    parked = await notice(house, thread, "parked")
    await house.pass_time(hours=24)
    expired = await notice(house, thread, "summary")
    assert first["id"] == parked["id"] == expired["id"]
    discord.people.say("alice", thread, "I am back")
    await discord.until(lambda: "Welcome back." in discord.texts(thread))
    back = await notice(house, thread, "Back.")
    assert back["id"] == first["id"]
    shown = await discord.told(discord.people.press("alice", back, "Show summary"))
    assert "Lumen" in shown.text
    wrong = await discord.told(discord.people.press("alice", back, "That's wrong"))
    assert wrong.modal is not None
    field = wrong.modal["components"][0]["component"]["custom_id"]
    filled = discord.people.submit("alice", wrong, **{field: "It is called Lumina."})
    assert "win" in (await discord.told(filled)).text


async def test_the_menu_of_a_notice_ends_the_notices(house: House) -> None:
    """`No notices here` is chosen from the menu; it is private, and holds."""
    discord = house.discord
    thread = await asked(house, "hello")
    await house.discord.until(lambda: discord.texts(thread) == ["Hello."])
    await house.pass_time(minutes=31)
    first = await notice(house, thread, "park")
    other = await discord.told(discord.people.press("bob", first, "No notices here"))
    assert "Only" in other.text
    chosen = await discord.told(discord.people.press("alice", first, "No notices here"))
    assert "No more notices" in chosen.text
    assert chosen.ephemeral


async def test_forget_everything_asks_and_forgets(house: House) -> None:
    """`/forget everything` asks once, in private, and then nothing of the person is left in our files."""
    discord = house.discord
    thread = await asked(house, "my secret is xyzzy42")
    await house.discord.until(lambda: discord.texts(thread) == ["Hello."])
    question = await discord.told(discord.people.slash("alice", thread, "forget", what="everything"))
    assert question.answer is not None
    await discord.told(discord.people.press("alice", question.answer, "Forget for good"))
    await discord.until(lambda: house.engine.idle)
    await asyncio.sleep(0.3)
    await house.stop()
    assert not any(b"xyzzy42" in file.read_bytes() for file in house.path.parent.iterdir())
