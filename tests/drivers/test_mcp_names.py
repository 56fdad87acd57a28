"""What a server says of its tools, as the model's provider gets it: one tool that it refuses would end every chat."""

from __future__ import annotations

import re
from collections.abc import Mapping

import mcp_types as types
import pytest

from core.drivers.mcp_names import Listed, offered
from core.drivers.mcp_wire import answer, listed

ANY: Mapping[str, object] = {"type": "object"}
FIELDS: Mapping[str, object] = {"type": "object", "properties": {"a": {"type": "string"}}}


def named(*names: str) -> tuple[str, ...]:
    """The names that the model sees for these tools."""
    return tuple(
        each.name for each in offered("s", [Listed(name=n, description="", schema=ANY) for n in names], None, {})
    )


def schema(given: dict[str, object]) -> Mapping[str, object]:
    """The schema that the provider gets for this one."""
    (tool,) = offered("s", [listed(types.Tool(name="get", input_schema=given))], None, {})
    return tool.schema


def test_a_tool_that_is_listed_twice_is_offered_once() -> None:
    """Its twin would be refused, and with it every question of everybody."""
    assert named("a", "b", "a", "a") == ("s__a", "s__b")


def test_names_that_look_alike_stay_apart() -> None:
    """Two tools under one name would be refused; a long one is cut and keeps its own."""
    names = named("h\u00f6flich", "h\u00e4flich", "h flich", "x" * 100, "x" * 101)
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", each) for each in names)


@pytest.mark.parametrize(
    "given",
    [
        {"type": "object", "properties": {"a b/c": {"type": "string"}}},
        {"type": "object", "properties": {"$filter": {"type": "string"}}},
        {"type": "object", "properties": None},
        {"type": "object", "properties": {"a": {"type": "text"}}},
        {"type": "object", "required": "a"},
        {"type": "string"},
        {},
    ],
)
def test_what_the_provider_would_refuse_becomes_any_object(given: dict[str, object]) -> None:
    """The tool can still be used; its server says what is wrong with an input."""
    assert schema(given) == ANY


@pytest.mark.parametrize("name", ["oneOf", "anyOf", "allOf"])
def test_alternatives_at_the_top_are_left_out(name: str) -> None:
    """They are refused there; the fields are kept."""
    assert schema({**FIELDS, name: [{"required": ["a"]}]}) == FIELDS


def test_an_image_that_is_none_is_told_in_words() -> None:
    """The provider refuses it, and with it every later question of that conversation."""
    broken = types.ImageContent(type="image", data="not base64!", mime_type="image/png")
    assert "cannot be shown" in answer(types.CallToolResult(content=[broken])).content


def test_a_result_of_blanks_is_none() -> None:
    """Text of blanks alone may be refused, too."""
    blank = types.TextContent(type="text", text=" \n")
    assert "(no result)" in answer(types.CallToolResult(content=[blank])).content
