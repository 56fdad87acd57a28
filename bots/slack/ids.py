"""Names in Slack and how they become ours: places, refs of messages, source keys, metadata. Pure.

Knows: an id of a conversation or person is capital letters and digits, an id of a message is a decimal number of
seconds. Must not know: payloads, HTTP.

A `Ref` names a message wherever the engine needs only a text: channel, ts, thread. An answer that had to go on in
another message (a stream lives 300 s) keeps in its ref how many characters stand in the messages before it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from core.domain.errors import BadInput
from core.domain.keys import PersonKey, Place

PLATFORM = "slack"
METADATA_TYPE = "rejoinder"
_ID = re.compile(r"[A-Z0-9]{2,40}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,8}")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
_REF_PARTS = (3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who we are in this workspace, as auth.test says."""

    team: str
    user: str
    bot: str
    app: str = ""
    name: str = "Rejoinder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A message. `start`: characters of the answer's part that stand before it; `roll`: how many messages before it."""

    channel: str
    ts: str
    thread: str = ""
    start: int = 0
    roll: int = 0

    def __str__(self) -> str:
        plain = f"{self.channel}/{self.ts}/{self.thread}"
        return f"{plain}/{self.start}/{self.roll}" if self.roll else plain

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Inverse of `str`. Raises `BadInput` for anything that we did not make."""
        parts = text.split("/")
        if len(parts) not in _REF_PARTS or not (is_id(parts[0]) and is_ts(parts[1])):
            raise BadInput(code="bad_ref", detail="not a message of Slack")
        if parts[2] and not is_ts(parts[2]):
            raise BadInput(code="bad_ref", detail="not a message of Slack")
        start, roll = (int(each) if each.isascii() and each.isdigit() else -1 for each in (parts[3:] or ("0", "0")))
        if start < 0 or roll < 0:
            raise BadInput(code="bad_ref", detail="not a message of Slack")
        return cls(channel=parts[0], ts=parts[1], thread=parts[2], start=start, roll=roll)


def is_id(text: str) -> bool:
    """Whether it looks like an id of a person, channel, team or file."""
    return _ID.fullmatch(text) is not None


def is_ts(text: str) -> bool:
    """Whether it looks like an id of a message."""
    return _TS.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether it looks like one of Slack's other ids: event, trigger, view, client message."""
    return _NAME.fullmatch(text) is not None


def is_direct(channel: str) -> bool:
    """Whether only one person and the bot are there."""
    return channel.startswith("D")


def ts_ms(ts: str) -> int:
    """When a message was written, in milliseconds."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1000 + int(fraction[:3].ljust(3, "0"))


def ts_of(at_ms: int) -> str:
    """The id that a message written then would have."""
    return f"{max(at_ms, 0) // 1000}.{max(at_ms, 0) % 1000:03d}000"


def place(team: str, channel: str, thread: str = "") -> Place:
    """A channel, or a thread in it."""
    return Place(platform=PLATFORM, workspace=team, channel=channel, thread=thread)


def person(team: str, user: str) -> PersonKey:
    """An account."""
    return PersonKey(platform=PLATFORM, workspace=team, user=user)


# ------------------------------------------------------------------------------- source keys (DESIGN section 2)


def message_key(team: str, channel: str, ts: str) -> str:
    """A message, whether it came as `message`, as `app_mention` or from the history."""
    return f"slack:m:{team}:{channel}:{ts}"


def event_key(event_id: str) -> str:
    """One event, however often it is delivered."""
    return f"slack:e:{event_id}"


def client_key(client_msg_id: str) -> str:
    """One gesture of a person, even if Slack made two messages of it."""
    return f"slack:c:{client_msg_id}"


def action_key(team: str, channel: str, ts: str, action_ts: str) -> str:
    """One press of a button."""
    return f"slack:a:{team}:{channel}:{ts}:{action_ts}"


def trigger_key(trigger_id: str) -> str:
    """One interaction of a person."""
    return f"slack:t:{trigger_id}"


def stop_key(channel: str, ts: str) -> str:
    """Slack's own Stop on one streamed message."""
    return f"slack:s:{channel}:{ts}"


# ------------------------------------------------------------------------------------------ metadata


def digest(text: str) -> str:
    """A short name of a text, to see whether it stands somewhere already."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def rolled(key: str, roll: int) -> str:
    """The key of the message with which an answer's part goes on."""
    return f"{key}#{roll}" if roll else key
