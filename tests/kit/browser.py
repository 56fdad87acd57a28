"""The program as a real child process, and a real browser in front of it.

Knows: how both are started, killed and ended. Must not know: what is looked at.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

START_S = 30.0  # a loaded machine; usually one second
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Program:
    """`python -m bots run` on a data directory of its own, always on the same port."""

    def __init__(self, data_dir: Path, **more: str) -> None:
        self._data_dir = data_dir
        self._more = more
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and return when it takes work."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        environment = kept | {
            "REJOINDER_DATA_DIR": str(self._data_dir),
            "REJOINDER_HTTP_PORT": str(self._port),
            **self._more,
        }
        with (self._data_dir.parent / "program.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bots", "run"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError, urllib.error.URLError):
                if urllib.request.urlopen(f"{self.url}/readyz", timeout=1).status == 200:  # noqa: S310 - our own address
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError((self._data_dir.parent / "program.log").read_text("utf-8"))

    def kill(self) -> None:
        """SIGKILL: no farewell."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as an operator does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
        self._process = None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def open_browser(executable: Path) -> Iterator[Browser]:
    """Debian's chromium, driven by playwright."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGS)
        yield browser
        browser.close()
