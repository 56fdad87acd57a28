"""Slack payload -> what happened. Pure: no names are looked up here, no clock is read.

Knows: every payload that the manifest lets in, and how a message relates to the bot (DESIGN section 3). Nothing in a
payload is trusted: every field is asked for with its type, ids must look like ids, text is made storable. What cannot
be understood is `Ignored`, never an error: a payload that we cannot read must be acknowledged, or it comes for ever.

Corner cases: one mention comes as `app_mention` and as `message` with the same ts; an edit comes as
`message_changed`, also when Slack only added a preview, and when a message was deleted to which there are replies (a
tombstone stands in its place then, openclaw/openclaw #22035); a press in a modal has no channel, the modal carries it.
Must not know: Bolt, the Web API.
"""

from __future__ import annotations

from collections.abc import Mapping

from bots.slack import ids, typed
from bots.slack.heard import (
    Arrived,
    Deleted,
    Desk,
    Edited,
    Heard,
    HomeOpened,
    Ignored,
    Revoked,
    StopPressed,
)
from bots.slack.ids import Me
from bots.slack.interactions import VALUE_MAX_CHARS, interaction
from bots.slack.payload import Payload, at, listed, text_at
from bots.slack.words_in import decoded, storable
from core.domain.entities import FileRef
from core.domain.events import Address, Author, ButtonPressed, CommandIssued, MessageReceived
from core.domain.keys import Audience

TEXT_MAX_CHARS = 40_000  # Slack truncates a message there (chat.postMessage)
FILES_MAX = 10  # of one message; more than a person means us to read
_SPOKEN = ("", "file_share", "thread_broadcast", "me_message")  # subtypes that are a person's own words
TOMBSTONE = "tombstone"  # subtype of what stands where a message with replies was deleted
_REVOKING = ("tokens_revoked", "app_uninstalled")


