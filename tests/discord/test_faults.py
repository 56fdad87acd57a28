"""When Discord stumbles: whatever happens to a request, people see one message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.rest import Rest
from core.domain.errors import Ambiguous, NotSent, Refused
from core.drivers.clock import SystemClock
from tests.kit.clock import ManualClock
from tests.kit.discord_faults import EventFault, Fault, Kind
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer
from tests.kit.discord_world import Payload

POST, PATCH = r"/messages$", r"/messages/\d+$"


async def ask(house: House, text: str = "go") -> str:
    """Alice asks in the channel; the id of the thread to come."""
    discord = house.discord
    return str(discord.people.mention("alice", discord.people.channel("general"), text)["id"])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=Kind.DROP_BEFORE, method="POST", path=POST),
        Fault(kind=Kind.DROP_AFTER, method="POST", path=POST),
        Fault(kind=Kind.DROP_AFTER, method="POST", path=POST, times=3),
        Fault(kind=Kind.STATUS_BEFORE, method="POST", path=POST, status=503),
        Fault(kind=Kind.STATUS_AFTER, method="POST", path=POST, status=503),
        Fault(kind=Kind.STATUS_AFTER, method="POST", path=POST, status=502),
        Fault(kind=Kind.LIMIT_USER, method="POST", path=POST, seconds=0.3),
        Fault(kind=Kind.LIMIT_SHARED, method="POST", path=POST, seconds=0.3),
        Fault(kind=Kind.LIMIT_GLOBAL, method="POST", path=POST, seconds=0.3),
        Fault(kind=Kind.LIMIT_CLOUDFLARE, method="POST", path=POST, seconds=1.0),
        Fault(kind=Kind.PAGE, method="POST", path=POST),
        Fault(kind=Kind.DROP_AFTER, method="PATCH", path=PATCH),
        Fault(kind=Kind.STATUS_BEFORE, method="PATCH", path=PATCH, status=503),
        Fault(kind=Kind.LIMIT_USER, method="PATCH", path=PATCH, seconds=0.3),
        Fault(kind=Kind.LIMIT_CLOUDFLARE, method="PATCH", path=PATCH, seconds=1.0),
        Fault(kind=Kind.STATUS_AFTER, method="POST", path=r"/threads$", status=502),
        Fault(kind=Kind.DROP_AFTER, method="POST", path=r"/threads$"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.method}-{fault.status}-{fault.times}-{fault.path[1:5]}",
)
async def test_one_message_stands(house: House, fault: Fault) -> None:
    """A lost answer, a 5xx, a 429 of any kind: the answer comes, once, and whole."""
    house.script(["Hel", 0.05, "lo."])
    house.discord.faults.add(fault)
    thread = await ask(house)
    await house.answered(thread, "Hello.")
    assert house.discord.faults.take("", "") is None or fault.times == 0
    assert fault.times == 0


async def test_nothing_is_sent_before_its_time(house: House) -> None:
    """While Discord says 429 for everything, not one request goes out; afterwards the answer comes."""
    house.script(["Hello."])
    house.discord.faults.add(Fault(kind=Kind.LIMIT_GLOBAL, method="POST", path=r"/threads$", seconds=1.0))
    thread = await ask(house)
    await house.answered(thread, "Hello.")
    assert house.discord.rest.limits.refused == 1
    times = [each.at for each in house.discord.rest.log if each.path.endswith("/threads")]
    assert times[1] - times[0] >= 1.0


async def test_a_message_that_comes_twice_is_answered_once(house: House) -> None:
    """Discord doubles an event; the person gets one answer."""
    house.script(["Hello."])
    house.discord.faults.add_event(EventFault(event="MESSAGE_CREATE", copies=2))
    thread = await ask(house)
    await house.answered(thread, "Hello.")
    await asyncio.sleep(0.3)
    assert house.discord.texts(thread) == ["Hello."]


async def test_a_deleted_question_is_answered_all_the_same(house: House) -> None:
    """The question is deleted before the answer comes: no error, and the answer stands (50035 otherwise)."""
    gate = asyncio.Event()
    house.script(["First."], [gate, "Second."])
    thread = await ask(house)
    await house.answered(thread, "First.")
    channel = house.discord.world.channels[thread]
    house.discord.faults.add(Fault(kind=Kind.DELAY, method="POST", path=POST, seconds=0.3))
    said = house.discord.people.say("alice", channel, "and?")
    house.discord.people.delete(channel, said["id"])
    gate.set()
    await house.answered(thread, "First.", "Second.")


async def test_an_answer_that_somebody_deleted_is_not_posted_again(house: House) -> None:
    """A moderator deletes the growing answer: that is respected."""
    gate = asyncio.Event()
    house.script(["Hello ", gate, "there."])
    thread = await ask(house)
    message = (await house.answered(thread, "Hello"))[0]
    channel = house.discord.world.channels[thread]
    house.discord.people.delete(channel, message["id"])
    gate.set()
    await house.discord.until(lambda: house.engine.idle)
    await asyncio.sleep(0.2)
    assert house.discord.texts(thread) == []


async def test_an_old_message_goes_on_in_a_new_one(house: House) -> None:
    """30046: Discord lets nobody edit an old message any more; the text stands in a new one."""
    gate = asyncio.Event()
    house.script(["Hello ", gate, "there."])
    thread = await ask(house)
    await house.answered(thread, "Hello")
    house.discord.time.advance(2 * 3600)
    house.discord.messages.old_edits = 0
    gate.set()
    await house.answered(thread, "Hello", "Hello there.")


async def test_an_archived_thread_is_woken(house: House) -> None:
    """50083: the thread fell asleep while the answer grew; it is woken and the answer finished."""
    gate = asyncio.Event()
    house.script(["Hello ", gate, "there."])
    thread = await ask(house)
    await house.answered(thread, "Hello")
    channel = house.discord.world.channels[thread]
    house.discord.people.archive(channel)
    gate.set()
    await house.answered(thread, "Hello there.")
    assert not channel.archived


async def test_a_locked_thread_is_left_alone(house: House) -> None:
    """160005: a moderator has locked the thread; nothing more is said there, and nothing breaks."""
    house.script(["First."], ["Second."])
    thread = await ask(house)
    await house.answered(thread, "First.")
    channel = house.discord.world.channels[thread]
    house.discord.people.say("alice", channel, "and?")
    house.discord.people.archive(channel, locked=True)
    await house.discord.until(lambda: house.engine.idle)
    other = await ask(house, "elsewhere")
    await house.discord.until(lambda: house.discord.texts(other))
    assert house.discord.texts(thread) == ["First."]


async def parked(house: House) -> Payload:
    """A conversation of Alice's is parked; its notice."""
    thread = await ask(house)
    await house.answered(thread, "Hello.")
    await house.pass_time(minutes=61)
    ours = house.discord.ours
    return (await house.discord.until(lambda: [each for each in ours(thread) if "parked" in each["content"]]))[0]


