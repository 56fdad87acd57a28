"""The Web API methods of the loopback Slack, apart from streams.

Knows: what each method does and how it refuses. Must not know: HTTP, faults, sockets.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.kit.slack_rules import check_message, check_metadata, check_view
from tests.kit.slack_state import (
    APP_ID,
    BOT_ID,
    BOT_USER,
    TEAM,
    Channel,
    Json,
    Kind,
    Message,
    Modal,
    Private,
    SlackError,
    StreamState,
    Workspace,
)
from tests.kit.slack_streams import METHODS as STREAMS

PAGE = 100
MODALS_MAX = 3


def auth_test(slack: Workspace, args: Json) -> Json:
    """Who we are."""
    del slack, args
    return {
        "url": "https://home.slack.test/",
        "team": "Home",
        "team_id": TEAM,
        "user": "rejoinder",
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "is_enterprise_install": False,
    }


def post_message(slack: Workspace, args: Json) -> Json:
    """Post; no idempotency of any kind."""
    channel = slack.channel(args["channel"], to_write=True)
    thread = args.get("thread_ts", "")
    if thread and thread not in channel.messages:
        raise SlackError("thread_not_found")
    check_message(args)
    _check_kinds(slack, args)
    check_metadata(args.get("metadata"))
    message = Message(channel=channel.id, ts=slack.ts(), thread=thread, user=BOT_USER, bot_id=BOT_ID)
    _write(message, args)
    message.metadata = args.get("metadata")
    if args.get("unfurl_links") not in (False, "0", "false") and "http" in message.shown:
        slack.violations.append("a message with links was posted with previews on")
    channel.messages[message.ts] = message
    return {"channel": channel.id, "ts": message.ts, "message": show(message)}


def _check_kinds(slack: Workspace, args: Json) -> None:
    blocks = args.get("blocks") or []
    tasks = [task for each in blocks if each["type"] == "plan" for task in each["tasks"]]
    kinds = {each["type"] for each in blocks} | {each["status"] for each in tasks}
    if kinds & slack.blocks_refused:
        raise SlackError("invalid_blocks", kind="refused")


def post_ephemeral(slack: Workspace, args: Json) -> Json:
    """Show to one person only; dropped without a word in agent threads (facts/slack.md 4)."""
    channel = slack.channel(args["channel"], to_write=True)
    if args["user"] not in channel.members:
        raise SlackError("user_not_in_channel")
    check_message(args)
    thread = args.get("thread_ts", "")
    agent_thread = bool(thread) and (channel.kind is Kind.IM or (channel.id, thread) in slack.sessions)
    ts = slack.ts()
    slack.privates.append(
        Private(
            channel=channel.id,
            thread=thread,
            user=args["user"],
            text=args.get("text", ""),
            blocks=args.get("blocks", []),
            ts=ts,
            dropped=agent_thread,
        )
    )
    return {"message_ts": ts}


def update(slack: Workspace, args: Json) -> Json:
    """Replace a message of ours."""
    message = slack.message(args["channel"], args["ts"])
    if message.stream is not None and message.stream.state is StreamState.LIVE:
        raise SlackError("streaming_state_conflict")
    check_message(args, updating=True)
    _check_kinds(slack, args)
    check_metadata(args.get("metadata"))
    _write(message, args)
    message.edits += 1
    message.edited = slack.ts()
    if "metadata" in args:
        message.metadata = args["metadata"]
    return {"channel": message.channel, "ts": message.ts, "text": message.text}


def _write(message: Message, args: Json) -> None:
    message.text = args.get("text", "")
    message.blocks = args.get("blocks") or []
    if args.get("markdown_text"):
        message.blocks = [{"type": "markdown", "text": args["markdown_text"]}]


def delete(slack: Workspace, args: Json) -> Json:
    """Delete a message of ours."""
    message = slack.message(args["channel"], args["ts"])
    del slack.channels[message.channel].messages[message.ts]
    slack.deleted.append(message)
    return {"channel": message.channel, "ts": message.ts}


# ------------------------------------------------------------------------------------------- reading


def show(message: Message, *, metadata: bool = False) -> Json:
    """A message as the API and events show it."""
    shown: Json = {"type": "message", "ts": message.ts, "text": message.shown, "team": TEAM}
    optional = {
        "user": message.user,
        "bot_id": message.bot_id,
        "blocks": message.blocks,
        "files": message.files,
        "subtype": message.subtype,
        "client_msg_id": message.client_msg_id,
        "reactions": [{"name": name, "users": [BOT_USER], "count": 1} for name in message.reactions],
    }
    shown |= {name: value for name, value in optional.items() if value}
    if message.bot_id:
        shown["app_id"] = APP_ID
    if message.thread:
        shown["thread_ts"] = message.thread
    if metadata and message.metadata is not None:
        shown["metadata"] = message.metadata
    if message.edited:
        shown["edited"] = {"user": message.user, "ts": message.edited}
    return shown


def history(slack: Workspace, args: Json) -> Json:
    """Root messages, newest first."""
    channel = _readable(slack, args)
    found = [each for each in channel.roots() if _within(each.ts, args)]
    answer = _page(slack, found, args)
    for each in answer["messages"]:
        replies = [reply for reply in channel.thread(each["ts"]) if reply.thread]
        if replies:
            each |= {"thread_ts": each["ts"], "reply_count": len(replies), "latest_reply": replies[-1].ts}
    return answer


def replies(slack: Workspace, args: Json) -> Json:
    """A thread, its root first, oldest first; the root comes whatever `oldest` is."""
    channel = _readable(slack, args)
    root = channel.messages.get(args["ts"])
    thread = channel.thread(root.root if root is not None else args["ts"])
    if not thread:
        raise SlackError("thread_not_found")
    return _page(slack, [each for each in thread if not each.thread or _within(each.ts, args)], args)


def _readable(slack: Workspace, args: Json) -> Channel:
    channel = slack.channel(args["channel"])
    if channel.unreadable:
        raise SlackError(channel.unreadable)
    slack.land()
    for each in channel.messages.values():
        slack.age(each)
    return channel


def _within(ts: str, args: Json) -> bool:
    inclusive = args.get("inclusive") in ("1", "true", True)
    oldest, latest = float(args.get("oldest", 0) or 0), float(args.get("latest", 0) or 0)
    at = float(ts)
    after = at >= oldest if inclusive else at > oldest
    before = not latest or (at <= latest if inclusive else at < latest)
    return after and before


def _page(slack: Workspace, found: list[Message], args: Json) -> Json:
    start, limit = int(args.get("cursor") or 0), min(int(args.get("limit") or PAGE), 999)
    metadata = args.get("include_all_metadata") in ("1", "true", True)
    messages = [show(each, metadata=metadata) for each in found[start : start + limit]]
    more = start + limit < len(found)
    cursor = str(start + limit) if more else ""
    return {"messages": messages, "has_more": more, "response_metadata": {"next_cursor": cursor}}


def conversation_info(slack: Workspace, args: Json) -> Json:
    """What a conversation is."""
    channel = slack.channels.get(args["channel"])
    if channel is None or (not channel.with_bot and channel.kind is not Kind.PUBLIC):
        raise SlackError("channel_not_found")
    return {"channel": _conversation(channel)}


def _conversation(channel: Channel) -> Json:
    shown: Json = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": channel.kind in (Kind.PUBLIC, Kind.SHARED),
        "is_im": channel.kind is Kind.IM,
        "is_mpim": channel.kind is Kind.MPIM,
        "is_private": channel.kind in (Kind.PRIVATE, Kind.MPIM),
        "is_archived": channel.archived,
        "is_ext_shared": channel.kind is Kind.SHARED,
        "is_member": channel.with_bot,
    }
    if channel.kind is Kind.IM:
        shown["user"] = next(iter(channel.members - {BOT_USER}))
    return shown


def conversation_open(slack: Workspace, args: Json) -> Json:
    """The direct conversation with one person."""
    if args["users"] not in slack.users:
        raise SlackError("user_not_found")
    for channel in slack.channels.values():
        if channel.kind is Kind.IM and args["users"] in channel.members:
            return {"channel": {"id": channel.id}}
    raise SlackError("cannot_dm_bot")


def own_conversations(slack: Workspace, args: Json) -> Json:
    """The conversations that the bot is in."""
    names = {Kind.PUBLIC: "public_channel", Kind.SHARED: "public_channel", Kind.PRIVATE: "private_channel"}
    wanted = (args.get("types") or "public_channel").split(",")
    found = [
        _conversation(each)
        for each in slack.channels.values()
        if each.with_bot and names.get(each.kind, each.kind.value) in wanted and not each.archived
    ]
    start, limit = int(args.get("cursor") or 0), int(args.get("limit") or PAGE)
    cursor = str(start + limit) if start + limit < len(found) else ""
    return {"channels": found[start : start + limit], "response_metadata": {"next_cursor": cursor}}


def user_info(slack: Workspace, args: Json) -> Json:
    """A person."""
    user = args["user"]
    if user not in slack.users:
        raise SlackError("user_not_found")
    name = slack.users[user]
    profile = {"display_name": name, "real_name": f"{name} Real"}
    found = {"id": user, "team_id": slack.user_teams[user], "name": name.lower(), "profile": profile}
    if args.get("include_locale") in ("1", "true", True):
        found["locale"] = slack.locales.get(user, "en-US")
    return {"user": found | dict.fromkeys(slack.restricted.get(user, ()), True)}


# ------------------------------------------------------------------------------ signs, modals, files


def react(slack: Workspace, args: Json) -> Json:
    """Put a sign on a message."""
    message = slack.channel(args["channel"], to_write=True).messages.get(args["timestamp"])
    if message is None:
        raise SlackError("message_not_found")
    if args["name"] in message.reactions:
        raise SlackError("already_reacted")
    message.reactions.append(args["name"])
    return {}


def open_view(slack: Workspace, args: Json) -> Json:
    """A modal, opened by a click of the last three seconds."""
    user = slack.use_trigger(args["trigger_id"])
    check_view(args["view"], "modal")
    view_id = f"V{slack.number()}"
    slack.modals[view_id] = Modal(id=view_id, user=user, view=args["view"], root=view_id)
    return {"view": {"id": view_id, **args["view"]}}


def push_view(slack: Workspace, args: Json) -> Json:
    """A modal above the one that was clicked in."""
    user = slack.use_trigger(args["trigger_id"])
    check_view(args["view"], "modal")
    below = [each for each in slack.modals.values() if each.user == user]
    if not below:
        raise SlackError("invalid_arguments", detail="no modal to push above")
    if len(below) >= MODALS_MAX:
        raise SlackError("push_limit_reached")
    view_id = f"V{slack.number()}"
    slack.modals[view_id] = Modal(id=view_id, user=user, view=args["view"], root=below[0].root)
    return {"view": {"id": view_id, **args["view"]}}


def update_view(slack: Workspace, args: Json) -> Json:
    """Replace a modal."""
    modal = slack.modals.get(args.get("view_id", ""))
    if modal is None:
        raise SlackError("not_found")
    check_view(args["view"], "modal")
    modal.view = args["view"]
    return {"view": {"id": modal.id, **modal.view}}


def publish_view(slack: Workspace, args: Json) -> Json:
    """A person's Home."""
    if args["user_id"] not in slack.users:
        raise SlackError("user_not_found")
    check_view(args["view"], "home")
    slack.homes[args["user_id"]] = args["view"]
    return {"view": {"id": f"V{slack.number()}", **args["view"]}}


