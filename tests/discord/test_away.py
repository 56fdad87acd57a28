"""While we were away: nothing said is lost, nothing is answered twice, and old buttons still work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bots.discord.budget import STARTS
from bots.discord.memory import numbers
from core.domain.errors import Refused, StoreFull
from storage.memory import SqliteMemory
from tests.kit.discord_faults import EventFault
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer


async def talk(house: House, *texts: str) -> str:
    """Alice and the bot have talked in a thread; its id."""
    house.script(["One."])
    discord = house.discord
    thread = discord.people.mention("alice", discord.people.channel("general"), "first")["id"]
    await house.answered(thread, "One.")
    return str(thread)


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_what_was_said_meanwhile_is_replayed_and_answered(house: House, how: str) -> None:
    """The next process goes on with the gateway session of this one: no IDENTIFY, nothing missed."""
    discord = house.discord
    thread = await talk(house)
    await asyncio.sleep(0.6)
    await (house.stop() if how == "stop" else house.crash())
    discord.people.say("alice", discord.world.channels[thread], "are you there?")
    house.script(["Yes."])
    await house.start()
    await house.answered(thread, "One.", "Yes.")
    assert (discord.gateway.identifies, discord.gateway.resumes) == (1, 1)


async def test_what_no_replay_tells_is_read_from_the_history(house: House) -> None:
    """The session is gone (a longer time down): messages in threads, channels and direct messages are found by REST."""
    discord = house.discord
    thread = await talk(house)
    dm = discord.people.dm("bob")
    house.script(["Hi Bob."])
    discord.people.say("bob", dm, "hello")
    await house.answered(dm, "Hi Bob.")
    await house.stop()
    discord.gateway.forget_sessions()
    house.clock.advance(6_000)  # Discord allows one IDENTIFY in 5 s
    house.script(["Here."])
    discord.people.say("alice", discord.world.channels[thread], "still there?")
    discord.people.say("bob", dm, "you too?")
    new = discord.people.mention("carol", discord.people.channel("other"), "and me?")
    await house.start()
    await house.answered(thread, "One.", "Here.")
    await house.answered(dm, "Hi Bob.", "Here.")
    await house.answered(new["id"], "Here.")
    assert discord.gateway.identifies == 2


async def test_several_messages_meanwhile_are_the_persons_choice(house: House) -> None:
    """After downtime with several waiting messages the person is asked what to answer."""
    discord = house.discord
    thread = await talk(house)
    await house.stop()
    for text in ("one", "two", "three"):
        discord.people.say("alice", discord.world.channels[thread], text)
    house.script(["All of it."])
    await house.start()
    ours = await house.answered(thread, "One.", "While I was away 3 messages arrived.")
    await discord.told(discord.people.press("alice", ours[1], "Answer all"))
    await discord.until(lambda: "All of it." in discord.texts(thread))


async def test_too_old_is_not_answered_by_itself(house: House) -> None:
    """Somebody who wrote before CATCH_UP_AGE is not surprised by an answer."""
    discord = house.discord
    thread = await talk(house)
    await house.stop()
    discord.gateway.forget_sessions()
    discord.people.say("alice", discord.world.channels[thread], "long ago")
    discord.time.advance(7 * 3600)
    house.clock.advance(7 * 3_600_000)
    house.catch_up_age = timedelta(hours=6)
    await house.start()
    await asyncio.sleep(0.2)
    assert discord.texts(thread) == ["One."]


async def test_a_gap_in_one_process_is_filled(house: House) -> None:
    """Discord throws the session away while we run (op 9): what was said in between is answered (trap 12)."""
    discord = house.discord
    thread = await talk(house)
    house.script(["Found."])
    house.clock.advance(6_000)  # Discord allows one IDENTIFY in 5 s
    discord.faults.add_event(EventFault(event="MESSAGE_CREATE", copies=0))
    discord.people.say("alice", discord.world.channels[thread], "lost on the way")
    discord.gateway.invalidate(resumable=False)
    await house.answered(thread, "One.", "Found.")
    assert discord.gateway.identifies == 2


async def test_a_cut_connection_costs_nothing(house: House) -> None:
    """A reset, a close by Discord, op 7, a resumable op 9: nothing is missed and no IDENTIFY is spent."""
    discord = house.discord
    thread = await talk(house)
    channel = discord.world.channels[thread]
    house.script(["2"], ["3"], ["4"], ["5"])
    breaks: tuple[Callable[[], None], ...] = (
        discord.gateway.reset_sockets,
        lambda: discord.gateway.close_sockets(4000),
        discord.gateway.ask_reconnect,
        lambda: discord.gateway.invalidate(resumable=True),
    )
    told = ["One."]
    for n, do in enumerate(breaks, 2):
        do()
        discord.people.say("alice", channel, f"question {n}")
        told.append(str(n))
        await house.answered(thread, *told)
    assert discord.gateway.identifies == 1
    discord.gateway.ask_heartbeat()


async def test_a_button_from_before_two_restarts_is_answered_in_time(house: House) -> None:
    """A Resume button was posted three processes ago; it works, within Discord's 3 s, without any memory of it."""
    discord = house.discord
    thread = await talk(house)
    await house.pass_time(minutes=61)
    notice = await discord.until(lambda: [each for each in discord.ours(thread) if "parked" in each["content"]])
    for _ in range(2):
        await house.stop()
        await house.start()
    pressed = await discord.acknowledged(discord.people.press("alice", notice[0], "Resume"))
    assert pressed.answered_after is not None
    assert pressed.answered_after < 3.0
    await discord.until(lambda: "Back: everything kept." in discord.texts(thread))


