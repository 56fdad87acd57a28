"""Tool servers as processes, and the driver connected to them.

Knows: how to start, wait for, kill and count. Must not know: what is tested.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from core.domain.tooling import ToolKind
from core.drivers.clock import SystemClock
from core.drivers.mcp_tools import McpTools
from core.tool_settings import ToolServer

READY_S = 30.0


class ToolProcess:
    """A kit server over HTTP in a process of its own; `log` has every call that reached it."""

    def __init__(self, log: Path, port: int = 0) -> None:
        self.log = log
        self.port = port or free_port()
        self._process = self._start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/mcp"

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.kit.tool_server", str(self.log), str(self.port)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Return when it listens."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the tool server does not listen")

    def again(self) -> None:
        """Start it anew where it was."""
        self.kill()
        self._process = self._start()
        self.wait()

    def kill(self) -> None:
        """Kill it, as `kill -9` does."""
        self._process.kill()
        self._process.wait()

    def calls(self) -> Counter[str]:
        """How often each tool was really called."""
        return counted(self.log)


def counted(log: Path) -> Counter[str]:
    """How often each tool was called, by a server's log."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return Counter(str(json.loads(line)["tool"]) for line in lines)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def http(url: str, *, seconds: float = 10.0, effects: Mapping[str, ToolKind] | None = None) -> ToolServer:
    """Settings of a server over HTTP."""
    return ToolServer(url=url, timeout=timedelta(seconds=seconds), effects=effects or {})


def piped(log: Path, *, seconds: float = 10.0) -> ToolServer:
    """Settings of a kit server as a process on pipes."""
    command = (sys.executable, "-m", "tests.kit.tool_server", str(log))
    return ToolServer(command=command, timeout=timedelta(seconds=seconds))


async def connected(**servers: ToolServer) -> McpTools:
    """A driver that has seen the list of every server that is there."""
    tools = McpTools(servers, SystemClock())
    await tools.recall()
    tools.start()
    for _ in range(100):
        offered = await tools.offered()
        if {each.server for each in offered} == set(servers):
            return tools
        await asyncio.sleep(0.1)
    raise AssertionError("a tool server does not list its tools")
