"""Cutting a long answer into parts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from core.domain.rules.split import LEAST_MAX_CHARS, closing, next_start, part_text

WORD = st.text(st.sampled_from("abcdeäß"), min_size=1, max_size=12)
PROSE = st.lists(WORD, min_size=1, max_size=30).map(" ".join)
CODE = st.builds(
    "{fence}{info}\n{body}\n{fence}".format,
    fence=st.sampled_from(["```", "````", "~~~"]),
    info=st.sampled_from(["", "python", "js"]),
    body=st.lists(PROSE, max_size=12).map("\n".join),
)
MARKDOWN = st.lists(st.one_of(PROSE, CODE), max_size=12).map("\n\n".join)
LIMITS = st.integers(LEAST_MAX_CHARS, 600)
ANY = st.one_of(MARKDOWN, st.text(st.sampled_from("a `~\n."), max_size=700), st.text(max_size=700))


def starts_of(text: str, max_chars: int) -> list[int]:
    """Where the parts begin."""
    starts = [0]
    while (following := next_start(text, starts[-1], max_chars)) is not None:
        assert following > starts[-1], "a part that holds nothing would be followed by others for ever"
        starts.append(following)
    return starts


def parts_of(text: str, max_chars: int) -> list[str]:
    """The parts as they are posted."""
    starts = starts_of(text, max_chars)
    return [part_text(text, *span) for span in zip(starts, [*starts[1:], None], strict=True)]


@given(ANY, LIMITS)
@example("```" + "x" * 500, LEAST_MAX_CHARS)
@example("`" * 700, LEAST_MAX_CHARS)
@example("``` one line of ``` code\n" * 30, LEAST_MAX_CHARS)
def test_no_part_is_longer_than_the_platform_takes(text: str, max_chars: int) -> None:
    """A part of a long answer cannot be posted, or the delivery never ends."""
    assert all(len(part) <= max_chars for part in parts_of(text, max_chars))


@given(ANY, LIMITS)
def test_the_parts_together_say_everything(text: str, max_chars: int) -> None:
    """Words of a long answer are missing."""
    starts = starts_of(text, max_chars)
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        assert text[start:end].strip("\n ") in part_text(text, start, end)
    assert "".join(text[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)) == text


@given(ANY, st.text(max_size=400), LIMITS)
def test_parts_that_are_full_stay_as_they_are(text: str, more: str, max_chars: int) -> None:
    """A message that stood in the thread changes while the next one is written."""
    before, after = starts_of(text, max_chars), starts_of(text + more, max_chars)
    assert after[: len(before)] == before
    for start, end in pairwise(before):
        assert part_text(text, start, end) == part_text(text + more, start, end)


@given(MARKDOWN, LIMITS)
def test_code_blocks_are_closed_in_the_part_where_they_began(text: str, max_chars: int) -> None:
    """From one message on prose looks like code and code like prose."""
    for part in parts_of(text, max_chars):
        assert closing(part) == ""


@given(MARKDOWN, LIMITS)
def test_short_answers_are_not_touched(text: str, max_chars: int) -> None:
    """A short answer is cut or trimmed without need."""
    if len(text) <= max_chars - 40:
        assert parts_of(text, max_chars) == [text]


def test_a_part_ends_at_the_best_place() -> None:
    """An answer is cut in the middle of a word although a paragraph ends nearby."""
    text = "a" * 100 + "\n\n" + "b" * 20 + "\n" + "c" * 20 + " " + "d" * 200
    assert parts_of(text, 200)[0] == "a" * 100
    assert parts_of(text.replace("\n\n", "xx"), 200)[0].endswith("b")
    assert parts_of(text.replace("\n\n", "xx").replace("\n", ". "), 200)[0].endswith("b.")
    assert parts_of(text.replace("\n", "x"), 200)[0].endswith("c")
    assert len(parts_of("a" * 500, 200)[0]) == 160


def test_a_block_is_reopened_with_its_language() -> None:
    """The second half of a program has lost its colours."""
    first, second, *_ = parts_of("```python\n" + "x = 1\n" * 60 + "```", 200)
    assert first.endswith("x = 1\n```")
    assert second.startswith("```python\nx = 1")


def test_a_long_line_after_the_fence_is_not_repeated() -> None:
    """The name of a file fills every part of its code."""
    second = parts_of("```python title=" + "y" * 30 + "\n" + "x = 1\n" * 60, 200)[1]
    assert second.startswith("```python\nx = 1")
    second = parts_of("```" + "z" * 60 + "\n" + "x = 1\n" * 60, 200)[1]
    assert second.startswith("```" + "z" * 20 + "\nx = 1")


def test_a_fence_is_closed_by_its_like_only() -> None:
    """An answer about Markdown falls apart at the first fence within its example."""
    assert closing("````md\n```py\nx\n```\n") == "````"
    assert closing("~~~\n```\nx") == "\n~~~"
    assert closing("```\nx\n```") == ""
    assert closing("```\nx\n```` ") == ""
    assert closing("```\nx\n``` not an end") == "\n```"
    assert closing("  ```\nx\n\t```") == ""
    assert closing("``` code in a line ```\nprose") == ""
    assert closing("~~~ `a`\nx") == "\n~~~"
    assert closing("-" * 40 + "\n" + "`" * 11 + "\nprose") == ""
    assert closing("") == ""
