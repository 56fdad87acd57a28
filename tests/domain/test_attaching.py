"""What of an answer becomes a file, what the file is called, and what stands in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.entities import TurnState
from core.domain.rules.attaching import FILES_MAX, Divided, certain, divide, unsure, with_files
from core.domain.rules.present import Shown

MOST = 100
ROWS = "a,b\n" * 40
HEAD = "```csv\n" + "a,b\n" * 23 + "```\n\n"  # of it, in the thread
LONG = f"Here it is:\n\n```csv\n{ROWS}```\n\nBye."
SECOND = "```py\n" + "x = 1\n" * 40 + "```\n"


def shown(text: str, state: TurnState = TurnState.ANSWERED) -> Shown:
    """An answer that reads `text`."""
    return Shown(text=text, whole=text, final=state.over, state=state, buttons=(), sure_chars=len(text))


def final(text: str) -> Divided:
    """A finished text, divided."""
    return divide(text, MOST, "en", final=True)


def called(info: str, before: str = "") -> str:
    """What a large block with this info string is called."""
    (file,) = final(f"{before}\n```{info}\n{ROWS}```").files
    return file.name


def test_a_large_block_is_a_file_and_its_first_lines_stand_in_the_thread() -> None:
    """A CSV of hundreds of lines fills the thread, or its content is not what was said."""
    divided = final(LONG)
    assert divided.text == f"Here it is:\n\n{HEAD}All of it as a file: `answer.csv`, 40 lines\n\nBye."
    (file,) = divided.files
    assert (file.name, file.media_type, file.text) == ("answer.csv", "text/csv", ROWS)
    assert "Das Ganze als Datei: `antwort.csv`, 40 Zeilen" in divide(LONG, MOST, "de", final=True).text


def test_a_block_of_one_endless_line_is_only_a_file() -> None:
    """An empty code block stands in the thread."""
    divided = final("So:\n```json\n" + "1," * 400 + "\n```\nBye.")
    assert divided.text == "So:\nAll of it as a file: `answer.json`, one line\nBye."


def test_a_small_block_stays_where_it_is() -> None:
    """Three lines of code have to be downloaded."""
    text = "```py\n" + "x" * (MOST - 10) + "\n```"
    assert len(text) == MOST
    assert final(text) == Divided(text=text, sure_chars=len(text))
    assert final(text.replace("x", "xx", 1)).files


def test_prose_is_never_a_file() -> None:
    """A long explanation is hidden in an attachment."""
    text = "Words with `code` and a | bar.\n\n" * 100
    assert final(text) == Divided(text=text, sure_chars=len(text))


def test_a_fence_within_a_fence_does_not_end_it() -> None:
    """Half of a Markdown file stands in the thread."""
    inner = "```py\nx\n```\n" * 20
    (file,) = final(f"````md\n{inner}````\nend").files
    assert (file.name, file.text) == ("answer.md", inner)


def test_a_block_of_a_list_loses_its_indentation() -> None:
    """A script from a list cannot be run."""
    (file,) = final("1. This:\n\n   ```py\n" + "   if x:\n     y\n" * 20 + "   ```\n").files
    assert file.text == "if x:\n  y\n" * 20


def test_a_fence_that_nobody_closed_goes_on_to_the_end() -> None:
    """A model forgets three marks, and the script stands in the thread after all."""
    divided = final(f"So:\n```py\n{ROWS}")
    assert divided.text == f"So:\n{HEAD.replace('csv', 'py')}All of it as a file: `answer.py`, 40 lines"
    assert divided.files[0].text == ROWS


def test_a_large_table_is_a_spreadsheet() -> None:
    """A table of two hundred rows is unreadable on a phone, and cannot be opened anywhere else."""
    divided = final("Look:\n\n| a | b |\n|:--|--:|\n" + '| 1 | x, "y" \\| z |\n' * 20 + "\nBye.")
    head, _, rest = divided.text.partition("\n\nAll of it")
    assert head == "Look:\n\n| a | b |\n|:--|--:|\n" + "\n".join(['| 1 | x, "y" \\| z |'] * 4)
    assert rest == " as a file: `answer.csv`, 21 lines\n\nBye."
    assert divided.files[0].text == "a,b\n" + '1,"x, ""y"" | z"\n' * 20


@pytest.mark.parametrize(("cell", "kept"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "-5"), ("+3.5 %", "+3.5 %")])
def test_a_table_brings_no_formulas(cell: str, kept: str) -> None:
    """Words from anywhere are run by a spreadsheet."""
    (file,) = final("| a |\n|---|\n" + f"| {cell} |\n" * 40).files
    assert file.text.splitlines()[1] == kept


@pytest.mark.parametrize(
    ("info", "before", "name"),
    [
        ("csv", "", "answer.csv"),
        ("python", "", "answer.py"),
        ("C++ x", "", "answer.cpp"),
        ("brainfuck", "", "answer.txt"),
        ("", "", "answer.txt"),
        ("csv", "I wrote **`report.csv`** for you:", "report.csv"),
        ("csv", "I read data.json for you:", "answer.csv"),
        ("py:src/app.py", "", "app.py"),
        ('python title="job.py"', "not other.py", "job.py"),
        ("bericht.csv", "", "bericht.csv"),
        ("csv", "`Übersicht_2026.csv`", "Übersicht_2026.csv"),
        ("csv", "../../etc/passwd.csv", "passwd.csv"),
        ("csv", "C:\\x\\..\\evil.csv", "evil.csv"),
        ("csv", "\u202egpj.csv", "gpj.csv"),
        ("csv", "a\u0000\u2066b.csv", "b.csv"),
        ("csv", "con.csv", "answer.csv"),
        ("csv", ".....csv", "answer.csv"),
        ("bat", "run.bat", "answer.txt"),
    ],
)
def test_a_file_is_called_what_the_answer_calls_it(info: str, before: str, name: str) -> None:
    """A file has a name that nobody understands, or one that leads out of its folder."""
    assert called(info, before) == name


@given(st.text(max_size=80), st.text(alphabet="./\\-_a\u202e\u2066\x00é ", max_size=40))
def test_no_name_leads_anywhere(info: str, before: str) -> None:
    """A name that a model was talked into writes outside of the folder of downloads."""
    line = info.replace("\n", "").replace("`", "")
    for file in final(f"{before}.csv {info}.csv\n```{line}\n{ROWS}```").files:
        stem, _, ending = file.name.rpartition(".")
        assert stem
        assert ending.isascii()
        assert not file.name.startswith((".", "-"))
        assert all(each.isalnum() or each in "_.-" for each in file.name)
        assert len(file.name) < 80


def test_two_files_never_have_one_name() -> None:
    """The second file takes the place of the first."""
    names = [each.name for each in final(SECOND * 3).files]
    assert names == ["answer.py", "answer-2.py", "answer-3.py"]


def test_an_answer_has_only_so_many_files() -> None:
    """Twenty files are thrown into a thread, or the twenty-first block is lost."""
    divided = final(SECOND * (FILES_MAX + 2))
    assert len(divided.files) == FILES_MAX
    assert divided.text.endswith(SECOND * 2)


# ----------------------------------------------------------------------------------- while it grows


def test_a_growing_block_is_text_until_it_is_large_and_then_goes_on_in_a_file() -> None:
    """What was shown disappears, or nothing is seen of a block before it is whole."""
    begins = LONG.index("```csv")
    small = divide(LONG[: begins + 50], MOST, "en", final=False)
    assert small.text == LONG[: begins + 50]
    assert small.text[small.sure_chars :] == "a,b", "the line may turn out too long"
    large = divide(LONG[: begins + 150], MOST, "en", final=False)
    assert large.text == f"{LONG[:begins]}{HEAD}`answer.csv` is still being written; all of it comes as a file."
    assert (large.text[: large.sure_chars], large.files) == (LONG[:begins] + HEAD[:-5], ())
    closed = divide(LONG, MOST, "en", final=False)
    assert (closed.text, closed.sure_chars, closed.files) == (final(LONG).text, len(closed.text), ())


@given(
    st.lists(
        st.sampled_from(["Words.\n\n", LONG, SECOND, "```\nx\n```\n", "| a |\n|---|\n", "| b |\n", "\n"]), max_size=12
    )
)
def test_what_is_decided_stays(pieces: list[str]) -> None:
    """The part of an answer that is already read changes under the eyes, or a message stands there for nothing."""
    whole = "".join(pieces)
    for end in range(0, len(whole), 7):
        growing = divide(whole[:end], MOST, "en", final=False)
        later = divide(whole, MOST, "en", final=False)
        decided = growing.text[: growing.sure_chars].rpartition("\n")[0]
        assert later.text.startswith(decided)


def test_an_answer_that_failed_stays_text() -> None:
    """Try again brings a second file, half of which was there before."""
    failed = shown(LONG, TurnState.FAILED)
    assert with_files(failed, MOST, "en") == failed
    assert with_files(shown(LONG), 0, "en") == shown(LONG)
    assert with_files(shown(LONG, TurnState.STOPPED), MOST, "en").files


def test_a_message_is_opened_only_for_what_a_crash_would_leave() -> None:
    """After a crash an empty message stands in the thread."""
    growing = with_files(shown(LONG, TurnState.OPEN), MOST, "en")
    assert certain(growing, len(LONG), MOST, "en") == growing.text
    assert certain(growing, LONG.index("```") + 30, MOST, "en") == "Here it is:\n\n```csv\n" + "a,b\n" * 5
    assert certain(growing, 4, MOST, "en") == "Here"
    assert certain(growing, 40, 0, "en") == LONG[:40]
    assert certain(with_files(shown(LONG), MOST, "en"), 4, MOST, "en") == final(LONG).text


def test_a_file_that_nobody_can_be_sure_of_is_told() -> None:
    """The content is there twice or not at all, and nobody says why."""
    for language in ("en", "de"):
        told = unsure(shown("```\nx"), language)
        assert told.text.startswith("```\nx\n```\n\n_")
        assert told.sure_chars == len(told.text)
