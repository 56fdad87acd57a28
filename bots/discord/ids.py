"""Names on Discord: places, people, references, keys and snowflakes, and what follows from them. Pure.

Knows: that a thread is a channel of its own, that a thread has the id of the message it hangs on, and that an account
is the same in every server; so a person's key has no workspace, and a place's workspace is its server (`@me` in a
direct conversation, as in Discord's own links). Must not know: payloads.
"""

from __future__ import annotations

import hashlib

from core.domain.errors import BadInput
from core.domain.keys import PersonKey, Place

PLATFORM = "discord"
DIRECT = "@me"
EPOCH_MS = 1_420_070_400_000  # docs: reference, snowflakes
SNOWFLAKE_MAX_CHARS = 20

_SHIFT = 22
_NONCE_BYTES = 16
_NONCE_CHARS = 22  # 128 bits in base 62; Discord takes 25
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UNSEEN = "\u200b\u200c\u200d\u2060"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_CHARS, _ULID_TIME_CHARS = 26, 10
_MARK_BITS = 31  # a component's id is an int32 above zero


def unseen(key: str) -> str:
    """The same mark for a message without components, as characters that nobody sees: four kinds, two bits each."""
    number = mark(key)
    return "".join(_UNSEEN[(number >> shift) & 3] for shift in range(0, _MARK_BITS + 1, 2))


def is_snowflake(text: str) -> bool:
    """Whether a text is one of Discord's ids."""
    return 0 < len(text) <= SNOWFLAKE_MAX_CHARS and text.isascii() and text.isdigit()


def made_ms(snowflake: str) -> int:
    """When an id was made, wall-clock milliseconds."""
    return (int(snowflake) >> _SHIFT) + EPOCH_MS


def at_ms(ms: int) -> str:
    """The smallest id that was made at `ms`: what REST calls `after`."""
    return str(max(0, ms - EPOCH_MS) << _SHIFT)


def nonce(key: str) -> str:
    """The nonce of what is posted under `key`: equal in every process, so that Discord itself drops a repeat."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:_NONCE_BYTES], "big")
    digits = []
    for _ in range(_NONCE_CHARS):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def mark(key: str) -> int:
    """The id of the first component of what is posted under `key`: Discord gives it back with the message for ever."""
    number = int.from_bytes(hashlib.sha256(b"mark:" + key.encode()).digest()[:4], "big")
    return (number >> (32 - _MARK_BITS)) or 1


def ref(channel: str, message: str) -> str:
    """How a message is referred to: its channel is needed to change it."""
    return f"{channel}/{message}"


def ulid_ms(text: str) -> int | None:
    """The time that a ULID of ours begins with, wall-clock milliseconds; None for any other text."""
    if len(text) != _ULID_CHARS or any(each not in _CROCKFORD for each in text):
        return None
    ms = 0
    for each in text[:_ULID_TIME_CHARS]:
        ms = ms * len(_CROCKFORD) + _CROCKFORD.index(each)
    return ms


def parse_ref(text: str) -> tuple[str, str]:
    """Inverse of `ref`: channel and message. Raises `BadInput`."""
    channel, _, message = text.partition("/")
    if not is_snowflake(channel) or not is_snowflake(message):
        raise BadInput(code="bad_ref", detail="not a message of Discord's")
    return channel, message


def person(user: str) -> PersonKey:
    """An account; it is the same in every server, so it has no workspace."""
    return PersonKey(platform=PLATFORM, workspace="", user=user)


def direct(channel: str) -> Place:
    """A direct conversation, which has no threads."""
    return Place(platform=PLATFORM, workspace=DIRECT, channel=channel)


def room(guild: str, channel: str, thread: str = "") -> Place:
    """A channel of a server, or a thread in it."""
    return Place(platform=PLATFORM, workspace=guild, channel=channel, thread=thread)


def channel_of(place: Place) -> str:
    """Where something said at a place is posted: a thread is a channel of its own."""
    return place.thread or place.channel


def message_key(message: str) -> str:
    """Source key of a message."""
    return f"{PLATFORM}:m:{message}"


def interaction_key(interaction: str) -> str:
    """Source key of an interaction."""
    return f"{PLATFORM}:i:{interaction}"


def link(place: Place, message: str = "") -> str:
    """A link that opens a place, or a message there, in Discord's own programs."""
    return "/".join(filter(None, ("https://discord.com/channels", place.workspace, channel_of(place), message)))
