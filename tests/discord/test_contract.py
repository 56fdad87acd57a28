"""The platform contract, kept by Discord; and what it says of an adapter that edits at a rhythm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.domain.entities import Button
from core.domain.keys import ButtonId, PersonKey, Place
from core.engine.ports import AnswerState, Piece, Platform
from tests.kit.discord_faults import Fault, Kind
from tests.kit.discord_house import House
from tests.kit.platform_contract import TURN, PlatformContract, Seen, piece

STOP = Button(id=str(ButtonId(verb="stop", subject=TURN)), label="Stop")
UNSEEN = str.maketrans("", "", "\u200b\u200c\u200d\u2060")


class DiscordStage:
    """The adapter on a loopback Discord; what is said there mentions nobody, so the engine does not hear it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.discord = house.discord
        self.platform: Platform = house.served.platform
        self.others: list[House] = []
        self.person = PersonKey(platform="discord", workspace="", user=self.discord.world.person("alice").id)

    async def say(self, text: str, *, file: bytes | None = None) -> tuple[Place, str, str]:
        """See `Stage`."""
        channel = self.discord.people.channel("general")
        files = [("a.txt", "text/plain", file)] if file is not None else []
        said = self.discord.people.say("alice", channel, text, files=files)
        place = Place(platform="discord", workspace=channel.guild_id, channel=channel.id, thread=said["id"])
        ref = f"{channel.id}/{said['id']}"
        return place, ref, f"{ref}/{said['attachments'][0]['id']}" if file is not None else ""

    async def write(self, ref: str, piece: Piece) -> str:
        """See `Stage`."""
        return await self.platform.write_answer(ref, piece)

    async def files(self, place: Place) -> list[tuple[str, bytes]]:
        """See `Stage`."""
        shown = [file for each in self.discord.ours(place.thread or place.channel) for file in each["attachments"]]
        return [(each["filename"], self.discord.world.files[each["id"]]) for each in shown]

    async def seen(self, place: Place) -> list[Seen]:
        """See `Stage`."""
        return [
            Seen(
                each["content"].translate(UNSEEN),
                [button["label"] for row in each["components"] for button in row["components"]],
            )
            for each in self.discord.ours(place.thread or place.channel)
        ]

    async def forget_everything(self) -> None:
        """See `Stage`; ten minutes later, when Discord has forgotten every nonce."""
        self.discord.time.advance(600)
        other = House(self.house.path.with_name(f"other{len(self.others)}.db"), self.discord)
        other.clock.advance(600_000)
        await other.start()
        self.others.append(other)
        self.platform = other.served.platform

    def now_ms(self) -> int:
        """See `Stage`."""
        return self.house.clock.now_ms()


@pytest.fixture
async def stage(house: House) -> AsyncIterator[DiscordStage]:
    """The stage, and whoever came onto it."""
    stage = DiscordStage(house)
    yield stage
    for other in stage.others:
        await other.stop()


class TestDiscord(PlatformContract):
    """Discord keeps the contract."""

    async def test_a_growing_text_does_not_hold_up_the_model(self, stage: DiscordStage) -> None:
        """write_answer of a growing piece returns at once, whatever the rhythm of edits is."""
        place, ref, _ = await stage.say("hello")
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, piece("x", AnswerState.STREAMING))
        start = asyncio.get_running_loop().time()
        for n in range(50):
            await stage.platform.write_answer(at, piece("x" * (n + 1), AnswerState.STREAMING))
        assert asyncio.get_running_loop().time() - start < 0.5
        await stage.platform.write_answer(at, piece("done"))
        assert await stage.seen(place) == [Seen("done")]

    @pytest.mark.parametrize("buttons", [(), (STOP,)])
    async def test_a_lost_answer_is_no_second_message(self, stage: DiscordStage, buttons: tuple[Button, ...]) -> None:
        """The post was made and its answer got lost; long after, another process finds the message."""
        place, ref, _ = await stage.say("hello")
        stage.discord.faults.add(Fault(kind=Kind.DROP_AFTER, method="POST", path=r"/messages$"))
        grows = Piece(turn_id=TURN, n=0, text="Hel", state=AnswerState.STREAMING, buttons=buttons)
        at = await stage.platform.open_answer(place, f"{TURN}:0", ref, grows)
        await stage.forget_everything()
        assert await stage.platform.open_answer(place, f"{TURN}:0", ref, grows) == at
        assert len(await stage.seen(place)) == 1

    async def test_the_longest_part_fits_with_its_buttons(self, stage: DiscordStage) -> None:
        """A part of `max_text_chars` characters is taken as it is."""
        place, ref, _ = await stage.say("hello")
        text = "x" * stage.platform.limits.max_text_chars
        grows = Piece(turn_id=TURN, n=0, text=text, state=AnswerState.STREAMING, buttons=(STOP,))
        await stage.platform.open_answer(place, f"{TURN}:0", ref, grows)
        assert await stage.seen(place) == [Seen(text, ["Stop"])]
