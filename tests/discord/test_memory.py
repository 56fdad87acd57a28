"""Memory stays flat, however much is sent; the loopback Discord runs as a process of its own here."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from bots.discord.served import DiscordServed, Options
from core.domain.decision import Decision
from core.domain.entities import Button, Card
from core.domain.events import Event, MessageReceived
from core.domain.keys import ButtonId, Place
from core.drivers.clock import SystemClock
from core.engine.ports import Accepted, AnswerState, Claim, Piece
from tests.kit.discord_memory import NoMemory
from tests.kit.discord_remote import Remote, remote
from tests.kit.discord_server import TOKEN

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Ears:
    """An intake that only listens."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    async def accept(self, event: Event, *, finishes: Claim | None = None) -> Accepted:
        """Note it."""
        self.heard.append(event)
        return Accepted(decision=Decision())


async def connected(discord: Remote, ears: Ears) -> DiscordServed:
    """The adapter alone."""
    options = Options(token=TOKEN, api=discord.api, gateway=discord.gateway)
    served = DiscordServed(options, SystemClock(), NoMemory())
    await served.connect(ears)
    return served


async def test_it_is_told_over_the_wire() -> None:
    """What a test tells the process is what the bot hears and says."""
    async with remote() as discord:
        channel = (await discord.do("channel", name="general"))["result"]
        ears = Ears()
        served = await connected(discord, ears)
        said = (await discord.do("say", who="alice", channel=channel, text="@bot hello"))["result"]
        counts = {}
        for _ in range(200):
            counts = (await discord.do("counts"))["result"]
            if ears.heard:
                break
        event = ears.heard[0]
        assert isinstance(event, MessageReceived)
        assert event.text == "hello"
        piece = Piece(turn_id=ULID, n=0, text="Hi.", state=AnswerState.DONE)
        await served.platform.open_answer(event.place, f"{ULID}:0", event.ref, piece)
        found = (await discord.do("messages", channel=said["id"]))["result"]
        assert found[-1]["content"].startswith("Hi.")
        assert counts == {"identifies": 1, "resumes": 0}
        await served.disconnect()
        await served.close()
        assert (await discord.do("problems"))["result"] == []


@pytest.mark.soak
async def test_ten_thousand_posts_with_buttons_leave_nothing_behind() -> None:
    """A bot that runs for a year must not grow with every button that it has ever posted (trap 5)."""
    async with remote() as discord:
        channel = (await discord.do("channel", name="general"))["result"]
        await discord.do("speed_up")
        served = await connected(discord, Ears())
        place = Place(platform="discord", workspace="1", channel=channel)
        tracemalloc.start()
        sizes = []
        for n in range(10_000):
            button = Button(id=str(ButtonId(verb="keep", subject=ULID, version=n)), label="Keep")
            card = Card(id=ULID, session_id=ULID, key=f"k{n}", place=place, text=f"card {n}", buttons=(button,))
            await served.platform.show(place, f"{ULID}:k{n}", card, "")
            if n % 2_000 == 1_999:
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        await served.disconnect()
        await served.close()
        assert sizes[-1] - sizes[0] < 500_000, sizes
