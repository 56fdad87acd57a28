"""What the harness has found: each story ended badly once."""

from __future__ import annotations

from tests.crash.acts import Away, Command, Drain, Say, Wait
from tests.crash.conftest import NewFile, deadly
from tests.crash.sweep import play

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
