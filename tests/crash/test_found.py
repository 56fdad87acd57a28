"""What the harness has found: each story ended badly once."""

from __future__ import annotations

from tests.crash.acts import Away, Command, Drain, Mishaps, Press, Say, Wait
from tests.crash.conftest import NewFile, deadly
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
