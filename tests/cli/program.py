"""The program as an operator has it: a child process, its data directory, its page.

Knows: how to start, ask and end a process, and to wait for what it shows. Must not know: anything inside it.
Every output of every process is checked here: no traceback ever.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import structlog
from typer.testing import CliRunner

from bots.cli import app

T = TypeVar("T")

PATIENCE_S = 60.0  # for anything that a test waits to see; a loaded machine, usually one second
_READY = re.compile(r"Rejoinder is ready: (http://\S+) ")
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True, kw_only=True)
class Program:
    """One data directory and the environment to use it with; nothing of ours comes from outside."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        """Where it keeps what it keeps."""
        return self.folder / "data"

    def environment(self, **more: str) -> dict[str, str]:
        """What the child process gets to see."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        ours = {"REJOINDER_DATA_DIR": str(self.data_dir), "REJOINDER_HTTP_PORT": "0"}
        return kept | ours | self.more | more

    def do(self, *command: str, told: str = "", **more: str) -> Done:
        """Run a command to its end."""
        ended = subprocess.run(
            [sys.executable, "-m", "bots", *command],
            env=self.environment(**more),
            cwd=self.folder,
            input=told,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert "Traceback" not in ended.stderr
        return Done(code=ended.returncode, out=ended.stdout, err=ended.stderr)

    def do_here(self, *command: str, **more: str) -> Done:
        """The same in this process, for what is only a sentence: a child takes half a second to import everything."""
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            ended = CliRunner().invoke(app, command, env=cleared(self.environment(**more)), prog_name="rejoinder")
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
            logging.captureWarnings(capture=False)
            structlog.reset_defaults()
            sys.excepthook = sys.__excepthook__
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        return Done(code=ended.exit_code, out=ended.stdout, err=ended.stderr)

    @contextmanager
    def running(self, **more: str) -> Iterator[Running]:
        """The program, ready; whatever is left of it at the end is killed."""
        process = Running(self, more)
        try:
            process.wait_ready()
            yield process
        finally:
            process.end()


class Page:
    """What a script or a page can do with a running program."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> tuple[int, dict[str, object]]:
        """One request to the JSON API: status and answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def say(self, text: str, person: str = "alice") -> str:
        """Say something in a direct message; the thread's id."""
        status, answer = self.ask("/api/messages", {"person": person, "channel": "dm", "text": text})
        assert status == 202, answer
        return str(answer["thread"])

    def thread(self, thread: str, person: str = "alice") -> list[dict[str, object]]:
        """The messages of a thread."""
        status, answer = self.ask(f"/api/threads/{thread}?person={person}")
        assert status == 200, answer
        messages = answer["messages"]
        assert isinstance(messages, list)
        return messages

    def answer(self, thread: str, state: str, least_chars: int = 1) -> str:
        """Wait until the bot's answer is in a state and so long; its text."""

        def look() -> str | None:
            texts = [
                str(each["text"])
                for each in self.thread(thread)
                if each["author"] == "Rejoinder" and each["state"] == state
            ]
            return texts[-1] if texts and len(texts[-1]) >= least_chars else None

        return until(look)


class Running(Page):
    """A started `rejoinder run`."""

    def __init__(self, program: Program, more: Mapping[str, str]) -> None:
        super().__init__("")
        self.log = ""
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bots", "run"],
            env=program.environment(**more),
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log += line
            if found := _READY.search(line):
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait for the line that says so."""
        assert self._ready.wait(PATIENCE_S), self.log
        assert self.url, self.log

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Wait until it has ended, and return its exit code."""
        code = self._process.wait(seconds)
        self._listening.join()
        assert "Traceback" not in self.log
        return code

    def end(self) -> None:
        """Kill what is left."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listening.join()
        if self._process.stderr is not None:
            self._process.stderr.close()


def cleared(environment: Mapping[str, str]) -> dict[str, str | None]:
    """An environment that hides what this process has of ours."""
    return {name: None for name in os.environ if name not in environment} | dict(environment)


def until(look: Callable[[], T | None]) -> T:
    """Wait until there is something to see, and return it."""
    end = time.monotonic() + PATIENCE_S
    while (seen := look()) is None:
        assert time.monotonic() < end, "it did not happen"
        time.sleep(_POLL_S)
    return seen
