"""What stands on the loopback Discord: people, guilds, channels, threads, messages, and its clock.

Knows: payload shapes and permissions as discord-api-docs describe them. Must not know: HTTP, sockets, the program
under test. Payloads are plain JSON values; whoever hands one out hands out a copy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Payload = dict[str, Any]

EPOCH_MS = 1_420_070_400_000
TEXT, DM, VOICE, CATEGORY, NEWS, PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 0, 1, 2, 4, 5, 11, 12, 15
THREADS = (10, PUBLIC_THREAD, PRIVATE_THREAD)

ADD_REACTIONS, VIEW, SEND, HISTORY = 1 << 6, 1 << 10, 1 << 11, 1 << 16
PUBLIC_THREADS, SEND_IN_THREADS = 1 << 35, 1 << 38
EMBED_LINKS, ATTACH_FILES = 1 << 14, 1 << 15
EVERYDAY = VIEW | SEND | HISTORY | ADD_REACTIONS | PUBLIC_THREADS | SEND_IN_THREADS | EMBED_LINKS | ATTACH_FILES

# fmt: off
_NO_GUILD_FIELDS = (
    "icon", "description", "home_header", "splash", "discovery_splash", "banner", "application_id", "afk_channel_id",
    "system_channel_id", "widget_channel_id", "max_presences", "vanity_url_code", "rules_channel_id",
    "safety_alerts_channel_id", "public_updates_channel_id", "incidents_data",
)
_ZERO_GUILD_FIELDS = (
    "system_channel_flags", "verification_level", "default_message_notifications", "mfa_level", "max_members",
    "explicit_content_filter", "max_stage_video_channel_users", "max_video_channel_users", "premium_tier",
    "nsfw_level", "premium_subscription_count",
)
# fmt: on


class Timepiece:
    """The server's wall clock; a test moves it forward."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Let time pass for tokens, nonces and old messages."""
        self._ahead_s += seconds

    def stamp(self) -> str:
        """Now, as payloads write it."""
        return datetime.fromtimestamp(self.now(), tz=UTC).isoformat()


