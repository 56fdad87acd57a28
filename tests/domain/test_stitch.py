"""Putting an answer together from two calls."""

from __future__ import annotations

from hypothesis import assume, example, given
from hypothesis import strategies as st

from core.domain.rules.stitch import MIN_OVERLAP_CHARS, certain, overlap, stitch, undecided

WORDS = st.text(st.sampled_from("ab \n"), max_size=60)  # few letters: repetitions are likely
TEXTS = st.one_of(WORDS, st.text(max_size=60))


def plainest(said: str, more: str) -> int:
    """The longest end of `said` that `more` begins with, found the slow way."""
    lengths = [n for n in range(MIN_OVERLAP_CHARS, min(len(said), len(more)) + 1) if said[-n:] == more[:n]]
    return max((n for n in lengths if tells(more[:n])), default=0)


def tells(text: str) -> bool:
    """Two different letters or digits at least."""
    return len({each for each in text if each.isalnum()}) > 1


@given(TEXTS, TEXTS)
def test_the_overlap_is_the_longest_repetition(said: str, more: str) -> None:
    """Some of what was repeated after a cut stands there twice."""
    assert overlap(said, more) == plainest(said, more)


@given(TEXTS, st.integers(0, 60))
def test_a_cut_without_repetition_leaves_no_seam(text: str, at: int) -> None:
    """A cut answer loses or doubles letters at the seam."""
    said, more = text[:at], text[at:]
    anew = len(more) >= MIN_OVERLAP_CHARS and said.startswith(more) and tells(more)
    assume(not plainest(said, more) and not anew)
    assert stitch(said, more) == text


@given(TEXTS, st.text(min_size=MIN_OVERLAP_CHARS, max_size=30), TEXTS)
@example("one two ", "three four ", "five")
def test_a_model_that_takes_a_run_up_is_stitched(before: str, repeated: str, after: str) -> None:
    """The model repeats the last words before it goes on, and they stand there twice."""
    said, more = before + repeated, repeated + after
    assume(plainest(said, more) == len(repeated))
    assert stitch(said, more) == said + after


@given(st.text(min_size=MIN_OVERLAP_CHARS, max_size=60), st.text(max_size=20))
def test_a_model_that_begins_anew_is_not_heard_twice(said: str, rest: str) -> None:
    """The model repeats its whole answer, and the person reads it twice."""
    assume(plainest(said, said + rest) == len(said))
    assert stitch(said, said + rest) == said + rest


def test_a_repetition_that_is_cut_itself_is_dropped() -> None:
    """The model begins anew and is cut again: half of the answer stands there twice."""
    said = "The quick brown fox jumps over the lazy dog"
    assert stitch(said, "The quick brown") == said
    assert certain(said, "brown fox jum") == said
    assert certain(said, "The quick brown fox jumps over the lazy dog and") == f"{said} and"


def test_a_short_coincidence_is_no_repetition() -> None:
    """A word like "the " at the seam vanishes."""
    assert stitch("he saw the ", "the dog") == "he saw the the dog"
    assert stitch("", "hello") == "hello"
    assert stitch("hello", "") == "hello"


def test_a_ruled_line_or_a_row_of_zeros_goes_on() -> None:
    """A table's border, an indentation or a large number lost as many characters as had been said already."""
    assert stitch("| Name |\n|--------", "--------|") == "| Name |\n|----------------|"
    assert stitch("a googol is 100000000", "000000000 and so on") == "a googol is 100000000000000000 and so on"
    assert stitch("x = (\n        ", "        1)") == "x = (\n                1)"
    assert stitch("----------", "----------") == "-" * 20
    assert certain("|--------", "--------|") == "|----------------|"


@given(TEXTS, st.lists(TEXTS, max_size=8))
@example("--------", ["----", "----", "-- a"])
@example("the end", ["the", " end", " and", " more"])
@example("The quick brown fox", ["The quick", " brown"])
def test_what_is_shown_while_it_grows_is_never_taken_back(said: str, pieces: list[str]) -> None:
    """Words appear in the message and vanish again."""
    more, shown = "", said
    for piece in pieces:
        more += piece
        if not undecided(said, more):
            now = stitch(said, more)
            assert now.startswith(shown)
            shown = now
    assert certain(said, more) == shown  # a cut keeps exactly what was seen
    assert stitch(said, more).startswith(shown)  # an end may only add to it


def test_the_beginning_of_a_repetition_is_undecided() -> None:
    """A live view shows a repetition that is taken back a moment later."""
    assert undecided("Hello world", "wor")
    assert not undecided("Hello world", "world!")
    assert not undecided("", "wor")
    assert not undecided("Hello world", "")
