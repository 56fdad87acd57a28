"""Which blocks of an answer are better as a file, and how much of them still stands in the thread. Pure.

Knows: fenced code and tables, what a file is called, and how large is too large to be read in a thread. History keeps
the whole text: this is how a platform shows it. Must not know: how a platform takes a file.

The rule. Nobody copies a script out of four posts, and one of two hundred lines is scrolled over by everybody who reads
the thread; how much that is, the platform says. Of such a block the first lines stand there, as many as are allowed,
and under them a line that names the file, which has all of it. What was shown while the answer grew therefore stays;
only the last line of an open block is undecided, for it may turn out too long: `sure_chars` ends before it.

A name comes from the model, so it is untrusted: letters, digits, dot, dash and underscore only, which leaves out
paths, control characters and those that turn the direction of writing.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.domain.entities import TurnState
from core.domain.files import AnswerFile
from core.domain.rules.csv_of import csv_of
from core.domain.rules.present import Shown
from core.domain.rules.split import FENCE, closing
from core.domain.words import say

FILES_MAX = 5  # of one answer; what is beyond stays text. Discord takes ten with a message
FILE_MAX_CHARS = 250_000  # of one file, at most 1 MB: more than a model says in one answer, less than platforms take
STEM_MAX_CHARS = 60
_NAMED_WITHIN_CHARS = 200  # of the line above a block, or of what stands behind its fence, that may name its file

_SAME = (
    *("csv", "tsv", "json", "jsonl", "yaml", "toml", "xml", "ini", "html", "css", "md", "tex", "txt", "log", "diff"),
    *("py", "js", "jsx", "ts", "tsx", "sh", "sql", "c", "cpp", "cs", "go", "rs", "java", "kt", "rb", "php", "swift"),
    *("scala", "r", "lua"),
)
_OTHERS = {
    "python": "py",
    "python3": "py",
    "javascript": "js",
    "typescript": "ts",
    "bash": "sh",
    "shell": "sh",
    "zsh": "sh",
    "yml": "yaml",
    "markdown": "md",
    "rust": "rs",
    "ruby": "rb",
    "kotlin": "kt",
    "c++": "cpp",
    "csharp": "cs",
    "c#": "cs",
    "patch": "diff",
    "latex": "tex",
    "golang": "go",
}
ENDINGS = {**dict(zip(_SAME, _SAME, strict=True)), **_OTHERS}  # by the first word after a fence
_TYPES = {"csv": "text/csv", "json": "application/json", "md": "text/markdown"}
_RESERVED = re.compile(r"(?i)con|prn|aux|nul|com\d|lpt\d")  # Windows keeps these names for itself
_NAME = re.compile(r"[\w./\\-]*\w\.(\w{1,5})(?!\w)")
_SIGNS = ("```", "~~~", "|")  # without one of them there is neither a fence nor a table
_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """A text without its large blocks. `files` once it is final; of a growing text, `sure_chars` stay as they are."""

    text: str
    files: tuple[AnswerFile, ...] = ()
    sure_chars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The lines `first..last` (without) of a text, of which `body` is the content, and what ends it after any line."""

    first: int
    last: int
    body: tuple[str, ...]
    info: str
    end: str = ""
    table: bool = False
    whole: bool = True  # False: it may go on


def divide(text: str, most_chars: int, language: str, *, final: bool) -> Divided:
    """Of every block of more than `most_chars` characters keep the first lines, and name its file under them."""
    if not any(sign in text for sign in _SIGNS):  # prose, and this is asked with every piece that the model says
        return Divided(text=text, sure_chars=len(text))
    lines, kept, files, sure = text.split("\n"), list[str](), list[AnswerFile](), -1
    at = 0
    for block in _blocks(lines):
        kept += lines[at : block.first]
        at = block.first
        may = len(files) < FILES_MAX
        if not block.whole and may:
            sure = _size(kept) + _size(_head(lines[block.first : block.last - 1], most_chars))
        size = _size(lines[block.first : block.last]) - 1
        if size <= most_chars or size > FILE_MAX_CHARS or not may:
            continue
        file = _file(block, _named_before(lines, block.first), [each.name for each in files], language)
        files.append(file)
        if head := _head(lines[block.first : block.last], most_chars):
            kept += [*head, block.end, ""] if block.end else [*head, ""]
        kept.append(_line(file, len(block.body), language, whole=final or block.whole))
        at = block.last
    shown = "\n".join([*kept, *lines[at:]])
    return Divided(
        text=shown, files=tuple(files) if final else (), sure_chars=len(shown) if final or sure < 0 else sure
    )


def _size(lines: list[str]) -> int:
    return sum(len(each) + 1 for each in lines)


def _head(lines: list[str], most_chars: int) -> list[str]:
    """The first lines of a block, as many as fit; none when it is the opening one alone."""
    sizes = itertools.accumulate(len(each) + 1 for each in lines)
    head = [line for line, size in zip(lines, sizes, strict=True) if size <= most_chars]
    return head if len(head) > 1 else []


def with_files(shown: Shown, most_chars: int, language: str) -> Shown:
    """An answer with its large blocks as files, too; 0 = all of it stays text.

    So does one that failed: it may go on in a moment, and what it says by then is another file.
    """
    if not most_chars or shown.state is TurnState.FAILED:
        return shown
    divided = divide(shown.text, most_chars, language, final=shown.final)
    return replace(shown, text=divided.text, files=divided.files, sure_chars=divided.sure_chars)


