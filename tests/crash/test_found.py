"""What the harness has found: each story ended badly once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.domain.entities import Draft, Part
from core.domain.errors import StoreFull
from storage.sqlite import SqliteStore
from tests.crash.acts import Act, Arm, Away, Command, Drain, Leap, Mishaps, Press, Say, Wait, Wobbles
from tests.crash.conftest import NewFile, deadly
from tests.crash.life import Faulty, House
from tests.crash.shaky import Wobble
from tests.crash.stage import Stage
from tests.crash.sweep import play
from tests.crash.talker import Busy

pytestmark = deadly


async def test_a_message_caught_up_after_a_crash_is_not_overtaken(new_file: NewFile) -> None:
    """Somebody who types on right after a crash is understood in the order of writing."""
    await play(new_file(), (Say(text="one"), Away(said=(Say(text="two"),)), Say(text="three")), {})


async def test_a_call_that_begins_while_we_stop_is_checkpointed_too(new_file: NewFile) -> None:
    """A deploy at the very moment when an answer begins: the call is ended, not left running beside the next one."""
    story = (
        Say(text="one"),
        Say(text="@Rejoinder two", person="bob"),
        Wait(seconds=0.6),
        Command(text="/stop"),
        Drain(),
    )
    await play(new_file(), story, {})


async def test_an_answer_that_waits_for_its_place_holds_no_question_up(new_file: NewFile) -> None:
    """While two people ask in one thread, the model is asked after the debounce and not at the next sweep."""
    stage = Stage(new_file())
    await stage.live()
    await stage.act(Say(text="one"))
    await stage.act(Say(text="@Rejoinder two", person="bob"))
    await stage.wait(0.9)
    assert len(stage.model.calls) == 2
    await stage.end()


async def test_money_reserved_before_midnight_is_given_back_after_it(new_file: NewFile) -> None:
    """Somebody who stops an answer at midnight has not spent its reservation."""
    story = (Mishaps(of=(Busy(seconds=25.0),)), Say(text="one"), Wait(seconds=1.5), Press(label="Stop"))
    await play(new_file(), story, {})


async def test_a_crash_leaves_no_message_that_nothing_is_written_into(new_file: NewFile) -> None:
    """Where messages are short, an answer that is stopped after a crash does not leave a second one unfinished."""
    question = "one question that is so long that its answer needs a second message"
    for seconds in (0.9, 1.2, 1.5):
        story = (Say(text=question), Wait(seconds=seconds), Away(), Command(text="/stop"))
        await play(new_file(), story, {}, House(part_chars=100))


async def test_a_remark_that_goes_away_opens_no_message(new_file: NewFile) -> None:
    """The model is busy, and a crash: the message that only the remark made necessary would never be finished."""
    for more in range(2, 8):
        story = (Mishaps(of=(Busy(seconds=25.0),)), Arm(point="platform.after_call", more=more), Say(text="one"))
        await play(new_file(), story, {}, House(part_chars=100))


class FullAtTimes(SqliteStore):
    """A disk that is full at every second tick."""

    ticks = 0

    async def progress(self, drafts: Sequence[Draft], parts: Sequence[Part]) -> None:
        """See `Store.progress`."""
        self.ticks += 1
        if self.ticks % 2 == 0:
            raise StoreFull(code="store_full")
        await super().progress(drafts, parts)


async def test_a_draft_that_could_not_be_saved_leaves_no_hole(new_file: NewFile) -> None:
    """After a moment with a full disk and a crash, words would be missing in the middle of an answer."""
    house = House(faulty=Faulty(store=FullAtTimes))
    await play(new_file(), (Say(text="one"), Wait(seconds=1.5), Away()), {}, house)


async def test_a_platform_that_asks_us_to_wait_costs_nobody_an_answer(new_file: NewFile) -> None:
    """Two 429s and one lost reply are one fault, not three."""
    wobbles = Wobbles(of=(Wobble.NOT_SENT, Wobble.NOT_SENT, Wobble.LOST))
    await play(new_file(), (wobbles, Say(text="one", file="Words.")), {})
    wobbles = Wobbles(of=(Wobble.NOT_SENT, Wobble.LOST, Wobble.NOT_SENT, Wobble.UNHEARD))
    await play(new_file(), (Say(text="one"), Wait(seconds=0.9), wobbles), {})


async def test_a_calm_stop_after_some_crashes_gives_no_answer_up(new_file: NewFile) -> None:
    """Four crashes before the first word are forgiven; the deploy that follows is nobody's fault at all."""
    await play(new_file(), (Say(text="one"), Wait(seconds=0.6), Away(), Away(), Away(), Away(), Drain()), {})


async def test_no_number_of_crashes_loses_the_delivery_of_an_answer(new_file: NewFile) -> None:
    """Twenty kills within one answer: its message would stand there half written for ever."""
    lives = (Away(), Wait(seconds=0.9)) * 20
    await play(new_file(), (Say(text="one"), Wait(seconds=0.9), *lives), {})


@pytest.mark.parametrize("wobble", [Wobble.NOT_SENT, Wobble.LOST])
async def test_how_much_is_left_is_read_before_the_answer(new_file: NewFile, wobble: Wobble) -> None:
    """A platform that is busy for two seconds shows the answer first, and below it that little was known to it."""
    story = (Say(text="one"), Leap(seconds=72 * 3600.0), Wobbles(of=(wobble,)), Say(text="two"))
    assert await cards_and_answers(Stage(new_file()), story) == ["answer", "card", "answer"]


async def cards_and_answers(stage: Stage, story: tuple[Act, ...]) -> list[str]:
    """What of ours stands in the thread at the end."""
    await stage.play(story)
    posts = await stage.local.posts(stage.rooms["t1"])
    await stage.end()
    return ["card" if post.card else "answer" for post in posts if not post.author]
