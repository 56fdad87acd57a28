"""What Discord refuses: limits of content and components, with its own error codes.

Knows: discord-api-docs, topics/opcodes-and-status-codes and components/reference. Must not know: HTTP, what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.kit.discord_world import Payload

CONTENT_MAX, NONCE_MAX, ROWS_MAX, CUSTOM_ID_MAX, LABEL_MAX, OPTIONS_MAX = 2000, 25, 5, 100, 80, 25
ACTION_ROW, BUTTON, SELECT, TEXT_INPUT, LABEL = 1, 2, 3, 4, 18
LINK_STYLE, TITLE_MAX, MODAL_LABEL_MAX, INPUT_MAX = 5, 45, 45, 4000


@dataclass(frozen=True, slots=True)
class ApiError(Exception):
    """An answer that is not 2xx."""

    status: int
    code: int
    message: str

    def body(self) -> Payload:
        """The JSON of it."""
        return {"code": self.code, "message": self.message}


def unknown(what: str, code: int) -> ApiError:
    """A 404 of the 100xx family."""
    return ApiError(404, code, f"Unknown {what}")


def invalid(where: str, why: str) -> ApiError:
    """50035: a field has a wrong value."""
    return ApiError(400, 50035, f"Invalid Form Body: {where}: {why}")


def need(holds: bool, where: str, why: str) -> None:  # noqa: FBT001  (an assertion reads best like one)
    """Refuse unless it holds."""
    if not holds:
        raise invalid(where, why)


def check_message(data: Payload, *, is_new: bool) -> None:
    """The body of a message that is posted or edited."""
    content = data.get("content")
    need(content is None or isinstance(content, str), "content", "must be a string")
    need(len(content or "") <= CONTENT_MAX, "content", f"must be {CONTENT_MAX} or fewer in length")
    nonce = data.get("nonce")
    need(nonce is None or len(str(nonce)) <= NONCE_MAX, "nonce", f"must be {NONCE_MAX} or fewer in length")
    components = data.get("components") or []
    check_components(components)
    if is_new and not (content or "").strip() and not components and not data.get("embeds"):
        raise ApiError(400, 50006, "Cannot send an empty message")


def check_components(rows: list[Payload]) -> None:
    """Action rows with buttons or one select."""
    need(len(rows) <= ROWS_MAX, "components", f"must be {ROWS_MAX} or fewer in length")
    seen: set[str] = set()
    ids: set[int] = set()
    for n, row in enumerate(rows):
        where = f"components[{n}]"
        need(row.get("type") == ACTION_ROW, where, "must be an action row")
        inside = row.get("components") or []
        need(1 <= len(inside) <= ROWS_MAX, where, "must have 1 to 5 components")
        need(all(each.get("type") == BUTTON for each in inside) or len(inside) == 1, where, "a select stands alone")
        for each in (row, *inside):
            if each.get("id"):
                need(each["id"] not in ids, where, "Component id is duplicated")
                need(0 < each["id"] < 1 << 31, where, "id is not an int32")
                ids.add(each["id"])
        for each in inside:
            _check_component(each, where)
            if "custom_id" in each:
                need(each["custom_id"] not in seen, where, "Component custom id cannot be duplicated")
                seen.add(each["custom_id"])


def _check_component(data: Payload, where: str) -> None:
    custom_id = data.get("custom_id")
    if data["type"] == BUTTON:
        need(data.get("style") in range(1, 7), where, "style is unknown")
        need(data.get("style") == LINK_STYLE or isinstance(custom_id, str), where, "custom_id is required")
        need(0 < len(data.get("label") or "") <= LABEL_MAX, where, f"label must be {LABEL_MAX} or fewer in length")
    elif data["type"] == SELECT:
        options = data.get("options") or []
        need(1 <= len(options) <= OPTIONS_MAX, where, f"options must be 1 to {OPTIONS_MAX}")
        values = [each.get("value") for each in options]
        need(len(set(values)) == len(values), where, "option values must be unique")
        need(all(0 < len(each.get("value") or "") <= CUSTOM_ID_MAX for each in options), where, "option value length")
        need(all(0 < len(each.get("label") or "") <= CUSTOM_ID_MAX for each in options), where, "option label length")
    else:
        raise invalid(where, "component type is not allowed here")
    if custom_id is not None:
        need(1 <= len(custom_id) <= CUSTOM_ID_MAX, where, f"custom_id must be {CUSTOM_ID_MAX} or fewer in length")


def check_modal(data: Payload) -> None:
    """The data of a modal: 1 to 5 labels with an input."""
    need(1 <= len(data.get("custom_id") or "") <= CUSTOM_ID_MAX, "custom_id", "length")
    need(1 <= len(data.get("title") or "") <= TITLE_MAX, "title", f"must be {TITLE_MAX} or fewer in length")
    rows = data.get("components") or []
    need(1 <= len(rows) <= ROWS_MAX, "components", "must have 1 to 5 components")
    for row in rows:
        need(row.get("type") == LABEL, "components", "must be labels")
        need(1 <= len(row.get("label") or "") <= MODAL_LABEL_MAX, "label", "length")
        given = row.get("component") or {}
        need(given.get("type") == TEXT_INPUT, "component", "must be a text input")
        need("label" not in given, "component", "a label's input has no label of its own")
        need(given.get("style") in (1, 2), "component", "style")
        need(1 <= len(given.get("custom_id") or "") <= CUSTOM_ID_MAX, "component", "custom_id length")
        need(1 <= (given.get("max_length") or 1) <= INPUT_MAX, "component", "max_length")


def check_choices(data: Payload) -> None:
    """The data of a completion."""
    choices = data.get("choices") or []
    need(len(choices) <= OPTIONS_MAX, "choices", f"must be {OPTIONS_MAX} or fewer in length")
    for each in choices:
        need(1 <= len(each.get("name") or "") <= CUSTOM_ID_MAX, "choices", "name length")
        need(1 <= len(each.get("value") or "") <= CUSTOM_ID_MAX, "choices", "value length")


def numbered(rows: list[Payload]) -> list[Payload]:
    """Components as Discord keeps them: each with an id of its own."""
    taken = {each["id"] for each in _flat(rows) if each.get("id")}
    fresh = (n for n in range(1, 1 << 31) if n not in taken)
    for each in _flat(rows):
        if not each.get("id"):
            each["id"] = next(fresh)
        if each["type"] == SELECT:
            each.setdefault("min_values", 1)
            each.setdefault("max_values", 1)
    return rows


def _flat(rows: list[Payload]) -> Iterator[Payload]:
    for row in rows:
        yield row
        yield from row.get("components") or ()
