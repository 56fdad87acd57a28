"""The control socket: commands reach the running process, and nobody else's do."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.control import SOCKET_NAME, Command, Control, Progress, ask
from core.domain.errors import BadInput, NotSent, RejoinderError


async def echo(argument: str, progress: Progress) -> str:
    """Answer with the argument, after two steps of three."""
    progress(1, 3)
    progress(2, 3)
    return f"did {argument}"


async def refuse(argument: str, progress: Progress) -> str:
    """Refuse as a command does."""
    raise BadInput(code="unknown_owner", detail=f"nobody is called {argument}")


@asynccontextmanager
async def listening(data_dir: Path, **commands: Command) -> AsyncIterator[None]:
    """A process that runs."""
    control = Control(data_dir, commands)
    await control.start()
    try:
        yield
    finally:
        await control.stop()


async def asking(data_dir: Path, command: str, argument: str) -> tuple[str, list[tuple[int, int]]]:
    """Ask from another thread, as another process does."""
    steps: list[tuple[int, int]] = []
    answer = await asyncio.to_thread(ask, data_dir, command, argument, lambda *step: steps.append(step))
    return answer, steps


async def test_a_command_is_done_and_tells_how_far_it_is(tmp_path: Path) -> None:
    """`rejoinder backup` could not be used while the bot runs."""
    async with listening(tmp_path, echo=echo):
        assert await asking(tmp_path, "echo", "a line\nbreak") == ("did a line\nbreak", [(1, 3), (2, 3)])
        assert stat.S_IMODE((tmp_path / SOCKET_NAME).stat().st_mode) == 0o600
    assert not (tmp_path / SOCKET_NAME).exists()


async def test_a_refusal_arrives_in_its_own_words(tmp_path: Path) -> None:
    """The operator would only learn that something failed."""
    async with listening(tmp_path, refuse=refuse):
        with pytest.raises(RejoinderError, match="nobody is called U1") as caught:
            await asking(tmp_path, "refuse", "U1")
        assert caught.value.code == "unknown_owner"
        with pytest.raises(RejoinderError, match="does not know"):
            await asking(tmp_path, "shutdown", "")


async def test_nobody_listening_is_told_from_a_refusal(tmp_path: Path) -> None:
    """A command would not know that it may take the lock itself."""
    with pytest.raises(NotSent):
        await asking(tmp_path, "echo", "")


async def test_a_socket_left_by_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """After kill -9 the bot would run without its door for ever."""
    left = Control(tmp_path, {})
    await left.start()  # and never stopped
    async with listening(tmp_path, echo=echo):
        assert (await asking(tmp_path, "echo", "x"))[0] == "did x"
    await left.stop()


async def test_a_long_data_directory_still_has_a_door(tmp_path: Path) -> None:
    """A socket address holds 108 bytes; a deep directory would make forget and backup fail."""
    deep = tmp_path / ("d" * 120) / "data"
    deep.mkdir(parents=True)
    async with listening(deep, echo=echo):
        assert (await asking(deep, "echo", "x"))[0] == "did x"


async def test_a_process_that_stops_tells_that_it_did_not_finish(tmp_path: Path) -> None:
    """A backup that was cut by a shutdown would look like a good one."""
    begun = asyncio.Event()

    async def forever(argument: str, progress: Progress) -> str:
        begun.set()
        await asyncio.Event().wait()
        return argument

    async with listening(tmp_path, forever=forever):
        waiting = asyncio.create_task(asking(tmp_path, "forever", ""))
        await begun.wait()
    with pytest.raises(RejoinderError, match="stopped before it was done"):
        await waiting


@pytest.mark.parametrize("line", [b"", b"\n", b"{}\n", b"[1]\n", b"\xff\n", b'{"command": "x"}\n', b"x" * 65_537])
async def test_what_is_no_command_is_refused(tmp_path: Path, line: bytes) -> None:
    """One bad line would take the door away from everybody."""
    async with listening(tmp_path, echo=echo):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / SOCKET_NAME))
        writer.write(line)
        writer.write_eof()
        assert b'"error"' in await reader.read()
        writer.close()
        assert (await asking(tmp_path, "echo", "x"))[0] == "did x"
