"""Messages of people -> events of the core. Pure. Raises only `BadInput`.

Knows: message payloads, and how a message relates to the bot (DESIGN section 3). Must not know: REST, the gateway,
what the engine does. Where a message was said needs to be looked up (the payload does not say what kind of channel it
came from); the lookup's answer comes in as a `Spot`.

Corner cases: a reply pings its author unless that is switched off, and then counts as a mention; without the message
content intent an unmentioned message comes blank; people mention the bot's role as easily as the bot; a mention alone
keeps its name, so that there is something to answer.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.discord import ids
from bots.discord.fields import Raw, inside, items, number, required, snowflake, switch, text
from core.domain.entities import FileRef
from core.domain.events import Address, Author, MessageReceived
from core.domain.keys import Audience, Place

ORDINARY = (0, 19)  # default and reply; everything else is Discord's own announcement
SAID_MAX_CHARS = 4_000  # people with Nitro write so much; longer is not a message of Discord's
NAME_MAX_CHARS = 80
_MENTION = re.compile(r"<@!?(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EMOJI = re.compile(r"<a?:(\w{1,40}):\d{1,20}>")
_FIRST = re.compile(r"\s*<@!?(\d{1,20})>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message of a person, as it came."""

    id: str
    channel: str
    guild: str
    user: str
    name: str
    content: str
    names: dict[str, str]  # of the people it mentions
    mentions_us: bool
    roles: tuple[str, ...]  # that it mentions
    answers: str = ""  # id of the message that it replies to
    answers_user: str = ""  # whose that is
    answers_thread: bool = False  # a thread hangs on that message
    files: tuple[FileRef, ...] = ()
    edited: str = ""

    @property
    def blank(self) -> bool:
        """Nothing came with it: it is empty for us because of the missing intent."""
        return not self.content and not self.files


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a message was said. `opener`: for whom the thread was opened, "" when nobody or unknown."""

    place: Place
    audience: Audience
    ours: bool = False  # we opened this thread
    opener: str = ""
    bot_role: str = ""
    locale: str = ""  # of the server


def said(raw: Raw, me: str) -> Said | None:
    """A MESSAGE_CREATE, MESSAGE_UPDATE or message object; None for what no person wrote."""
    author = inside(raw, "author")
    user = snowflake(author, "id")
    machine = switch(author, "bot") or switch(author, "system") or raw.get("webhook_id") is not None
    if not user or user == me or machine or number(raw, "type") not in ORDINARY:
        return None
    names = {required(each, "id"): _name(each) for each in items(raw, "mentions")}
    replied = inside(raw, "referenced_message")
    channel, message = required(raw, "channel_id"), required(raw, "id")
    roles = raw.get("mention_roles")
    return Said(
        id=message,
        channel=channel,
        guild=snowflake(raw, "guild_id"),
        user=user,
        name=_name(author, inside(raw, "member")),
        content=text(raw, "content")[:SAID_MAX_CHARS],
        names=names,
        mentions_us=me in (names if "mentions" in raw else _MENTION.findall(text(raw, "content"))),
        roles=tuple(str(each) for each in roles) if isinstance(roles, list) else (),
        answers=snowflake(inside(raw, "message_reference"), "message_id"),
        answers_user=snowflake(inside(replied, "author"), "id"),
        answers_thread=bool(inside(replied, "thread")),
        files=tuple(_file(each, channel, message) for each in items(raw, "attachments")),
        edited=text(raw, "edited_timestamp"),
    )


def said_ms(raw: Raw) -> int:
    """When a message was written, by its own word or else by its id."""
    with suppress(ValueError, OverflowError):
        told = datetime.fromisoformat(text(raw, "timestamp"))
        return round(told.replace(tzinfo=told.tzinfo or UTC).timestamp() * 1000)
    return ids.made_ms(required(raw, "id"))


def _name(user: Raw, member: Raw | None = None) -> str:
    shown = text(member or {}, "nick") or text(user, "global_name") or text(user, "username")
    return " ".join(shown.split())[:NAME_MAX_CHARS] or snowflake(user, "id")


def author(user: Raw, member: Raw | None = None) -> Author:
    """A user object, and what the server calls them."""
    return Author(key=ids.person(required(user, "id")), name=_name(user, member))


def _file(raw: Raw, channel: str, message: str) -> FileRef:
    file = required(raw, "id")
    media_type = text(raw, "content_type").partition(";")[0].strip().lower()
    return FileRef(
        id=file,
        handle=f"{ids.ref(channel, message)}/{file}",
        name=text(raw, "filename") or file,
        media_type=media_type or "application/octet-stream",
        size_bytes=number(raw, "size"),
    )


def mentions_us(message: Said, bot_role: str) -> bool:
    """By name, by a reply's ping, or by our role."""
    return message.mentions_us or (bool(bot_role) and bot_role in message.roles)


def address(message: Said, spot: Spot, me: str) -> Address:
    """How a message relates to the bot."""
    if not message.guild:
        return Address.DIRECT
    opened_for = spot.ours and spot.opener == message.user
    if mentions_us(message, spot.bot_role):
        return Address.DIRECT if opened_for else Address.MENTION
    first = _FIRST.match(message.content)
    to_another = message.answers_user not in ("", me, message.user)
    if (first and first[1] != me) or to_another:
        return Address.OTHER
    return Address.DIRECT if opened_for else Address.PLAIN


def clean(message: Said, me: str, bot_name: str, bot_role: str = "") -> str:
    """The words as a person reads them: mentions by name, our own in front left out."""

    def name(found: re.Match[str]) -> str:
        return f"@{bot_name}" if found[1] == me else f"@{message.names.get(found[1], found[1])}"

    def role(found: re.Match[str]) -> str:
        return f"@{bot_name}" if bot_role and found[1] == bot_role else found[0]

    shown = _ROLE.sub(role, _MENTION.sub(name, _EMOJI.sub(r":\1:", message.content)))
    bare = shown.strip()
    rest = bare.removeprefix(f"@{bot_name}").lstrip(" ,:\n\t")
    return rest or (bare if not message.files else "")


def received(
    message: Said, spot: Spot, *, me: str, bot_name: str, caught_up: bool = False, also: tuple[str, ...] = ()
) -> MessageReceived:
    """The event of a message; `also`: further names of the same delivery."""
    place = spot.place
    return MessageReceived(
        source_keys=(ids.message_key(message.id), *also),
        author=Author(key=ids.person(message.user), name=message.name),
        place=place,
        text=clean(message, me, bot_name, spot.bot_role),
        ref=ids.ref(message.channel, message.id),
        address=address(message, spot, me),
        files=message.files,
        caught_up=caught_up,
        audience=spot.audience,
        filled=bool(place.thread) and not spot.ours,
        root=place.thread == message.id,
        locale=spot.locale,
    )
