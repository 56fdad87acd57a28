"""Counts the syncs that SQLite asks of the operating system, exactly and in this process.

Knows: SQLite's C interface for file systems (sqlite.org/c3ref/vfs.html, io_methods.html). Must not know: databases.

The kernel keeps no count of syncs for a process, and counting commits would leave out what checkpoints sync. So the
default file system of the very library that Python's sqlite3 uses is copied with another `xSync`, which counts and
goes on to the real one. That is one call of Python inside each commit, so passes that count are not the passes that
are timed (but for streams, where some twenty syncs a second are expected).
"""

from __future__ import annotations

import ctypes
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_void_p
from pathlib import Path
from typing import Any, ClassVar

assert sqlite3.sqlite_version  # the library is loaded, so that it is found among the maps of this process


class _Methods(Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_: ClassVar[Sequence[Any]] = [
        ("iVersion", c_int),
        *((name, c_void_p) for name in ("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize")),
        *((name, c_void_p) for name in ("xLock", "xUnlock", "xCheckReservedLock", "xFileControl", "xSectorSize")),
        *((name, c_void_p) for name in ("xDeviceCharacteristics", "xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap")),
        *((name, c_void_p) for name in ("xFetch", "xUnfetch")),
    ]


class _File(Structure):
    """`sqlite3_file`: whatever follows belongs to the file system."""

    _fields_: ClassVar[Sequence[Any]] = [("pMethods", POINTER(_Methods))]


class _Vfs(Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_: ClassVar[Sequence[Any]] = [
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", c_void_p),
        *((name, c_void_p) for name in ("xDelete", "xAccess", "xFullPathname")),
        *((name, c_void_p) for name in ("xDlOpen", "xDlError", "xDlSym", "xDlClose")),
        *((name, c_void_p) for name in ("xRandomness", "xSleep", "xCurrentTime", "xGetLastError")),
        *((name, c_void_p) for name in ("xCurrentTimeInt64", "xSetSystemCall", "xGetSystemCall", "xNextSystemCall")),
    ]


_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(_File), c_int, c_void_p)
_SYNC = CFUNCTYPE(c_int, POINTER(_File), c_int)


class SyncCounter:
    """`count` grows with every sync of a connection that was opened inside `counting`; 0 for ever where it cannot."""

    def __init__(self) -> None:
        self.count = 0
        self._slower_s = 0.0
        self._library = _library()
        self._kept: list[object] = []  # what C points to must outlive the connections
        self._methods: dict[int, _Methods] = {}

    @property
    def works(self) -> bool:
        """Whether Python's SQLite is a library of its own that can be reached."""
        return self._library is not None

    @contextmanager
    def counting(self, *, slower_s: float = 0.0) -> Iterator[SyncCounter]:
        """Connections opened in the block are counted for as long as they live; each sync takes `slower_s` more."""
        self._slower_s = slower_s
        if self._library is None:
            yield self
            return
        self._library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        real = self._library.sqlite3_vfs_find(None)
        copy = _Vfs.from_buffer_copy(real.contents)
        copy.zName, copy.pNext = b"counting", None
        opening = _OPEN(self._opening(_OPEN(real.contents.xOpen)))
        copy.xOpen = ctypes.cast(opening, c_void_p)
        self._kept += [copy, opening]
        self._library.sqlite3_vfs_register(ctypes.byref(copy), 1)
        try:
            yield self
        finally:
            self._library.sqlite3_vfs_unregister(ctypes.byref(copy))
            self._library.sqlite3_vfs_register(real, 1)

    def _opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def opened(vfs: int, name: int, file: ctypes._Pointer[_File], flags: int, out: int) -> int:
            code = real(vfs, name, file, flags, out)
            methods = file.contents.pMethods
            if methods:
                file.contents.pMethods = ctypes.pointer(self._counted(methods.contents))
            return code

        return opened

    def _counted(self, methods: _Methods) -> _Methods:
        at = ctypes.addressof(methods)
        if at not in self._methods:
            real = _SYNC(methods.xSync)

            def sync(file: ctypes._Pointer[_File], flags: int) -> int:
                self.count += 1
                if self._slower_s:
                    time.sleep(self._slower_s)
                return int(real(file, flags))

            counted = _Methods.from_buffer_copy(methods)
            callback = _SYNC(sync)
            counted.xSync = ctypes.cast(callback, c_void_p)
            self._kept.append(callback)
            self._methods[at] = counted
        return self._methods[at]


def _library() -> ctypes.CDLL | None:
    found = re.search(r"(/\S*libsqlite3\S*)", Path("/proc/self/maps").read_text(encoding="utf-8"))
    return None if found is None else ctypes.CDLL(found.group(1))
