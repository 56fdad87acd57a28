"""What every test shares: no real host is reached; where a browser is, and what happens when there is none."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.kit import loopback

loopback.guard()
hypothesis.settings.register_profile("rejoinder", deadline=None)  # no test asserts on a time
hypothesis.settings.load_profile("rejoinder")


@pytest.fixture(autouse=True)
def _only_this_machine() -> Iterator[None]:
    """Fail a test that wanted to reach a real host, also when somebody has swallowed the error."""
    loopback.tried.clear()
    yield
    assert loopback.tried == []


def find_chromium() -> Path | None:
    """Give the browser that browser tests drive: `$CHROMIUM`, else Debian's `chromium`, else nothing."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    return Path(found) if found else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what is marked `browser` last, and skip it where none is installed; playwright downloads nothing.

    Last, because playwright keeps a loop running in this thread until it ends, and no other test could have its own.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    if find_chromium() is not None:
        return
    reason = "no chromium found: apt install chromium, or name one in CHROMIUM"
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Give the browser for playwright's `executable_path`; as root it needs the argument `--no-sandbox`."""
    found = find_chromium()
    assert found is not None, "a test that asks for the browser carries @pytest.mark.browser"
    return found