async def test_a_press_that_comes_too_late_works_all_the_same(house: House) -> None:
    """10062: Discord does not wait any more for an answer; what was pressed is done, and can be seen."""
    discord = house.discord
    notice = await parked(house)
    discord.faults.add(Fault(kind=Kind.STATUS_BEFORE, path="/callback", status=404, code=10062))
    discord.people.press("alice", notice, "Resume")
    await discord.until(lambda: "Back: everything kept." in discord.texts(notice["channel_id"]))
    assert (await discord.told(discord.people.slash("alice", discord.people.channel("general"), "help"))).text


async def test_an_answer_that_was_given_already_is_not_given_twice(house: House) -> None:
    """40060: the answer arrived and its receipt got lost; nobody is bothered with it."""
    discord = house.discord
    discord.faults.add(Fault(kind=Kind.DROP_AFTER, path="/callback"))
    pressed = await discord.told(discord.people.slash("alice", discord.people.channel("general"), "help"))
    assert "/sessions" in pressed.text
    assert pressed.followups == []
    house.script(["Hello."])
    await house.answered(await ask(house), "Hello.")


async def test_the_end_of_an_interaction_is_not_the_end_of_the_token(house: House) -> None:
    """50027 is a 401 of one interaction: it is no reason to think that the bot's own token is refused."""
    discord = house.discord
    accept = house.engine.accept

    async def slow(*args: object, **more: object) -> object:
        await asyncio.sleep(1.2)
        discord.time.advance(1_000)  # the interaction's token lives for 15 minutes
        return await accept(*args, **more)  # type: ignore[arg-type]

    house.engine.accept = slow  # type: ignore[method-assign,assignment]
    await discord.acknowledged(discord.people.slash("alice", discord.people.channel("general"), "help"))
    await discord.until(lambda: any(each.status == 401 for each in discord.rest.log))
    house.engine.accept = accept  # type: ignore[method-assign]
    house.script(["Hello."])
    await house.answered(await ask(house), "Hello.")


async def test_a_thread_that_goes_while_it_is_answered(house: House) -> None:
    """10003: somebody deletes the thread in mid-answer; nothing breaks, and elsewhere people are answered."""
    discord = house.discord
    gate = asyncio.Event()
    house.script(["Hello ", gate, "there."], ["Here."])
    thread = await ask(house)
    await house.answered(thread, "Hello")
    discord.people.delete_channel(discord.world.channels[thread])
    gate.set()
    await discord.until(lambda: house.engine.idle)
    await house.answered(await ask(house, "elsewhere"), "Here.")


