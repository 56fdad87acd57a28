"""What the crash tests share: an empty, migrated database to copy."""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from storage.migrate import prepare

NewFile = Callable[[], Path]

# A platform call is made between two points; who dies at the first one never awaits it.
deadly = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated database without rows."""
    path = tmp_path_factory.mktemp("template") / "rejoinder.db"
    prepare(path)
    return path


@pytest.fixture
def new_file(template: Path, tmp_path: Path) -> Iterator[NewFile]:
    """Give a function that makes a fresh copy of the empty database and removes the one before."""
    folder = tmp_path / "life"

    def make() -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return Path(shutil.copyfile(template, folder / "rejoinder.db"))

    yield make
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log still: thousands of deaths are nothing to read about."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
    gc.collect()  # what a death left half done is reported here, not in somebody else's test
