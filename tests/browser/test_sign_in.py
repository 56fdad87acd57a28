"""Signing in at a tool server in a real browser: its rules for cookies, forms and redirects are not ours to imagine."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.test_journeys import say
from tests.kit.browser import Program, free_port

ANSWER = "You have three open issues."


@contextmanager
def running(*module: str) -> Iterator[str]:
    """Run a server of the kit; the last word of the line that says that it is ready."""
    process = subprocess.Popen([sys.executable, "-m", *module], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().decode().split()[-1]
    finally:
        process.kill()
        process.communicate()


def use(name: str) -> dict[str, object]:
    """Give a model's answer that asks for a tool."""
    block = {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}
    return {"text": "", "stop_reason": "tool_use", "blocks": [block]}


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Program]:
    """Give a program with a tool server that wants a login, and a model that uses it."""
    with running("tests.kit.claude_server") as port, running("tests.kit.oauth_server", str(free_port())) as tools:
        script = {"queue": [use("jira__connect"), use("jira__open_issues")], "default": {"text": ANSWER}}
        url = f"http://127.0.0.1:{port}"
        asked = urllib.request.Request(  # noqa: S310 - our own address
            f"{url}/_script", json.dumps(script).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(asked).close()  # noqa: S310
        config = tmp_path / "rejoinder.toml"
        config.write_text(f'[tools.jira]\nurl = "{tools}"\nauth = "oauth"\n')
        program = Program(
            tmp_path / "data", REJOINDER_CONFIG=str(config), ANTHROPIC_API_KEY="sk-ant-test", ANTHROPIC_BASE_URL=url
        )
        program.start()
        yield program
        program.stop()


def test_the_link_leads_there_and_back(connected: Program, open_page: OpenPage) -> None:
    """The browser drops the cookie, or refuses the way to the tool server, and nobody can sign in."""
    page = open_page(connected)
    say(page, "what is open?")
    card = page.locator(".message.card:not(.private)")
    expect(card).to_contain_text("jira needs a login of yours")
    card.get_by_role("button", name="Sign in").click()
    link = page.locator(".message.private a[href*='/connect/']")
    expect(link).to_be_visible()
    address = link.get_attribute("href")
    assert address is not None
    tab = page.context.new_page()
    tab.goto(address)
    expect(tab.locator("h1")).to_have_text("Sign in at jira?")
    expect(tab.locator("main")).to_contain_text("alice (web chat, workspace home) will hold this login")
    tab.get_by_role("button", name="I am alice, go on").click()
    tab.locator("input[name=person]").fill("alice@example.com")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.locator("h1")).to_have_text("Signed in at jira")
    expect(page.get_by_text(ANSWER, exact=True)).to_be_visible()
    expect(card).to_contain_text("Signed in at jira as alice@example.com.")
    expect(card.get_by_role("button", name="Not me")).to_be_visible()
    tab.reload()
    expect(tab.locator("h1")).to_have_text("This link is over")
