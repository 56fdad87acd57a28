"""A tool server as a process of ours: messages are lines on its pipes.

Knows: a line that is too long is thrown away while it is read, and its request is answered with an error; the process
ends with us, and gets nothing of our environment but the few harmless names that MCP's own client passes on.
Must not know: what a message says. The `mcp` package has such a transport, but it holds a line of any length.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

CAP_BYTES = 4_000_000  # of one message
TOO_LARGE = -32098  # code of the error that we put in the place of a message
_CHUNK_BYTES = 65_536
_HEAD_BYTES = 512
_ID = re.compile(rb'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,64}")')
_GRACE_S = 0.6  # to end by itself when its input ends, then after SIGTERM

Incoming = MemoryObjectSendStream[SessionMessage | Exception]


@asynccontextmanager
async def stdio(
    command: Sequence[str], env: Mapping[str, str], ended: Callable[[], None], *, cap_bytes: int = CAP_BYTES
) -> AsyncGenerator[TransportStreams, None]:
    """Run the server and talk to it; `ended` is called when it says nothing more.

    Raises:
        OSError: it cannot be run.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # it may say anything, words of people too: no log of ours takes it
        env={**get_default_environment(), **env},
        start_new_session=True,
    )
    incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = (
        asyncio.create_task(_listen(process, incoming, cap_bytes)),
        asyncio.create_task(_tell(process, outgoing, incoming)),
    )
    tasks[0].add_done_callback(lambda _task: ended())
    try:
        yield read, write
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (incoming, read, write, outgoing):
            stream.close()
        await asyncio.shield(_end(process))


async def _listen(process: asyncio.subprocess.Process, incoming: Incoming, cap_bytes: int) -> None:
    """Every line of the server's output as a message."""
    output = process.stdout
    if output is None:
        return
    line = bytearray()
    lost = False  # the line is longer than the cap: only its beginning is kept
    with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError), incoming:
        while chunk := await output.read(_CHUNK_BYTES):
            *whole, rest = chunk.split(b"\n")
            for piece in whole:
                line += piece[:_HEAD_BYTES] if lost else piece
                if line.strip():
                    await incoming.send(_too_large(line) if lost or len(line) > cap_bytes else _message(line))
                line, lost = bytearray(), False
            if not lost:
                line += rest
            if len(line) > cap_bytes:
                line, lost = line[:_HEAD_BYTES], True


async def _tell(
    process: asyncio.subprocess.Process, outgoing: MemoryObjectReceiveStream[SessionMessage], incoming: Incoming
) -> None:
    """Every message as a line of the server's input."""
    pipe = process.stdin
    if pipe is None:
        return
    try:
        async for message in outgoing:
            pipe.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            await pipe.drain()
    except OSError:
        incoming.close()  # nobody reads any more: the session sees the connection end


def _message(line: bytearray) -> SessionMessage | Exception:
    try:
        return SessionMessage(types.jsonrpc_message_adapter.validate_json(bytes(line), by_name=False))
    except ValueError as error:
        return error


def _too_large(head: bytearray) -> SessionMessage | Exception:
    """The answer to whatever the lost line answers; its id stands at the beginning."""
    found = _ID.search(bytes(head[:_HEAD_BYTES]))
    if found is None:
        return ValueError("a line that is too long")
    name = found[1].decode()
    error = types.ErrorData(code=TOO_LARGE, message="too large")
    own_id: int | str = name.strip('"') if name.startswith('"') else int(name)
    return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=own_id, error=error))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process and what it has started: first its input ends, then it is told, then it is killed."""
    if process.stdin is not None:
        process.stdin.close()
    for last in (signal.SIGTERM, signal.SIGKILL, None):
        try:
            async with asyncio.timeout(_GRACE_S):
                await process.wait()
        except TimeoutError:
            if last is not None:
                _signal(process.pid, last)
        else:
            _signal(process.pid, signal.SIGKILL)  # what it has left behind
            return


def _signal(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, what)
