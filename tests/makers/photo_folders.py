"""Folders of files that stand for photos, all that is in them, and a disk that fails on demand."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from dpiqa_desktop import placing
from dpiqa_desktop.engine.store import prepare
from dpiqa_desktop.journal import Journal

Tree = dict[str, tuple[bytes, int, int]]


def put(folder: Path, names: Iterable[str], age: int = 0) -> None:
    """Write files whose content, mode and time tell them apart from all others."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{age} {path}\n".encode(errors="surrogateescape") * (number % 3 + 1))
        path.chmod(0o640 if number % 2 else 0o604)
        os.utime(path, ns=(10**18 + age, 10**18 + 10**9 * age + number * 1_000_003))


def contents(*folders: Path) -> Tree:
    """Return content, mode and time in ns of every file below ``folders``, by path."""
    tree: Tree = {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()):
            status = path.lstat()
            content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            tree[str(path)] = (content, status.st_mode & 0o7777, status.st_mtime_ns)
    return tree


@contextlib.contextmanager
def journal_at(path: Path) -> Iterator[Journal]:
    """Open a journal as the score store does, and close its database."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        prepare(connection)
        yield Journal(connection)
    finally:
        connection.close()


_CHANGING = frozenset(
    {
        "chmod",
        "fsync",
        "getxattr",
        "link",
        "listxattr",
        "lstat",
        "mkdir",
        "open",
        "read",
        "rename",
        "replace",
        "rmdir",
        "setxattr",
        "unlink",
        "utime",
        "write",
    }
)


@dataclass
class Disk:
    """Stands for ``os`` in a module: counts what goes to the disk, and does ``what`` at the n-th call.

    Attributes:
        kind: ``"links"`` for this machine's own, ``"no links"`` for one that works like FAT, ``"other"`` for
            one where every other folder seems to be on another file system.
        at: number of the call to strike at, from 1; 0 for never.
        what: called instead of that call, with its name.
        forever: and instead of all that follow.
        late: do what was asked for first.
    """

    kind: str = "links"
    at: int = 0
    what: Callable[[str], None] = field(default=lambda name: None)
    forever: bool = False
    late: bool = False
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self.counted(name, real) if name in _CHANGING else real

    def open_file(self, path: Any, mode: str = "r", buffering: int = -1, opener: Any = None) -> Any:
        """Open as the built-in function does, binary; what is read and written counts, too."""
        file = _CountedFile(self, path, mode, opener)
        return file if buffering == 0 else io.BufferedReader(file)

    def counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            strikes = self.at and (self.calls == self.at or (self.forever and self.calls > self.at))
            if strikes and not self.late:
                self.what(name)
            result = self._as_this_kind(name, real, *args, **kwargs)
            if strikes and self.late:
                self.what(name)
            return result

        return call

    def _as_this_kind(self, name: str, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if name == "link" and self.kind == "no links":
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), args[0], None, args[1])
        across = name in ("link", "rename") and os.path.dirname(args[0]) != os.path.dirname(args[1])
        if across and self.kind == "other":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), args[0], None, args[1])
        return real(*args, **kwargs)


class _CountedFile(io.FileIO):
    def __init__(self, disk: Disk, path: Any, mode: str, opener: Any) -> None:
        super().__init__(path, mode, opener=opener)
        self._disk = disk

    def read(self, *size: Any) -> Any:
        return self._disk.counted("read", super().read)(*size)

    def readinto(self, buffer: Any) -> Any:
        return self._disk.counted("read", super().readinto)(buffer)

    def write(self, block: Any) -> Any:
        return self._disk.counted("write", super().write)(block)


@contextlib.contextmanager
def on(disk: Disk, *more: ModuleType) -> Iterator[Disk]:
    """Let ``placing``, and the modules ``more``, work on ``disk``."""
    with contextlib.ExitStack() as stack:
        for module in (placing, *more):
            stack.enter_context(patch.object(module, "os", disk))
            stack.enter_context(patch.object(module, "open", disk.open_file, create=True))
        yield disk


def fails_with(number: int) -> Callable[[str], None]:
    """Return what raises the system's error ``number``."""

    def fail(name: str) -> None:
        raise OSError(number, os.strerror(number), f"<{name}>")

    return fail
