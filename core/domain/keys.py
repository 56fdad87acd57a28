"""Names of people, places and buttons, each with a text form and its exact inverse.

Knows: how a place or a person is written down. Must not know: any platform's payload.
The text form is the same whatever event type or process produced it, so it can be a unique key
in the store: parts are percent-encoded and joined by "/".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote

from core.domain.errors import BadInput

BUTTON_ID_MAX_CHARS = 100  # Discord's custom_id limit (developers/components/reference)
_BUTTON_PREFIX = "rj1"
_BUTTON_PARTS = 4


# A key must have a text form whatever a platform sends, half a character (a lone surrogate) included.
_ERRORS = "surrogatepass"


def _quoted(part: str) -> str:
    """The part as `quote` writes it; most are letters and digits, which it leaves alone after a long look."""
    return part if part.isascii() and part.isalnum() else quote(part, safe="", errors=_ERRORS)


def _join(*parts: str) -> str:
    return "/".join([_quoted(part) for part in parts])


def _split(text: str, count: int) -> list[str]:
    parts = text.split("/")
    if len(parts) != count:
        raise BadInput(code="bad_key", detail=f"expected {count} parts")
    try:
        return [unquote(part, errors=_ERRORS) for part in parts]
    except UnicodeDecodeError as error:
        raise BadInput(code="bad_key", detail="not percent-encoded UTF-8") from error


class Audience(StrEnum):
    """Who can read a place, from narrow to wide."""

    DM = "dm"  # one person and the bot
    PRIVATE = "private"  # those who were brought in
    PUBLIC = "public"  # everybody in the workspace
    SHARED = "shared"  # other organisations too

    def wider_than(self, other: Audience) -> bool:
        """Whether more people can read here than there."""
        order = list(Audience)
        return order.index(self) > order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonKey:
    """One account of a person on one platform. Not an identity: several may be linked to one owner.

    `workspace` is "" where an account is the same in every workspace of its platform (Discord).
    """

    platform: str
    workspace: str
    user: str

    def __str__(self) -> str:
        return _join(self.platform, self.workspace, self.user)

    @classmethod
    def parse(cls, text: str) -> PersonKey:
        """Inverse of `str`. Raises `BadInput` when the text has another shape."""
        platform, workspace, user = _split(text, 3)
        return cls(platform=platform, workspace=workspace, user=user)

    def is_of(self, platform: str, workspace: str) -> bool:
        """Whether it is an account of that workspace; one without a workspace is of all its platform's."""
        return self.platform == platform and self.workspace in ("", workspace)

    @property
    def places(self) -> tuple[str, str]:
        """The text forms of all places where this account can be lie between these (the second excluded)."""
        low = _join(self.platform, self.workspace) if self.workspace else _join(self.platform)
        return f"{low}/", f"{low}0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something can be posted: a channel, or a thread in it (`thread` is "" for the channel itself)."""

    platform: str
    workspace: str
    channel: str
    thread: str = ""

    def __str__(self) -> str:
        return _join(self.platform, self.workspace, self.channel, self.thread)

    @classmethod
    def parse(cls, text: str) -> Place:
        """Inverse of `str`. Raises `BadInput` when the text has another shape."""
        platform, workspace, channel, thread = _split(text, 4)
        return cls(platform=platform, workspace=workspace, channel=channel, thread=thread)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionKey:
    """A place and the person whose session lives there; `user` is "" for a session shared by a thread."""

    platform: str
    workspace: str
    channel: str
    thread: str
    user: str

    def __str__(self) -> str:
        return _join(self.platform, self.workspace, self.channel, self.thread, self.user)

    @classmethod
    def parse(cls, text: str) -> SessionKey:
        """Inverse of `str`. Raises `BadInput` when the text has another shape."""
        platform, workspace, channel, thread, user = _split(text, 5)
        return cls(platform=platform, workspace=workspace, channel=channel, thread=thread, user=user)

    @classmethod
    def at(cls, place: Place, user: str) -> SessionKey:
        """The key of `user`'s session in `place`."""
        return cls(
            platform=place.platform,
            workspace=place.workspace,
            channel=place.channel,
            thread=place.thread,
            user=user,
        )

    @property
    def place(self) -> Place:
        """The place without the person."""
        return Place(platform=self.platform, workspace=self.workspace, channel=self.channel, thread=self.thread)


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonId:
    """What a button means, as text of at most 100 characters: `rj1:<verb>:<subject ulid>:<card version>`."""

    verb: str
    subject: str
    version: int = 0

    def __str__(self) -> str:
        return f"{_BUTTON_PREFIX}:{self.verb}:{self.subject}:{self.version}"

    @classmethod
    def parse(cls, text: str) -> ButtonId:
        """Inverse of `str`. Raises `BadInput` for anything that we did not make."""
        parts = text.split(":") if len(text) <= BUTTON_ID_MAX_CHARS else []
        if len(parts) != _BUTTON_PARTS or parts[0] != _BUTTON_PREFIX or not parts[1] or not parts[2]:
            raise BadInput(code="bad_button", detail="not one of our buttons")
        if not (parts[3].isascii() and parts[3].isdigit()):
            raise BadInput(code="bad_button", detail="not one of our buttons")
        return cls(verb=parts[1], subject=parts[2], version=int(parts[3]))
