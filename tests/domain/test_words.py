"""Every sentence that a person sees."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.rules.attempts import DIED
from core.domain.words import LANGUAGES, en, failure, say

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "core").rglob("*.py"))
NO_FAILURE = {"model_context_window_exceeded", "model_deadline_ms"}  # a stop reason and a setting


_GROUPS = """
    button answer failed mailbag private command refused idle memory move link claim resume mine why notices forget
    export privacy retention login connections preflight
""".split()  # noqa: SIM905 - a list of words reads as words
_CODE = re.compile(rf"({'|'.join(_GROUPS)})\.[\w.]*[^\W_]")


def placeholders(sentence: str) -> set[str]:
    """The names that have to be filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def constants(path: Path) -> list[str]:
    """All texts that stand in the code of a file, docstrings among them."""
    tree = ast.parse(path.read_text("utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def failure_codes() -> set[str]:
    """Every code that may end a turn: named in the rules, in the ports' contract or by a driver."""
    found: set[str] = set()
    for path in CORE:
        for text in constants(path):
            if path.name == "ports.py":
                found.update(re.findall(r"`(model_\w+)`", text))
            if re.fullmatch(r"model_\w+|budget_\w+|history_unreadable", text):
                found.add(text)
    return found - NO_FAILURE | {"budget_person", "budget_workspace", DIED}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_language_says_everything(language: str) -> None:
    """Somebody gets an English sentence in the middle of another language, or a hole in it."""
    table = LANGUAGES[language]
    assert set(table) == set(en.WORDS)
    for code, sentence in table.items():
        assert placeholders(sentence) == placeholders(en.WORDS[code]), code


def test_the_codes_are_found_at_all() -> None:
    """The next test would look at nothing."""
    assert {"model_auth", "model_silent", "model_empty", "model_busy", "model_unreachable"} <= failure_codes()


def test_every_way_to_fail_has_its_sentence() -> None:
    """Somebody reads "Something went wrong (model_xyz)" for a failure that we know well."""
    missing = {code for code in failure_codes() if f"failed.{code}" not in en.WORDS}
    assert not missing


def test_every_sentence_that_the_code_says_exists() -> None:
    """Somebody gets an error instead of a sentence."""
    domain = [path for path in CORE if "domain" in path.parts and "words" not in path.parts]
    for path in domain:
        for text in constants(path):
            begins_one = any(code.startswith((f"{text}.", f"{text}_")) for code in en.WORDS)  # the rest is filled in
            if _CODE.fullmatch(text) and not begins_one:
                assert text in en.WORDS, (path.name, text)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_failures_need_no_filling(language: str) -> None:
    """A failure cannot be told because a value is missing."""
    for code in LANGUAGES[language]:
        if code.startswith("failed."):
            assert failure(language, code.removeprefix("failed."))


@given(st.text())
def test_an_unknown_failure_is_told_with_its_code(code: str) -> None:
    """A new kind of failure leaves the person without a word, and the operator without a code."""
    told = failure("en", f"x{code}")
    assert f"x{code}" in told


def test_an_unknown_language_is_english() -> None:
    """A wrong setting makes the bot silent."""
    assert say("xx", "button.stop") == "Stop"
    assert say("de", "button.stop") == "Stopp"


@given(st.text())
def test_what_is_filled_in_is_taken_as_it_is(name: str) -> None:
    """A command with braces in it breaks the answer."""
    assert name in say("en", "private.unknown_command", name=name)
