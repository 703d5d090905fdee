"""Photos as they arrive in a folder, each as soon as it is whole: what a run of ``--watch`` scores."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from watchdog.events import EVENT_TYPE_CREATED, EVENT_TYPE_MOVED, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserverVFS
from watchdog.version import VERSION_MAJOR

from dpiqa_plugin.errors import DPIQAError, UsageError

# How long a wish to stop or a folder that is gone may go unnoticed, in seconds.
_WAKE_UP = 0.5
_FALLBACK_POLL_SECONDS = 5.0
# Up to 6.0, the last for Python 3.10, watchdog on Linux does not see what is put into the subfolders of a
# folder that was moved in (the test of that fails).
_TRUSTS_EVENTS = VERSION_MAJOR >= 7 or sys.platform != "linux"
# Whole but not to be opened, because its writer still holds it (Windows) or for good: then it is given out
# all the same, so that decoding tells the user why.
_OPEN_TRIES = 10
# Watchdog 7 on Linux may come upon a new folder twice, by its event and in the folder around it, and then
# warns of its own doing. The warning comes in its thread, so it can only be let pass for the whole process.
_SEEN_TWICE = "Callback with id '.*' already exists"
# Reading a photo, ours too, is no change.
_READING = frozenset({"opened", "closed_no_write"})


class WatchError(DPIQAError):
    """A folder can no longer be watched."""


@dataclass(frozen=True)
class _Top:
    """A watched folder: as the user calls it, where it really is, and device and inode, to know it again."""

    name: str
    real: str
    identity: tuple[int, int]


@dataclass(frozen=True)
class _Waiting:
    """A file that must stay as it is, ``(size, mtime)``, until ``deadline`` of the monotonic clock."""

    stamp: tuple[int, int]
    deadline: float
    tries: int = 0


@contextlib.contextmanager
def watching(
    paths: Sequence[str],
    suffixes: Collection[str],
    settle_seconds: float = 2.0,
    poll_seconds: float | None = None,
) -> Iterator[Watch]:
    """Observe folders, with all that is and will be below them, from here to the end of the block.

    Scan inside the block, then take ``batches``: what arrives meanwhile is in one of the two, or in both if
    the scan came upon it half-written.

    Names that begin with a dot are left out, as in a scan. Symlinked folders below ``paths`` are not
    followed: loops of them would never end.

    Args:
        paths: folders.
        suffixes: endings of photos' names, in lower case with the dot.
        settle_seconds: a file is whole when its size and time have not changed for so long.
        poll_seconds: look at the folders every so many seconds; None leaves it to the system to tell what
            changes, which network shares do not. Where the system cannot (its watches are used up, or
            watchdog before 7 on Linux), they are polled every 5 seconds.

    Raises:
        UsageError: a path is no folder.
        WatchError: a folder cannot be watched.
    """
    if settle_seconds <= 0:
        raise ValueError(f"settle_seconds must be above 0, got {settle_seconds}")
    tops = _tops(paths)
    warnings.filterwarnings("ignore", _SEEN_TWICE, RuntimeWarning)
    if poll_seconds is None and not _TRUSTS_EVENTS:
        poll_seconds = _FALLBACK_POLL_SECONDS
    inbox = _Inbox()
    observer = _start_observing(tops, inbox, poll_seconds)
    try:
        yield Watch(tops, frozenset(suffixes), settle_seconds, inbox)
    finally:
        observer.stop()
        observer.join()


class Watch:
    """What ``watching`` gives: made there, good while its block lasts."""

    def __init__(
        self, tops: Sequence[_Top], suffixes: frozenset[str], settle_seconds: float, inbox: _Inbox
    ) -> None:
        self._tops = tops
        self._suffixes = suffixes
        self._settle_seconds = settle_seconds
        self._inbox = inbox
        # By deadline, earliest first, because each is put at the end with the same delay.
        self._waiting: dict[str, _Waiting] = {}
        self._given_out: dict[str, tuple[int, int]] = {}

    def batches(self, stop: threading.Event) -> Iterator[list[str]]:
        """Yield paths of photos that have become whole, until ``stop`` is set (seen within half a second).

        A photo comes again only after it has changed. One that keeps growing waits as long as it grows; one
        that vanishes before it is whole never comes. Nothing is lost while the caller works on a batch.

        Raises:
            WatchError: a watched folder was deleted, renamed or unmounted.
        """
        while not stop.is_set():
            for path, is_folder in self._inbox.wait(self._pause()):
                for photo in self._photos(path, is_folder):
                    self._await(photo)
            self._check_folders()
            batch = self._whole()
            if batch:
                yield batch

    def passed_over(self, path: str) -> None:
        """Take the file as given out as it is now: the caller itself has changed it."""
        stamp = _stamp(path)
        if stamp is not None:
            self._given_out[path] = stamp

    def _pause(self) -> float:
        if not self._waiting:
            return _WAKE_UP
        first = next(iter(self._waiting.values()))
        return min(_WAKE_UP, max(0.0, first.deadline - time.monotonic()))

    def _photos(self, path: str, is_folder: bool) -> Iterator[str]:
        """Yield what counts of a path that changed, under the name that the user's folders give it."""
        for top in self._tops:
            below = os.path.relpath(path, top.real) if _is_inside(path, top.real) else None
            if below is None or (below != "." and any(n.startswith(".") for n in below.split(os.sep))):
                continue
            name = os.path.join(top.name, below) if below != "." else top.name
            if is_folder:
                yield from self._walk(name)
            elif self._is_photo(name):
                yield name

    def _walk(self, top: str) -> Iterator[str]:
        """Yield the photos of a folder that came as a whole; what cannot be listed is gone again."""
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from (
                os.path.join(folder, name)
                for name in sorted(files)
                if not name.startswith(".") and self._is_photo(name)
            )

    def _is_photo(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self._suffixes

    def _await(self, path: str) -> None:
        """Start waiting for a file, or start anew: it has just changed or gone."""
        self._waiting.pop(path, None)
        stamp = _stamp(path)
        if stamp is None:
            self._given_out.pop(path, None)
        elif self._given_out.get(path) != stamp:
            self._waiting[path] = _Waiting(stamp, time.monotonic() + self._settle_seconds)

    def _whole(self) -> list[str]:
        """Take out what has waited long enough without a change."""
        now = time.monotonic()
        batch = []
        for path, waiting in list(_until(self._waiting, now)):
            del self._waiting[path]
            stamp = _stamp(path)
            if stamp is None:
                self._given_out.pop(path, None)
            elif stamp != waiting.stamp:
                self._waiting[path] = _Waiting(stamp, now + self._settle_seconds)
            elif waiting.tries < _OPEN_TRIES and not _opens(path):
                self._waiting[path] = _Waiting(stamp, now + self._settle_seconds, waiting.tries + 1)
            else:
                self._given_out[path] = stamp
                batch.append(path)
        return batch

    def _check_folders(self) -> None:
        for top in self._tops:
            if _identity(top.real) != top.identity:
                raise WatchError(
                    f"the watched folder {top.name} is gone: deleted, renamed or unmounted; "
                    "bring it back and start again"
                )


class _Inbox(FileSystemEventHandler):
    """Paths that changed, each once, however long nobody takes them: a growing file tells of every write."""

    def __init__(self) -> None:
        self._changed: dict[tuple[str, bool], None] = {}
        self._arrival = threading.Condition()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note what a photo or a folder of them may have come from; called by the observer's thread."""
        if event.event_type in _READING:
            return
        # Of a folder, only its coming matters: what is in it tells of itself.
        if event.is_directory and event.event_type not in (EVENT_TYPE_CREATED, EVENT_TYPE_MOVED):
            return
        with self._arrival:
            for path in (event.src_path, event.dest_path):
                if path:
                    self._changed[os.fsdecode(path), event.is_directory] = None
            self._arrival.notify()

    def wait(self, seconds: float) -> list[tuple[str, bool]]:
        """Take all paths, with whether they are folders; if there are none, wait for some so long."""
        with self._arrival:
            if not self._changed:
                self._arrival.wait(seconds)
            changed = list(self._changed)
            self._changed.clear()
        return changed


def _tops(paths: Sequence[str]) -> list[_Top]:
    """Drop folders that are inside others: the system would tell of their files twice."""
    tops: list[_Top] = []
    for path in paths:
        real = os.path.realpath(path)
        identity = _identity(real)
        if identity is None:
            raise UsageError(f"cannot watch {path}: there is no such folder")
        if not any(_is_inside(real, top.real) for top in tops):
            tops = [top for top in tops if not _is_inside(top.real, real)]
            tops.append(_Top(path, real, identity))
    return tops


def _start_observing(tops: Sequence[_Top], inbox: _Inbox, poll_seconds: float | None) -> BaseObserver:
    try:
        # Polling with lstat, because watchdog's own os.stat follows symlinks round and round.
        observer = (
            Observer()
            if poll_seconds is None
            else PollingObserverVFS(os.lstat, os.scandir, polling_interval=poll_seconds)
        )
    except OSError:  # no more instances of the system's notification to be had
        return _start_observing(tops, inbox, _FALLBACK_POLL_SECONDS)
    try:
        for top in tops:
            observer.schedule(inbox, top.real, recursive=True)
        observer.start()
    except OSError as error:
        observer.stop()
        if poll_seconds is None:
            return _start_observing(tops, inbox, _FALLBACK_POLL_SECONDS)
        raise WatchError(f"cannot watch {', '.join(top.name for top in tops)}: {error}") from error
    return observer


def _until(waiting: dict[str, _Waiting], now: float) -> Iterator[tuple[str, _Waiting]]:
    for path, file in waiting.items():
        if file.deadline > now:
            return
        yield path, file


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _stamp(path: str) -> tuple[int, int] | None:
    """Size and time of a regular file; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _opens(path: str) -> bool:
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False
