"""What this adapter asks of a workspace: scopes, events, commands, shortcuts. `manifest.yml` declares the same. Pure.

Knows: every scope and what it is for. Must not know: how anything is used. A test holds this, the manifest and the
code together.
"""

from __future__ import annotations

from collections.abc import Mapping

from bots.slack.interactions import COMMANDS, SHORTCUTS

# Bot scopes, and what each is for. The last column of README's table.
SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hear when somebody mentions the bot",
    "assistant:write": "be an agent: the Messages tab and session states",
    "channels:history": "hear replies in threads of public channels, catch up after downtime",
    "channels:read": "know who can read in a public channel",
    "chat:write": "answer",
    "commands": "/resume, /rejoinder and the shortcuts",
    "files:read": "read files that are sent to the bot",
    "files:write": "give a long block of an answer, or an export of one's own data, as a file",
    "groups:history": "the same in private channels",
    "groups:read": "know that a channel is private",
    "im:history": "hear direct messages",
    "im:read": "find direct conversations when catching up",
    "im:write": "answer somebody privately",
    "mpim:history": "hear messages in group conversations",
    "mpim:read": "know that a conversation is a group",
    "reactions:write": "show that a message was seen",
    "users:read": "call people by their names",
}
# Methods, and the scopes of which each needs (one of them, or none).
METHODS: Mapping[str, tuple[str, ...]] = {
    "agents.sessions.rename": ("chat:write", "assistant:write"),
    "agents.sessions.setStatus": ("chat:write", "assistant:write"),
    "auth.test": (),
    "chat.appendStream": ("chat:write", "assistant:write"),
    "chat.delete": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write", "assistant:write"),
    "chat.stopStream": ("chat:write", "assistant:write"),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "conversations.info": ("channels:read", "groups:read", "im:read", "mpim:read"),
    "conversations.open": ("im:write",),
    "conversations.replies": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "users.conversations": ("channels:read", "groups:read", "im:read", "mpim:read"),
    "users.info": ("users:read",),
    "views.open": (),
    "views.publish": (),
    "views.push": (),
    "views.update": (),
}
# Events, and the scopes that each needs.
EVENTS: Mapping[str, tuple[str, ...]] = {
    "agent_session_stopped": ("assistant:write",),
    "app_home_opened": (),
    "app_mention": ("app_mentions:read",),
    "app_uninstalled": (),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "tokens_revoked": (),
}
SLASH_COMMANDS = COMMANDS
SHORTCUT_KINDS = SHORTCUTS
# Without these nothing works at all; without any other something does not.
ESSENTIAL = frozenset({"chat:write", "app_mentions:read", "im:history"})