async def test_a_press_in_the_gap_is_answered_after_a_cold_resume(house: House) -> None:
    """Somebody presses while the program restarts; it is back within 3 s and answers."""
    discord = house.discord
    thread = await talk(house)
    await house.pass_time(minutes=61)
    notice = await discord.until(lambda: [each for each in discord.ours(thread) if "parked" in each["content"]])
    await house.stop()
    pressed = discord.people.press("alice", notice[0], "Resume")
    await house.start()
    await discord.acknowledged(pressed)
    await discord.until(lambda: "Back: everything kept." in discord.texts(thread))


async def test_the_session_is_saved_only_up_to_what_is_stored(house: House) -> None:
    """What reached us and was not committed before the crash comes again; no history has a command."""
    discord = house.discord
    thread = await talk(house)
    await asyncio.sleep(0.6)
    hold = asyncio.Event()
    accept = house.engine.accept

    async def held(*args: object, **more: object) -> object:
        await hold.wait()
        return await accept(*args, **more)  # type: ignore[arg-type]

    house.engine.accept = held  # type: ignore[method-assign,assignment]
    discord.people.slash("alice", discord.world.channels[thread], "ask", text="in flight")
    await asyncio.sleep(1.2)  # longer than the rhythm of saving
    await house.crash()
    house.script(["Landed."])
    await house.start()
    await house.answered(thread, "One.", "Landed.")
    assert discord.gateway.identifies == 1


async def test_after_a_restart_a_thread_is_known_for_a_thread(house: House) -> None:
    """A cold RESUME tells nothing of channels: what a mention in a thread of people means is looked up (trap 14)."""
    discord = house.discord
    await talk(house)
    theirs = discord.people.thread("plans", discord.people.channel("general"), "bob")
    await discord.until(lambda: house.served._directory.knows(theirs.id))  # noqa: SLF001  (so no replay tells it again)
    await house.stop()
    await house.start()
    house.script(["Here."])
    discord.people.mention("bob", theirs, "and you?")
    await house.answered(theirs, "Here.")
    assert discord.gateway.identifies == 1


async def test_a_full_disk_is_said_and_the_message_taken_later(discord: DiscordServer, tmp_path: Path) -> None:
    """The disk is full: the person is told once; when there is room again the message is answered."""
    house = House(tmp_path / "full.db", discord)
    await house.start()
    thread = await talk(house)
    accept = house.engine.accept

    async def full(*_args: object, **_more: object) -> object:
        raise StoreFull(code="store_full")

    house.engine.accept = full  # type: ignore[method-assign,assignment]
    discord.people.say("alice", discord.world.channels[thread], "remember this")
    await discord.until(lambda: any("disk is full" in each for each in discord.texts(thread)))
    house.engine.accept = accept  # type: ignore[method-assign]
    await house.stop()
    house.script(["Remembered."])
    await house.start()
    await discord.until(lambda: "Remembered." in discord.texts(thread))
    await house.stop()


async def test_discord_is_down_at_the_start(discord: DiscordServer, tmp_path: Path) -> None:
    """The program starts all the same, and Discord joins when it is back."""
    house = House(tmp_path / "down.db", discord)
    await discord.stop()
    starting = asyncio.create_task(house.start())
    await asyncio.sleep(0.2)
    await discord.start()
    await starting
    thread = await talk(house)
    assert discord.texts(thread) == ["One."]
    await house.stop()


async def test_a_wrong_token_is_told_at_once(discord: DiscordServer, tmp_path: Path) -> None:
    """The operator reads what is wrong; nothing retries for ever."""
    house = House(tmp_path / "wrong.db", discord)
    discord.token = "another"
    with pytest.raises(Refused) as no:
        await house.start()
    assert no.value.code == "discord_token"
    await house.served.disconnect()
    await house.engine.close()
    await house.served.close()
    await house.store.close()


async def test_starts_are_counted(house: House) -> None:
    """Discord resets the token of a bot that begins too many sessions: each is counted, a resumed one is none."""
    memory = SqliteMemory(house.store)
    assert len(numbers(await memory.get(STARTS))) == 1
    await house.stop()
    await house.start()
    assert len(numbers(await SqliteMemory(house.store).get(STARTS))) == 1
    assert house.discord.gateway.identifies == 1


async def test_a_command_that_died_with_its_answer_is_honest(house: House) -> None:
    """Committed, then killed before the answer: nobody knows it any more, and nobody pretends to."""
    discord = house.discord
    await talk(house)
    await asyncio.sleep(0.6)
    accept = house.engine.accept

    async def dies(*args: object, **more: object) -> object:
        await accept(*args, **more)  # type: ignore[arg-type]
        await asyncio.Event().wait()
        return None

    house.engine.accept = dies  # type: ignore[method-assign,assignment]
    asked = discord.people.slash("alice", discord.people.channel("general"), "resume", code="0000-0000-0000-0000")
    await discord.until(lambda: discord.ours(discord.people.channel("general")))
    await asyncio.sleep(0.2)
    await house.crash()
    await house.start()
    assert "restarted" in (await discord.told(asked)).text


async def test_commands_are_sent_once(house: House) -> None:
    """The second start sends no PUT: names are counted against 200 a day."""
    discord = house.discord

    def puts() -> int:
        return sum(each.method == "PUT" for each in discord.rest.log)

    await discord.until(lambda: puts() == 1)
    await house.stop()
    await house.start()
    await asyncio.sleep(0.2)
    assert puts() == 1
