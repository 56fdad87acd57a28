"""What Slack refuses before a method does anything: tokens, argument names, Block Kit limits.

Knows: the tables of the API (facts/slack.md sections 1.3, 1.4, 5). Must not know: what a method does. Pure.
Stricter than Slack in one way: an argument that a method does not have is refused, so that a slip is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.kit.slack_state import Json, SlackError

MARKDOWN_MAX = 12_000
TEXT_MAX = 40_000
UPDATE_TEXT_MAX = 4_000
MESSAGE_BLOCKS_MAX = 50
VIEW_BLOCKS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: argument names, required ones with a star; scopes of which one is needed; calls a minute."""

    args: tuple[str, ...]
    needed: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    per_minute: int = 50
    json: bool = True  # takes JSON bodies; reading methods do not
    app_token: bool = False


def _method(args: str, scopes: str = "", per_minute: int = 50, *, json: bool = True, app: bool = False) -> Method:
    names = args.split()
    return Method(
        args=tuple(name.rstrip("*") for name in names),
        needed=tuple(name.rstrip("*") for name in names if name.endswith("*")),
        scopes=tuple(scopes.split()),
        per_minute=per_minute,
        json=json,
        app_token=app,
    )


_HISTORY = "channels:history groups:history im:history mpim:history"
_READ = "channels:read groups:read im:read mpim:read"
METHODS: dict[str, Method] = {
    "auth.test": _method("", per_minute=600),
    "apps.connections.open": _method("", per_minute=600, app=True),
    "chat.postMessage": _method(
        "channel* text blocks thread_ts metadata markdown_text unfurl_links unfurl_media reply_broadcast mrkdwn parse",
        "chat:write",
        600,
    ),
    "chat.postEphemeral": _method("channel* user* text blocks thread_ts", "chat:write", 100),
    "chat.update": _method("channel* ts* text blocks metadata markdown_text", "chat:write", 50),
    "chat.delete": _method("channel* ts*", "chat:write", 50),
    "chat.startStream": _method(
        "channel* thread_ts markdown_text recipient_team_id recipient_user_id chunks task_display_mode",
        "chat:write",
        20,
    ),
    "chat.appendStream": _method("channel* ts* markdown_text chunks", "chat:write", 100),
    "chat.stopStream": _method("channel* ts* markdown_text chunks blocks metadata session_status", "chat:write", 20),
    "agents.sessions.setStatus": _method("channel_id* status* thread_ts title initiator_user_id", "chat:write", 50),
    "agents.sessions.rename": _method("channel_id* title* thread_ts", "chat:write", 50),
    "conversations.history": _method(
        "channel* oldest latest limit cursor inclusive include_all_metadata", _HISTORY, 50, json=False
    ),
    "conversations.replies": _method(
        "channel* ts* oldest latest limit cursor inclusive include_all_metadata", _HISTORY, 50, json=False
    ),
    "conversations.info": _method("channel*", _READ, 50, json=False),
    "conversations.open": _method("users* return_im", "im:write mpim:write", 50),
    "users.conversations": _method("types limit cursor exclude_archived user", _READ, 50, json=False),
    "users.info": _method("user* include_locale", "users:read", 100, json=False),
    "reactions.add": _method("channel* timestamp* name*", "reactions:write", 50),
    "reactions.remove": _method("channel timestamp name*", "reactions:write", 20),
    "views.open": _method("trigger_id* view*", "", 100),
    "views.push": _method("trigger_id* view*", "", 100),
    "views.update": _method("view_id view* hash external_id", "", 100),
    "views.publish": _method("user_id* view* hash", "", 100),
    "files.info": _method("file*", "files:read", 100, json=False),
    "files.getUploadURLExternal": _method("filename* length*", "files:write", 50, json=False),
    "files.completeUploadExternal": _method("files* channel_id thread_ts initial_comment", "files:write", 50),
}


def check_args(name: str, method: Method, args: Json, content_type: str) -> None:
    """Refuse JSON where it is not read, unknown arguments, missing ones."""
    if content_type == "application/json" and not method.json:
        raise SlackError("invalid_arguments", detail=f"{name} does not read JSON bodies")
    unknown = sorted(set(args) - set(method.args))
    if unknown:
        raise SlackError("invalid_arguments", detail=f"{name} has no {', '.join(unknown)}")
    for each in method.needed:
        if args.get(each) in (None, ""):
            raise SlackError("invalid_arguments", detail=f"{name} needs {each}")


