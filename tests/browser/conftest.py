"""One browser for all, one program for those who do not kill it, a fresh person and page for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.kit.browser import Program, open_browser

PATIENCE_MS = 15_000.0  # for what the program does; the story takes seven seconds

OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the browser."""
    for item in items:
        if "browser" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    """The browser."""
    expect.set_options(timeout=PATIENCE_MS)
    with open_browser(chromium) as found:
        yield found


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A running program that all tests share."""
    found = Program(tmp_path_factory.mktemp("browser") / "data")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Program]:
    """A running program that may be killed."""
    found = Program(tmp_path / "data")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Open a page as somebody; what the page complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(program: Program, person: str = "alice", *, path: str = "/", **options: object) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 800}} | options))  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        context.add_init_script(
            f"sessionStorage.getItem('rejoinder.person') ?? sessionStorage.setItem('rejoinder.person', {person!r})"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda each: complaints.append(each.text) if is_complaint(each.type, each.text) else None)
        page.goto(program.url + path)
        expect(page.locator("#person")).to_contain_text(person)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def is_complaint(kind: str, text: str) -> bool:
    """What a page logs because the server is away is none."""
    return kind in {"error", "warning"} and "Failed to load resource" not in text and "ERR_CONNECTION" not in text
