"""What the loopback Slack knows: people, channels, messages, streams, agent sessions, modals, files.

Knows: the shapes that Slack shows in its API, and time (an injected clock gives every ts and every age). Must not
know: HTTP, sockets, the program under test.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

Json = dict[str, Any]

TEAM = "T0HOME"
BOT_USER = "U0BOT"
BOT_ID = "B0BOT"
APP_ID = "A0APP"
BOT_TOKEN = "xoxb-test-0001"
APP_TOKEN = "xapp-test-0001"
SIGNING_SECRET = "signing-secret-of-the-loopback-slack"
STREAM_LIFE_MS = 300_000  # absolute, from the start; appending does not extend it (facts/slack.md 1.3)
SESSION_PROCESSING_MS = 3_600_000  # then "processing" falls back to "active" (facts/slack.md 1.2)
TRIGGER_LIFE_MS = 3_000
SCOPES = frozenset(
    [
        "app_mentions:read",
        "assistant:write",
        "chat:write",
        "commands",
        "im:history",
        "channels:history",
        "groups:history",
        "mpim:history",
        "users:read",
        "files:read",
        "files:write",
        "reactions:write",
        "im:write",
        "im:read",
        "channels:read",
        "groups:read",
        "mpim:read",
    ]
)


class Time(Protocol):
    """The part of the product's clock that a server needs."""

    def now_ms(self) -> int:
        """Wall-clock milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of this clock have passed."""
        ...


