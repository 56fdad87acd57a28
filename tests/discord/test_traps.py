"""The traps of discord.py 2.7.1 (facts/discord.md section 3): each has a test that fails when our way around is left.

 1, 2, 4, 5  views and dynamic items                test_no_view_is_ever_made, and the soak test of memory
 3           an exception that nobody sees          test_a_broken_rule_is_said_to_whoever_pressed
 6           forms after a restart                  test_commands.test_a_form_is_answered_by_whichever_process
 7           which close code is sent               test_the_session_is_left_alive
 8           the limiter that sleeps on its way out test_the_final_text_does_not_wait..., test_a_growing_text...
 9           a cancelled edit that lands all the same  test_a_slow_draft_never_lands_on_the_final_text
10           a 429 of Cloudflare's                  test_faults.test_one_message_stands[limit_cloudflare...]
11           JSON only under one content type       test_json_is_json_under_any_name
12           5 s of silence after a lost session    test_away.test_a_gap_in_one_process_is_filled
13           a nonce of its own for each call       test_faults.test_one_message_stands[drop_after...], test_kill
14           nothing in the cache after a RESUME    test_away (every test goes on after one)
15           an endless retry from within a failure test_a_gateway_that_is_down_is_tried_calmly
16           a session forgotten with a connection  test_an_error_of_the_socket_keeps_the_session
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import discord as discord_py
import pytest
import yarl
from discord.gateway import ReconnectWebSocket

import bots.discord
from tests.kit.discord_faults import Fault, Kind
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer

PATCH = r"/messages/\d+$"


async def ask(house: House, text: str = "go") -> str:
    """Alice asks in the channel; the id of the thread to come."""
    discord = house.discord
    return str(discord.people.mention("alice", discord.people.channel("general"), text)["id"])


def test_the_library_is_the_one_that_was_looked_at() -> None:
    """Another release has other traps: look before raising the pin."""
    assert discord_py.__version__ == "2.7.1"


async def test_no_view_is_ever_made(house: House) -> None:
    """A button that is routed by the library's memory dies with the process, or takes other buttons with it."""
    sources = [file.read_text("utf-8") for file in Path(bots.discord.__file__).parent.glob("*.py")]
    code = "".join(sources).replace("`discord.ui`", "")  # which a docstring may name
    assert not re.search(r"discord\.ui|DynamicItem|add_view", code)
    house.script(*[["One."]] * 5)
    for n in range(5):
        await house.answered(await ask(house, f"question {n}"), "One.")
    client = house.served._connection._client  # noqa: SLF001
    assert client is not None
    store = client._connection._view_store  # noqa: SLF001
    assert not store._views  # noqa: SLF001
    assert not store._synced_message_views  # noqa: SLF001


async def test_a_broken_rule_is_said_to_whoever_pressed(house: House) -> None:
    """Something of ours breaks: the person reads it, and the next press works."""
    discord = house.discord
    channel = discord.people.channel("general")
    accept = house.engine.accept

    async def broken(*_args: object, **_more: object) -> object:
        raise RuntimeError("a rule is broken")

    house.engine.accept = broken  # type: ignore[method-assign,assignment]
    pressed = await discord.told(discord.people.slash("alice", channel, "help"))
    assert "went wrong" in pressed.text
    assert pressed.ephemeral
    discord.people.mention("alice", channel, "and a message")
    house.engine.accept = accept  # type: ignore[method-assign]
    assert "/sessions" in (await discord.told(discord.people.slash("alice", channel, "help"))).text
    assert discord.gateway.identifies == 1


async def test_a_slow_rule_is_answered_all_the_same(house: House) -> None:
    """The decision takes two seconds: the interaction is deferred after one, and the answer comes."""
    discord = house.discord
    accept = house.engine.accept

    async def slow(*args: object, **more: object) -> object:
        await asyncio.sleep(1.3)
        return await accept(*args, **more)  # type: ignore[arg-type]

    house.engine.accept = slow  # type: ignore[method-assign,assignment]
    pressed = await discord.acknowledged(discord.people.slash("alice", discord.people.channel("general"), "help"))
    assert pressed.answered_after is not None
    assert pressed.answered_after < 1.3
    assert "/sessions" in (await discord.told(pressed)).text
    assert pressed.ephemeral


