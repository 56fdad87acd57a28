"""The door for commands to the process that runs: a Unix socket in the data directory, for its owner only.

Knows: one request line in, lines of progress and one answer out, as JSON. Must not know: what a command
does. Only the holder of the lock listens, so a socket that is found at the start is left over and is
replaced. The socket is made private before it listens: nobody can connect in between. A path longer than
what a socket address holds goes through the directory's file descriptor where the system has /proc, else
relative to where we stand.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import structlog

from core.domain.errors import BadInput, NotSent, RejoinderError

SOCKET_NAME = "rejoinder.sock"
_ADDRESS_MAX_BYTES = 100  # sun_path: 108 bytes on Linux, 104 on BSD and macOS, with the closing NUL
_LINE_MAX_BYTES = 65_536  # a command and one argument
_CONNECT_S = 5.0  # a process that does not answer within this is stopped or stuck

Progress = Callable[[int, int], None]  # done, of how many
Command = Callable[[str, Progress], Awaitable[str]]  # the argument in, a sentence for the operator out

log = structlog.get_logger("rejoinder.control")


class Control:
    """Listens while the program runs. `commands` are what it answers to, by name."""

    def __init__(self, data_dir: Path, commands: Mapping[str, Command]) -> None:
        self._data_dir = data_dir
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Where the address is too long the program runs on without this door, and says so."""
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(self._data_dir) as address:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(address)  # noqa: PTH108  (a name inside /proc/self/fd)
                door.bind(address)
                os.chmod(address, 0o600)  # noqa: PTH101
        except OSError as error:
            door.close()
            log.warning("no control socket; forget and backup work only while stopped", reason=error.strerror or "")
            return
        self._server = await asyncio.start_server(self._talk, sock=door, limit=_LINE_MAX_BYTES)

    async def stop(self) -> None:
        """Close the door and end the talks; a command that still runs is told by the closed connection."""
        if self._server is None:
            return
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        (self._data_dir / SOCKET_NAME).unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None  # noqa: S101  (a coroutine of the server runs in a task)
        self._talks.add(talk)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            return  # the other side went away, or we are closing
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(**line: object) -> None:
            writer.write(json.dumps(line).encode() + b"\n")

        try:
            name, argument = await _request(reader)
            command = self._commands.get(name)
            if command is None:
                raise BadInput(code="bad_command", detail="the running process does not know this command")
            answer = await command(argument, lambda done, total: send(done=done, total=total))
            send(answer=answer)
        except RejoinderError as error:
            send(code=error.code, error=error.detail)
        except OSError as error:  # a file of the command's: no such folder, no right to write there
            send(code="file", error=f"{error.filename}: {error.strerror}")
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> tuple[str, str]:
    try:
        request = json.loads(await reader.readline())
        name, argument = request["command"], request["argument"]
    except (ValueError, KeyError, TypeError):  # no JSON, too long, or not of this shape
        raise BadInput(code="bad_command", detail="the request is not a command") from None
    return str(name), str(argument)


def ask(data_dir: Path, command: str, argument: str, progress: Progress) -> str:
    """Let the running process do `command`, and return its answer.

    Raises `NotSent` when no process listens, and `RejoinderError` with the process's own words.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(_CONNECT_S)
        try:
            with _address(data_dir) as address:
                door.connect(address)
        except OSError as error:
            raise NotSent(code="not_listening", detail="the running process does not listen") from error
        door.settimeout(None)  # a backup takes as long as it takes; a process that dies closes the connection
        door.sendall(json.dumps({"command": command, "argument": argument}).encode() + b"\n")
        with door.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                said: dict[str, object] = json.loads(line)
                if "answer" in said:
                    return str(said["answer"])
                if "error" in said:
                    raise RejoinderError(code=str(said["code"]), detail=str(said["error"]))
                progress(int(str(said["done"])), int(str(said["total"])))
    raise RejoinderError(code="went_away", detail="the running process stopped before it was done; ask again")


@contextlib.contextmanager
def _address(data_dir: Path) -> Iterator[str]:
    """A name for the socket that fits into a socket address. Raises `OSError` where there is none."""
    plain = str(data_dir / SOCKET_NAME)
    relative = os.path.relpath(plain)
    short = min(plain, relative, key=len)
    if len(os.fsencode(short)) <= _ADDRESS_MAX_BYTES:
        yield short
        return
    folder = os.open(data_dir, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)
