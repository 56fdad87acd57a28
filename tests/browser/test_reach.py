"""The page for everybody: narrow screens, the keyboard alone, screen readers, dark rooms."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_journeys import answers, say, wait_for_words
from tests.kit.browser import Program

LONG = "https://example.org/" + "x" * 300


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    script = """() => [document.documentElement, document.querySelector('#scroll')]
      .every((each) => each.scrollWidth <= innerWidth)"""
    return bool(page.evaluate(script))


def focused(page: Page) -> str:
    """What has the focus: its id or its text."""
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def tab_to(page: Page, wanted: str, *, most: int = 40) -> None:
    """Press Tab until something has the focus."""
    for _ in range(most):
        if focused(page) == wanted:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {wanted}; it is on {focused(page)}")


def test_on_a_phone(program: Program, open_page: OpenPage) -> None:
    """On a phone the list would be in the way, or text would run out of the screen."""
    options = {"viewport": {"width": 320, "height": 700}, "has_touch": True, "is_mobile": True}
    page = open_page(program, "pia", **options)
    assert fits(page)
    expect(page.locator("#subtitle")).to_contain_text("offline demo model")
    expect(page.locator("#sidebar")).not_to_be_visible()
    say(page, f"A long word: {LONG}\n\n```\n{'wide code ' * 30}\n```")
    expect(answers(page).last).to_have_attribute("data-state", "done")
    assert fits(page)
    page.get_by_role("button", name="Conversations", exact=True).tap()
    expect(page.get_by_role("button", name="New conversation")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar")).not_to_be_visible()
    assert focused(page) == "drawer-open"
    page.get_by_role("button", name="Conversations", exact=True).tap()
    page.get_by_role("button", name="New conversation").tap()
    expect(page.get_by_text("Where shall we begin?")).to_be_visible()
    expect(page.locator("#sidebar")).not_to_be_visible()
    box = page.locator("#composer-text").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 700


def test_with_the_keyboard_alone(program: Program, open_page: OpenPage) -> None:
    """Somebody without a mouse could not chat, stop, or switch conversations."""
    page = open_page(program, "kim")
    assert focused(page) == "composer-text"
    page.keyboard.type("/he")
    expect(page.get_by_role("option", name="/help")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    page.keyboard.press("Backspace")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(page.locator("#composer-text")).to_have_value("/help ")
    page.keyboard.press("Enter")
    expect(page.locator(".message.private")).to_have_count(2)
    page.keyboard.type("Tell me a long story about a ship")
    page.keyboard.press("Enter")
    wait_for_words(page, 60)
    tab_to(page, "send")
    page.keyboard.press("Enter")
    expect(answers(page).last).to_have_attribute("data-state", "stopped")
    page.keyboard.press("Control+k")
    expect(page.get_by_text("Where shall we begin?")).to_be_visible()
    assert focused(page) == "composer-text"
    page.keyboard.type("Second one")
    page.keyboard.press("Enter")
    expect(answers(page).last).to_have_attribute("data-state", "done")
    expect(page.locator("#threads li").first).to_contain_text("Second one")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("#title")).to_contain_text("Tell me a long story")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#title")).to_contain_text("Second one")


def test_everything_is_reached_by_tab_and_left_by_escape(program: Program, open_page: OpenPage) -> None:
    """A menu or a dialog would be a trap, or out of reach."""
    page = open_page(program, "lea")
    assert page.evaluate("document.querySelector('a, button, input, textarea').id") == "skip"
    page.locator("#skip").focus()
    expect(page.locator("#skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert focused(page) == "composer-text"
    page.locator("#new").focus()
    tab_to(page, "person")
    page.keyboard.press("Enter")
    expect(page.locator("#people-menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#people-menu")).not_to_be_visible()
    assert focused(page) == "person"
    tab_to(page, "theme")
    page.keyboard.press("Space")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    tab_to(page, "help")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert focused(page) == "help"


def test_for_screen_readers(program: Program, open_page: OpenPage) -> None:
    """A screen reader would hear every word of an answer again and again, or nothing, or buttons without names."""
    page = open_page(program, "mia")
    page.evaluate(
        """() => {
          window.heard = [];
          const place = document.querySelector('#announcer');
          new MutationObserver(() => place.textContent && window.heard.push(place.textContent))
            .observe(place, {childList: true, characterData: true, subtree: true});
        }"""
    )
    say(page, "Hello there")
    expect(answers(page).last).to_have_attribute("data-state", "done")
    page.wait_for_function("window.heard.length > 0")
    heard = page.evaluate("window.heard")
    assert len(heard) == 1
    assert heard[0].startswith("Rejoinder: ")
    for role, name in (
        ("main", None),
        ("complementary", "Conversations and settings"),
        ("navigation", "Conversations"),
    ):
        expect(page.get_by_role(role, name=name)).to_have_count(1)  # type: ignore[arg-type]
    expect(page.get_by_role("list", name="Messages").get_by_role("listitem").last).to_be_visible()
    nameless = """() => [...document.querySelectorAll('button, a, input, textarea')]
      .filter((each) => !each.getAttribute('aria-label') && !each.getAttribute('aria-hidden'))
      .filter((each) => !each.textContent.trim() && !each.labels?.length)
      .map((each) => each.outerHTML)"""
    assert page.evaluate(nameless) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest('.unseen, .skip')) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.className} ${ratio.toFixed(2)} ${element.textContent.trim().slice(0, 30)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(
    program: Program, open_page: OpenPage, scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In one of the two, text could not be read; or the choice would be forgotten."""
    page = open_page(program, f"nora-{scheme}", color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    say(page, "/help")
    expect(page.locator(".message.private")).to_have_count(2)
    assert page.evaluate(CONTRAST) == []
    page.screenshot(path=tmp_path_factory.getbasetemp() / f"page-{scheme}.png")
    bright = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != bright
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light" if scheme == "dark" else "dark")


def test_no_words_are_left_in_the_browser(program: Program, open_page: OpenPage) -> None:
    """What somebody said would stay on a computer that others use."""
    page = open_page(program, "olga")
    say(page, "the word is xylophone")
    expect(answers(page).last).to_have_attribute("data-state", "done")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "xylophone" not in kept
    assert page.evaluate("caches.keys()") == []
