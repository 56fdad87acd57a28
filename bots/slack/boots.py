"""What one start leaves to the next: when it began, whether it ended calmly, when Slack was last heard.

Knows: a small file in the data directory. A process that dies again and again must not knock at Slack's door each
time (DESIGN section 4); one that worked before it died was no such start. Who comes back wants to know since when it
was away. A file that cannot be read or written
costs nothing but that knowledge. Must not know: what was heard.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FILE = "slack.json"
WINDOW_MS = 600_000  # only starts of the last ten minutes count
WAIT_MAX_S = 60.0
HEARD_EVERY_MS = 30_000  # how often it is written down that Slack was heard


class Boots:
    """The starts of this adapter on one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        found = _read(self._path)
        starts = found.get("unclean_ms")
        heard_ms = found.get("heard_ms")
        self._unclean = [each for each in starts if isinstance(each, int)] if isinstance(starts, list) else []
        self._written_ms = 0
        self._counts = False  # this start counts as one that crashed, unless it shows otherwise
        self.heard_ms = heard_ms if isinstance(heard_ms, int) else 0  # by an earlier start; 0 = unknown

    def begin(self, now_ms: int) -> float:
        """Note a start; seconds to wait before Slack is called: 0, 1, 2, 4 ... 60 by the starts that crashed."""
        recent = [each for each in self._unclean if 0 <= now_ms - each < WINDOW_MS]
        self._unclean, self._counts = [*recent, now_ms], True
        self._write(now_ms if not self.heard_ms else self.heard_ms)
        return min(WAIT_MAX_S, float(1 << (len(recent) - 1))) if recent else 0.0

    def heard(self, now_ms: int) -> None:
        """Slack was heard; written down now and then."""
        if now_ms - self._written_ms >= HEARD_EVERY_MS:
            self._write(now_ms)

    def worked(self, now_ms: int) -> None:
        """This start took something and lived on; if it dies now, it was not in a loop."""
        self.end(now_ms)

    def end(self, now_ms: int) -> None:
        """This start ended calmly."""
        if self._counts:
            self._unclean, self._counts = self._unclean[:-1], False
        self._write(now_ms)

    def _write(self, heard_ms: int) -> None:
        self._written_ms = heard_ms
        text = json.dumps({"unclean_ms": self._unclean, "heard_ms": heard_ms})
        part = self._path.with_suffix(".part")
        with suppress(OSError):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
            part.replace(self._path)


def _read(path: Path) -> Mapping[str, object]:
    try:
        found: object = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