def check_message(args: Json, *, updating: bool = False) -> None:
    """The text and blocks of a message."""
    text, blocks, markdown = args.get("text", ""), args.get("blocks"), args.get("markdown_text")
    if not text and not blocks and not markdown:
        raise SlackError("no_text")
    if markdown is not None and (text or blocks):
        raise SlackError("markdown_text_conflict")
    if len(markdown or "") > MARKDOWN_MAX:
        raise SlackError("msg_too_long")
    if len(text) > (UPDATE_TEXT_MAX if updating else TEXT_MAX):
        raise SlackError("msg_too_long")
    if blocks and not text:
        raise SlackError("invalid_arguments", detail="blocks without a text fallback")
    check_blocks(blocks or [], surface="message", updating=updating)


def check_blocks(blocks: Any, *, surface: str, updating: bool = False) -> None:  # noqa: ANN401
    """Block Kit limits of a list of blocks; raises `invalid_blocks` with every problem."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    most = MESSAGE_BLOCKS_MAX if surface == "message" else VIEW_BLOCKS_MAX
    problems = [] if len(blocks) <= most else [f"more than {most} blocks"]
    for block in blocks:
        problems += _block(block, surface)
    ids = [element["action_id"] for block in blocks for element in _elements(block) if "action_id" in element]
    if len(set(ids)) != len(ids):
        problems.append("an action_id stands twice")
    if problems:
        raise SlackError("invalid_blocks", detail="; ".join(problems))
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > (UPDATE_TEXT_MAX if updating else MARKDOWN_MAX):
        raise SlackError("msg_blocks_too_long")


def _elements(block: Json) -> list[Json]:
    if block.get("type") == "input":
        return [block.get("element", {})]
    found = list(block.get("elements", [])) if block.get("type") in ("actions", "context_actions") else []
    return found + ([block["accessory"]] if "accessory" in block else [])


def _block(block: Json, surface: str) -> Iterator[str]:
    kind = block.get("type")
    if len(str(block.get("block_id", ""))) > 255:
        yield "block_id above 255"
    if kind not in _BLOCKS:
        yield f"unknown block {kind}"
        return
    yield from _BLOCKS[kind](block, surface)
    for element in _elements(block):
        yield from _element(element, surface)


def _markdown(block: Json, surface: str) -> Iterator[str]:
    if surface != "message":
        yield f"markdown blocks do not exist in a {surface}"
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield "markdown without text"


def _section(block: Json, surface: str) -> Iterator[str]:
    del surface
    yield from _text(block.get("text"), 3_000)
    if len(block.get("fields", [])) > 10:
        yield "more than 10 fields"


def _header(block: Json, surface: str) -> Iterator[str]:
    del surface
    yield from _text(block.get("text"), 150, plain=True)


def _context(block: Json, surface: str) -> Iterator[str]:
    del surface
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= 10:
        yield "context needs 1 to 10 elements"
        return
    for each in elements:
        yield from _text(each, 3_000)


def _actions(block: Json, surface: str) -> Iterator[str]:
    del surface
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= 25:
        yield "actions need 1 to 25 elements"


def _input(block: Json, surface: str) -> Iterator[str]:
    if surface != "modal":
        yield f"inputs do not exist in a {surface}"
    yield from _text(block.get("label"), 2_000, plain=True)


def _divider(block: Json, surface: str) -> Iterator[str]:
    del block, surface
    yield from ()


_STATUSES = ("pending", "in_progress", "complete", "error")
_TASK_KEYS = frozenset({"type", "task_id", "title", "status", "details", "output", "sources", "block_id"})


def _task_card(block: Json, surface: str) -> Iterator[str]:
    if surface != "message":
        yield f"task cards do not exist in a {surface}"
    if unknown := set(block) - _TASK_KEYS:
        yield f"a task card has no {', '.join(sorted(unknown))}"
    yield from _string(block.get("task_id"), 255, "task_id")
    yield from _string(block.get("title"), 256, "title of a task card")
    if block.get("status") not in _STATUSES:
        yield f"status {block.get('status')} of a task card"
    for name in ("details", "output"):
        if name in block and (not isinstance(block[name], dict) or block[name].get("type") != "rich_text"):
            yield f"{name} of a task card that is no rich_text"


def _plan(block: Json, surface: str) -> Iterator[str]:
    if surface != "message":
        yield f"plans do not exist in a {surface}"
    if unknown := set(block) - {"type", "title", "tasks", "block_id"}:
        yield f"a plan has no {', '.join(sorted(unknown))}"
    yield from _string(block.get("title"), 256, "title of a plan")
    tasks = block.get("tasks")
    if not isinstance(tasks, list) or not 1 <= len(tasks) <= 50:
        yield "a plan needs 1 to 50 tasks"
        return
    for each in tasks:
        if not isinstance(each, dict) or each.get("type") != "task_card":
            yield "in a plan stand task cards only"
            return
        yield from _task_card(each, surface)
    names = [each.get("task_id") for each in tasks]
    if len(set(names)) != len(names):
        yield "a task_id stands twice"


def _string(text: Any, most: int, name: str) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(text, str) or not 1 <= len(text) <= most:
        yield f"{name}: 1 to {most} characters"


_BLOCKS = {
    "markdown": _markdown,
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "divider": _divider,
    "plan": _plan,
    "task_card": _task_card,
}


def _text(text: Any, most: int, *, plain: bool = False) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(text, dict) or not isinstance(text.get("text"), str):
        yield "no text object"
        return
    if text.get("type") not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
        yield f"text of type {text.get('type')}"
    if not 1 <= len(text["text"]) <= most:
        yield f"text of {len(text['text'])} characters, allowed are 1 to {most}"


def _element(element: Json, surface: str) -> Iterator[str]:
    if not 1 <= len(str(element.get("action_id", ""))) <= 255:
        yield "action_id of 1 to 255 characters is needed"
    match element.get("type"):
        case "button":
            yield from _text(element.get("text"), 75, plain=True)
            if len(element.get("value", "")) > 2_000:
                yield "button value above 2000"
            if element.get("style", "primary") not in ("primary", "danger"):
                yield "unknown style"
            visible = element.get("visible_to_user_ids", [])
            if not isinstance(visible, list) or (visible and surface != "message"):
                yield "visible_to_user_ids is a list, in messages"
        case "overflow":
            yield from _options(element, 5)
        case "static_select" | "radio_buttons":
            yield from _options(element, 100 if element["type"] == "static_select" else 10)
        case "plain_text_input":
            if surface != "modal" or element.get("max_length", 1) > 3_000:
                yield "plain_text_input: in modals, at most 3000 characters"
        case kind:
            yield f"unknown element {kind}"


def _options(element: Json, most: int) -> Iterator[str]:
    options = element.get("options")
    if not isinstance(options, list) or not 1 <= len(options) <= most:
        yield f"{element['type']} needs 1 to {most} options"
        return
    for each in options:
        yield from _text(each.get("text"), 75)
        if not 1 <= len(each.get("value", "")) <= 150:
            yield "option value of 1 to 150 characters is needed"


def check_view(view: Any, kind: str) -> None:  # noqa: ANN401
    """A modal or a Home view."""
    if not isinstance(view, dict) or view.get("type") != kind:
        raise SlackError("invalid_arguments", detail=f"no view of type {kind}")
    problems: list[str] = []
    if kind == "modal":
        for name, most, needed in (("title", 24, True), ("submit", 24, False), ("close", 24, False)):
            if needed or name in view:
                problems += _text(view.get(name), most, plain=True)
        inputs = any(block.get("type") == "input" for block in view.get("blocks", []))
        if inputs and "submit" not in view:
            problems.append("inputs need a submit")
    if len(view.get("callback_id", "")) > 255 or len(view.get("private_metadata", "")) > 3_000:
        problems.append("callback_id above 255 or private_metadata above 3000")
    if problems:
        raise SlackError("invalid_arguments", detail="; ".join(problems))
    check_blocks(view.get("blocks"), surface="modal" if kind == "modal" else "home")


def check_metadata(metadata: Any) -> None:  # noqa: ANN401
    """Message metadata: a type and a flat payload."""
    if metadata is None:
        return
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata["event_payload"], dict) or len(str(metadata)) > 16_000:
        raise SlackError("invalid_metadata_format")
