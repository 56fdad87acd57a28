"""The manifest, the list of what we ask for, and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import bots.slack
from bots.slack import surface
from bots.slack.interactions import RESUME_SHORTCUT
from tests.kit import slack_manifest
from tests.kit.slack_people import SUBSCRIBED
from tests.kit.slack_rules import METHODS
from tests.kit.slack_state import SCOPES

ROOT = Path(__file__).parents[2]
MANIFEST = slack_manifest.read(ROOT / "manifest.yml")
SOURCES = {
    path.name: path.read_text("utf-8")
    for path in Path(bots.slack.__file__).parent.glob("*.py")
    if path.name != "surface.py"
}
CODE = "\n".join(SOURCES.values())


def test_the_scopes_are_those_that_we_use() -> None:
    """An app made from the manifest could do less than it needs, or more than it should."""
    declared = MANIFEST["oauth_config"]["scopes"]["bot"]
    assert sorted(declared) == declared
    assert set(declared) == set(surface.SCOPES)
    needed = {scope for scopes in (*surface.METHODS.values(), *surface.EVENTS.values()) for scope in scopes}
    needed |= {"commands"}  # slash commands and shortcuts
    assert needed == set(surface.SCOPES)
    assert set(SCOPES) == set(surface.SCOPES), "the loopback Slack grants what the manifest asks for"


def test_the_methods_are_those_that_are_called() -> None:
    """A method that nobody has listed would be called without its scope."""
    called = set(re.findall(r'"((?:[a-z]+\.)+[a-zA-Z]+)"', CODE)) & set(METHODS)
    called |= {"apps.connections.open"}
    assert called - {"apps.connections.open"} == set(surface.METHODS)
    unknown = set(re.findall(r'(?:call|attempt)\(\s*"([\w.]+)"', CODE)) - set(METHODS)
    assert unknown == set(), "the loopback Slack does not know these"


def test_the_events_are_those_that_we_read() -> None:
    """An event that nobody reads would be subscribed to, or one that is read would never come."""
    declared = MANIFEST["settings"]["event_subscriptions"]["bot_events"]
    assert sorted(declared) == declared
    assert set(declared) == set(surface.EVENTS) == set(SUBSCRIBED)
    wire = SOURCES["wire.py"]
    for event in declared:
        name = event.partition(".")[0]
        assert f'"{name}"' in wire, f"{name} is not read"


def test_the_commands_and_shortcuts_are_those_that_we_answer() -> None:
    """A command in Slack's list that nobody answers, or the other way round."""
    features = MANIFEST["features"]
    assert tuple(each["command"] for each in features["slash_commands"]) == surface.SLASH_COMMANDS
    assert {each["callback_id"]: each["type"] for each in features["shortcuts"]} == dict(surface.SHORTCUT_KINDS)
    assert surface.SHORTCUT_KINDS[RESUME_SHORTCUT] == "message"
    assert all(each["should_escape"] for each in features["slash_commands"]), "else people have no ids in commands"


def test_the_manifest_is_within_slacks_limits() -> None:
    """Slack would not take the manifest."""
    info, features = MANIFEST["display_information"], MANIFEST["features"]
    assert MANIFEST["_metadata"]["major_version"] == 2
    assert len(info["name"]) <= 35
    assert len(info["description"]) <= 140
    assert "assistant_view" not in features, "the legacy surface"
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert len(features["agent_view"]["suggested_prompts"]) <= 4
    assert len(features["bot_user"]["display_name"]) <= 80
    assert features["app_home"]["home_tab_enabled"]
    assert features["app_home"]["messages_tab_enabled"]
    assert not features["app_home"]["messages_tab_read_only_enabled"]
    assert len(features["shortcuts"]) <= 10
    assert all(len(each["description"]) <= 150 for each in features["shortcuts"])
    assert all(len(each["command"]) <= 32 for each in features["slash_commands"])
    assert MANIFEST["settings"]["socket_mode_enabled"]
    assert MANIFEST["settings"]["interactivity"]["is_enabled"]
