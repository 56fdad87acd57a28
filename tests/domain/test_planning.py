"""A plan as models write it, and as it is understood."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.domain.rules.planning import (
    INSTRUCTION_CHARS,
    SCHEMA,
    STEPS_MAX,
    STEPS_MIN,
    TITLE_CHARS,
    Planned,
    parse,
)
from core.domain.tasking import ANY_TOOL

TWO = '{"title": "a", "instruction": "do a"}, {"title": "b", "instruction": "do b"}'


@pytest.mark.parametrize(
    "text",
    [
        f'{{"steps": [{TWO}]}}',
        f"[{TWO}]",
        f'Here you are:\n```json\n{{"steps": [{TWO}]}}\n```\nShall I?',
        f'I thought of {{this}} and [that].\n{{"plan": {{"steps": [{TWO}]}}}}',
        '{"steps": [{"name": "a", "description": "do a"}, {"name": "b", "prompt": "do b"}]}',
        f'{{"steps": []}} {{"tasks": [{TWO}]}}',
    ],
)
def test_a_plan_is_found_wherever_it_stands(text: str) -> None:
    """A model that says a word too many, or names things otherwise, cannot plan."""
    assert parse(text) == (
        Planned(title="a", instruction="do a", tools=(ANY_TOOL,)),
        Planned(title="b", instruction="do b", tools=(ANY_TOOL,)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "1. a: do a\n2. b: do b",
        "The plan:\n\n1) **a**: do a\n2) **b**: do b\n\nThat is all.",
        "Step 1: a: do a\nStep 2: b: do b",
        "**Step 1.** a: do a\n**Step 2.** b: do b",
    ],
)
def test_a_numbered_list_is_a_plan_in_order(text: str) -> None:
    """A model that answers in plain words cannot plan, or its steps run before what they need."""
    steps = parse(text)
    assert [each.title for each in steps] == ["a", "b"]
    assert [each.depends for each in steps] == [(), (1,)]
    assert all(each.tools == (ANY_TOOL,) for each in steps)
    assert all(f"do {each.title}" in each.instruction for each in steps)


@pytest.mark.parametrize(
    "text", ["", "Hello.", "1. only one", "{}", "[]", '{"steps": "none"}', '{"steps": [1, 2]}', "[["]
)
def test_what_is_no_plan_is_none(text: str) -> None:
    """A chat answer is taken for a plan and worked on."""
    assert parse(text) == ()


@pytest.mark.parametrize(("count", "fits"), [(1, False), (STEPS_MIN, True), (STEPS_MAX, True), (STEPS_MAX + 1, False)])
def test_a_plan_has_two_to_twenty_steps(count: int, fits: bool) -> None:  # noqa: FBT001 -- a table
    """A plan of a hundred steps runs for a day, or its end is cut off without a word."""
    steps = [{"title": f"s{n}", "instruction": "do"} for n in range(count)]
    assert bool(parse(json.dumps({"steps": steps}))) is fits


def test_a_plan_that_names_no_tools_gets_none_and_one_that_says_nothing_may_use_any() -> None:
    """A step that was not to use anything may use everything, or one that needs a tool has none."""
    steps = [{"title": "a", "instruction": "x", "tools": []}, {"title": "b", "instruction": "x"}]
    assert [each.tools for each in parse(json.dumps(steps))] == [(), (ANY_TOOL,)]


def test_dependencies_go_by_number_or_by_name_and_bad_ones_are_dropped() -> None:
    """A step waits for itself, for nothing, or around in a circle: the task stands still."""
    steps = [
        {"title": "a", "instruction": "x", "depends_on": [1, 9, 3]},
        {"title": "b", "instruction": "x", "depends_on": ["a", "Step 1", True, None]},
        {"title": "c", "instruction": "x", "depends_on": "2"},
    ]
    # a -> c is taken first; c -> b -> a would close the circle, so c stands without b.
    assert [each.depends for each in parse(json.dumps(steps))] == [(3,), (1,), ()]


NAMES = st.sampled_from(["a", "b", "c", "d", "1", "2", "3", "4", "9", "0", "-1"])
DEPENDS = st.lists(st.one_of(st.integers(-2, 8), NAMES, st.none(), st.booleans()), max_size=5)


@given(st.lists(DEPENDS, min_size=2, max_size=8))
@example([[2], [3], [1]])
def test_every_plan_can_be_worked_on_to_its_end(depends: list[list[object]]) -> None:
    """A plan has a step that nothing can ever start."""
    steps = [{"title": f"t{n}", "instruction": "x", "depends_on": each} for n, each in enumerate(depends)]
    planned = parse(json.dumps({"steps": steps}))
    over: set[int] = set()
    while left := [n for n, each in enumerate(planned, start=1) if n not in over and over.issuperset(each.depends)]:
        over.update(left)
    assert over == set(range(1, len(depends) + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["steps", "plan", "title", "instruction", "depends_on", "tools"]), inner)
    ),
    max_leaves=20,
)


@given(st.one_of(st.text(), JSON.map(json.dumps), JSON.map(lambda value: f"x {json.dumps(value)} y")))
def test_nothing_that_a_model_says_breaks_it(text: str) -> None:
    """A strange answer kills the turn instead of being asked for again."""
    for step in parse(text):
        assert step.instruction
        assert len(step.title) <= TITLE_CHARS
        assert len(step.instruction) <= INSTRUCTION_CHARS


def test_the_schema_describes_what_is_read() -> None:
    """The provider enforces a form that we do not understand."""
    item = json.loads(SCHEMA)["properties"]["steps"]["items"]
    sample = {"title": "t", "instruction": "i", "tools": ["x"], "depends_on": []}
    assert set(item["required"]) == set(item["properties"]) == set(sample)
    first, second = parse(json.dumps({"steps": [sample, sample | {"depends_on": [1]}]}))
    assert (first.tools, second.depends) == (("x",), (1,))
