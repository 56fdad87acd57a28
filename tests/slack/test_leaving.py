"""Leaving and coming back on Slack: the notice, its buttons, codes, other threads, the Home, modals."""

from __future__ import annotations

import re

from core.domain.entities import Phase
from tests.kit.slack_people import MENTION
from tests.kit.slack_world import ALICE, BOB, DM, GENERAL, SECRET, SlackWorld

MINUTE = 60.0
HOUR = 60 * MINUTE


async def talk(world: SlackWorld, *texts: str) -> str:
    """Alice talks with the bot in a thread of #general; returns the thread."""
    root = world.ask(texts[0])
    await world.settle()
    for text in texts[1:]:
        world.people.say(ALICE, GENERAL, text, root)
        await world.settle()
    return root


async def parked(world: SlackWorld) -> str:
    """A thread whose conversation sleeps, with its notice."""
    root = await talk(world, "My app is called Lumen.", "And it is blue.")
    await world.pass_time(31 * MINUTE)
    await world.pass_time(31 * MINUTE)
    return root


def code_in(text: str) -> str:
    """The resume code that a text shows."""
    found = re.search(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", text)
    assert found is not None, text
    return found[0]


async def test_a_quiet_thread_gets_one_notice_that_is_edited(world: SlackWorld) -> None:
    """One calm notice after half an hour; parking edits it, and the session waits for its person."""
    root = await talk(world, "hello", "again")
    await world.pass_time(31 * MINUTE)
    notice = world.with_button(root, "Resume")
    assert "park this conversation" in notice.shown
    assert "<@" not in notice.shown
    assert world.server.slack.status(GENERAL, root) == "suspended"
    await world.pass_time(31 * MINUTE)
    assert world.with_button(root, "Resume").ts == notice.ts
    assert "parked" in world.with_button(root, "Resume").shown
    assert len(world.ours(root)) == 3


async def test_the_notice_shows_the_code_and_its_lesser_buttons_in_a_menu(world: SlackWorld) -> None:
    """The code is there to be copied; the rarely wanted buttons are behind three dots, all for the owner only."""
    root = await parked(world)
    notice = world.with_button(root, "Resume")
    code_in(notice.shown)
    (row,) = [block for block in notice.blocks if block["type"] == "actions"]
    assert [each["type"] for each in row["elements"]][-1] == "overflow"
    shown_to = [each["visible_to_user_ids"] for each in row["elements"] if each["type"] == "button"]
    assert shown_to == [[ALICE]] * 3


async def test_no_code_is_on_the_disk(world: SlackWorld) -> None:
    """Whoever steals the database finds no resume code in it."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    raw = b"".join(each.read_bytes() for each in world.folder.glob("rejoinder.db*"))
    assert code.encode() not in raw
    assert code.replace("-", "").encode() not in raw


async def test_the_resume_button_brings_it_back(world: SlackWorld) -> None:
    """One press, and the conversation lives again with everything."""
    root = await parked(world)
    world.people.press(ALICE, world.with_button(root, "Resume"), "Resume")
    await world.settle()
    (session,) = await world.sessions()
    assert session.phase is Phase.ACTIVE
    assert any("everything" in text for text in world.answers(root))
    assert world.server.slack.status(GENERAL, root) == "active"


async def test_somebody_elses_press_is_answered_privately(world: SlackWorld) -> None:
    """A press of a button that is not mine tells me so, in a window that only I see."""
    root = await parked(world)
    notice = world.with_button(root, "Resume")
    for block in notice.blocks:
        for element in block.get("elements", []):
            element.pop("visible_to_user_ids", None)  # an old client shows it to everybody
    world.people.press(BOB, notice, "Resume")
    await world.settle()
    (session,) = await world.sessions()
    assert session.phase is Phase.PARKED
    (modal,) = world.modals(BOB)
    assert modal.view["type"] == "modal"


async def test_a_typed_code_in_another_thread_moves_the_conversation_there(world: SlackWorld) -> None:
    """Slash commands do not work in threads, so the code is typed as a message there."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    other = world.people.say(ALICE, GENERAL, f"{MENTION} resume {code.lower()}")
    await world.settle()
    (session,) = await world.sessions()
    assert session.home.thread == other
    assert any("#general" in text or "thread" in text for text in world.answers(other))
    assert any(
        button["text"]["text"].startswith("Bring it back") for each in world.ours(root) for button in each.buttons
    )


async def test_a_wrong_code_says_nothing_in_public(world: SlackWorld) -> None:
    """Whoever guesses learns nothing, and the others in the thread are not bothered."""
    root = await parked(world)
    before = world.answers(root)
    world.people.say(BOB, GENERAL, "resume ABCD-EFGH-JKMN-PQR2", root)
    await world.settle()
    assert world.answers(root) == before
    told = [each.shown for each in world.server.slack.bots_messages() if each.channel == "D0BOB"]
    assert len(told) == 1
    assert "/rejoinder sessions" in told[0]


async def test_resume_in_a_composer_opens_a_thread_for_it(world: SlackWorld) -> None:
    """`/resume CODE` in a channel's composer: the conversation goes on in a new thread there."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    world.people.command(ALICE, SECRET, "/resume", code)
    await world.settle()
    (begun,) = [each for each in world.server.slack.channels[SECRET].roots() if each.ours]
    (session,) = await world.sessions()
    assert (session.home.channel, session.home.thread) == (SECRET, begun.ts)
    world.people.say(ALICE, SECRET, "what is it called?", begun.ts)
    await world.settle()
    assert world.answers(begun.ts, SECRET)[-1] == "Hello."
    assert len(await world.sessions()) == 1


async def test_a_code_typed_as_a_message_of_its_own(world: SlackWorld) -> None:
    """`resume CODE` written into a channel, as one does where the slash was forgotten: it goes on in a thread there."""
    root = await parked(world)
    code = code_in(world.with_button(root, "Resume").shown)
    typed = world.people.say(ALICE, SECRET, f"resume {code}")
    await world.settle()
    (session,) = await world.sessions()
    assert (session.home.channel, session.home.thread) == (SECRET, typed)


async def test_a_wrong_code_in_a_composer_leaves_nothing_behind(world: SlackWorld) -> None:
    """The thread that was opened for it is gone again, and only I am told."""
    await parked(world)
    envelope = world.people.command(BOB, SECRET, "/resume", "ABCD-EFGH-JKMN-PQR2")
    await world.settle()
    assert [each for each in world.server.slack.channels[SECRET].roots() if each.ours] == []
    assert envelope.response is not None
    assert envelope.response["response_type"] == "ephemeral"


async def test_commands_are_answered_privately_in_a_composer(world: SlackWorld) -> None:
    """`/rejoinder sessions` in a channel shows my conversations to me alone."""
    await parked(world)
    envelope = world.people.command(ALICE, GENERAL, "/rejoinder", "sessions")
    await world.settle()
    assert envelope.response is not None
    assert "Lumen" in str(envelope.response["blocks"])


async def test_commands_in_a_direct_composer_open_a_window(world: SlackWorld) -> None:
    """In the Messages tab ephemeral answers are not to be trusted: a window opens."""
    await parked(world)
    world.people.command(ALICE, DM, "/rejoinder", "sessions")
    await world.settle()
    (modal,) = world.modals()
    assert "Lumen" in str(modal.view["blocks"])


async def test_the_home_lists_conversations_and_resumes_them(world: SlackWorld) -> None:
    """The app's Home shows my conversations; Resume there goes on in our direct conversation."""
    await parked(world)
    world.people.open_home(ALICE)
    await world.settle()
    home = world.server.slack.homes[ALICE]
    assert "Lumen" in str(home["blocks"])
    label = next(
        element["text"]["text"]
        for block in home["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    )
    world.people.press_in_view(ALICE, label)
    await world.settle()
    (session,) = await world.sessions()
    assert session.home.channel == DM
    assert session.home.thread != ""


async def test_the_message_shortcut_resumes_in_its_thread(world: SlackWorld) -> None:
    """`Resume this conversation` in a message's menu brings the sleeping conversation of its thread back."""
    root = await parked(world)
    first = world.server.slack.channels[GENERAL].messages[root]
    world.people.shortcut(ALICE, "resume_conversation", first)
    await world.settle()
    (session,) = await world.sessions()
    assert session.phase is Phase.ACTIVE


async def test_the_global_shortcut_lists_conversations(world: SlackWorld) -> None:
    """The lightning bolt shows my conversations in a window."""
    await parked(world)
    world.people.shortcut(ALICE, "my_conversations")
    await world.settle()
    (modal,) = world.modals()
    assert "Lumen" in str(modal.view["blocks"])


async def test_the_summary_can_be_corrected_in_a_window(world: SlackWorld) -> None:
    """After a day: what is remembered is shown to me alone, and my correction wins."""
    model = world.script(["ok"])
    root = await talk(world, *(f"Point {n}: the code word is number{n}." for n in range(8)))
    await world.pass_time(61 * MINUTE)
    await world.pass_time(25 * HOUR)
    world.people.say(ALICE, GENERAL, "where were we?", root)
    await world.settle()
    told = world.with_button(root, "That's wrong")
    world.people.press(ALICE, told, "Show summary")
    await world.settle()
    assert "number0" in str(world.modals()[0].view["blocks"])
    world.people.close_modals(ALICE)
    world.people.press(ALICE, told, "That's wrong")
    await world.settle()
    envelope = world.people.submit(ALICE, "The name is Lumen, not Lumi.")
    await world.settle()
    world.people.after_submit(envelope)
    world.people.say(ALICE, GENERAL, "and now?", root)
    await world.settle()
    assert "The name is Lumen, not Lumi." in str(model.requests[-1].messages)


async def test_an_export_is_handed_over_in_the_direct_conversation(world: SlackWorld) -> None:
    """My own data comes as files that only I get."""
    await talk(world, "My app is called Lumen.")
    world.people.say(ALICE, DM, f"{MENTION} export")
    await world.settle()
    files = [each for message in world.server.slack.channels[DM].messages.values() for each in message.files]
    assert sorted(each["name"] for each in files) == ["rejoinder-export.json", "rejoinder-export.md"]
    data = world.server.slack.files[files[0]["id"]][1]
    assert b"Lumen" in data
