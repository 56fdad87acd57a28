"""The documentation that comes from the code: drift is noticed."""

from __future__ import annotations

import pytest

from core.settings import Settings, environment_name
from tests import docs


def test_a_part_that_differs_is_renewed_and_the_rest_stays() -> None:
    """README would describe a release that is no more."""
    old = "before\n<!-- from the code: phases -->\nold words\n<!-- end: phases -->\nafter\n"
    new = docs.renewed(old)
    assert new.startswith("before\n")
    assert new.endswith("<!-- end: phases -->\nafter\n")
    assert "old words" not in new
    assert "active --> warned" in new
    assert docs.renewed(new) == new


def test_a_part_that_nobody_makes_is_an_error() -> None:
    """A slip of the pen in a marker would leave that part to grow old."""
    with pytest.raises(KeyError):
        docs.renewed("<!-- from the code: fases -->\n<!-- end: fases -->\n")


def test_every_setting_and_every_command_is_in_the_readme() -> None:
    """An operator would have to read the source."""
    readme = (docs.ROOT / "README.md").read_text("utf-8")
    for field in Settings.model_fields.keys() - {"tools"}:
        assert f"`{environment_name(field)}`" in readme
    for command in ("run", "doctor", "sessions", "show", "export", "forget", "backup", "restore", "migrate"):
        assert f"Usage: rejoinder {command} " in readme


def test_the_pages_are_as_the_code_has_them() -> None:
    """`make check` says the same; here it says which page."""
    assert [str(page) for page in docs.pages() if docs.renewed(text := page.read_text("utf-8")) != text] == []