def file_info(slack: Workspace, args: Json) -> Json:
    """Where a file is."""
    if args["file"] not in slack.files:
        raise SlackError("file_not_found")
    return {"file": slack.files[args["file"]][0]}


def upload_url(slack: Workspace, args: Json) -> Json:
    """Where to put a new file."""
    file_id = f"F{slack.number():06d}"
    slack.uploads[file_id] = {"filename": args["filename"], "length": int(args["length"])}
    return {"upload_url": f"/upload/{file_id}", "file_id": file_id}


def complete_upload(slack: Workspace, args: Json) -> Json:
    """Show uploaded files in a conversation, each once, as soon as Slack likes (`share_after_ms`)."""
    if len({each["id"] for each in args["files"]} & slack.uploads.keys()) != len(args["files"]):
        raise SlackError("file_not_found")
    channel = slack.channel(args["channel_id"], to_write=True) if args.get("channel_id") else None
    shown = []
    for each in args["files"]:
        if each["id"] not in slack.files:
            raise SlackError("file_not_found")  # its bytes never came
        del slack.uploads[each["id"]]
        shown.append(slack.files[each["id"]][0] | {"title": each.get("title", "")})
    if channel is not None and slack.share_after_ms is not None:
        message = Message(channel=channel.id, ts="", thread=args.get("thread_ts", ""), user=BOT_USER, bot_id=BOT_ID)
        message.text, message.files, message.subtype = args.get("initial_comment", ""), shown, "file_share"
        slack.shares.append((slack.clock.now_ms() + slack.share_after_ms, message))
    return {"files": [{"id": each["id"], "title": each["title"]} for each in shown]}


METHODS: dict[str, Callable[[Workspace, Json], Json]] = {
    **STREAMS,
    "auth.test": auth_test,
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.info": conversation_info,
    "conversations.open": conversation_open,
    "users.conversations": own_conversations,
    "users.info": user_info,
    "reactions.add": react,
    "views.open": open_view,
    "views.push": push_view,
    "views.update": update_view,
    "views.publish": publish_view,
    "files.info": file_info,
    "files.getUploadURLExternal": upload_url,
    "files.completeUploadExternal": complete_upload,
}
