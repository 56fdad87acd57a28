"""Files, choices, what was missed, session states, doctor."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from bots.slack.preflight import examine
from bots.slack.surface import SCOPES
from core.domain.errors import Refused
from core.settings import Settings
from tests.kit.slack_faults import Wrong
from tests.kit.slack_people import MENTION
from tests.kit.slack_state import APP_TOKEN, BOT_TOKEN, BOT_USER, Kind
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SlackWorld

MINUTE = 60.0
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


# ----------------------------------------------------------------------------------------------- files


async def test_an_image_reaches_the_model(world: SlackWorld) -> None:
    """A picture that is sent to the bot is seen by it."""
    model = world.script(["A dot."])
    file = world.people.add_file("dot.png", "image/png", PNG, world.server.host)
    root = world.people.say(ALICE, DM, "what is this?", files=(file,))
    await world.settle()
    assert world.answers(root, DM) == ["A dot."]
    asked = str(model.requests[0].messages)
    assert "image/png" in asked
    assert base64.b64encode(PNG).decode() in asked


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/f", "http://127.0.0.1:1/f", "file:///etc/passwd", "https://files.slack.com@evil.example/f"],
)
async def test_files_from_elsewhere_are_not_fetched(world: SlackWorld, address: str) -> None:
    """The token would be sent to whoever names an address."""
    file = world.people.add_file("dot.png", "image/png", PNG, world.server.host)
    shown, data = world.server.slack.files[file]
    world.server.slack.files[file] = (shown | {"url_private_download": address, "url_private": address}, data)
    root = world.people.say(ALICE, DM, "what is this?", files=(file,))
    await world.settle()
    assert world.answers(root, DM) == ["Hello."]
    with pytest.raises(Refused) as refused:
        await world.slack.platform.fetch_file(file, 1_000)
    assert refused.value.code == "file_elsewhere"


async def test_a_sign_in_page_is_no_file(world: SlackWorld) -> None:
    """Slack answers with a page when the token may not read a file: that is not the file."""
    page = b"<!DOCTYPE html><html>Sign in</html>"
    file = world.people.add_file("dot.png", "image/png", page, world.server.host)
    with pytest.raises(Refused) as refused:
        await world.slack.platform.fetch_file(file, 1_000)
    assert refused.value.code == "file_forbidden"


# ------------------------------------------------------------------------------------- what was missed


async def test_several_missed_messages_are_ones_choice(world: SlackWorld) -> None:
    """After downtime with several messages in a thread the person chooses what is answered."""
    root = world.ask("first")
    await world.settle()
    await world.stop()
    world.server.feed.paused = True
    world.people.say(ALICE, GENERAL, "second", root)
    world.people.say(ALICE, GENERAL, "third", root)
    await world.clock.leap(3_600)
    world.server.feed.paused = False
    model = world.script(["Both."])
    await world.start()
    await world.settle()
    card = world.with_button(root, "Answer all")
    assert "2 messages" in card.shown
    assert world.server.slack.status(GENERAL, root) == "suspended"
    world.people.press(ALICE, card, "Answer all")
    await world.settle()
    assert world.answers(root)[-1] == "Both."
    assert "second" in str(model.requests[-1].messages)


async def test_too_old_is_left_alone(tmp_path: Path) -> None:
    """What was said longer ago than CATCH_UP_AGE is not answered out of the blue."""
    world = await SlackWorld.open(tmp_path, catch_up_age="1h")
    try:
        await world.stop()
        world.server.feed.paused = True
        old = world.people.say(ALICE, DM, "yesterday")
        await world.run(400.0, step=10.0)  # Slack has given up bringing it
        await world.clock.leap(7_200)
        world.server.feed.paused = False
        await world.start()
        await world.settle()
        assert world.answers(old, DM) == []
    finally:
        await world.close()


async def test_a_gap_is_said(world: SlackWorld) -> None:
    """Where Slack does not let the bot read what it missed, it says so to whoever talks with it there."""
    root = world.ask("first")
    await world.settle()
    await world.stop()
    world.server.feed.paused = True
    world.server.slack.channels[GENERAL].unreadable = "missing_scope"
    await world.clock.leap(3_600)
    world.server.feed.paused = False
    await world.start()
    await world.settle()
    assert "does not let me read" in world.answers(root)[-1]


async def test_what_is_said_while_we_come_back_is_heard(world: SlackWorld) -> None:
    """A message that comes between the reading of what was missed and the first open connection is not lost."""
    root = world.ask("first")
    await world.settle()
    await world.stop()
    world.server.feed.paused = True  # and it never comes over a connection
    before = len(world.server.called("apps.connections.open")) + 1  # the preflight's

    async def when_read() -> None:
        while len(world.server.called("apps.connections.open")) <= before:  # noqa: ASYNC110  (nobody tells of calls)
            await asyncio.sleep(0)
        world.people.say(ALICE, GENERAL, "did you hear that?", root)

    saying = asyncio.create_task(when_read())
    await world.start()
    await saying
    await world.settle()
    assert len(world.answers(root)) == 2


async def test_a_short_pause_is_not_talked_about(world: SlackWorld) -> None:
    """A deploy of some seconds is no gap: Slack brings what was missed by itself."""
    root = world.ask("first")
    await world.settle()
    await world.stop()
    world.server.slack.channels[GENERAL].unreadable = "missing_scope"
    await world.start()
    await world.settle()
    assert len(world.answers(root)) == 1


async def test_group_conversations_are_like_channels(world: SlackWorld) -> None:
    """In a group direct message the bot is mentioned, and the group is no public place."""
    world.server.slack.add_channel("G0GROUP", "mpdm-alice--bob", Kind.MPIM, {ALICE, BOB, BOT_USER})
    world.people.say(ALICE, "G0GROUP", "just us")
    root = world.ask("and you?", channel="G0GROUP")
    await world.settle()
    assert world.answers(root, "G0GROUP") == ["Hello."]
    (session,) = await world.sessions()
    assert session.audience.value == "private"


# -------------------------------------------------------------------------------------------- windows


async def test_a_choice_is_a_list_in_a_window(world: SlackWorld) -> None:
    """`/resume` without a code shows a list; choosing goes on with that conversation."""
    for n in range(2):
        world.people.say(ALICE, GENERAL, f"{MENTION} conversation {n}")
        await world.settle()
    await world.pass_time(61 * MINUTE)
    world.people.command(ALICE, DM, "/resume")
    await world.settle()
    (modal,) = world.modals()
    (choice,) = [block for block in modal.view["blocks"] if block["type"] == "input"]
    label = choice["element"]["options"][0]["text"]["text"]
    envelope = world.people.submit(ALICE, label)
    await world.settle()
    world.people.after_submit(envelope)
    homes = {each.home.channel for each in await world.sessions()}
    assert DM in homes


async def test_a_typed_choice_is_a_list_in_a_message(world: SlackWorld) -> None:
    """`@bot resume` has no window to open: the list comes as a direct message, and means where it was asked for."""
    for n in range(2):
        world.people.say(ALICE, GENERAL, f"{MENTION} conversation {n}")
        await world.settle()
    await world.pass_time(61 * MINUTE)
    asked = world.people.say(ALICE, GENERAL, f"{MENTION} resume")
    await world.settle()
    (told,) = [each for each in world.server.slack.bots_messages() if each.channel == DM]
    assert len(told.buttons) == 2
    world.people.press(ALICE, told, told.buttons[0]["text"]["text"])
    await world.settle()
    assert asked in {each.home.thread for each in await world.sessions()}


async def test_a_window_that_comes_too_late_becomes_a_message(world: SlackWorld) -> None:
    """Slack was slow and the click is too old for a window: the answer comes as a direct message."""
    root = world.ask("hello")
    await world.settle()
    await world.pass_time(31 * MINUTE)
    world.server.faults.add("views.open", Wrong.ERROR, code="expired_trigger_id")
    world.people.press(ALICE, world.with_button(root, "Resume"), "No notices at all")
    await world.settle()
    told = [each.shown for each in world.server.slack.bots_messages() if each.channel == DM]
    assert any("/rejoinder notices changes that" in each for each in told)


async def test_a_small_word_opens_no_window(world: SlackWorld) -> None:
    """A press that visibly changes the message needs no window that says so."""
    root = world.ask("hello")
    await world.settle()
    await world.pass_time(31 * MINUTE)
    world.people.press(ALICE, world.with_button(root, "Resume"), "Keep open 24 h")
    await world.settle()
    assert world.modals() == []
    assert "Kept open" in world.answers(root)[-1]


# ------------------------------------------------------------------------------------------- sessions


async def test_a_long_wait_still_looks_like_work(world: SlackWorld) -> None:
    """An answer without a stream that takes 90 minutes: Slack would show us as idle after one hour."""
    world.server.slack.agent = True
    world.server.faults.add("chat.startStream", Wrong.ERROR, code="channel_type_not_supported")
    world.script([1_500.0, "a ", 1_500.0, "b ", 1_500.0, "c"])
    root = world.ask("go")
    for _ in range(4_400 // 60):
        await world.run(60.0, step=60.0)
        assert world.server.slack.status(GENERAL, root) == "processing"
    await world.settle()
    assert world.answers(root) == ["a b c"]
    assert world.server.slack.status(GENERAL, root) == "active"


async def test_ending_closes_the_session(world: SlackWorld) -> None:
    """End: nothing more comes, and Slack's list shows the conversation as finished."""
    root = world.ask("hello")
    await world.settle()
    await world.pass_time(31 * MINUTE)
    world.people.press(ALICE, world.with_button(root, "End"), "End")
    await world.settle()
    assert world.server.slack.status(GENERAL, root) == "closed"


