"""The program itself on the loopback Discord: a child process that a test starts and kills.

Knows: its environment, and how to wait for it without stopping the loop that serves it. Must not know: what is tested.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import bots
from tests.cli.program import Program, Running
from tests.kit.claude_server import ClaudeServer
from tests.kit.discord_server import DiscordServer


class Installation:
    """One data directory; `start` a process on it, `kill` it, `start` the next one."""

    def __init__(self, folder: Path, discord: DiscordServer, claude: ClaudeServer, **more: str) -> None:
        environment = {
            "PYTHONPATH": str(Path(bots.__file__).parents[1]),  # this checkout's, whatever else is installed
            **discord.environment,
            "ANTHROPIC_API_KEY": "sk-ant-loopback-0000",
            "ANTHROPIC_BASE_URL": claude.url,
        }
        self.program = Program(folder=folder, more=environment | more)
        self.process: Running | None = None
        self.log = ""

    async def start(self) -> Running:
        """Start the program and wait until it is ready."""
        process = self.process = Running(self.program, {})
        await asyncio.to_thread(process.wait_ready)
        return process

    async def kill(self) -> None:
        """SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send(number)
        code = await asyncio.to_thread(process.wait, 30.0)
        self.log += process.log
        process.end()
        return code


@asynccontextmanager
async def installed(
    folder: Path, discord: DiscordServer, **more: str
) -> AsyncIterator[tuple[Installation, ClaudeServer]]:
    """An installation with a loopback Claude; nothing of it is left running."""
    async with ClaudeServer() as claude:
        installation = Installation(folder, discord, claude, **more)
        try:
            yield installation, claude
        finally:
            await installation.kill()