def parse(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    """What a payload says. `names`: people known by id; `audience`: who can read where it was said."""
    if text_at(body, "type") == "event_callback":
        return _event(body, me, names, audience)
    return interaction(body, me, names, audience)


def message(
    found: Payload, channel: str, me: Me, names: Mapping[str, str], audience: Audience, *, late: bool = True
) -> Heard:
    """A message out of the history; `late`: said while we were away."""
    event = {**found, "channel": channel, "type": "message"}
    return _message({"event": event}, me, names, audience, caught_up=late)


def changed_late(found: Payload, channel: str, me: Me, names: Mapping[str, str]) -> Heard:
    """What became meanwhile of a message out of the history."""
    return _edited({"event": {"channel": channel, "message": found}}, me, names)


def _event(body: Payload, me: Me, names: Mapping[str, str], audience: Audience) -> Heard:
    event = at(body, "event")
    match text_at(event, "type"):
        case "message" | "app_mention":
            return _message(body, me, names, audience)
        case "agent_session_stopped":
            return _stopped(body, me, names)
        case "app_home_opened":
            return _home(body, me, names)
        case kind if kind in _REVOKING:
            return Revoked(reason=kind)
        case kind:
            return Ignored(why=f"event {kind[:40]}")


# ------------------------------------------------------------------------------------------ messages


def _message(body: Payload, me: Me, names: Mapping[str, str], audience: Audience, *, caught_up: bool = False) -> Heard:
    event = at(body, "event")
    kind = text_at(event, "subtype")
    if kind == "message_changed":
        return _edited(body, me, names)
    if kind == "message_deleted":
        return _deleted(body, me)
    if kind not in _SPOKEN:
        return Ignored(why=f"message {kind[:40]}")
    if text_at(event, "bot_id") or text_at(event, "user") == me.user:
        return Ignored(why="a bot")
    return _spoken(body, me, names, audience, caught_up=caught_up)


def _spoken(body: Payload, me: Me, names: Mapping[str, str], audience: Audience, *, caught_up: bool) -> Heard:
    """A person's own words: a message, or a command that is typed as one."""
    event = at(body, "event")
    user, channel, ts = text_at(event, "user"), text_at(event, "channel"), text_at(event, "ts")
    thread = text_at(event, "thread_ts") or ts
    if not (ids.is_id(user) and ids.is_id(channel) and ids.is_ts(ts) and ids.is_ts(thread)):
        return Ignored(why="malformed message")
    said = storable(text_at(event, "text"), TEXT_MAX_CHARS)
    address = _address(said, me, direct=ids.is_direct(channel), root=thread == ts)
    bare = typed.without_mention(said, me.user)
    if address is None and typed.command(decoded(bare, names), mentioned=False, bare_mention=False) is None:
        return Ignored(why="not for us")
    heard = MessageReceived(
        source_keys=(ids.message_key(me.team, channel, ts), *_more_keys(body, event)),
        author=Author(key=ids.person(me.team, user), name=names.get(user, user)),
        place=ids.place(me.team, channel, thread),
        text=decoded(bare, names),
        ref=str(ids.Ref(channel=channel, ts=ts, thread=thread)),
        address=address or Address.PLAIN,
        files=_files(event, me.team, channel, ts),
        caught_up=caught_up,
        audience=audience,
        filled=thread != ts and not ids.is_direct(channel),
        root=thread == ts,
    )
    desk = Desk(user=user, channel=channel, thread=thread, team=text_at(event, "user_team") or me.team)
    return Arrived(event=_as_command(heard, bare_mention=bare != said), desk=desk, late=caught_up)


def _as_command(heard: MessageReceived, *, bare_mention: bool) -> MessageReceived | CommandIssued | ButtonPressed:
    """The command or the filled form that a message is, else the message."""
    if heard.files or heard.address is Address.OTHER:
        return heard
    mentioned = heard.address is not Address.PLAIN
    form = typed.filled(heard.text)
    if form is not None:
        return ButtonPressed(
            source_keys=heard.source_keys,
            author=heard.author,
            place=heard.place,
            button=form[0],
            value=form[1][:VALUE_MAX_CHARS],
            audience=heard.audience,
        )
    command = typed.command(heard.text, mentioned=mentioned, bare_mention=bare_mention)
    if command is None:
        return heard
    name, rest = command
    return CommandIssued(
        source_keys=heard.source_keys,
        author=heard.author,
        place=heard.place,
        name=name,
        rest=rest,
        audience=heard.audience,
    )


def _address(said: str, me: Me, *, direct: bool, root: bool) -> Address | None:
    """How a message relates to the bot; None for what is said in a channel to nobody of us."""
    if direct:
        return Address.DIRECT
    if f"<@{me.user}>" in said or f"<@{me.user}|" in said:
        return Address.DIRECT if root else Address.MENTION
    if root:
        return None
    return Address.OTHER if typed.begins_with_mention(said) else Address.PLAIN


def _more_keys(body: Payload, event: Payload) -> tuple[str, ...]:
    event_id, client_id = text_at(body, "event_id"), text_at(event, "client_msg_id")
    keys = (ids.event_key(event_id),) if ids.is_name(event_id) else ()
    return (*keys, ids.client_key(client_id)) if ids.is_name(client_id) else keys


def _files(event: Payload, team: str, channel: str, ts: str) -> tuple[FileRef, ...]:
    found = []
    for each in listed(event, "files")[:FILES_MAX]:
        file_id, size = text_at(each, "id"), each.get("size")
        if not ids.is_id(file_id) or text_at(each, "mode") in ("tombstone", "hidden_by_limit"):
            continue
        found.append(
            FileRef(
                id=f"slack:{team}:{channel}:{ts}:{file_id}",
                handle=file_id,
                name=storable(text_at(each, "name"), 200) or file_id,
                media_type=storable(text_at(each, "mimetype"), 100).lower() or "application/octet-stream",
                size_bytes=size if isinstance(size, int) and 0 <= size < 1 << 40 else 0,
            )
        )
    return tuple(found)


def _edited(body: Payload, me: Me, names: Mapping[str, str]) -> Heard:
    event = at(body, "event")
    now, before = at(event, "message"), at(event, "previous_message")
    user, channel, ts = text_at(now, "user"), text_at(event, "channel"), text_at(now, "ts")
    if text_at(now, "subtype") == TOMBSTONE:
        return _deleted({"event": {**event, "deleted_ts": ts, "previous_message": {**now, **before}}}, me)
    if text_at(now, "bot_id") or user == me.user:
        return Ignored(why="a bot")
    if text_at(now, "text") == text_at(before, "text"):
        return Ignored(why="only a preview changed")
    thread = text_at(now, "thread_ts") or ts
    if not (ids.is_id(user) and ids.is_id(channel) and ids.is_ts(ts) and ids.is_ts(thread)):
        return Ignored(why="malformed edit")
    said = storable(text_at(now, "text"), TEXT_MAX_CHARS)
    return Edited(
        place=ids.place(me.team, channel, thread),
        ref=str(ids.Ref(channel=channel, ts=ts, thread=thread)),
        text=decoded(typed.without_mention(said, me.user), names),
        at=_when(text_at(now, "edited", "ts") or text_at(event, "event_ts")),
        source_keys=_more_keys(body, event) or (f"slack:x:{channel}:{ts}:{text_at(event, 'event_ts')}",),
        author=Author(key=ids.person(me.team, user), name=names.get(user, user)),
    )


def _when(ts: str) -> str:
    return ts if ids.is_ts(ts) else "0"


def _deleted(body: Payload, me: Me) -> Heard:
    event = at(body, "event")
    before = at(event, "previous_message")
    user, channel, ts = text_at(before, "user"), text_at(event, "channel"), text_at(event, "deleted_ts")
    if text_at(before, "bot_id") or user == me.user:
        return Ignored(why="a bot")
    thread = text_at(before, "thread_ts") or ts
    if not (ids.is_id(user) and ids.is_id(channel) and ids.is_ts(ts) and ids.is_ts(thread)):
        return Ignored(why="malformed deletion")
    return Deleted(
        place=ids.place(me.team, channel, thread),
        ref=str(ids.Ref(channel=channel, ts=ts, thread=thread)),
        source_keys=_more_keys(body, event) or (f"slack:x:{channel}:{ts}",),
        author=Author(key=ids.person(me.team, user), name=user),
    )


# ------------------------------------------------------------------------------------------ other events


def _stopped(body: Payload, me: Me, names: Mapping[str, str]) -> Heard:
    event = at(body, "event")
    user, channel, thread = (text_at(event, name) for name in ("user", "channel", "thread_ts"))
    if not (ids.is_id(user) and ids.is_id(channel) and ids.is_ts(thread)):
        return Ignored(why="malformed stop")
    streams = event.get("streaming_message_ts")
    found = (
        tuple(each for each in streams if isinstance(each, str) and ids.is_ts(each))
        if isinstance(streams, list)
        else ()
    )
    return StopPressed(
        author=Author(key=ids.person(me.team, user), name=names.get(user, user)),
        place=ids.place(me.team, channel, thread),
        streams=found,
        source_keys=(*_more_keys(body, event), *(ids.stop_key(channel, ts) for ts in found)),
    )


def _home(body: Payload, me: Me, names: Mapping[str, str]) -> Heard:
    event = at(body, "event")
    user, channel = text_at(event, "user"), text_at(event, "channel")
    if text_at(event, "tab") != "home" or not (ids.is_id(user) and ids.is_id(channel)):
        return Ignored(why="another tab")
    return HomeOpened(
        author=Author(key=ids.person(me.team, user), name=names.get(user, user)),
        channel=channel,
        source_keys=_more_keys(body, event) or (f"slack:h:{user}:{text_at(event, 'event_ts')}",),
    )
