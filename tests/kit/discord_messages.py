"""Messages on the loopback Discord: posted, edited, read, deleted, with nonces, replies and archived threads.

Knows: which codes Discord answers with (facts/discord.md sections 1 and 4). Must not know: HTTP, sockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy

from tests.kit.discord_checks import ApiError, check_message, invalid, need, numbered, unknown
from tests.kit.discord_world import ATTACH_FILES, DM, HISTORY, SEND, SEND_IN_THREADS, Channel, Payload, Person, World

Files = dict[str, tuple[str, bytes]]  # of one request: number -> media type and bytes

UPLOAD_MAX_BYTES = 10 * 1024 * 1024  # docs: reference, uploading files
NONCE_WINDOW_S = 180.0  # "the past few minutes"
OLD_EDIT_S = 3600.0
EPHEMERAL = 1 << 6
HAS_THREAD = 1 << 5
SYSTEM_STARTER = 21
_MENTION = re.compile(r"<@!?(\d+)>")


class Messages:
    """The messages of a world. `tell(event, payload, channel)` is called for every change."""

    def __init__(self, world: World, tell: Callable[[str, Payload, Channel], None]) -> None:
        self.world = world
        self.tell = tell
        self.old_edits = 3  # edits of a message older than an hour that are allowed before 30046
        self.history_keeps_nonce = False  # nobody knows whether the real one does
        self.content_allowed = True  # the message content switch of the developer portal
        self.cdn = ""  # set by the server when it listens
        self._nonces: dict[str, tuple[float, Payload]] = {}
        self._old: dict[str, int] = {}

    # -------------------------------------------------------------------------------------- writing

    def post(self, channel: Channel, author: Person, data: Payload, files: Files | None = None) -> Payload:
        """A new message, or the one that has the same nonce."""
        check_message(data, is_new=True)
        if author is self.world.bot:
            self._may_post(channel)
            data = data | {"attachments": self._attached(channel, data.get("attachments") or [], files or {}, [])}
        known = self._by_nonce(author, data)
        if known is not None:
            return known
        message = self._made(channel, author, data)
        self.keep(channel, message)
        if data.get("nonce"):
            message = message | {"nonce": data["nonce"]}
            self._nonces[f"{author.id}:{data['nonce']}"] = (self.world.time.now(), message)
        self.tell("MESSAGE_CREATE", message, channel)
        return message

    def keep(self, channel: Channel, message: Payload) -> None:
        """Store a message, and wake an archived thread."""
        self.world.messages[channel.id][message["id"]] = message
        channel.last_message_id = message["id"]
        channel.count += 1
        author = self.world.people.get(message["author"]["id"])
        if channel.is_thread and author is not None:
            channel.members.add(author.id)
        if channel.archived:
            channel.archived = False
            self.tell("THREAD_UPDATE", self.world.channel_payload(channel), channel)

    def edit(
        self,
        channel: Channel,
        message_id: str,
        data: Payload,
        *,
        by: Person | None = None,
        files: Files | None = None,
    ) -> Payload:
        """Change a message; where `attachments` are told, they are all that it has then."""
        check_message(data, is_new=False)
        message = self.get(channel, message_id)
        if by is self.world.bot:
            self._may_edit(channel, message)
        changed = {key: deepcopy(data[key]) for key in ("content", "flags") if data.get(key) is not None}
        if data.get("components") is not None:
            changed["components"] = numbered(deepcopy(data["components"]))
        if data.get("attachments") is not None or files:
            stands = message["attachments"]
            changed["attachments"] = self._attached(channel, data.get("attachments") or stands, files or {}, stands)
        if "content" in changed:
            changed["content"] = changed["content"].strip()
            changed |= self._mentions(changed["content"])
        message |= changed | {"edited_timestamp": self.world.time.stamp()}
        if not message["content"].strip() and not message["components"] and not message["attachments"]:
            raise ApiError(400, 50006, "Cannot send an empty message")
        self.tell("MESSAGE_UPDATE", message, channel)
        return message

    def delete(self, channel: Channel, message_id: str) -> None:
        """Remove a message."""
        self.get(channel, message_id)
        del self.world.messages[channel.id][message_id]
        gone = {"id": message_id, "channel_id": channel.id}
        self.tell("MESSAGE_DELETE", gone | ({"guild_id": channel.guild_id} if channel.guild_id else {}), channel)

    # -------------------------------------------------------------------------------------- reading

    def get(self, channel: Channel, message_id: str) -> Payload:
        """One message as it is stored."""
        try:
            return self.world.messages[channel.id][message_id]
        except KeyError:
            raise unknown("Message", 10008) from None

    def page(self, channel: Channel, query: dict[str, str]) -> list[Payload]:
        """GET of a channel's messages, newest first, as the bot sees them."""
        if not self.world.rights(channel) & HISTORY:
            return []
        limit = int(query.get("limit", "50"))
        if not 1 <= limit <= 100:
            raise invalid("limit", "must be 1 to 100")
        found = self.world.history(channel.id)
        if "after" in query:
            found = [each for each in found if int(each["id"]) > int(query["after"])][:limit]
        else:
            before = int(query.get("before", 1 << 63))
            found = [each for each in found if int(each["id"]) < before][-limit:]
        return [self.shown(each, channel) for each in reversed(found)]

    def shown(self, message: Payload, channel: Channel) -> Payload:
        """A message as this bot may read it: without content where the intent is missing."""
        shown = deepcopy(message)
        if not self.history_keeps_nonce:
            shown.pop("nonce", None)
        return shown if self.content_allowed or self.is_open(message, channel) else blanked(shown)

    def is_open(self, message: Payload, channel: Channel) -> bool:
        """Whether content is told without the message content intent."""
        bot = self.world.bot.id
        mentioned = any(each["id"] == bot for each in message.get("mentions", ()))
        return channel.type == DM or message.get("author", {}).get("id") == bot or mentioned

    # --------------------------------------------------------------------------------------- inside

    def _by_nonce(self, author: Person, data: Payload) -> Payload | None:
        if not data.get("nonce") or not data.get("enforce_nonce"):
            return None
        found = self._nonces.get(f"{author.id}:{data['nonce']}")
        if found is None or self.world.time.now() - found[0] > NONCE_WINDOW_S:
            return None
        current = self.world.find(found[1]["id"])
        return found[1] if current is None else current | {"nonce": data["nonce"]}

    def _made(self, channel: Channel, author: Person, data: Payload) -> Payload:
        components = numbered(deepcopy(data.get("components") or []))
        message: Payload = {
            "id": self.world.snowflake(),
            "channel_id": channel.id,
            "type": 0,
            "author": author.payload(),
            "content": (data.get("content") or "").strip(),
            "timestamp": self.world.time.stamp(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mention_roles": [],
            "attachments": deepcopy(data.get("attachments") or []),
            "embeds": [],
            "components": components,
            "pinned": False,
            "flags": int(data.get("flags") or 0),
        }
        message |= self._mentions(message["content"])
        reference = data.get("message_reference")
        if reference:
            message |= self._reply(channel, reference, data, message)
        return message

    def attach(self, name: str, media_type: str, data: bytes) -> Payload:
        """A file as a message shows it."""
        file_id = self.world.snowflake()
        self.world.files[file_id] = data
        url = f"{self.cdn}/attachments/{file_id}/{name}?ex=1&is=1&hm=1"
        shown: Payload = {"id": file_id, "filename": name, "size": len(data), "url": url, "proxy_url": url}
        return shown | {"content_type": media_type}

    def _attached(self, channel: Channel, told: list[Payload], files: Files, stands: list[Payload]) -> list[Payload]:
        """The attachments that are told: files of this request by their numbers, those that stand by their ids."""
        if files and not self.world.rights(channel) & ATTACH_FILES:
            raise ApiError(403, 50013, "Missing Permissions")
        if sum(len(data) for _, data in files.values()) > UPLOAD_MAX_BYTES:
            raise ApiError(413, 40005, "Request entity too large")
        need(files.keys() <= {str(each["id"]) for each in told}, "attachments", "a file is not told")
        known = {each["id"]: each for each in stands}
        found = []
        for each in told:
            name = str(each["id"])
            need(name in files or name in known, "attachments", "an attachment is unknown")
            found.append(self.attach(each["filename"], *files[name]) if name in files else known[name])
        return found

    def _mentions(self, content: str) -> Payload:
        named = dict.fromkeys(_MENTION.findall(content))
        return {"mentions": [self.world.people[each].payload() for each in named if each in self.world.people]}

    def _reply(self, channel: Channel, reference: Payload, data: Payload, message: Payload) -> Payload:
        target = self.world.messages[channel.id].get(str(reference["message_id"]))
        if target is None:
            if reference.get("fail_if_not_exists", True):
                raise invalid("message_reference", "Unknown message")
            return {}
        pinged = [] if data.get("no_ping") or message["author"]["bot"] else [target["author"]]
        known = {each["id"] for each in message["mentions"]}
        fields: Payload = {
            "type": 19,
            "message_reference": {"type": 0, "message_id": target["id"], "channel_id": channel.id},
            "referenced_message": {key: value for key, value in target.items() if key != "referenced_message"},
            "mentions": message["mentions"] + [each for each in pinged if each["id"] not in known],
        }
        if channel.guild_id:
            fields["message_reference"]["guild_id"] = channel.guild_id
        return fields

    def _may_post(self, channel: Channel) -> None:
        rights = self.world.rights(channel)
        if not rights:
            raise ApiError(403, 50001, "Missing Access")
        if not rights & (SEND_IN_THREADS if channel.is_thread else SEND):
            raise ApiError(403, 50013, "Missing Permissions")
        if channel.is_thread and channel.archived and channel.locked:
            raise ApiError(400, 160005, "Thread is locked")

    def _may_edit(self, channel: Channel, message: Payload) -> None:
        if message["author"]["id"] != self.world.bot.id:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        if not self.world.rights(channel):
            raise ApiError(403, 50001, "Missing Access")
        if channel.archived:
            raise ApiError(400, 50083, "Thread is archived")
        if self.world.age_s(message["id"]) > OLD_EDIT_S:
            self._old[message["id"]] = self._old.get(message["id"], 0) + 1
            if self._old[message["id"]] > self.old_edits:
                raise ApiError(429, 30046, "Maximum number of edits to messages older than 1 hour reached.")


def blanked(message: Payload) -> Payload:
    """A message without what the message content intent guards."""
    closed: Payload = {"content": "", "embeds": [], "attachments": [], "components": []}
    shown = message | closed
    if isinstance(shown.get("referenced_message"), dict):
        shown["referenced_message"] = shown["referenced_message"] | closed
    return shown
