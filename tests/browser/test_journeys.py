"""What a person does in the chat, in a real browser, against the real program."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.kit.browser import Program

STORY = "Tell me a long story about a lighthouse."


def say(page: Page, text: str) -> None:
    """Write a message and send it."""
    page.get_by_role("textbox", name="Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def answers(page: Page) -> Locator:
    """The bot's messages in the open thread."""
    return page.locator(".message.from-bot:not(.private)")


def wait_for_words(page: Page, more_than: int) -> str:
    """Wait until the answer that is being written has more than so many characters; give them."""
    page.wait_for_function(
        "n => (document.querySelector('.from-bot[data-state=streaming] .body')?.textContent.length ?? 0) > n",
        arg=more_than,
    )
    return answers(page).last.locator(".body").inner_text()


def test_the_first_conversation(program: Program, open_page: OpenPage) -> None:
    """A newcomer would not get an answer, or not know who gave it."""
    page = open_page(program, "anna")
    expect(page.get_by_text("Where shall we begin?")).to_be_visible()
    expect(page.locator("#model-chip")).to_have_text("Offline demo model")
    expect(page.get_by_text("not Claude").first).to_be_visible()
    say(page, "My app is called Heron. Please remember that.")
    expect(answers(page).last).to_have_attribute("data-state", "done")
    say(page, "What is my app called?")
    expect(answers(page)).to_have_count(2)
    expect(answers(page).last).to_contain_text("Heron")
    expect(page.locator("#threads li")).to_have_count(1)
    expect(page.locator("#title")).to_contain_text("My app is called Heron")
    expect(page).to_have_url(re.compile(r"#/home/[a-z2-7]{24}$"))
    page.reload()
    expect(page.locator(".message")).to_have_count(4)
    expect(page.locator("#threads a[aria-current=page]")).to_have_count(1)
    expect(page.locator("#announcer")).to_have_text("")


def test_stop_keeps_what_was_said(program: Program, open_page: OpenPage) -> None:
    """Somebody could not stop a long answer, or would lose what they had read."""
    page = open_page(program, "berta")
    say(page, STORY)
    first = wait_for_words(page, 120)
    wait_for_words(page, len(first))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(answers(page).first).to_have_attribute("data-state", "stopped")
    expect(answers(page).first).to_contain_text("Stopped")
    kept = answers(page).first.locator(".body").inner_text()
    assert kept.startswith(first[:100])
    say(page, "Hello again")
    expect(answers(page)).to_have_count(2)
    expect(answers(page).last).to_have_attribute("data-state", "done")


def test_kill_and_restart_with_the_page_open(mortal: Program, open_page: OpenPage) -> None:
    """A crash in the middle of an answer would leave half a message, or two of them, until a reload."""
    page = open_page(mortal)
    say(page, STORY)
    seen = wait_for_words(page, 400)
    ident = answers(page).first.get_attribute("data-id")
    mortal.kill()
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    assert answers(page).first.locator(".body").inner_text().startswith(seen[:300])
    say(page, "And what came then?")
    expect(page.get_by_text("Waiting for the connection")).to_be_visible()
    mortal.start()
    expect(page.locator("#connection")).to_have_text("")
    expect(answers(page).first).to_have_attribute("data-state", "done")
    assert answers(page).first.get_attribute("data-id") == ident
    whole = answers(page).first.locator(".body").inner_text()
    assert whole.startswith(seen[:300])
    assert len(whole.split()) >= 300
    assert whole.count(seen[200:300]) == 1, "nothing is said twice"
    expect(answers(page)).to_have_count(2)
    expect(answers(page).last).to_have_attribute("data-state", "done")
    expect(page.locator(".message.from-person")).to_have_count(2)


def test_people_share_a_channel_and_keep_secrets(program: Program, open_page: OpenPage) -> None:
    """Others would not see what is said in a channel, or would see what is private."""
    cleo, dora = open_page(program, "cleo"), open_page(program, "dora")
    cleo.get_by_role("button", name="#general").click()
    say(cleo, "Good morning, all")
    expect(answers(cleo).last).to_have_attribute("data-state", "done")
    line = dora.locator("#threads a", has_text="Good morning, all")
    expect(line).to_be_visible()
    expect(line).to_contain_text("new")
    line.click()
    expect(dora.locator(".message")).to_have_count(2)
    say(cleo, "/help")
    mine = cleo.locator(".message.private")
    expect(mine).to_have_count(2)
    expect(mine.last).to_contain_text("Only you see this")
    say(dora, "@cleo what a fine day")
    expect(cleo.get_by_text("what a fine day")).to_be_visible()
    expect(dora.locator(".message.private")).to_have_count(0)
    expect(dora.locator(".message")).to_have_count(3)