@dataclass(slots=True, kw_only=True)
class Person:
    """A user account."""

    id: str
    name: str
    bot: bool = False

    def payload(self) -> Payload:
        """A user object."""
        return {
            "id": self.id,
            "username": self.name,
            "discriminator": "0",
            "global_name": self.name.title(),
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
            "flags": 0,
            "primary_guild": None,
        }


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel, a thread or a direct conversation."""

    id: str
    type: int
    name: str = ""
    guild_id: str = ""
    parent_id: str = ""
    owner_id: str = ""
    overwrites: list[Payload] = field(default_factory=list)
    last_message_id: str = ""
    archived: bool = False
    locked: bool = False
    auto_archive: int = 1440
    recipients: list[str] = field(default_factory=list)
    members: set[str] = field(default_factory=set)
    count: int = 0

    @property
    def is_thread(self) -> bool:
        """Whether it is one of the three kinds of thread."""
        return self.type in THREADS


@dataclass(slots=True, kw_only=True)
class Guild:
    """A server: `everyone` and `bot_rights` are permission bits; `bot_in` False: the bot is no member."""

    id: str
    name: str
    everyone: int = EVERYDAY
    bot_rights: int = EVERYDAY
    bot_role: str = ""
    bot_in: bool = True
    locale: str = ""  # that its people have chosen: it is a Community then


class World:
    """Everything that is stored. Ids are snowflakes of its clock."""

    def __init__(self, timepiece: Timepiece) -> None:
        self.time = timepiece
        self._last = 0
        self.people: dict[str, Person] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, dict[str, Payload]] = {}
        self.files: dict[str, bytes] = {}
        self.bot = self.person("rejoinder", bot=True)
        self.app_id = self.snowflake()

    def snowflake(self) -> str:
        """A fresh id, later than every other."""
        self._last = max(self._last + 1, (int(self.time.now() * 1000) - EPOCH_MS) << 22)
        return str(self._last)

    def age_s(self, snowflake: str) -> float:
        """How long ago an id was made."""
        return self.time.now() - ((int(snowflake) >> 22) + EPOCH_MS) / 1000

    def person(self, name: str, *, bot: bool = False) -> Person:
        """The person of that name, made when new."""
        for each in self.people.values():
            if each.name == name:
                return each
        made = Person(id=self.snowflake(), name=name, bot=bot)
        self.people[made.id] = made
        return made

    def guild(self, name: str, *, bot_in: bool = True) -> Guild:
        """A new guild."""
        made = Guild(id=self.snowflake(), name=name, bot_role=self.snowflake(), bot_in=bot_in)
        self.guilds[made.id] = made
        return made

    def channel(self, guild: Guild, name: str, *, kind: int = TEXT, private: bool = False) -> Channel:
        """A new channel; a private one is hidden from @everyone and open to the bot's role."""
        made = Channel(id=self.snowflake(), type=kind, name=name, guild_id=guild.id)
        if private:
            made.overwrites = [
                {"id": guild.id, "type": 0, "allow": "0", "deny": str(VIEW)},
                {"id": guild.bot_role, "type": 0, "allow": str(VIEW | SEND | HISTORY), "deny": "0"},
            ]
        return self._keep(made)

    def direct(self, person: Person) -> Channel:
        """The bot's direct conversation with a person."""
        for each in self.channels.values():
            if each.type == DM and each.recipients == [person.id]:
                return each
        return self._keep(Channel(id=self.snowflake(), type=DM, recipients=[person.id]))

    def thread(
        self, parent: Channel, name: str, owner: str, *, thread_id: str = "", kind: int = PUBLIC_THREAD
    ) -> Channel:
        """A new thread; `thread_id` is the message that it hangs on."""
        made = Channel(
            id=thread_id or self.snowflake(),
            type=kind,
            name=name,
            guild_id=parent.guild_id,
            parent_id=parent.id,
            owner_id=owner,
            members={owner},
        )
        return self._keep(made)

    def _keep(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        self.messages[channel.id] = {}
        return channel

    def history(self, channel_id: str) -> list[Payload]:
        """The messages of a channel, oldest first."""
        return list(self.messages.get(channel_id, {}).values())

    def find(self, message_id: str) -> Payload | None:
        """A message, wherever it stands."""
        for each in self.messages.values():
            if message_id in each:
                return each[message_id]
        return None

    def rights(self, channel: Channel) -> int:
        """The bot's permissions in a channel (discord-api-docs, topics/permissions)."""
        if not channel.guild_id:
            return EVERYDAY
        guild = self.guilds[channel.guild_id]
        if not guild.bot_in:
            return 0
        home = self.channels.get(channel.parent_id, channel) if channel.is_thread else channel
        found = guild.everyone | guild.bot_rights
        for wanted in (guild.id, guild.bot_role, self.bot.id):
            for each in home.overwrites:
                if each["id"] == wanted:
                    found = found & ~int(each["deny"]) | int(each["allow"])
        return found if found & VIEW else 0

    # ------------------------------------------------------------------------------------ payloads

    def channel_payload(self, channel: Channel) -> Payload:
        """A channel object of its kind."""
        shown: Payload = {"id": channel.id, "type": channel.type, "flags": 0}
        shown["last_message_id"] = channel.last_message_id or None
        if channel.type == DM:
            return shown | {"recipients": [self.people[each].payload() for each in channel.recipients]}
        shown |= {"guild_id": channel.guild_id, "name": channel.name, "parent_id": channel.parent_id or None}
        if channel.is_thread:
            return shown | self._thread_fields(channel)
        return shown | {"position": 0, "permission_overwrites": deepcopy(channel.overwrites), "nsfw": False}

    def _thread_fields(self, channel: Channel) -> Payload:
        fields: Payload = {
            "owner_id": channel.owner_id,
            "message_count": channel.count,
            "member_count": len(channel.members),
            "total_message_sent": channel.count,
            "thread_metadata": {
                "archived": channel.archived,
                "locked": channel.locked,
                "auto_archive_duration": channel.auto_archive,
                "archive_timestamp": self.time.stamp(),
                "create_timestamp": self.time.stamp(),
            },
        }
        if self.bot.id in channel.members:
            fields["member"] = {
                "id": channel.id,
                "user_id": self.bot.id,
                "join_timestamp": self.time.stamp(),
                "flags": 0,
            }
        return fields

    def roles(self, guild: Guild) -> list[Payload]:
        """@everyone and the bot's own role."""
        colours = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
        return [
            {
                "id": role_id,
                "name": name,
                "permissions": str(bits),
                "color": 0,
                "colors": colours,
                "hoist": False,
                "icon": None,
                "unicode_emoji": None,
                "position": n,
                "managed": n > 0,
                "mentionable": False,
                "flags": 0,
                "description": None,
            }
            | ({"tags": {"bot_id": self.bot.id}} if n else {})
            for n, (role_id, name, bits) in enumerate(
                ((guild.id, "@everyone", guild.everyone), (guild.bot_role, "rejoinder", guild.bot_rights))
            )
        ]

    def member(self, person: Person, guild: Guild) -> Payload:
        """A guild member object without its user."""
        return {
            "roles": [guild.bot_role] if person is self.bot else [],
            "nick": None,
            "avatar": None,
            "banner": None,
            "joined_at": self.time.stamp(),
            "premium_since": None,
            "communication_disabled_until": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }

    def guild_payload(self, guild: Guild) -> Payload:
        """The guild as GUILD_CREATE tells it."""
        mine = [each for each in self.channels.values() if each.guild_id == guild.id]
        visible = [each for each in mine if self.rights(each)]
        me = self.member(self.bot, guild) | {"user": self.bot.payload()}
        return self.guild_object(guild) | {
            "unavailable": False,
            "large": False,
            "member_count": 2,
            "members": [me],
            "channels": [self.channel_payload(each) for each in mine if not each.is_thread],
            "threads": [self.channel_payload(each) for each in visible if each.is_thread and not each.archived],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
            "joined_at": self.time.stamp(),
        }

    def guild_object(self, guild: Guild) -> Payload:
        """The guild as REST tells it."""
        nothing = dict.fromkeys(_NO_GUILD_FIELDS)
        zero = dict.fromkeys(_ZERO_GUILD_FIELDS, 0)
        empty: Payload = {"emojis": [], "stickers": [], "features": [], "region": "us", "preferred_locale": "en-US"}
        empty["afk_timeout"] = 60
        if guild.locale:
            empty |= {"features": ["COMMUNITY"], "preferred_locale": guild.locale}
        no = dict.fromkeys(("widget_enabled", "premium_progress_bar_enabled", "nsfw"), False)
        known = {"id": guild.id, "name": guild.name, "owner_id": next(iter(self.people)), "roles": self.roles(guild)}
        return nothing | zero | empty | no | known

    def bot_guilds(self) -> Iterator[Guild]:
        """The guilds that the bot is a member of."""
        return (each for each in self.guilds.values() if each.bot_in)
