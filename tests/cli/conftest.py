"""Data directories for the command line's tests."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A newcomer's: nothing is there yet."""
    return Program(folder=tmp_path)


@pytest.fixture(scope="session")
def _talked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which alice and bob have talked, made by the program itself."""
    folder = tmp_path_factory.mktemp("talked")
    with Program(folder=folder).running() as bot:
        bot.say("Canary of bob 4711", "bob")
        bot.answer(bot.say("My app is called \x1b[31mOrchid"), "done")
        bot.send(signal.SIGTERM)
        assert bot.wait() == 0
    return folder


@pytest.fixture
def talked(_talked: Path, tmp_path: Path) -> Program:
    """A copy of that directory, to change."""
    shutil.copytree(_talked, tmp_path, dirs_exist_ok=True)
    return Program(folder=tmp_path)
