"""Clicks, commands, shortcuts and submitted modals -> what happened. Pure.

Knows: where each of these payloads carries person, place, button and trigger; that a press in a modal or in the Home
has no channel of its own, so that our modals carry theirs (`private_metadata`). Must not know: what a button does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bots.slack import ids, typed
from bots.slack.heard import Arrived, Desk, Heard, Ignored
from bots.slack.ids import Me
from bots.slack.payload import Payload, at, listed, text_at
from bots.slack.words_in import decoded, storable
from core.domain.errors import BadInput
from core.domain.events import Author, ButtonPressed, CommandIssued
from core.domain.keys import Audience, ButtonId

RESUME_COMMAND = "/resume"
OWN_COMMAND = "/rejoinder"
COMMANDS = (RESUME_COMMAND, OWN_COMMAND)
RESUME_SHORTCUT = "resume_conversation"  # on a message
LIST_SHORTCUT = "my_conversations"  # anywhere
SHORTCUTS = {RESUME_SHORTCUT: "message", LIST_SHORTCUT: "global"}
ORIGIN = "rj1from:"  # begins the id of a block whose choice is meant for another place than its own
CHOOSE = "rj1choose"  # callback of a modal with a list: the chosen value is the button
VALUE_MAX_CHARS = 10_000
_THREADED = (typed.RESUME, typed.TASK)  # commands that make something go on in a thread
_MOVING = "resume"  # the verb of a button that may bring a conversation to where it is pressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a modal of ours was opened from."""

    channel: str = ""
    thread: str = ""

    def __str__(self) -> str:
        return json.dumps([self.channel, self.thread], separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Inverse of `str`; nowhere, when it is not ours."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return cls()
        if not (isinstance(found, list) and len(found) == 2 and all(isinstance(each, str) for each in found)):  # noqa: PLR2004  (two fields)
            return cls()
        channel, thread = found
        if not ids.is_id(channel) or (thread and not ids.is_ts(thread)):
            return cls()
        return cls(channel=channel, thread=thread)


def interaction(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    """What a click, a command, a shortcut or a submitted modal says."""
    match text_at(body, "type"):
        case "block_actions":
            return _pressed(body, me, names, audience)
        case "view_submission":
            return _submitted(body, me, names, audience)
        case "message_action" | "shortcut":
            return _shortcut(body, me, names, audience)
        case "" if text_at(body, "command"):
            return _command(body, me, names, audience)
        case kind:
            return Ignored(why=f"payload {kind[:40]}")


def place_in(body: Payload) -> tuple[str, str]:
    """Channel and thread in which somebody clicked or commanded, "" where there is none."""
    if text_at(body, "command"):
        return text_at(body, "channel_id"), ""
    if text_at(body, "container", "type") == "view" or text_at(body, "type") == "view_submission":
        origin = Origin.parse(text_at(body, "view", "private_metadata"))
        return origin.channel, origin.thread
    block = next((text_at(each, "block_id") for each in listed(body, "actions")), "")
    if block.startswith(ORIGIN):
        origin = Origin.parse(block.removeprefix(ORIGIN))
        return origin.channel, origin.thread
    channel = text_at(body, "channel", "id") or text_at(body, "container", "channel_id")
    message, container = at(body, "message"), at(body, "container")
    thread = text_at(container, "thread_ts") or text_at(message, "thread_ts")
    if not thread and container.get("is_ephemeral") is not True:
        # Under a root message there is a thread of its own, even if nobody has written in it yet.
        thread = text_at(message, "ts") or text_at(container, "message_ts")
    return channel, thread


def _author(user: str, me: Me, names: Mapping[str, str]) -> Author:
    return Author(key=ids.person(me.team, user), name=names.get(user, user))


def _pressed(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    actions = listed(body, "actions")
    user, (channel, thread) = text_at(body, "user", "id"), place_in(body)
    if not actions or not ids.is_id(user):
        return Ignored(why="malformed press")
    action = actions[0]
    value = text_at(action, "value") or text_at(action, "selected_option", "value")
    try:
        button = ButtonId.parse(value)
    except BadInput:
        return Ignored(why="a foreign button")
    in_view = text_at(body, "container", "type") == "view"
    channel, thread = _checked(channel, thread)
    if not channel and not in_view:
        return Ignored(why="malformed press")
    ts = text_at(body, "container", "message_ts") or text_at(body, "view", "id")
    keys = _keys(body, ids.action_key(me.team, channel or "home", ts, text_at(action, "action_ts")))
    desk = Desk(
        user=user,
        channel=channel,
        thread=thread,
        team=text_at(body, "user", "team_id") or me.team,
        trigger=text_at(body, "trigger_id"),
        view=(text_at(body, "view", "id") if text_at(body, "view", "type") == "modal" else "home") if in_view else "",
    )
    pressed = ButtonPressed(
        source_keys=keys,
        author=_author(user, me, names),
        place=ids.place(me.team, channel or user, thread),
        button=button,
        audience=audience,
    )
    return Arrived(event=pressed, desk=desk, moves=button.verb == _MOVING)


def _submitted(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    user, (channel, thread) = text_at(body, "user", "id"), place_in(body)
    values = _values(at(body, "view", "state", "values"))
    callback = text_at(body, "view", "callback_id")
    try:
        chosen = callback == CHOOSE
        button = ButtonId.parse(next(iter(values.values()), "") if chosen else callback)
    except BadInput:
        return Ignored(why="a foreign modal")
    if not ids.is_id(user):
        return Ignored(why="malformed submission")
    view_id = text_at(body, "view", "id")
    keys = _keys(body, f"slack:v:{view_id}:{text_at(body, 'view', 'hash')}:{text_at(body, 'trigger_id')}")
    desk = Desk(
        user=user,
        channel=channel,
        thread=thread,
        team=text_at(body, "user", "team_id") or me.team,
        trigger=text_at(body, "trigger_id"),
        view=view_id,
        submitted=True,
    )
    pressed = ButtonPressed(
        source_keys=keys,
        author=_author(user, me, names),
        place=ids.place(me.team, channel or user, thread),
        button=button,
        value="" if chosen else _value(values),
        audience=audience,
    )
    return Arrived(event=pressed, desk=desk, moves=button.verb == _MOVING)


def _values(state: Payload) -> dict[str, str]:
    """What was filled in, by block: text, or the chosen value."""
    found: dict[str, str] = {}
    for block, actions in state.items():
        if not isinstance(actions, Mapping):
            continue
        for field in actions.values():
            if isinstance(field, Mapping):
                value = text_at(field, "value") or text_at(field, "selected_option", "value")
                found[storable(block, 100)] = storable(value, VALUE_MAX_CHARS)
    return found


def _value(values: Mapping[str, str]) -> str:
    """One field as it is; several as JSON with their names."""
    if len(values) <= 1:
        return next(iter(values.values()), "")
    return json.dumps(dict(values), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _shortcut(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    user, callback = text_at(body, "user", "id"), text_at(body, "callback_id")
    if callback not in SHORTCUTS or not ids.is_id(user):
        return Ignored(why="a foreign shortcut")
    channel, thread = _checked(*place_in(body))
    here = callback == RESUME_SHORTCUT and bool(channel)
    issued = CommandIssued(
        source_keys=_keys(body, f"slack:k:{user}:{text_at(body, 'action_ts')}"),
        author=_author(user, me, names),
        place=ids.place(me.team, channel or user, thread),
        name=typed.RESUME if here else "sessions",
        audience=audience,
    )
    desk = Desk(user=user, channel=channel, thread=thread, team=me.team, trigger=text_at(body, "trigger_id"))
    return Arrived(event=issued, desk=desk)


def _command(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    user, channel, command = (text_at(body, name) for name in ("user_id", "channel_id", "command"))
    if not (ids.is_id(user) and ids.is_id(channel) and ids.is_name(text_at(body, "trigger_id"))):
        return Ignored(why="malformed command")
    said = decoded(storable(text_at(body, "text"), VALUE_MAX_CHARS), names)
    match command:
        case "/resume":
            name, rest = typed.RESUME, said
        case "/rejoinder":
            verb, _, rest = said.partition(" ")
            name = verb.lower().lstrip("/")[:40] or typed.HELP
        case _:
            return Ignored(why="a foreign command")
    issued = CommandIssued(
        source_keys=(ids.trigger_key(text_at(body, "trigger_id")),),
        author=_author(user, me, names),
        place=ids.place(me.team, channel),
        name=name,
        rest=rest.strip(),
        audience=audience,
    )
    desk = Desk(user=user, channel=channel, team=me.team, trigger=text_at(body, "trigger_id"), slash=True)
    return Arrived(event=issued, desk=desk, moves=name in _THREADED and bool(rest.strip()))


def _checked(channel: str, thread: str) -> tuple[str, str]:
    if not ids.is_id(channel):
        return "", ""
    return channel, thread if ids.is_ts(thread) else ""


def _keys(body: Payload, own: str) -> tuple[str, ...]:
    """The source keys of an interaction."""
    trigger = text_at(body, "trigger_id")
    return (own, ids.trigger_key(trigger)) if ids.is_name(trigger) else (own,)