async def test_thrown_out_and_invited_again(house: House) -> None:
    """50001 and GUILD_DELETE: a server throws the bot out in mid-answer; when it is back, people are answered."""
    discord = house.discord
    guild = discord.people.guild("home")
    gate = asyncio.Event()
    house.script(["Hello ", gate, "there."], ["Back again."])
    thread = await ask(house)
    await house.answered(thread, "Hello")
    discord.people.kick_bot(guild)
    gate.set()
    await discord.until(lambda: house.engine.idle)
    assert discord.rest.limits.invalid < 10
    guild.bot_in = True
    discord.gateway.tell("GUILD_CREATE", discord.world.guild_payload(guild), guild=guild)
    await house.answered(await ask(house, "again"), "Back again.")


async def test_without_the_right_to_threads_the_answer_stands_in_the_channel(house: House) -> None:
    """50013 and 160006: no thread can be opened; the person is answered as a reply in the channel."""
    discord = house.discord
    house.script(["Hello."], ["Again."])
    discord.rest.max_threads = 0
    asked = discord.people.mention("alice", discord.people.channel("general"), "hi")
    ours = await house.answered(discord.people.channel("general"), "Hello.")
    assert ours[0]["message_reference"]["message_id"] == asked["id"]


async def test_no_storm_of_forbidden_requests(house: House) -> None:
    """The bot may not write there: it is told once or twice, not a thousand times."""
    discord = house.discord
    guild = discord.people.guild("home")
    thread = await ask(house)
    await house.answered(thread, "Hello.")
    guild.everyone = guild.bot_rights = 1 << 10
    for _ in range(5):
        discord.people.say("alice", discord.world.channels[thread], "and?")
    await asyncio.sleep(0.5)
    await discord.until(lambda: house.engine.idle)
    assert discord.rest.limits.invalid < 20


@pytest.fixture
async def rest(discord: DiscordServer, tmp_path: Path) -> AsyncIterator[Rest]:
    """The sender's lower half alone."""
    rest = Rest(discord.token, SystemClock(), api=discord.api_url)
    yield rest
    await rest.close()


async def test_the_three_honest_ends(rest: Rest, discord: DiscordServer) -> None:
    """A definite no, a certain not-yet and a perhaps are told apart: only a perhaps is looked up."""
    with pytest.raises(Refused) as gone:
        await rest.call("GET", "/channels/1")
    assert gone.value.code == "place_gone"
    discord.faults.add(Fault(kind=Kind.DROP_AFTER, path="/users/@me/channels"))
    with pytest.raises(Ambiguous):
        await rest.call("POST", "/users/@me/channels", {"recipient_id": discord.world.person("alice").id})
    discord.faults.add(Fault(kind=Kind.LIMIT_USER, path="/users/@me", seconds=60))
    with pytest.raises(NotSent) as later:
        await rest.call("GET", "/users/@me", patience_s=0.1)
    assert later.value.retry_ms is not None
    await discord.stop()
    with pytest.raises((NotSent, Ambiguous)):
        await rest.call("GET", "/gateway/bot")


async def test_a_refused_token_is_not_tried_again_and_again(discord: DiscordServer) -> None:
    """401: for a minute no further request is sent with it (10,000 of them ban the address), then one is."""
    clock = ManualClock()
    rest = Rest("wrong", clock, api=discord.api_url)
    with pytest.raises(Refused) as no:
        await rest.call("GET", "/users/@me")  # who logs in has to know
    assert no.value.code == "discord_token"
    for sent in (1, 2):
        for _ in range(5):
            with pytest.raises(NotSent) as waits:
                await rest.call("GET", "/channels/1")
            assert waits.value.code == "discord_token"
        assert len(discord.rest.log) == sent
        await clock.advance(61.0)
    await rest.close()


async def test_a_token_that_dies_costs_no_answer(house: House) -> None:
    """The token is reset in mid-answer: what was said waits, also through a restart, until there is one that works."""
    discord = house.discord
    gate = asyncio.Event()
    house.script(["The first half ", gate, "and the second."])
    thread = discord.people.mention("alice", discord.people.channel("general"), "go")["id"]
    await discord.until(lambda: any("The first half" in each for each in discord.texts(thread)) or None)
    discord.rest.accept("another")
    gate.set()
    await discord.until(lambda: any(each.status == 401 for each in discord.rest.log) or None)
    await asyncio.sleep(0.5)
    assert sum(each.status == 401 for each in discord.rest.log) <= 2
    await house.crash()
    discord.rest.accept(discord.token)
    house.clock.advance(61_000)
    await house.start()
    await house.answered(thread, "The first half and the second.")
