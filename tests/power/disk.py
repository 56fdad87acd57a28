"""A disk that loses power: what was synced stays, what was not stays in part, in any order, or not at all.

Knows: files, syncs, sectors. Must not know: SQL, or whose files they are.
The real files are the kernel's view, the one that the running process reads. Beside it the platter's view is kept:
bytes up to the last sync, and the writes since. `cut` keeps some of the first of those, and of the rest some sectors of
512 bytes (a later one without an earlier one is a reordering, one half of a page without the other is a tear).

After the moment of the cut the process may run on and be told that all is well; `restore` undoes all it did since and
makes the real files what the platter held.
Directory entries are taken to be durable: the database's name is made so by the product (storage/files.py), and its
log disappears only when it is empty of news.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR_BYTES = 512


@dataclass(slots=True)
class _Platter:
    """One file: what is certain, and what was written since (`data` None: cut or grown to `at` bytes)."""

    certain: bytearray
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for at, data in self.since:
            _apply(self.certain, at, data)
        self.since.clear()

    def after_cut(self, chance: random.Random) -> bytes:
        """What is left: the writes up to one in the middle and some sectors of the rest, in any order."""
        left = bytearray(self.certain)
        whole = chance.randint(0, len(self.since))
        survives = chance.choice((0.0, 0.0, 0.5, 0.9))
        for n, (at, data) in enumerate(self.since):
            if n < whole:
                _apply(left, at, data)
            elif data is None:
                if chance.random() < survives:
                    _apply(left, at, None)
            else:
                for start in range(0, len(data), SECTOR_BYTES):
                    if chance.random() < survives:
                        _apply(left, at + start, data[start : start + SECTOR_BYTES])
        return bytes(left)


def _apply(file: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del file[at:]
        file.extend(bytes(at - len(file)))
        return
    file.extend(bytes(max(0, at - len(file))))
    file[at : at + len(data)] = data


class Disk:
    """All files of one database. The power goes at the `cut_at`-th write; None: never by itself."""

    def __init__(
        self, chance: random.Random, cut_at: int | None = None, *, on_cut: Callable[[], None] = lambda: None
    ) -> None:
        self.off = False
        self.writes = 0
        self.syncs = 0
        self._chance = chance
        self._cut_at = cut_at
        self._on_cut = on_cut
        self._platters: dict[Path, _Platter] = {}
        self._left: dict[Path, bytes] = {}

    def platter(self, path: Path) -> _Platter:
        """The platter's view of a file that is opened now; what it held then is certain."""
        if path not in self._platters:
            self._platters[path] = _Platter(bytearray(path.read_bytes() if path.exists() else b""))
        return self._platters[path]

    def write(self, path: Path, at: int, data: bytes | None) -> None:
        """Note a write."""
        if not self.off:
            self.writes += 1
            self.platter(path).since.append((at, data))
            if self.writes == self._cut_at:
                self.cut()

    def sync(self, path: Path) -> None:
        """Make a file's writes certain."""
        if not self.off:
            self.syncs += 1
            self.platter(path).sync()

    def delete(self, path: Path) -> None:
        """Forget a file."""
        if not self.off:
            self._platters.pop(path, None)

    def cut(self) -> None:
        """The power goes now."""
        if not self.off:
            self.off = True
            self._left = {path: platter.after_cut(self._chance) for path, platter in self._platters.items()}
            self._on_cut()

    def restore(self) -> None:
        """Make the real files what the platter held; every connection must be closed."""
        for path in self._platters:
            path.unlink(missing_ok=True)
        for path, data in self._left.items():
            path.write_bytes(data)


class DiskVfs(apsw.VFS):
    """The system's own VFS, with a `Disk` listening. Unregister it when the last connection is closed."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, base="")
        self._disk = disk

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """See `apsw.VFS`."""
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001
        """See `apsw.VFS`."""
        self._disk.delete(Path(filename))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "")
        disk.platter(self._path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """See `apsw.VFSFile`."""
        self._disk.write(self._path, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """See `apsw.VFSFile`."""
        self._disk.write(self._path, newsize, None)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """See `apsw.VFSFile`; the real file is synced by nobody, the power that goes is ours."""
        self._disk.sync(self._path)