async def test_a_calm_stop_leaves_no_spinner(world: SlackWorld) -> None:
    """The bot is stopped in mid-answer: nobody sees it working while it does not run, and the next start goes on."""
    world.script(["The first half ", asyncio.Event()])
    root = world.ask("go")
    await world.run(3.0)
    await world.slack.disconnect()
    await world.engine.drain(0.01)
    await world.stop()
    assert world.streaming() == []
    assert world.server.slack.status(GENERAL, root) == "suspended"
    world.script(["and the second."])
    await world.start()
    await world.settle()
    assert world.answers(root) == ["The first half and the second."]
    assert world.server.slack.status(GENERAL, root) == "active"


async def test_somebody_elses_stop_does_not_end_my_answer(world: SlackWorld) -> None:
    """A bystander presses Slack's Stop: the stream ends, but my answer goes on in the same message."""
    gate = asyncio.Event()
    world.script(["The first half ", gate, "and the second."])
    root = world.ask("go")
    await world.run(3.0)
    world.people.stop(BOB, GENERAL, root)
    await world.calm()
    gate.set()
    await world.settle()
    (answer,) = world.answers(root)
    assert answer.startswith("The first half")


# --------------------------------------------------------------------------------------------- doctor


async def test_doctor_compares_scopes(world: SlackWorld) -> None:
    """An operator would not know why half of it does not work."""
    settings = Settings.model_validate(
        {"slack_bot_token": BOT_TOKEN, "slack_app_token": APP_TOKEN, "slack_api_url": world.server.url}
    )
    said, fix = await examine(settings, world.clock)
    assert "T0HOME" in said
    assert "every scope" in said
    assert fix == ""
    world.server.slack.scopes -= {"reactions:write", "files:read"}
    said, fix = await examine(settings, world.clock)
    assert "not granted: files:read, reactions:write" in said
    assert "manifest.yml" in fix
    assert len(SCOPES) == 17