class SlackError(Exception):
    """An answer with ok=false. `more` is added to the body."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code = code
        self.more = more


class Kind(StrEnum):
    """What a conversation is."""

    PUBLIC = "channel"
    PRIVATE = "group"
    IM = "im"
    MPIM = "mpim"
    SHARED = "shared"  # a public channel with another organisation in it


class StreamState(StrEnum):
    """A message that is being streamed, or was."""

    LIVE = "live"
    STOPPED = "stopped"
    EXPIRED = "expired"
    BY_USER = "stopped_by_user"


@dataclass(slots=True)
class Stream:
    """The streaming side of a message."""

    started_ms: int
    state: StreamState = StreamState.LIVE
    appends: list[str] = field(default_factory=list)
    chunked: bool | None = None  # which of the two ways it was written in; None while it is empty


@dataclass(slots=True)
class Message:
    """One message as it stands."""

    channel: str
    ts: str
    thread: str = ""  # ts of the root for a reply, "" for a root
    user: str = ""
    bot_id: str = ""
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    files: list[Json] = field(default_factory=list)
    reactions: list[str] = field(default_factory=list)
    edited: str = ""  # ts of the last change, "" when there was none
    subtype: str = ""
    client_msg_id: str = ""
    stream: Stream | None = None
    edits: int = 0  # how often the bot has changed it

    @property
    def ours(self) -> bool:
        """Whether the bot under test wrote it."""
        return self.bot_id == BOT_ID

    @property
    def root(self) -> str:
        """The ts of the thread that it is in."""
        return self.thread or self.ts

    @property
    def shown(self) -> str:
        """What a reader sees: the streamed text, else the plan and the markdown of the blocks, else the text."""
        if self.stream is not None and not self.edits:
            return "".join(self.stream.appends)
        parts = [f"{block['title']}\n{_tasks(block)}" for block in self.blocks if block["type"] == "plan"]
        parts += [block["text"] for block in self.blocks if block["type"] == "markdown"]
        parts += [block["text"]["text"] for block in self.blocks if block["type"] == "section"]
        return "\n".join(parts) or self.text

    @property
    def buttons(self) -> list[Json]:
        """Every button and menu option that can be pressed."""
        found = []
        for block in self.blocks:
            for element in block.get("elements", []) if block["type"] == "actions" else []:
                if element["type"] == "button":
                    found.append(element)
                elif "options" in element:
                    found += [
                        {**each, "type": element["type"], "action_id": element["action_id"]}
                        for each in element["options"]
                    ]
        return found


def _tasks(plan: Json) -> str:
    return "\n".join(f"[{each['status']}] {each['title']}" for each in plan["tasks"])


@dataclass(slots=True)
class Channel:
    """A conversation. `away`: the bot is no member."""

    id: str
    name: str
    kind: Kind
    members: set[str] = field(default_factory=set)
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)
    unreadable: str = ""  # the code that reading its history is answered with

    @property
    def with_bot(self) -> bool:
        """Whether the bot is a member."""
        return BOT_USER in self.members

    def thread(self, root: str) -> list[Message]:
        """The messages of a thread, oldest first."""
        return sorted((each for each in self.messages.values() if each.root == root), key=lambda each: each.ts)

    def roots(self) -> list[Message]:
        """What stands in the channel itself, newest first."""
        return sorted((each for each in self.messages.values() if not each.thread), key=lambda each: each.ts)[::-1]


@dataclass(slots=True)
class AgentSession:
    """An agent session: channel + thread."""

    status: str
    title: str = ""
    since_ms: int = 0
    history: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Modal:
    """An open modal, and who sees it."""

    id: str
    user: str
    view: Json
    root: str


@dataclass(slots=True)
class Private:
    """An ephemeral message. `dropped`: Slack said ok and showed nothing."""

    channel: str
    thread: str
    user: str
    text: str
    blocks: list[Json]
    ts: str
    dropped: bool = False

    @property
    def buttons(self) -> list[Json]:
        """Every button in it."""
        return Message(channel=self.channel, ts=self.ts, blocks=self.blocks).buttons


class Workspace:
    """Everything that the server remembers. `violations` are calls that no correct client makes."""

    def __init__(self, clock: Time) -> None:
        self.clock = clock
        self.scopes = set(SCOPES)
        self.blocks_refused: set[str] = set()  # kinds of blocks, and statuses of task cards, that are not taken here
        self.agent = True  # declared as an agent: streams, sessions
        self.revoked = ""  # the code with which the token is refused
        self.users: dict[str, str] = {}
        self.user_teams: dict[str, str] = {}
        self.locales: dict[str, str] = {}  # of people who do not use Slack in English
        self.restricted: dict[str, tuple[str, ...]] = {}  # flags of guests
        self.channels: dict[str, Channel] = {}
        self.sessions: dict[tuple[str, str], AgentSession] = {}
        self.modals: dict[str, Modal] = {}
        self.homes: dict[str, Json] = {}
        self.privates: list[Private] = []
        self.files: dict[str, tuple[Json, bytes]] = {}
        self.uploads: dict[str, Json] = {}  # addresses that were given away and not completed
        self.share_after_ms: int | None = 0  # a completed file is seen so much later; None: never
        self.shares: list[tuple[int, Message]] = []  # files that will be seen, and when
        self.triggers: dict[str, tuple[int, str]] = {}
        self.deleted: list[Message] = []
        self.violations: list[str] = []
        self._last_us = 0
        self._numbers = itertools.count(1)
        self._furnish()

    def _furnish(self) -> None:
        for name in ("alice", "bob", "carol"):
            self.add_user(f"U0{name.upper()}", name.capitalize())
        self.add_user(BOT_USER, "Rejoinder")
        everybody = set(self.users)
        self.add_channel("C0GENERAL", "general", Kind.PUBLIC, everybody)
        self.add_channel("C0RANDOM", "random", Kind.PUBLIC, everybody)
        self.add_channel("C0SECRET", "secret", Kind.PRIVATE, everybody)
        self.add_channel("C0SHARED", "shared", Kind.SHARED, everybody)
        for name in ("alice", "bob", "carol"):
            user = f"U0{name.upper()}"
            self.add_channel(f"D0{name.upper()}", name, Kind.IM, {user, BOT_USER})

    def add_user(self, user: str, name: str, team: str = TEAM) -> None:
        """A person."""
        self.users[user] = name
        self.user_teams[user] = team

    def add_channel(self, channel_id: str, name: str, kind: Kind, members: set[str]) -> Channel:
        """A conversation."""
        channel = Channel(id=channel_id, name=name, kind=kind, members=set(members))
        self.channels[channel_id] = channel
        return channel

    # ------------------------------------------------------------------------------------- ids, time

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def ts(self) -> str:
        """A new message id: seconds with six digits, unique and growing."""
        self._last_us = max(self._last_us + 1, self.clock.now_ms() * 1000)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def land(self) -> list[Message]:
        """Show the files whose time has come; returns their messages."""
        due = [message for at_ms, message in self.shares if at_ms <= self.clock.now_ms()]
        self.shares = [each for each in self.shares if each[1] not in due]
        for message in due:
            message.ts = self.ts()
            self.channels[message.channel].messages[message.ts] = message
        return due

    def trigger(self, user: str) -> str:
        """A trigger id, good once and for three seconds."""
        trigger = f"{self.number()}.trigger"
        self.triggers[trigger] = (self.clock.now_ms() + TRIGGER_LIFE_MS, user)
        return trigger

    def use_trigger(self, trigger: str) -> str:
        """The user whose click it was; raises as Slack answers."""
        if trigger not in self.triggers:
            raise SlackError("invalid_trigger")
        until_ms, user = self.triggers.pop(trigger)
        if self.clock.now_ms() > until_ms:
            raise SlackError("expired_trigger_id")
        return user

    # ------------------------------------------------------------------------------------- looking

    def channel(self, channel_id: str, *, to_write: bool = False) -> Channel:
        """The channel; raises as Slack answers."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise SlackError("channel_not_found")
        if to_write and channel.archived:
            raise SlackError("is_archived")
        if not channel.with_bot:
            raise SlackError("not_in_channel" if channel.kind in (Kind.PUBLIC, Kind.SHARED) else "channel_not_found")
        return channel

    def message(self, channel_id: str, ts: str) -> Message:
        """A message of the bot; raises as Slack answers."""
        message = self.channel(channel_id, to_write=True).messages.get(ts)
        if message is None:
            raise SlackError("message_not_found")
        if not message.ours:
            raise SlackError("cant_update_message")
        self.age(message)
        return message

    def age(self, message: Message) -> None:
        """Let a stream expire whose time has come; its session becomes active."""
        stream = message.stream
        if stream is None or stream.state is not StreamState.LIVE:
            return
        if self.clock.now_ms() - stream.started_ms >= STREAM_LIFE_MS:
            stream.state = StreamState.EXPIRED
            session = self.sessions.get((message.channel, message.root))
            if session is not None and session.status == "processing":
                self.set_status(message.channel, message.root, "active")

    def set_status(self, channel: str, thread: str, status: str, title: str = "") -> AgentSession:
        """Set the status of an agent session, creating it if needed; a title counts only then."""
        session = self.sessions.get((channel, thread))
        if session is None:
            session = self.sessions[channel, thread] = AgentSession(status=status, title=title)
        session.status = status
        session.since_ms = self.clock.now_ms()
        session.history.append(status)
        return session

    def status(self, channel: str, thread: str) -> str:
        """The status that people see; "" without a session."""
        session = self.sessions.get((channel, thread))
        if session is None:
            return ""
        if session.status == "processing" and self.clock.now_ms() - session.since_ms >= SESSION_PROCESSING_MS:
            session.status = "active"
        return session.status

    def bots_messages(self) -> Iterator[Message]:
        """Everything of the bot that stands anywhere, in the order of its ids."""
        everywhere = (each for channel in self.channels.values() for each in channel.messages.values())
        return iter(sorted((each for each in everywhere if each.ours), key=lambda each: each.ts))
