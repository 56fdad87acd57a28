"""Putting an answer together from two model calls.

Knows: text. After a cut the model is asked to continue; it may repeat some of what stood there, or all of it, and
may be cut again while it does. Must not know: where the pieces came from.
"""

from __future__ import annotations

MIN_OVERLAP_CHARS = 8  # shorter coincidences ("the ") are not a repetition
_LEAST_LETTERS = 2  # different ones: a ruled line, an indentation or a row of zeros goes on with more of the same


ROUND_BREAK = "\n\n"


def after(before: str, said: str) -> str:
    """What is seen of an answer: what the finished rounds of the tool loop said, then what this round says."""
    return f"{before}{ROUND_BREAK}{said}" if before.strip() and said else before + said if said else before


def overlap(said: str, more: str) -> int:
    """How many characters at the start of `more` repeat the end of `said`: at least 8, and not a run of one mark."""
    for length in range(min(len(said), len(more)), MIN_OVERLAP_CHARS - 1, -1):
        if more[0] == said[-length] and said.endswith(more[:length]) and _tells(more[:length]):
            return length
    return 0


def _tells(text: str) -> bool:
    """Whether it is hardly said twice by chance."""
    return len({each for each in text if each.isalnum()}) >= _LEAST_LETTERS


def stitch(said: str, more: str) -> str:
    """`said` followed by what is new in `more`, which is complete."""
    repeated = overlap(said, more)
    if not repeated and len(more) >= MIN_OVERLAP_CHARS and said.startswith(more) and _tells(more):
        return said  # it began once more from the start, and ended before it came to anything new
    return said + more[repeated:]


def certain(said: str, more: str) -> str:
    """`said` followed by what is certainly new in `more`, which was cut: exactly what a live view had shown."""
    return said if undecided(said, more) else stitch(said, more)


def undecided(said: str, more: str) -> bool:
    """Whether `more`, a beginning, may still grow into a repetition of the end of `said`.

    While it is so, a live view must not show `more`: it would be taken back.
    """
    return bool(said and more) and more in said
