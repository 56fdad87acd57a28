"""Parked, never reset, in a real browser: left alone, killed, resumed, taken elsewhere, told as a summary."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_journeys import answers, say
from tests.kit.browser import Program

CODE = re.compile(r"/resume ([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})")


def cards(page: Page) -> Locator:
    """What the bot says by itself."""
    return page.locator(".message.card:not(.private)")


def answered(page: Page, text: str) -> None:
    """Say something and wait for the whole answer."""
    before = page.locator(".message.from-bot[data-state=done]:not(.private):not(.card)").count()
    say(page, text)
    done = page.locator(".message.from-bot[data-state=done]:not(.private):not(.card)")
    expect(done).to_have_count(before + 1)


def let_pass(page: Page, how_long: str) -> None:
    """`Let time pass`."""
    page.get_by_role("button", name="Let time pass").click()
    page.get_by_role("button", name=how_long).click()


def code_on(page: Page) -> str:
    """The code that the newest card shows."""
    found = CODE.search(cards(page).last.inner_text())
    assert found is not None
    return found[1]


def test_warned_parked_killed_restarted_resumed(mortal: Program, open_page: OpenPage) -> None:
    """Somebody comes back after an hour and a crash, and the conversation is gone, or the notice stands there twice."""
    page = open_page(mortal)
    answered(page, "My app is called Heron.")
    let_pass(page, "30 minutes")
    expect(cards(page).last).to_contain_text("Quiet here. I keep everything")
    page.get_by_role("button", name="More choices").click()
    expect(page.get_by_role("button", name="No notices at all")).to_be_visible()
    page.keyboard.press("Escape")
    let_pass(page, "30 minutes")
    expect(cards(page).last).to_contain_text("This conversation is parked. Everything is kept")
    expect(cards(page)).to_have_count(1)
    mortal.kill()
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    mortal.start()
    expect(page.locator("#connection")).to_have_text("")
    expect(cards(page)).to_have_count(1)
    cards(page).get_by_role("button", name="Resume").click()
    expect(cards(page)).to_have_text(re.compile("Back: everything kept."))
    answered(page, "What is my app called?")
    expect(answers(page).last).to_contain_text("Heron")


def test_a_code_takes_it_away_with_consent_at_home(mortal: Program, open_page: OpenPage) -> None:
    """Somebody takes a conversation along and it stays behind, goes without being asked, or cannot come back."""
    page = open_page(mortal)
    answered(page, "My app is called Heron.")
    let_pass(page, "30 minutes")
    expect(cards(page).last).to_contain_text("Quiet here")
    code, home = code_on(page), page.url
    page.get_by_role("button", name="Away", exact=True).click()
    say(page, f"resume {code.lower()}")
    expect(page.locator(".message.private").last).to_contain_text("I asked the person whose conversation this is")
    away = page.context.new_page()
    away.goto(home)
    expect(cards(away).last).to_contain_text("wants to go on with it")
    away.get_by_role("button", name="Allow").click()
    expect(cards(away).last).to_contain_text("Continued in")
    expect(cards(page).last).to_contain_text("This conversation goes on here")
    answered(page, "What is my app called?")
    expect(answers(page).last).to_contain_text("Heron")
    expect(page.locator("#title")).to_contain_text("What is my app called?")
    away.get_by_role("button", name="Bring it back here").click()
    expect(cards(away).last).to_contain_text("It is back here")
    away.close()


def test_expired_told_as_a_summary_and_corrected(mortal: Program, open_page: OpenPage) -> None:
    """Somebody comes back after a day and is not told how much is left, or cannot say what is wrong in it."""
    page = open_page(mortal)
    answered(page, "My app is called Heron. The deadline is 24 December.")
    let_pass(page, "24 hours")
    answered(page, "I am back.")
    told = cards(page).last
    expect(told).to_contain_text("I have a summary of our conversation")
    told.get_by_role("button", name="Show summary").click()
    shown = page.locator(".message.private").last
    expect(shown).to_contain_text("My app is called Heron.")
    expect(shown).to_contain_text("Only you see this")
    shown.get_by_role("button", name="That's wrong").click()
    page.get_by_role("textbox", name="In your words").fill("My app is called Lumen now.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.locator(".message.private").last).to_contain_text("Your words win over the summary")
    told.get_by_role("button", name="Show summary").click()
    expect(page.locator(".message.private").last).to_contain_text("My app is called Lumen now.")
    answered(page, "What is my app called now?")
    expect(answers(page).last).to_contain_text("Lumen")


def test_forgetting_empties_the_page(program: Program, open_page: OpenPage) -> None:
    """What was forgotten is still on the screen, or in the list."""
    page = open_page(program, "jana")
    answered(page, "My secret is a wombat.")
    with page.expect_download() as download:
        say(page, "/export")
        page.get_by_role("link", name="rejoinder-export.md").click()
    assert "My secret is a wombat." in download.value.path().read_text("utf-8")
    say(page, "/forget")
    page.get_by_role("button", name="Forget for good").click()
    expect(page.locator(".message")).to_have_count(1)
    expect(page.locator(".message")).to_contain_text("Forgotten.")
    expect(page.locator("#threads").get_by_text("wombat")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("wombat")).to_have_count(0)


def test_a_link_leads_to_its_code_and_uses_nothing(mortal: Program, open_page: OpenPage) -> None:
    """A link with a code shows nothing, sends the code anywhere, or uses it up when it is opened."""
    page = open_page(mortal)
    answered(page, "My app is called Heron.")
    let_pass(page, "30 minutes")
    expect(cards(page).last).to_contain_text("Quiet here")
    code = code_on(page)
    asked: list[str] = []
    link = page.context.new_page()
    link.on("request", lambda each: asked.append(f"{each.method} {each.url} {each.post_data or ''}"))
    link.goto(f"{mortal.url}/r#{code.replace('-', '').lower()}")
    expect(link.locator("#command")).to_have_text(f"/resume {code}")
    expect(link.locator("#local")).to_be_visible()
    assert [each for each in asked if not each.startswith("GET ")] == []
    assert all(code[:4] not in each.upper().partition("#")[0] for each in asked)
    link.get_by_label("In").select_option("home")
    link.get_by_role("button", name="Go on here").click()
    expect(link.locator("#told")).to_contain_text("It goes on here")
    link.get_by_role("link", name="Open the conversation").click()
    expect(cards(link).last).to_contain_text("This conversation goes on here")
    link.goto(f"{mortal.url}/r#nothing")
    link.reload()
    expect(link.get_by_text("holds no resume code")).to_be_visible()
