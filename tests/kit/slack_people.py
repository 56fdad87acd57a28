"""People in the loopback Slack: they write, edit, delete, click, issue commands, open the Home.

Knows: the payloads that Slack makes of each act, and which events the app has subscribed to. Must not know: how a
payload is delivered.
"""

from __future__ import annotations

from typing import Any

from tests.kit import slack_methods
from tests.kit.slack_feed import EVENT, INTERACTIVE, SLASH, Envelope, Feed
from tests.kit.slack_state import (
    APP_ID,
    BOT_USER,
    TEAM,
    Channel,
    Json,
    Kind,
    Message,
    Private,
    StreamState,
    Workspace,
)

SUBSCRIBED = frozenset(
    [
        "app_home_opened",
        "app_mention",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "agent_session_stopped",
        "tokens_revoked",
        "app_uninstalled",
    ]
)
_TYPES = {Kind.PUBLIC: "channel", Kind.SHARED: "channel", Kind.PRIVATE: "group", Kind.IM: "im", Kind.MPIM: "mpim"}
_EVENTS = {"channel": "message.channels", "group": "message.groups", "im": "message.im", "mpim": "message.mpim"}
MENTION = f"<@{BOT_USER}>"


class People:
    """What people do. Every act returns the envelopes that it caused, or the message."""

    def __init__(self, slack: Workspace, feed: Feed) -> None:
        self.slack = slack
        self.feed = feed
        self.subscribed = set(SUBSCRIBED)

    # ------------------------------------------------------------------------------------- messages

    def say(self, user: str, channel_id: str, text: str, thread: str = "", files: tuple[str, ...] = ()) -> str:
        """Write a message; returns its ts."""
        channel = self.slack.channels[channel_id]
        message = Message(channel=channel_id, ts=self.slack.ts(), thread=thread, user=user, text=text)
        message.client_msg_id = f"cm-{message.ts}"
        message.files = [self.slack.files[each][0] for each in files]
        message.subtype = "file_share" if files else ""
        channel.messages[message.ts] = message
        self.announce(message)
        if MENTION in text and channel.kind is not Kind.IM:
            self.emit("app_mention", self._mention(message))
        return message.ts

    def bot_says(self, channel_id: str, text: str, thread: str = "", bot_id: str = "B0OTHER") -> str:
        """Another app writes a message."""
        message = Message(channel=channel_id, ts=self.slack.ts(), thread=thread, bot_id=bot_id, text=text)
        message.subtype = "bot_message"
        self.slack.channels[channel_id].messages[message.ts] = message
        self.announce(message)
        return message.ts

    def edit(self, channel_id: str, ts: str, text: str) -> Envelope | None:
        """Change one's own message."""
        message = self.slack.channels[channel_id].messages[ts]
        before = slack_methods.show(message)
        message.text, message.edited = text, self.slack.ts()
        return self._changed(message, "message_changed", {"message": slack_methods.show(message)}, before)

    def remove(self, channel_id: str, ts: str) -> Envelope | None:
        """Delete a message. One that others have replied to leaves a tombstone, and no `message_deleted` is told."""
        channel = self.slack.channels[channel_id]
        message = channel.messages.pop(ts)
        before = slack_methods.show(message)
        if any(each.thread == ts for each in channel.messages.values()):
            grave = Message(channel=channel_id, ts=ts, user="USLACKBOT", text="This message was deleted.")
            grave.subtype = "tombstone"
            channel.messages[ts] = grave
            shown = slack_methods.show(grave) | {"hidden": True, "thread_ts": ts}
            return self._changed(message, "message_changed", {"message": shown}, before)
        return self._changed(message, "message_deleted", {"deleted_ts": ts}, before)

    def announce(self, message: Message) -> Envelope | None:
        """Tell the app of a message, if it has subscribed to it and is there."""
        channel = self.slack.channels[message.channel]
        shown = slack_methods.show(message)
        shown |= {"channel": channel.id, "channel_type": _TYPES[channel.kind], "event_ts": message.ts}
        if message.thread and (root := channel.messages.get(message.thread)) is not None:
            shown["parent_user_id"] = root.user
        return self._tell(channel, shown)

    def _tell(self, channel: Channel, event: Json) -> Envelope | None:
        if not channel.with_bot or _EVENTS[_TYPES[channel.kind]] not in self.subscribed:
            return None
        return self.feed.send(EVENT, self.callback(event, channel))

    def _changed(self, message: Message, subtype: str, more: Json, before: Json) -> Envelope | None:
        channel = self.slack.channels[message.channel]
        event: Json = {
            "type": "message",
            "subtype": subtype,
            "hidden": True,
            "channel": channel.id,
            "channel_type": _TYPES[channel.kind],
            "ts": self.slack.ts(),
            "previous_message": before,
            **more,
        }
        event["event_ts"] = event["ts"]
        return self._tell(channel, event)

    def _mention(self, message: Message) -> Json:
        event = slack_methods.show(message)
        event |= {"type": "app_mention", "channel": message.channel, "event_ts": message.ts}
        event.pop("subtype", None)
        return event

    def emit(self, name: str, event: Json) -> Envelope | None:
        """An event of another kind, if the app has subscribed to it."""
        channel = self.slack.channels.get(event.get("channel", ""))
        if name not in self.subscribed or (channel is not None and not channel.with_bot):
            return None
        return self.feed.send(EVENT, self.callback(event, channel))

    def callback(self, event: Json, channel: Channel | None = None) -> Json:
        """The outer shell of an event."""
        return {
            "token": "verification-token",
            "team_id": TEAM,
            "api_app_id": APP_ID,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{self.slack.number():08d}",
            "event_time": self.slack.clock.now_ms() // 1000,
            "is_ext_shared_channel": channel is not None and channel.kind is Kind.SHARED,
            "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        }

    # ------------------------------------------------------------------------------------- clicks

    def press(self, user: str, where: Message | Private, label: str) -> Envelope:
        """Press a button, or choose from a menu, by its label."""
        for button in where.buttons:
            if button["text"]["text"] == label:
                break
        else:
            raise AssertionError(f"no {label!r} among {[each['text']['text'] for each in where.buttons]}")
        visible = button.get("visible_to_user_ids")
        assert not visible or user in visible, f"{user} does not see {label!r}"
        return self._click(user, where, button)

    def _click(self, user: str, where: Message | Private, button: Json) -> Envelope:
        channel = self.slack.channels[where.channel]
        container: Json = {"type": "message", "message_ts": where.ts, "channel_id": where.channel}
        thread = where.thread if isinstance(where, Private) else where.root
        if thread and thread != where.ts:
            container["thread_ts"] = thread
        payload = self._interactive(user, "block_actions") | {
            "container": container | {"is_ephemeral": isinstance(where, Private)},
            "channel": {"id": channel.id, "name": _payload_name(channel)},
            "actions": [self._action(button) | {"block_id": _block_of(where.blocks, button)}],
        }
        if isinstance(where, Message):
            payload["message"] = slack_methods.show(where)
        return self.feed.send(INTERACTIVE, payload)

    def _action(self, button: Json) -> Json:
        action: Json = {"type": button["type"], "action_id": button["action_id"], "action_ts": self.slack.ts()}
        if button["type"] == "button":
            return action | {"value": button.get("value", "")}
        return action | {"selected_option": {"value": button["value"], "text": button["text"]}}

    def press_in_view(self, user: str, label: str) -> Envelope:
        """Press a button in the newest modal, or in the Home when no modal is open."""
        modals = [each for each in self.slack.modals.values() if each.user == user]
        view = modals[-1].view if modals else self.slack.homes[user]
        found = Message(channel="", ts="", blocks=view["blocks"]).buttons
        button = next(each for each in found if each["text"]["text"] == label)
        view_id = modals[-1].id if modals else "V0HOME"
        payload = self._interactive(user, "block_actions") | {
            "container": {"type": "view", "view_id": view_id},
            "view": {"id": view_id, "state": {"values": {}}, **view},
            "actions": [self._action(button)],
        }
        return self.feed.send(INTERACTIVE, payload)

    def submit(self, user: str, *values: str) -> Envelope:
        """Fill in the newest modal and submit it."""
        modal = [each for each in self.slack.modals.values() if each.user == user][-1]
        state: Json = {}
        given = list(values)
        for block in modal.view["blocks"]:
            if block["type"] == "input":
                state[block["block_id"]] = {block["element"]["action_id"]: _filled(block["element"], given.pop(0))}
        payload = self._interactive(user, "view_submission") | {
            "view": {"id": modal.id, "state": {"values": state}, **modal.view},
        }
        return self.feed.send(INTERACTIVE, payload)

    def after_submit(self, envelope: Envelope) -> None:
        """Do to the modal what the acknowledgement said."""
        modal = self.slack.modals[envelope.payload["view"]["id"]]
        answer = envelope.response or {}
        if answer.get("response_action") == "update":
            modal.view = answer["view"]
        elif answer.get("response_action") not in ("errors", "push"):
            self.close_modals(modal.user)

    def close_modals(self, user: str) -> None:
        """Close what is open."""
        self.slack.modals = {key: each for key, each in self.slack.modals.items() if each.user != user}

    def _interactive(self, user: str, kind: str) -> Json:
        return {
            "type": kind,
            "user": {"id": user, "name": self.slack.users[user].lower(), "team_id": self.slack.user_teams[user]},
            "api_app_id": APP_ID,
            "team": {"id": TEAM, "domain": "home"},
            "trigger_id": self.slack.trigger(user),
        }

    # ------------------------------------------------------------------- commands, shortcuts, Home, Stop

    def command(self, user: str, channel_id: str, command: str, text: str = "") -> Envelope:
        """A slash command in a composer; Slack's client refuses them in threads."""
        channel = self.slack.channels[channel_id]
        return self.feed.send(
            SLASH,
            {
                "token": "verification-token",
                "team_id": TEAM,
                "team_domain": "home",
                "channel_id": channel_id,
                "channel_name": _payload_name(channel),
                "user_id": user,
                "user_name": self.slack.users[user].lower(),
                "command": command,
                "text": text,
                "api_app_id": APP_ID,
                "trigger_id": self.slack.trigger(user),
                "response_url": "http://127.0.0.1/nowhere",
            },
        )

    def shortcut(self, user: str, callback_id: str, message: Message | None = None) -> Envelope:
        """A message shortcut, or a global one."""
        payload = self._interactive(user, "shortcut" if message is None else "message_action")
        payload |= {"callback_id": callback_id, "action_ts": self.slack.ts()}
        if message is not None:
            channel = self.slack.channels[message.channel]
            payload["channel"] = {"id": channel.id, "name": _payload_name(channel)}
            payload["message"] = slack_methods.show(message)
            payload["message_ts"] = message.ts
        return self.feed.send(INTERACTIVE, payload)

    def open_home(self, user: str, tab: str = "home") -> Envelope | None:
        """Look at the app's Home, or at its Messages tab."""
        direct = next(each for each in self.slack.channels.values() if each.kind is Kind.IM and user in each.members)
        event = {"type": "app_home_opened", "user": user, "channel": direct.id, "tab": tab, "event_ts": self.slack.ts()}
        return self.emit("app_home_opened", event)

    def stop(self, user: str, channel_id: str, thread: str) -> Envelope | None:
        """Slack's own Stop button."""
        streams = []
        for message in self.slack.channels[channel_id].thread(thread):
            self.slack.age(message)
            if message.stream is not None and message.stream.state is StreamState.LIVE:
                message.stream.state = StreamState.BY_USER
                streams.append(message.ts)
        event: dict[str, Any] = {
            "type": "agent_session_stopped",
            "channel": channel_id,
            "user": user,
            "thread_ts": thread,
            "streaming_message_ts": streams,
            "event_ts": self.slack.ts(),
        }
        return self.emit("agent_session_stopped", event)

    def add_file(self, name: str, mimetype: str, data: bytes, host: str) -> str:
        """Upload a file; returns its id."""
        file_id = f"F{self.slack.number():06d}"
        url = f"{host}/files-pri/{TEAM}-{file_id}/{name}"
        shown = {"id": file_id, "name": name, "mimetype": mimetype, "size": len(data), "url_private_download": url}
        self.slack.files[file_id] = (shown | {"url_private": url, "mode": "hosted"}, data)
        return file_id


def _block_of(blocks: list[Json], button: Json) -> str:
    """The id of the block that a button stands in; Slack makes one up where none was given."""
    for block in blocks:
        if any(each.get("action_id") == button["action_id"] for each in block.get("elements", [])):
            return str(block.get("block_id", "b1"))
    return "b1"


def _payload_name(channel: Channel) -> str:
    """The channel's name in clicks and commands, where some kinds have none."""
    return {Kind.IM: "directmessage", Kind.PRIVATE: "privategroup"}.get(channel.kind, channel.name)


def _filled(element: Json, value: str) -> Json:
    if element["type"] == "plain_text_input":
        return {"type": "plain_text_input", "value": value}
    option = next(each for each in element["options"] if value in (each["value"], each["text"]["text"]))
    return {"type": element["type"], "selected_option": option}
