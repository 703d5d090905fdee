"""Locks between our own processes and threads; the system takes them away from a process that dies."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dpiqa_desktop.engine.store import default_database
from dpiqa_plugin.errors import DPIQAError

_STRIPES = 256
_POLL_SECONDS = 0.01


class LockError(DPIQAError):
    """A file cannot be locked, and no file is changed without."""


def lock(file: BinaryIO, wait: bool = False) -> None:
    """Lock a file for as long as it is open; what one thread opens twice excludes itself, too.

    On Windows nobody else can read its first byte meanwhile.

    Raises:
        OSError: somebody else has it and ``wait`` is False, or the file system has no locks.
    """
    if sys.platform == "win32":
        _lock_on_windows(file, wait)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(file: BinaryIO) -> None:
    """Give a lock back, which closing would not do while a forked child holds the file open, too."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def writing_alone(*paths: str) -> Iterator[None]:
    """Keep other processes and threads of this user from changing ``paths``, which need not exist.

    Waits for them. Name all files of a photo at once: whoever takes one after the other can meet somebody
    who does it in the other order, and both wait for ever. So does whoever nests this.

    Nothing is left beside the photos: the locks are 256 empty files in a folder beside the score database,
    and which one is a file's is drawn from its folder's identity and its name, as the least particular file
    system compares names. Two files that share one wait for each other a little, and that is all. Another
    user, or this one on another computer, has other locks: only the comparison before a replacement stops
    those.

    Raises:
        LockError: the database's folder cannot be written, or has no locks; or the folder of a path is gone.
    """
    stripes = sorted({_stripe(path) for path in paths})
    with contextlib.ExitStack() as held:
        try:
            folder = default_database().parent / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            for stripe in stripes:
                held.enter_context(_locked(folder / f"{stripe:02x}"))
        except OSError as error:
            raise LockError(
                f"cannot lock a file in {default_database().parent} ({error.strerror}), and no photo is "
                "changed without. See whether its disk is full or read-only."
            ) from error
        yield


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "ab") as file:
        lock(file, wait=True)
        try:
            yield
        finally:
            _unlock(file)


def _stripe(path: str) -> int:
    folder, name = os.path.split(os.path.realpath(path))
    try:
        status = os.stat(folder)
    except OSError as error:
        raise LockError(f"{path}: its folder cannot be looked at ({error.strerror})") from error
    name = unicodedata.normalize("NFC", name).casefold()
    key = b"%d %d " % (status.st_dev, status.st_ino) + name.encode(errors="surrogatepass")
    return hashlib.blake2b(key).digest()[0] % _STRIPES


def _lock_on_windows(file: BinaryIO, wait: bool) -> None:
    import msvcrt

    while True:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            return
        except OSError:
            if not wait:
                raise
        time.sleep(_POLL_SECONDS)
