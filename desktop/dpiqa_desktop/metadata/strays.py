"""Temporary files beside photos: how they are named and locked, and how those that killed writers left go."""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import threading

from dpiqa_desktop.process_lock import lock

_TEMPORARY = re.compile(r"\..*\.dpiqa-[0-9a-f]{32}\.tmp", re.DOTALL)
_NAME_BYTES = 90  # of a photo's name that its temporary file is called by: with the rest below eCryptfs' 143


class Strays:
    """What one run has looked for: once in each folder, whose list costs time; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleared: set[str] = set()

    def clear(self, folder: str) -> None:
        """Remove them from a folder, the first time that it is named."""
        with self._lock:
            if folder not in self._cleared:
                self._cleared.add(folder)
                remove_strays(folder)


def temporary_name(name: str) -> str:
    """Return a name that nobody else has, for a file beside ``name``.

    It begins with a dot, so that no scan takes it for a photo.
    """
    while len(os.fsencode(name)) > _NAME_BYTES:
        name = name[:-1]
    return f".{name}.dpiqa-{secrets.token_hex(16)}.tmp"


def made_and_locked(path: str, mode: int) -> io.FileIO:
    """Make a file of such a name, open for reading and writing, and lock it for as long as it is open.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        file = open(path, "x+b", buffering=0, opener=lambda path, flags: os.open(path, flags, mode))  # noqa: SIM115
        if os.name == "nt":  # where nobody else could read what is locked, and nobody removes what is open
            return file
        with contextlib.suppress(OSError):  # where there are no locks, remove_strays does nothing
            lock(file, wait=True)
        if os.path.lexists(path):
            return file
        file.close()  # remove_strays came between


def remove_strays(folder: str) -> list[str]:
    """Remove the temporary files in a folder whose writers were killed; return their paths.

    A writer has its temporary file locked, and the system takes the lock away when it dies. Where a file
    system has no locks nobody can tell, and the file stays; so it does where it may not be removed.
    """
    removed = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_stray(entry.path)
                    removed.append(entry.path)
    return removed


def _remove_stray(path: str) -> None:
    if os.name == "nt":  # which removes no file that anybody has open
        os.unlink(path)
        return
    with open(path, "r+b", buffering=0) as file:  # for writing: NFS locks no other
        lock(file)
        os.unlink(path)
