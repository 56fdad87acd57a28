"""What the harness has found: each story ended badly once."""

from __future__ import annotations

from tests.crash.acts import Away, Say
from tests.crash.conftest import NewFile, deadly
from tests.crash.sweep import play

pytestmark = deadly


async def test_a_message_caught_up_after_a_crash_is_not_overtaken(new_file: NewFile) -> None:
    """Somebody who types on right after a crash is understood in the order of writing."""
    await play(new_file(), (Say(text="one"), Away(said=(Say(text="two"),)), Say(text="three")), {})
