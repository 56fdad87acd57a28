"""What the real Messages API refuses, as far as the program could get it wrong (see `facts/model.md` 1-2).

Knows: API version 2026-10-21. Must not know: scripted faults.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

_THINKING = ("thinking", "redacted_thinking")
_THINKING_MODES = ("adaptive", "between_tools")
_SIGNED = "signed:"
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_NAMES = """
    model max_tokens messages system stream cache_control metadata output_config thinking tools tool_choice
    stop_sequences service_tier container diagnostics inference_geo speed
""".split()  # noqa: SIM905 - a list of words reads as words


class Refusal(Exception):
    """An answer with `status`; `kind` is the error's type, `code` the detail's error_code."""

    def __init__(self, status: int, kind: str, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.code = code


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise `Refusal` for a request without key or version."""
    bearer = headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not (bearer or headers.get("x-api-key", "").strip()):
        raise Refusal(status=401, kind="authentication_error", message="x-api-key header is required")
    if not headers.get("anthropic-version"):
        raise _invalid("anthropic-version: header is required")


def check_body(body: object) -> Mapping[str, object]:
    """Give the body as it is. Raises `Refusal` for what the API would not take."""
    if not isinstance(body, dict):
        raise _invalid("the body is no JSON object")
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise _invalid(f"{name}: not supported in this API version")
    if unknown := set(body).difference(_NAMES):
        raise _invalid(f"{min(unknown)}: Extra inputs are not permitted")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise _invalid("model: Field required")
    tokens = body.get("max_tokens")
    if not isinstance(tokens, int) or tokens < 1:
        raise _invalid("max_tokens: must be at least 1")
    _check_settings(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _invalid("messages: at least one message is required")
    _check_messages(messages)
    _check_bindings(body, messages)
    return body


def sign(body: Mapping[str, object], before: Sequence[Mapping[str, object]]) -> str:
    """The signature of a thinking block: bound to system, tools and every earlier message (facts 1.3)."""
    bound = [body.get("system", ""), body.get("tools", []), [_plain(message) for message in before]]
    return _SIGNED + hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()


def _check_settings(body: Mapping[str, object]) -> None:
    thinking = body.get("thinking", {})
    if thinking and (not isinstance(thinking, dict) or thinking.get("type") not in _THINKING_MODES):
        raise _invalid("thinking.type: must be adaptive or between_tools for this model")
    output = body.get("output_config", {})
    if not isinstance(output, dict) or output.get("effort", "low") not in _EFFORTS:
        raise _invalid("output_config.effort: unknown")
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("user_id", ""), str):
        raise _invalid("metadata.user_id: must be a string")
    cache = body.get("cache_control", {})
    if not isinstance(cache, dict) or (cache and cache.get("type") != "ephemeral"):
        raise _invalid("cache_control.type: must be ephemeral")


def _check_messages(messages: Sequence[object]) -> None:
    last = ""
    open_tools: set[str] = set()
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise _invalid(f"messages.{place}.role: must be user or assistant")
        role = message["role"]
        if role == last or (place == 0 and role != "user"):
            raise _invalid(f"messages.{place}: roles must alternate between user and assistant, user first")
        open_tools = _check_tools(place, _blocks(place, message["content"]), role, open_tools)
        last = role
    if last != "user":
        raise _invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _blocks(place: int, content: object) -> list[dict[str, object]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not content:
        raise _invalid(f"messages.{place}: all messages must have non-empty content")
    for block in content:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise _invalid(f"messages.{place}.content: each block has a type")
        if block["type"] == "text" and not str(block.get("text", "")).strip():
            raise _invalid(f"messages.{place}: text content blocks must contain non-whitespace text")
        if block["type"] == "thinking" and not str(block.get("signature", "")).startswith(_SIGNED):
            raise _invalid(f"messages.{place}: Invalid `signature` in `thinking` block")
    return content


def _check_tools(place: int, blocks: list[dict[str, object]], role: str, wanted: set[str]) -> set[str]:
    """Every tool_use is answered in the very next message, results first; give the open ones after it."""
    if role == "assistant":
        return {str(block["id"]) for block in blocks if block["type"] == "tool_use"}
    results = [block for block in blocks if block["type"] == "tool_result"]
    given = {str(block.get("tool_use_id")) for block in results}
    if missing := wanted - given:
        raise _invalid(f"messages.{place}: tool_use ids were found without tool_result: {', '.join(missing)}")
    if given - wanted:
        raise _invalid(f"messages.{place}: unexpected tool_use_id in tool_result blocks")
    if results != blocks[: len(results)]:
        raise _invalid(f"messages.{place}: tool_result blocks must come first")
    return set()


def _check_bindings(body: Mapping[str, object], messages: Sequence[dict[str, object]]) -> None:
    for place, message in enumerate(messages):
        for block in _blocks(place, message["content"]):
            if block["type"] == "thinking" and block["signature"] != sign(body, messages[:place]):
                raise _invalid(
                    f"messages.{place}: this thinking block is bound to a different conversation and cannot be used"
                )


def _plain(message: Mapping[str, object]) -> object:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    kept = [{name: part for name, part in block.items() if name != "cache_control"} for block in _dicts(blocks)]
    return [message["role"], [block for block in kept if block["type"] not in _THINKING]]


def _dicts(blocks: object) -> list[dict[str, object]]:
    return blocks if isinstance(blocks, list) else []


def _invalid(message: str) -> Refusal:
    return Refusal(status=400, kind="invalid_request_error", message=message)
