"""The contract of `core.engine.ports.Platform`, kept by the Discord adapter.

`PlatformContract` knows nothing of Discord: any adapter passes it that gives it a `Stage`. What a stage does not have
(a way to lose an answer, a crowd) it says by raising `pytest.skip`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from core.domain.effects import MarkKind
from core.domain.entities import Button, Card
from core.domain.errors import Refused
from core.domain.keys import Audience, ButtonId, Place
from core.domain.stamp import Stamp
from core.engine.ports import AnswerState, Piece, Platform, Unreadable
from tests.kit.discord_faults import Fault, Kind
from tests.kit.discord_house import House
from tests.kit.discord_server import DiscordServer

TURN = Stamp(now_ms=1_764_000_000_000, seed="0" * 32).ulid("turn")
STOP = Button(id=str(ButtonId(verb="stop", subject=TURN)), label="Stop")


class Stage(Protocol):
    """A platform to test, and eyes to see what people see."""

    platform: Platform
    place: Place  # a public thread in which somebody has just written
    asked: str  # the ref of what they wrote

    def texts(self) -> list[str]:
        """What the bot says at the place, oldest first."""
        ...

    def buttons(self) -> list[str]:
        """The labels under the bot's last message."""
        ...

    def lose_the_next_answer(self) -> None:
        """The next post is made, and its answer gets lost."""
        ...

    async def another_process(self) -> Platform:
        """The same platform, as a process sees it that knows nothing of this one."""
        ...


def piece(text: str, state: AnswerState = AnswerState.STREAMING, n: int = 0) -> Piece:
    """A part of an answer."""
    buttons = (STOP,) if state is AnswerState.STREAMING else ()
    return Piece(turn_id=TURN, n=n, text=text, state=state, buttons=buttons)


def card_at(place: Place, text: str, *labels: str) -> Card:
    """A card with buttons."""
    buttons = tuple(
        Button(id=str(ButtonId(verb="keep", subject=TURN, version=n)), label=label) for n, label in enumerate(labels)
    )
    return Card(id=TURN, session_id=TURN, key="idle:1", place=place, text=text, buttons=buttons)


class PlatformContract:
    """Inherit, and give a fixture `stage`."""

    async def test_an_answer_is_opened_once_under_its_key(self, stage: Stage) -> None:
        """A repeated open would leave a second message behind."""
        one = await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("Hel"))
        two = await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("Hel"))
        assert one == two
        assert stage.texts() == ["Hel"]
        assert stage.buttons() == ["Stop"]

    async def test_an_empty_answer_can_be_opened(self, stage: Stage) -> None:
        """The person sees at once that something is coming."""
        await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece(""))
        assert len(stage.texts()) == 1

    async def test_the_final_text_stands_when_write_answer_returns(self, stage: Stage) -> None:
        """The engine strikes the delivery off then; what is not there by now never comes."""
        ref = await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("H"))
        for n in range(2, 6):
            ref = await stage.platform.write_answer(ref, piece("Hello"[:n]))
        await stage.platform.write_answer(ref, piece("Hello.", AnswerState.DONE))
        assert stage.texts() == ["Hello."]
        assert stage.buttons() == []
        await asyncio.sleep(0.1)
        assert stage.texts() == ["Hello."]

    async def test_a_growing_text_does_not_hold_up_the_model(self, stage: Stage) -> None:
        """write_answer of a growing piece returns at once, whatever the platform's rhythm is."""
        ref = await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("x"))
        start = asyncio.get_running_loop().time()
        for n in range(50):
            await stage.platform.write_answer(ref, piece("x" * (n + 1)))
        assert asyncio.get_running_loop().time() - start < 0.5
        await stage.platform.write_answer(ref, piece("done", AnswerState.DONE))
        assert stage.texts() == ["done"]

    async def test_a_lost_answer_is_no_second_message(self, stage: Stage) -> None:
        """The post was made, its answer got lost: one message is seen."""
        stage.lose_the_next_answer()
        ref = await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("Hel"))
        await stage.platform.write_answer(ref, piece("Hello", AnswerState.DONE))
        assert stage.texts() == ["Hello"]

    async def test_another_process_finds_what_was_posted(self, stage: Stage) -> None:
        """After a crash the same message is gone on with."""
        ref = await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("Hel"))
        other = await stage.another_process()
        assert await other.find(stage.place, f"{TURN}:0", 0) == ref
        assert await other.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("Hel")) == ref
        await other.write_answer(ref, piece("Hello", AnswerState.DONE))
        assert stage.texts() == ["Hello"]

    async def test_what_was_never_posted_is_not_found(self, stage: Stage) -> None:
        """None means: certainly not there."""
        assert await stage.platform.find(stage.place, f"{TURN}:9", 0) is None

    async def test_a_card_is_posted_once_and_then_edited(self, stage: Stage) -> None:
        """A notice is one message for its whole life."""
        ref = await stage.platform.show(stage.place, "s:idle:1", card_at(stage.place, "Quiet here.", "Keep"), "")
        again = await stage.platform.show(stage.place, "s:idle:1", card_at(stage.place, "Quiet here.", "Keep"), "")
        assert ref == again
        assert await stage.platform.show(stage.place, "s:idle:1", card_at(stage.place, "Parked."), ref) == ref
        assert stage.texts() == ["Parked."]
        assert stage.buttons() == []
        assert await (await stage.another_process()).find(stage.place, "s:never", 0) is None

    async def test_marks_never_fail(self, stage: Stage) -> None:
        """A sign is best effort: nothing depends on it."""
        for mark in MarkKind:
            await stage.platform.mark(stage.asked, mark)

    async def test_a_thread_is_read_oldest_first(self, stage: Stage) -> None:
        """What was said before is there, with its authors, ours marked as ours."""
        await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece("An answer.", AnswerState.DONE))
        heard = await stage.platform.read_thread(stage.place, 100)
        assert not isinstance(heard, Unreadable)
        assert [each.is_bot for each in heard][-1:] == [True]
        assert heard[-1].text == "An answer."
        assert [each.at_ms for each in heard] == sorted(each.at_ms for each in heard)

    async def test_the_audience_is_told(self, stage: Stage) -> None:
        """A public thread is public."""
        assert await stage.platform.audience(stage.place) is Audience.PUBLIC

    async def test_a_file_that_is_not_there_is_refused(self, stage: Stage) -> None:
        """A definite no, not a crash."""
        with pytest.raises(Refused):
            await stage.platform.fetch_file("nothing", 1_000)

    async def test_forgetting_never_raises(self, stage: Stage) -> None:
        """It is told of places that it may never have seen."""
        await stage.platform.forgotten((stage.place,), 0)

    async def test_the_longest_part_can_be_shown(self, stage: Stage) -> None:
        """A part of `max_text_chars` characters fits, with its buttons."""
        text = "x" * stage.platform.limits.max_text_chars
        await stage.platform.open_answer(stage.place, f"{TURN}:0", stage.asked, piece(text))
        assert stage.texts() == [text]


