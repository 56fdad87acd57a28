"""MCP's own values made into ours: results, lists, errors. The only file besides `mcp_link` that sees them.

Knows: how long a result may be, and what an error of the protocol says about whether something was done. Must not
know: connections.
"""

from __future__ import annotations

import base64
import json

import mcp_types as types
from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]

from core.drivers.mcp_names import Listed
from core.engine.tool_ports import ToolAnswer

RESULT_MAX_CHARS = 30_000  # some 10,000 tokens: they are paid for with every further call of the turn
IMAGE_MAX_CHARS = 700_000  # of base64, half a megabyte
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_CUT = "\n[The rest, {left} characters, was left out.]"


def listed(tool: types.Tool) -> Listed:
    """A tool of a list."""
    hints = tool.annotations or types.ToolAnnotations()
    return Listed(
        name=tool.name,
        description=tool.description or "",
        schema=_sound(tool.input_schema),
        reads_only=hints.read_only_hint,
        destroys=hints.destructive_hint,
        idempotent=hints.idempotent_hint,
    )


def _sound(schema: dict[str, object]) -> dict[str, object]:
    """A schema that is none would be refused by the model's provider, and every question with it."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return {"type": "object"}
    return schema


def answer(result: types.CallToolResult) -> ToolAnswer:
    """A result, as much of it as may be sent on."""
    blocks: list[dict[str, object]] = []
    room = RESULT_MAX_CHARS
    for each in result.content:
        if isinstance(each, types.ImageContent):
            blocks.append(_image(each))
        elif room > 0:
            text = _shortened(_text(each), room)
            room -= len(text)
            blocks.append({"type": "text", "text": text})
    if not result.content and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
        blocks.append({"type": "text", "text": _shortened(text, room)})
    filled = [each for each in blocks if str(each.get("text", "image")).strip()] or [
        {"type": "text", "text": "(no result)"}
    ]
    return ToolAnswer(content=json.dumps(filled, ensure_ascii=False), is_error=result.is_error)


def refusal(message: str) -> ToolAnswer:
    """What the server says instead of a result."""
    text = _shortened(message, RESULT_MAX_CHARS // 10) or "The server gave no reason."
    blocks = [{"type": "text", "text": f"The tool server refused the call: {text}"}]
    return ToolAnswer(content=json.dumps(blocks, ensure_ascii=False), is_error=True)


def _text(block: types.ContentBlock) -> str:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.EmbeddedResource):
        inner = block.resource
        return inner.text if isinstance(inner, types.TextResourceContents) else f"[a file, {inner.mime_type}]"
    if isinstance(block, types.ResourceLink):
        return f"[a link: {block.name}, {block.uri}]"
    return f"[{block.type}]"


def _image(block: types.ImageContent) -> dict[str, object]:
    if block.mime_type not in _IMAGES or len(block.data) > IMAGE_MAX_CHARS or not _is_base64(block.data):
        return {"type": "text", "text": f"[an image that cannot be shown: {block.mime_type}]"}
    source = {"type": "base64", "media_type": block.mime_type, "data": block.data}
    return {"type": "image", "source": source}


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except ValueError:
        return False


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else text[:room] + _CUT.format(left=f"{len(text) - room:,}")