def unsure(shown: Shown, language: str) -> Shown:
    """An answer whose file may have arrived or not: it is there as text, and says why."""
    text = f"{shown.text}{closing(shown.text)}\n\n_{say(language, 'file.unsure')}_"
    return replace(shown, text=text, sure_chars=len(text))


def certain(shown: Shown, saved_chars: int, most_chars: int, language: str) -> str:
    """As much of what is shown as a crash would leave: not a remark under it, of the text what is saved and decided."""
    if shown.final:
        return shown.text
    saved = shown.whole[:saved_chars]
    if not most_chars:
        return saved
    left = divide(saved, most_chars, language, final=False)
    return left.text[: left.sure_chars]


def _line(file: AnswerFile, lines: int, language: str, *, whole: bool) -> str:
    if not whole:
        return say(language, "file.grows", name=file.name)
    return say(language, "file.line" if lines == 1 else "file.lines", name=file.name, lines=str(lines))


# ------------------------------------------------------------------------------------------- blocks


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """The fenced code and the tables of a text, in order."""
    at = 0
    while at < len(lines):
        block = _fenced(lines, at) or _table(lines, at)
        if block is not None:
            yield block
        at = at + 1 if block is None else block.last


def _fenced(lines: list[str], first: int) -> _Block | None:
    """The code block that begins there; as CommonMark has it, one that nobody closes goes on to the end."""
    opening = FENCE.match(lines[first])
    if opening is None:
        return None
    marks, info = opening[1], opening[2].strip()[:_NAMED_WITHIN_CHARS]
    if marks[0] == "`" and "`" in opening[2]:
        return None
    indent = len(lines[first]) - len(lines[first].lstrip(" \t"))
    last = first + 1
    while last < len(lines):
        closing = FENCE.match(lines[last])
        if closing is not None and closing[1].startswith(marks) and not closing[2].strip():
            break
        last += 1
    body = lines[first + 1 : last]
    if last == len(lines) and body and not body[-1]:
        body = body[:-1]
    whole = last + 1 < len(lines)  # the line of the closing marks may go on, and then they close nothing
    bare = tuple(each[min(indent, len(each) - len(each.lstrip(" \t"))) :] for each in body)
    return _Block(
        first=first,
        last=min(last + 1, len(lines)),
        body=bare,
        info=info,
        end=lines[first][:indent] + marks,
        whole=whole,
    )


def _table(lines: list[str], first: int) -> _Block | None:
    """The table that begins there: a line with bars, a ruled line, and all lines with bars after them."""
    if first + 1 >= len(lines) or "|" not in lines[first] or "|" not in lines[first + 1]:
        return None
    if not _RULE.fullmatch(lines[first + 1]):
        return None
    last = first + 2
    while last < len(lines) and "|" in lines[last]:
        last += 1
    rows = (lines[first], *lines[first + 2 : last])
    whole = last < len(lines) and (last + 1 < len(lines) or bool(lines[last].strip()))
    return _Block(first=first, last=last, body=rows, info="csv", table=True, whole=whole)


# -------------------------------------------------------------------------------------------- files


def _file(block: _Block, before: str, taken: list[str], language: str) -> AnswerFile:
    word = block.info.split(maxsplit=1)[0] if block.info else ""
    language_word, _, said = word.partition(":")
    ending = ENDINGS.get(language_word.lower(), "")
    stem = ""
    for given in () if block.table else (said, block.info):
        stem, ending = _called(given, ending) if not stem else (stem, ending)
    ending = ending or "txt"
    stem = stem or _called(before, ending)[0] or say(language, "file.stem")
    name = _unique(stem, ending, taken)
    text = csv_of(block.body) if block.table else "\n".join(block.body) + "\n"
    return AnswerFile(name=name, media_type=_TYPES.get(ending, "text/plain"), text=text)


def _named_before(lines: list[str], first: int) -> str:
    """The last line with words above a block."""
    above = next((each for each in reversed(lines[max(0, first - 3) : first]) if each.strip()), "")
    return above[-_NAMED_WITHIN_CHARS:]


def _called(text: str, ending: str) -> tuple[str, str]:
    """The last name of a file in `text` that has this ending (any that we know when it is ""), as stem and ending."""
    for found in reversed(list(_NAME.finditer(text))):
        known = ENDINGS.get(found[1].lower(), "")
        if known and ending in ("", known):
            stem = safe_stem(found[0].rpartition(".")[0])
            if stem:
                return stem, found[1].lower()
    return "", ending


def safe_stem(text: str) -> str:
    """What may stand before a file's ending: no path, no character that is not seen."""
    base = re.split(r"[/\\]", text)[-1]
    kept = re.sub(r"[^\w.-]", "", unicodedata.normalize("NFC", base))
    stem = re.sub(r"\.{2,}", ".", kept).strip(".-")[:STEM_MAX_CHARS].strip(".-")
    return "" if _RESERVED.fullmatch(stem.partition(".")[0]) else stem


def _unique(stem: str, ending: str, taken: list[str]) -> str:
    lower = {each.lower() for each in taken}
    names = (f"{stem}{n}.{ending}" for n in ("", *(f"-{n}" for n in range(2, FILES_MAX + 2))))
    return next(each for each in names if each.lower() not in lower)
