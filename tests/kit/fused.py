"""The whole program with a fuse: it ends itself with SIGKILL at the n-th passing of a named crash point.

`python -m tests.kit.fused run` is `python -m bots run`; `FUSE_POINT` and `FUSE_HIT` say where it dies, and every
passing becomes a line of the file `FUSE_LOG`. Knows: that a program which nobody tests passes its points through
`core.engine.points.nowhere`; this stands in for it before any other module of the product is there.
Must not know: who starts it again.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from core.engine import points


class Fuse:
    """A `Point` that kills this very process."""

    def __init__(self, log: Path, point: str, hit: int) -> None:
        self._passed: Counter[str] = Counter()
        self._point = point
        self._hit = hit
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, name: str) -> None:
        """Pass a point, or die there."""
        self._passed[name] += 1
        os.write(self._log, f"{name}\n".encode())
        if name == self._point and self._passed[name] == self._hit:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the command line of this process, with the fuse in it."""
    environ = os.environ
    fuse = Fuse(Path(environ["FUSE_LOG"]), environ.get("FUSE_POINT", ""), int(environ.get("FUSE_HIT", "0")))
    vars(points)["nowhere"] = fuse
    from bots.cli import main as run  # noqa: PLC0415 -- what is imported before the fuse is in has none

    run()


if __name__ == "__main__":
    main()