def test_switching_people_and_workspaces(program: Program, open_page: OpenPage) -> None:
    """Nobody could try what another person, or the other workspace, sees."""
    page = open_page(program, "emil")
    say(page, "/help")
    expect(page.locator(".message.private")).to_have_count(2)
    say(page, "mine alone")
    expect(answers(page).last).to_have_attribute("data-state", "done")
    page.get_by_role("button", name="Away").click()
    expect(page.locator("#threads li")).to_have_count(0)
    page.get_by_role("button", name="Home").click()
    expect(page.locator("#threads li", has_text="mine alone")).to_be_visible()
    page.locator("#person").click()
    page.get_by_role("textbox", name="Name of another person").fill("fritz")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#person")).to_contain_text("fritz")
    expect(page.locator("#threads li", has_text="mine alone")).to_have_count(0)
    expect(page.locator(".message")).to_have_count(0)
    page.reload()
    expect(page.locator("#person")).to_contain_text("fritz")


def test_a_file_goes_with_a_message(program: Program, open_page: OpenPage) -> None:
    """A file could not be attached, or would vanish on the way."""
    page = open_page(program, "gina")
    files = [
        {"name": "notes.md", "mimeType": "", "buffer": b"# Heron"},
        {"name": "x.exe", "mimeType": "", "buffer": b"x"},
    ]
    page.locator("#files").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator("#chips li")).to_have_count(1)
    expect(page.locator("#composer-note")).to_contain_text("x.exe")
    say(page, "What is in it?")
    expect(page.locator(".message .files li")).to_contain_text("notes.md")
    expect(page.locator("#chips li")).to_have_count(0)
    expect(answers(page).last).to_have_attribute("data-state", "done")


def test_time_passes(mortal: Program, open_page: OpenPage) -> None:
    """Nobody would see where the clock stands after it was moved."""
    page = open_page(mortal)
    page.get_by_role("button", name="Let time pass").click()
    page.get_by_role("button", name="24 hours").click()
    expect(page.locator("#clock-note")).to_contain_text("24 h ahead")
    page.get_by_role("button", name="Let time pass").click()
    page.get_by_role("button", name="30 minutes").click()
    expect(page.locator("#clock-note")).to_contain_text("24 h 30 min ahead")
    page.reload()
    expect(page.locator("#clock-note")).to_contain_text("24 h 30 min ahead")


def test_a_refusal_keeps_the_words(program: Program, open_page: OpenPage) -> None:
    """What somebody wrote would be gone because the disk was full for a moment."""
    page = open_page(program, "hans")
    refusal = '{"error":{"code":"store_full","message":"The disk is full."}}'
    page.route("**/api/messages", lambda route: route.fulfill(status=507, body=refusal))
    say(page, "do not lose this")
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    page.unroute("**/api/messages")
    page.get_by_role("button", name="Try again").click()
    expect(answers(page).last).to_have_attribute("data-state", "done")
    expect(page.locator(".message.from-person")).to_have_count(1)


def test_forms_and_lists_are_asked(program: Program, open_page: OpenPage) -> None:
    """A question of the bot that needs more than a button could not be answered."""
    page = open_page(program, "ida")
    reply = {
        "kind": "form",
        "message": "w-1",
        "title": "What is wrong?",
        "submit": {"id": "rj1:fix:S:0", "label": "Save"},
        "fields": [{"id": "what", "label": "In your words", "max_chars": 400, "long": True}],
    }
    taken = {"thread": "t", "message": "w-0", "reply": reply}
    page.route("**/api/messages", lambda route: route.fulfill(status=202, json=taken))
    sent: list[object] = []

    def on_press(route: object) -> None:
        sent.append(route.request.post_data_json)  # type: ignore[attr-defined]
        choices = {
            "kind": "choices",
            "message": "w-2",
            "text": "Which one?",
            "options": [{"id": "rj1:pick:A:0", "label": "The first"}],
        }
        route.fulfill(json={"reply": choices if len(sent) == 1 else {"kind": "nothing"}})  # type: ignore[attr-defined]

    page.route("**/api/actions", on_press)
    say(page, "/wrong")
    page.get_by_role("textbox", name="In your words").fill("It is Heron")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="The first").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("document.activeElement !== null")
    until = time.monotonic() + 5
    while len(sent) < 2 and time.monotonic() < until:
        page.wait_for_timeout(20)
    assert [(each["message"], each["button"], each.get("value")) for each in sent] == [  # type: ignore[index,attr-defined]
        ("w-1", "rj1:fix:S:0", {"what": "It is Heron"}),
        ("w-2", "rj1:pick:A:0", None),
    ]
