"""A long task in a real browser: its steps are a list that fills while it works."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.test_journeys import answers, say
from tests.browser.test_reach import CONTRAST
from tests.kit.browser import Program


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_steps_are_a_list_that_fills(
    program: Program, open_page: OpenPage, scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One cannot see which step is running, a mark cannot be read, or the card jumps each time it changes."""
    page = open_page(program, f"tess-{scheme}", color_scheme=scheme)
    say(page, "/task compare three apples")
    card = page.locator(".message.card")
    expect(card.locator(".steps-title")).to_have_text("compare three apples")
    first = card.locator(".step").first
    expect(card.locator(".step[data-state=running]").first).to_be_visible()
    expect(first).to_have_attribute("data-state", "done")
    expect(first.locator(".step-detail")).to_contain_text(" s")
    page.screenshot(path=tmp_path_factory.getbasetemp() / f"task-{scheme}.png")
    assert page.evaluate(CONTRAST) == []
    total = card.locator(".step").count()
    expect(card.locator(".step[data-state=done]")).to_have_count(total, timeout=60_000)
    expect(card).to_contain_text("Done. The answer stands below.")
    expect(card).to_have_count(1)
    expect(answers(page).last).not_to_be_empty()
    page.screenshot(path=tmp_path_factory.getbasetemp() / f"task-{scheme}-done.png")