async def test_the_session_is_left_alive(house: House) -> None:
    """4000 on the wire: Discord keeps the session for the next process; 1000 would end it."""
    await house.stop()
    assert house.discord.gateway.closed_with == [4000]


async def test_the_final_text_does_not_wait_for_the_window(discord: DiscordServer, house: House) -> None:
    """Discord lets us edit three times, and then for an hour no more: the whole text stands all the same."""
    discord.rest.limits.rules.insert(0, ("PATCH", PATCH, 3, 3600.0))
    words = [f"word{n}" for n in range(16)]
    house.script([step for each in words for step in (f"{each} ", 0.25)])
    await house.answered(await ask(house), " ".join(words))
    assert discord.rest.limits.refused == 0


async def test_a_growing_text_is_edited_calmly(house: House) -> None:
    """Whoever edits at every word has spent Discord's five edits in a second, and then the text stands still."""
    words = [f"word{n}" for n in range(24)]
    house.script([step for each in words for step in (f"{each} ", 0.1)])
    await house.answered(await ask(house), " ".join(words))
    assert 2 <= sum(each.method == "PATCH" for each in house.discord.rest.log) <= 6


async def test_a_slow_draft_never_lands_on_the_final_text(house: House) -> None:
    """An edit that Discord takes a second for is waited for; then the final text is written, and stays."""
    house.discord.faults.add(Fault(kind=Kind.DELAY, method="PATCH", path=PATCH, seconds=1.5, skip=1))
    house.script(["Half ", 0.2, "an ", 1.5, "answer, ", 0.2, "whole."])
    thread = await ask(house)
    await house.answered(thread, "Half an answer, whole.")
    await asyncio.sleep(1.7)
    assert house.discord.texts(thread) == ["Half an answer, whole."]


async def test_json_is_json_under_any_name(house: House) -> None:
    """A proxy that names the charset changes nothing."""
    house.discord.rest.content_type = "application/json; charset=utf-8"
    house.script(["Hello."])
    await house.answered(await ask(house), "Hello.")


async def test_a_gateway_that_is_down_is_tried_calmly(house: House) -> None:
    """The gateway refuses connections for a while: no endless recursion, no budget spent, and then it goes on."""
    discord = house.discord
    discord.gateway.down = True
    discord.gateway.reset_sockets()
    await asyncio.sleep(1.0)
    discord.gateway.down = False
    house.script(["Hello."])
    await discord.until(lambda: any(each.socket for each in discord.gateway.sessions.values()))
    await house.answered(await ask(house), "Hello.")
    assert discord.gateway.identifies == 1


async def test_a_launch_that_failed_is_not_repeated_from_within(house: House) -> None:
    """discord.py launches a shard again from within its own failure, deeper each time; we begin with a new client."""
    client = house.served._connection._client  # noqa: SLF001
    assert client is not None
    with pytest.raises(ConnectionError):
        await client.launch_shard(yarl.URL(house.discord.gateway_url), 0)
    assert house.discord.gateway.identifies == 1


async def test_an_error_of_the_socket_keeps_the_session(house: House) -> None:
    """On Linux a reset is errno 104, which discord.py does not know: it would begin a new session and miss events."""
    discord = house.discord
    client = house.served._connection._client  # noqa: SLF001
    assert client is not None
    ws = client.sockets[0]
    poll = ws.poll_event

    async def reset() -> None:
        ws.poll_event = poll  # type: ignore[method-assign]
        raise ConnectionResetError(104, "Connection reset by peer")

    ws.poll_event = reset  # type: ignore[method-assign]
    discord.people.mention("bob", discord.people.channel("general"), "wake")
    await discord.until(lambda: client.sockets[0] is not ws)
    house.script(["Hello."])
    await house.answered(await ask(house), "Hello.")
    assert discord.gateway.identifies == 1


@pytest.mark.parametrize("resume", [True, False])
def test_what_the_library_raises_is_what_we_count_on(*, resume: bool) -> None:
    """The signal by which a shard is told to go on or to begin anew."""
    assert ReconnectWebSocket(0, resume=resume).resume is resume