# ------------------------------------------------------------------------------------------- Discord


class DiscordStage:
    """A thread of the bot's, in which alice has written."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._discord = house.discord
        channel = self._discord.people.channel("general")
        world = self._discord.world
        root = self._discord.people.say("alice", channel, "hello")
        self._thread = world.thread(channel, "talk", world.bot.id, thread_id=root["id"])
        self._discord.gateway.tell("THREAD_CREATE", world.channel_payload(self._thread), self._thread)
        asked = self._discord.messages.post(self._thread, world.person("bob", bot=True), {"content": "go"})
        self.platform: Platform = house.served.platform
        self.place = Place(platform="discord", workspace=channel.guild_id, channel=channel.id, thread=self._thread.id)
        self.asked = f"{self._thread.id}/{asked['id']}"
        self.others: list[House] = []

    def texts(self) -> list[str]:
        """See `Stage`."""
        return self._discord.texts(self._thread)

    def buttons(self) -> list[str]:
        """See `Stage`."""
        return [
            each["label"] for row in self._discord.ours(self._thread)[-1]["components"] for each in row["components"]
        ]

    def lose_the_next_answer(self) -> None:
        """See `Stage`."""
        self._discord.faults.add(Fault(kind=Kind.DROP_AFTER, method="POST", path=r"/messages$"))

    async def another_process(self) -> Platform:
        """See `Stage`; long after, when no nonce is remembered any more."""
        self._discord.time.advance(3 * 3600)
        other = House(self._house.path.with_name(f"other{len(self.others)}.db"), self._discord)
        other.clock.advance(3 * 3_600_000)
        await other.start()
        self.others.append(other)
        return other.served.platform


class TestDiscord(PlatformContract):
    """The suite on the loopback Discord."""

    @pytest.fixture
    async def stage(self, house: House, discord: DiscordServer, tmp_path: Path) -> AsyncIterator[DiscordStage]:
        """The stage, and whoever came onto it."""
        stage = DiscordStage(house)
        await discord.until(lambda: house.served._directory.knows(stage.place.thread))  # noqa: SLF001
        yield stage
        for other in stage.others:
            await other.stop()
