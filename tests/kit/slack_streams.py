"""chat.startStream, appendStream, stopStream and agent sessions of the loopback Slack.

Knows: the states of a stream, its 300 seconds, who has to be named (facts/slack.md 1.2 and 1.3). Must not know: HTTP.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.kit.slack_rules import MARKDOWN_MAX, check_blocks, check_metadata
from tests.kit.slack_state import (
    BOT_ID,
    BOT_USER,
    Json,
    Kind,
    Message,
    SlackError,
    Stream,
    StreamState,
    Workspace,
)

STATUSES = ("processing", "active", "suspended", "closed")
TITLE_MAX = 200
_ENDED = {
    StreamState.STOPPED: "message_not_in_streaming_state",
    StreamState.EXPIRED: "message_not_in_streaming_state",
    StreamState.BY_USER: "stopped_by_user",
}


def start_stream(slack: Workspace, args: Json) -> Json:
    """Open an empty or begun stream in a thread."""
    channel = slack.channel(args["channel"], to_write=True)
    if not slack.agent:
        raise SlackError("method_not_supported_for_app")
    thread = args.get("thread_ts")
    if not thread or thread not in channel.messages:
        raise SlackError("invalid_thread_ts")
    if channel.kind is not Kind.IM:
        for name in ("recipient_team_id", "recipient_user_id"):
            if not args.get(name):
                raise SlackError(f"missing_{name}")
        if args["recipient_user_id"] not in slack.users:
            raise SlackError("user_not_found")
        if slack.user_teams[args["recipient_user_id"]] != args["recipient_team_id"]:
            raise SlackError("team_not_found")
    message = Message(channel=channel.id, ts=slack.ts(), thread=thread, user=BOT_USER, bot_id=BOT_ID)
    message.stream = Stream(started_ms=slack.clock.now_ms())
    if "chunks" in args or "markdown_text" in args:
        message.stream.appends.append(_written(message.stream, args))
    channel.messages[message.ts] = message
    slack.set_status(channel.id, thread, "processing")
    return {"channel": channel.id, "ts": message.ts}


def append_stream(slack: Workspace, args: Json) -> Json:
    """Append to a living stream."""
    message, stream = _living(slack, args)
    stream.appends.append(_written(stream, args))
    return {"channel": message.channel, "ts": message.ts}


def stop_stream(slack: Workspace, args: Json) -> Json:
    """End a living stream, with a last text, blocks and metadata."""
    message, stream = _living(slack, args)
    status = args.get("session_status", "active")
    if status not in STATUSES:
        raise SlackError("invalid_arguments", detail=f"no session status {status}")
    check_metadata(args.get("metadata"))
    blocks = args.get("blocks", [])
    if blocks:
        check_blocks(blocks, surface="message")
    if "markdown_text" in args or "chunks" in args:
        stream.appends.append(_written(stream, args))
    stream.state = StreamState.STOPPED
    message.blocks = blocks
    message.metadata = args.get("metadata")
    slack.set_status(message.channel, message.root, status)
    return {"channel": message.channel, "ts": message.ts}


def _living(slack: Workspace, args: Json) -> tuple[Message, Stream]:
    message = slack.message(args["channel"], args["ts"])
    stream = message.stream
    if stream is None:
        raise SlackError("message_not_in_streaming_state")
    if stream.state is not StreamState.LIVE:
        raise SlackError(_ENDED[stream.state])
    return message, stream


def _written(stream: Stream, args: Json) -> str:
    """The text of a call, in the one way in which this stream is written."""
    chunked = "chunks" in args
    if chunked == ("markdown_text" in args):
        raise SlackError("no_text" if not chunked else "streaming_mode_mismatch")
    if stream.chunked not in (None, chunked):
        raise SlackError("streaming_mode_mismatch")
    if chunked:
        text = "".join(chunk["text"] for chunk in args["chunks"] if chunk.get("type") == "markdown_text")
    else:
        text = args["markdown_text"]
    if not text:
        raise SlackError("no_text")
    if len(text) > MARKDOWN_MAX:
        raise SlackError("msg_too_long")
    stream.chunked = chunked
    return str(text)


def set_status(slack: Workspace, args: Json) -> Json:
    """agents.sessions.setStatus."""
    if not slack.agent:
        raise SlackError("not_authorized")
    channel = slack.channel(args["channel_id"], to_write=True)
    thread = args.get("thread_ts", "")
    if thread not in channel.messages:
        raise SlackError("thread_not_found")
    if args["status"] not in STATUSES or len(args.get("title", "")) > TITLE_MAX:
        raise SlackError("invalid_arguments", detail="status or title")
    slack.set_status(channel.id, thread, args["status"], args.get("title", ""))
    return {}


def rename(slack: Workspace, args: Json) -> Json:
    """agents.sessions.rename; there must be a session."""
    session = slack.sessions.get((args["channel_id"], args.get("thread_ts", "")))
    if session is None:
        raise SlackError("not_authorized")
    if len(args["title"]) > TITLE_MAX:
        raise SlackError("invalid_arguments", detail="title")
    session.title = args["title"]
    return {}


METHODS: dict[str, Callable[[Workspace, Json], Json]] = {
    "chat.startStream": start_stream,
    "chat.appendStream": append_stream,
    "chat.stopStream": stop_stream,
    "agents.sessions.setStatus": set_status,
    "agents.sessions.rename": rename,
}
