"""The running process: start, the line that says so, signals, the end.

Knows: signals and exit codes. Must not know: what runs.
The first SIGTERM or SIGINT ends the process gently with code 0, at the latest after `LAST_S`: a thread of its own
sees to that even when the event loop hangs. The second one ends it at once. Neither loses anything: whatever was
acknowledged is on the disk, and the next start continues it as after a crash.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import structlog

from bots.app import App
from core.settings import Settings

LAST_S = 24.5  # exit within 25 s (DESIGN section 8); docker and systemd kill after 10 to 90 s
_SIGNAL_CODE = 128  # a shell's code for a process that a signal ended

log = structlog.get_logger("rejoinder")


async def serve(settings: Settings) -> None:
    """Run until a signal comes. Raises what `App` raises when it cannot start."""
    if settings.without_effect:
        log.warning("settings without effect in this release", fields=" ".join(settings.without_effect))
    app = App(settings)
    stopping = _Stopping()
    stopping.listen()
    await app.start()
    log.info("Rejoinder is ready: %s (%s)", app.url, app.model, data_dir=str(settings.data_dir.absolute()))
    await stopping.asked.wait()
    await app.stop()
    log.info("Rejoinder has stopped; what was not finished goes on at the next start")


class _Stopping:
    """`asked` is set by the first signal."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked, number)

    def _asked(self, number: int) -> None:
        if self.asked.is_set():
            os._exit(_SIGNAL_CODE + number)
        self.asked.set()
        log.info("stopping: running answers may finish; a second signal ends at once")
        last = threading.Timer(LAST_S, os._exit, (0,))
        last.daemon = True
        last.start()
