"""Ids and keys of the built-in chat, derived so that the same key gives the same answer across restarts.

Knows: how ids follow from a person and a key. Must not know: HTTP, the board, chance.
The id of a thread is the id of its root post, as on Slack; so a thread's place is found from its id alone.
Keys of messages, commands, presses and of the bot's own posts live in four name spaces that cannot meet: the
text form of a person always begins with "local/".
"""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlencode

from core.domain.keys import PersonKey, Place

PLATFORM = "local"
WORKSPACES = ("home", "away")
DM = "dm"  # what people call their direct-message channel; on the board it carries its owner's name
PRIVATE_PREFIX = "private"
BOT_NAME = "Rejoinder"

_ID_BYTES = 15  # 120 bits: 24 base32 characters without padding


def person_key(workspace: str, person: str) -> PersonKey:
    """The account of `person` in `workspace`; the same name in the other workspace is another account."""
    return PersonKey(platform=PLATFORM, workspace=workspace, user=person)


def message_key(person: PersonKey, key: str) -> str:
    """The source key of a message, and the board's key of its post."""
    return f"{PLATFORM}:{person}:{key}"


def command_key(person: PersonKey, key: str) -> str:
    """The source key of a command."""
    return f"{PLATFORM}:c:{person}:{key}"


def press_key(person: PersonKey, key: str) -> str:
    """The source key of a button press."""
    return f"{PLATFORM}:a:{person}:{key}"


def bot_key(key: str) -> str:
    """The board's key of a post of ours that the engine names `key`."""
    return f"bot:{key}"


def derived_id(key: str) -> str:
    """24 lower-case base32 characters of the SHA-256 of `key`."""
    digest = hashlib.sha256(key.encode("utf-8")).digest()[:_ID_BYTES]
    return base64.b32encode(digest).decode("ascii").lower()


def file_url(post_id: str, index: int, person: str) -> str:
    """Where `person` gets the file number `index` of a post of ours."""
    return f"/api/files/{post_id}/{index}?{urlencode({'person': person})}"


def file_id(post_id: str, index: int) -> str:
    """The id of the file number `index` of a post."""
    return f"{post_id}.{index}"


def board_channel(person: str, channel: str) -> str:
    """The channel on the board: `dm` becomes the person's own."""
    return f"{DM}:{person}" if channel == DM else channel


def shown_channel(place: Place) -> str:
    """The channel as people name it: inverse of `board_channel` for whoever may see it."""
    return DM if is_dm(place) else place.channel


def is_dm(place: Place) -> bool:
    """Whether only one person and the bot are there."""
    return place.channel.startswith(f"{DM}:")


def is_private(place: Place) -> bool:
    """Whether only those who were brought in can read there."""
    return place.channel.startswith(PRIVATE_PREFIX)
