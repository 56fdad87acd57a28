"""Payloads that Slack would never send: every kind of ours, with fields missing, of another type, or nonsense.

Knows: the shapes of real payloads, and a seeded chance. Must not know: what is done with them.
"""

from __future__ import annotations

import copy
import random
from typing import Any

from tests.kit.slack_state import APP_ID, BOT_USER, TEAM

Json = dict[str, Any]

NONSENSE: list[Any] = [
    None, True, False, 0, -1, 1 << 70, 1.5, "", " ", "x", "\x00", "\ud800", "\u202e", "D0ALICE", "C0GENERAL", "U0ALICE",
    "1764000001.000100", "<@U0BOT>", "<!channel>", "resume ABCD-EFGH-JKMN-PQR2", "'; DROP TABLE session; --", "../../x",
    [], {}, [[]], [{}], {"a": {"b": {}}}, "y" * 5_000, "rj1:stop:01J00000000000000000000000:0", "rj1:::",
]  # fmt: skip
_BUTTON = "rj1:resume:01J000000000000000000SESSN:0"
_FROM = 'rj1from:["C0GENERAL","1764000001.000100"]'


def templates() -> list[Json]:
    """One real payload of each kind."""
    message: Json = {
        "type": "message", "user": "U0ALICE", "channel": "D0ALICE", "channel_type": "im", "ts": "1764000001.000100",
        "thread_ts": "1764000001.000100", "text": "hello", "client_msg_id": "c-1", "team": TEAM, "event_ts": "1.1",
        "files": [{"id": "F1", "name": "a.txt", "mimetype": "text/plain", "size": 5, "mode": "hosted"}],
    }  # fmt: skip
    changed = {"message": {**message, "text": "new"}, "previous_message": message, "deleted_ts": "1764000001.000100"}
    inner: list[Json] = [
        message,
        {**message, "type": "app_mention", "channel": "C0GENERAL", "text": f"<@{BOT_USER}> hello"},
        {**message, "channel": "C0GENERAL", "channel_type": "channel"},
        {**message, "subtype": "message_changed", **changed},
        {**message, "subtype": "message_deleted", **changed},
        {**message, "type": "agent_session_stopped", "streaming_message_ts": ["1764000001.000100"]},
        {"type": "app_home_opened", "user": "U0ALICE", "channel": "D0ALICE", "tab": "home"},
        {"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}},
    ]
    outer = {
        "token": "t", "team_id": TEAM, "api_app_id": APP_ID, "type": "event_callback", "event_id": "Ev1",
        "event_time": 1, "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
    }  # fmt: skip
    return [*({**outer, "event": event} for event in inner), *_interactions()]


def _interactions() -> list[Json]:
    person = {
        "user": {"id": "U0ALICE", "team_id": TEAM},
        "team": {"id": TEAM},
        "trigger_id": "1.2.t",
        "api_app_id": APP_ID,
    }
    view = {
        "id": "V1", "type": "modal", "callback_id": _BUTTON, "private_metadata": '["C0GENERAL",""]', "hash": "h",
        "state": {"values": {"field": {"value": {"type": "plain_text_input", "value": "words"}}}},
    }  # fmt: skip
    return [
        {
            **person, "type": "block_actions", "channel": {"id": "C0GENERAL", "name": "general"},
            "container": {"type": "message", "message_ts": "1764000001.000100", "channel_id": "C0GENERAL"},
            "message": {"ts": "1764000001.000100", "thread_ts": "1764000001.000100"},
            "actions": [
                {"type": "button", "action_id": _BUTTON, "value": _BUTTON, "action_ts": "1.1", "block_id": _FROM},
            ],
        },
        {**person, "type": "view_submission", "view": view},
        {**person, "type": "block_actions", "container": {"type": "view"}, "view": view, "actions": []},
        {
            **person, "type": "message_action", "callback_id": "resume_conversation", "action_ts": "1.1",
            "channel": {"id": "C0GENERAL"}, "message": {"ts": "1764000001.000100"}, "message_ts": "1764000001.000100",
        },
        {**person, "type": "shortcut", "callback_id": "my_conversations", "action_ts": "1.1"},
        {
            "command": "/rejoinder", "text": "sessions", "user_id": "U0ALICE", "channel_id": "C0GENERAL",
            "team_id": TEAM, "trigger_id": "1.2.t", "channel_name": "general", "api_app_id": APP_ID,
        },
    ]  # fmt: skip


def spoiled(template: Json, chance: random.Random) -> Json:
    """The payload with one to four things wrong."""
    body = copy.deepcopy(template)
    for _ in range(chance.randint(1, 4)):
        _spoil(body, chance)
    return body


def _spoil(body: Any, chance: random.Random) -> None:  # noqa: ANN401
    while True:
        if isinstance(body, dict) and body:
            name = chance.choice(list(body))
            if isinstance(body[name], dict | list) and body[name] and chance.random() < 0.6:
                body = body[name]
                continue
            if chance.random() < 0.3:
                del body[name]
            else:
                body[name] = copy.deepcopy(chance.choice(NONSENSE))
        elif isinstance(body, list) and body:
            index = chance.randrange(len(body))
            if isinstance(body[index], dict | list) and chance.random() < 0.6:
                body = body[index]
                continue
            body[index] = copy.deepcopy(chance.choice(NONSENSE))
        return
