"""The running process: start, the line that says so, signals, the end.

Knows: signals and exit codes. Must not know: what runs.
The first SIGTERM or SIGINT ends the process gently with code 0, at the latest after `LAST_S`; the second one ends it
at once. Both hold when the event loop hangs, too: the handlers are the interpreter's and not the loop's, and a thread
of its own watches the time. Nothing is lost either way: whatever was acknowledged is on the disk, and the next start
continues it as after a crash.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from types import FrameType

import structlog

from bots.app import App
from core.settings import Settings

LAST_S = 24.5  # exit within 25 s (DESIGN section 8); docker and systemd kill after 10 to 90 s
_SIGNAL_CODE = 128  # a shell's code for a process that a signal ended

log = structlog.get_logger("rejoinder")


async def serve(settings: Settings) -> None:
    """Run until a signal comes. Raises what `App` raises when it cannot start."""
    app = App(settings)
    stopping = Stopping()
    stopping.listen()
    await app.start()
    # What the program is made of stays until it ends: no collection needs to look at it again, which takes the loop
    # some milliseconds each time.
    gc.collect()
    gc.freeze()
    log.info("Rejoinder is ready: %s (%s)", app.url, app.model, data_dir=str(settings.data_dir.absolute()))
    await stopping.asked.wait()
    await app.stop()
    log.info("Rejoinder has stopped; what was not finished goes on at the next start")


class Stopping:
    """`asked` is set by the first signal; the process ends `last_s` seconds after it, whatever it does."""

    def __init__(self, last_s: float = LAST_S) -> None:
        self.asked = asyncio.Event()
        self._last_s = last_s
        self._loop = asyncio.get_running_loop()
        self._count = 0

    def listen(self) -> None:
        """Take SIGTERM and SIGINT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._count += 1
        if self._count > 1:
            os._exit(_SIGNAL_CODE + number)
        last = threading.Timer(self._last_s, os._exit, (0,))
        last.daemon = True
        last.start()
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        log.info("stopping: running answers may finish; a second signal ends at once")
        self.asked.set()
