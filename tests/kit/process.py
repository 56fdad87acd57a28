"""The bot and a Messages API as child processes, for tests that kill the one while the other lives on.

Knows: how a child is started, asked over HTTP, killed and started again. Must not know: what is tested.
Only processes that were started here are ever ended, each by its own handle.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import aiohttp

T = TypeVar("T")

START_S = 60.0  # a loaded machine; usually one second
PATIENCE_S = 60.0  # for anything that a test waits to see
POLL_S = 0.02
_READY = re.compile(r"Rejoinder is ready: (http://\S+) ")
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
_LOG_LINES = 200  # of a child, for the message of a test that fails


class EndedEarly(AssertionError):
    """A process ended before it was ready."""


class Child:
    """A process that says on standard output or error when it is ready."""

    def __init__(self, *arguments: str, ready: re.Pattern[str], environment: Mapping[str, str]) -> None:
        self.said: list[str] = []
        self._arguments = arguments
        self._ready = ready
        self._environment = environment
        self._process: Process | None = None
        self._listening: list[asyncio.Task[None]] = []

    async def start(self) -> str:
        """Start it; what the first group of `ready` found.

        Raises `EndedEarly`, and `AssertionError` when it is not ready in time.
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._arguments,
            env={name: value for name, value in os.environ.items() if name in _KEPT} | dict(self._environment),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pipes = (self._process.stdout, self._process.stderr)
        self._listening = [asyncio.create_task(self._listen(pipe, found)) for pipe in pipes if pipe is not None]
        over = asyncio.create_task(self.gone())
        try:
            await asyncio.wait((found, over), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if found.done():
            return found.result()
        kind = EndedEarly if self._process.returncode is not None else AssertionError
        raise kind("not ready:\n" + "".join(self.said))

    async def _listen(self, pipe: asyncio.StreamReader, found: asyncio.Future[str]) -> None:
        async for line in pipe:
            text = line.decode(errors="replace")
            self.said = [*self.said[-_LOG_LINES:], text]
            if (seen := self._ready.search(text)) and not found.done():
                found.set_result(seen[1])

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone; nothing happens when it is gone already."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self.gone()

    async def stop(self) -> int:
        """SIGTERM, and wait for its exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self.gone()

    async def gone(self) -> int:
        """Wait until it has ended, however; its exit code."""
        assert self._process is not None
        code = await self._process.wait()
        await asyncio.wait(self._listening)  # who waits no longer does not stop them
        return code


class Claude:
    """`tests.kit.claude_server` as a process that outlives the bot."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.url = ""
        self._http = http
        self._child = Child("tests.kit.claude_server", ready=re.compile(r"(\d+)"), environment={})

    async def start(self, script: Mapping[str, object]) -> None:
        """Start it with a script (see `tests.kit.claude_script`)."""
        port = await self._child.start()
        self.url = f"http://127.0.0.1:{port}"
        async with self._http.post(f"{self.url}/_script", json=script) as answer:
            answer.raise_for_status()

    async def calls(self) -> list[dict[str, object]]:
        """Every call so far (see `tests.kit.claude_server.Call`)."""
        async with self._http.get(f"{self.url}/_log") as answer:
            calls: list[dict[str, object]] = await answer.json()
            return calls

    async def count(self) -> int:
        """How many calls there were so far."""
        async with self._http.get(f"{self.url}/_count") as answer:
            return int(await answer.json())

    async def end(self) -> None:
        """Kill it."""
        await self._child.kill()


class Bot:
    """`python -m bots run` on one data directory, started and killed as often as a test likes."""

    def __init__(
        self, http: aiohttp.ClientSession, data_dir: Path, environment: Mapping[str, str], *, program: str = "bots"
    ) -> None:
        self.url = ""
        self.database = data_dir / "rejoinder.db"
        self.up = asyncio.Event()
        self._http = http
        ours = {"REJOINDER_DATA_DIR": str(data_dir), "REJOINDER_HTTP_PORT": "0"}
        self._child = Child(program, "run", ready=_READY, environment=ours | dict(environment))

    @property
    def said(self) -> str:
        """The last lines of its log."""
        return "".join(self._child.said)

    async def start(self) -> None:
        """Start it and return when it takes work."""
        self.url = await self._child.start()
        self.up.set()

    async def kill(self) -> None:
        """Kill -9."""
        self.up.clear()
        await self._child.kill()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.up.clear()
        return await self._child.stop()

    async def gone(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        return await self._child.gone()

    async def say(self, person: str, text: str, *, key: str, thread: str | None = None) -> str:
        """Say something in #general, once per key; the thread's id. Raises `aiohttp.ClientError`, `OSError`."""
        body = {"person": person, "channel": "general", "text": text, "key": key}
        answer = await self.ask("/api/messages", body if thread is None else body | {"thread": thread})
        return str(answer["thread"])

    async def thread(self, thread: str, person: str) -> list[dict[str, object]]:
        """The messages of a thread as `person` sees them. Raises `aiohttp.ClientError`, `OSError`."""
        messages = (await self.ask(f"/api/threads/{thread}?person={person}"))["messages"]
        assert isinstance(messages, list)
        return messages

    async def press(self, person: str, message: str, button: str, *, key: str) -> None:
        """Press a button, once per key. Raises `aiohttp.ClientError`, `OSError`."""
        await self.ask("/api/actions", {"person": person, "message": message, "button": button, "key": key})

    async def ask(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        """One request to the JSON API. Raises `aiohttp.ClientError`, `OSError`, also for a refusal."""
        method = "GET" if body is None else "POST"
        async with self._http.request(method, self.url + path, json=body) as answer:
            answer.raise_for_status()
            found: dict[str, object] = await answer.json()
            return found


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look again and again until there is something to see, and return it. Raises `AssertionError`."""
    for _ in range(round(PATIENCE_S / POLL_S)):
        seen = await look()
        if seen is not None:
            return seen
        await asyncio.sleep(POLL_S)
    raise AssertionError("it did not happen")
