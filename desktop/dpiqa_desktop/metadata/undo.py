"""Takes back what was written: byte for byte where a file is unchanged since, else property by property."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import xxhash

from dpiqa_desktop.engine.store import FileState, Store, file_state
from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError
from dpiqa_desktop.metadata.file_change import FileChange, embedded_change, sidecar_change
from dpiqa_desktop.metadata.plan import Wanted
from dpiqa_desktop.metadata.read import open_regular
from dpiqa_desktop.metadata.replace_file import (
    ReplaceError,
    Version,
    remove_file,
    replace_spliced,
    version_of,
)
from dpiqa_desktop.metadata.splice import Splice, inverse, spliced
from dpiqa_desktop.metadata.strays import Strays
from dpiqa_desktop.metadata.targets import NotWritten, name_of_all
from dpiqa_desktop.metadata.write_journal import Entry, WriteJournal
from dpiqa_desktop.process_lock import LockError, writing_alone
from dpiqa_plugin.errors import StoreError

_AT_ONCE = 4  # as many as are written at once
_WRITTEN_AT_ONCE = 50  # changes; each time the journal waits for the disk


@dataclass(frozen=True)
class TakenBack:
    """A file that is as it was before.

    Attributes:
        path: of the file.
        removed: it had been made, and is gone.
        exactly: byte for byte. False: it was changed by others since, and only what we had written is gone.
    """

    path: str
    removed: bool
    exactly: bool


def undo(entries: Iterable[Entry], journal: WriteJournal, store: Store) -> Iterator[TakenBack | NotWritten]:
    """Take changes back, in the order given: the last first. What cannot be is told, and may be tried again.

    Of one file the last change goes first, as what leads back from an earlier one knows nothing of it.

    Several files at a time, as most of it is waiting for the disk; the changes of one file one after the
    other. Closing the iterator stops after the files at hand. What was taken back leaves the journal some
    changes later: if that does not come to pass, the next time finds nothing left to be done.

    Raises:
        JournalError: the journal fails.
    """
    strays = Strays()
    waiting: deque[tuple[Entry, Future[_Attempt]]] = deque()
    over: list[int] = []
    missed: list[int] = []

    def settle() -> Iterator[TakenBack | NotWritten]:
        entry, future = waiting.popleft()
        attempt = future.result()
        note(entry, attempt)
        if len(over) + len(missed) >= _WRITTEN_AT_ONCE:
            write_down()
        if attempt.outcome is not None:
            yield attempt.outcome

    def note(entry: Entry, attempt: _Attempt) -> None:
        if attempt.over or attempt.missed:
            (over if attempt.over else missed).append(entry.id)

    def write_down() -> None:
        journal.drop(*over)
        journal.miss(*missed)
        over.clear()
        missed.clear()

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="undo") as pool:
        try:
            for entry in entries:
                name = name_of_all(entry.path)
                while len(waiting) > 2 * _AT_ONCE or any(name == name_of_all(e.path) for e, _ in waiting):
                    yield from settle()
                since = _Since(journal.moved(entry.path, entry.run), journal.later_run(entry, over))
                waiting.append((entry, pool.submit(_attempt, entry, since, store, strays)))
            while waiting:
                yield from settle()
        finally:
            pool.shutdown(wait=True)
            for entry, future in waiting:
                if not future.exception():
                    note(entry, future.result())
            write_down()


@dataclass(frozen=True)
class _Since:
    """What we did with a file after a change of it.

    Attributes:
        moved: the run that moved it, and where it is; None if it was not.
        written: the last run that changed it; None if none did.
    """

    moved: tuple[int, str] | None
    written: int | None


@dataclass(frozen=True)
class _Attempt:
    """What came of a change.

    Attributes:
        outcome: what is told of it.
        over: there is nothing more to be taken back.
        missed: the file is not there, though another may have its name. It may come back: a disk is plugged
            in, a name given back, a move taken back.
    """

    outcome: TakenBack | NotWritten | None
    over: bool = False
    missed: bool = False


def _attempt(entry: Entry, since: _Since, store: Store, strays: Strays) -> _Attempt:
    if since.moved is not None:
        run, target = since.moved
        there = os.path.lexists(target)
        then = "take that back first" if there else "it is no longer there: deleted, moved or renamed since"
        return _Attempt(NotWritten(entry.path, f"run {run} moved it to {target}: {then}"), missed=True)
    folder = os.path.dirname(entry.path)
    try:
        os.stat(folder)
        with writing_alone(name_of_all(entry.path)):
            strays.clear(folder)
            os.lstat(entry.path)
            if since.written is None:
                return _Attempt(_take_back(entry, store), over=True)
        reason = f"run {since.written} wrote into it later: take that back first"
        return _Attempt(NotWritten(entry.path, reason))
    except FileNotFoundError:
        reason = "it is gone: deleted, moved or renamed since"
        if not os.path.isdir(folder):
            reason = "its folder is not there: is its disk or card plugged in?"
        return _Attempt(NotWritten(entry.path, reason), missed=True)
    except (UnsafeError, LockError, ReplaceError, OSError) as error:
        return _Attempt(NotWritten.because(entry.path, error))


def _take_back(entry: Entry, store: Store) -> TakenBack | None:
    """None if the change never took place."""
    if os.path.realpath(entry.path) != entry.path:
        raise UnsafeError("it lies behind a symbolic link now, and did not when it was written")
    with open_regular(entry.path) as file:
        now = version_of(file)
        if now.content == entry.before:
            return None
        if entry.before is None:
            exactly = now.content == xxhash.xxh3_128_digest(entry.splices[0].new)
        else:
            exactly = _leads_back(entry, file)
    if not exactly:
        return _take_back_properties(entry, now, store)
    if entry.before is None:
        remove_file(entry.path, now)
    else:
        _replace(entry.path, inverse(entry.splices), now, store)
    return TakenBack(entry.path, removed=entry.before is None, exactly=True)


def _leads_back(entry: Entry, file: BinaryIO) -> bool:
    """Whether the file without our splices has the content that it had before them."""
    digest = xxhash.xxh3_128()
    try:
        for block in spliced(file, inverse(entry.splices)):
            digest.update(block)
    except ValueError:  # others have changed what we wrote
        return False
    return digest.digest() == entry.before


def _take_back_properties(entry: Entry, now: Version, store: Store) -> TakenBack | None:
    if entry.path.lower().endswith(".xmp"):
        change = sidecar_change(entry.path, True, entry.properties.taken_back)
    else:
        change = _embedded_change_back(entry)
    if change is None:
        return None
    _replace(entry.path, change.splices, now, store, change.verify)
    return TakenBack(entry.path, removed=False, exactly=False)


def _embedded_change_back(entry: Entry) -> FileChange | None:
    try:
        return embedded_change(entry.path, entry.properties.taken_back)
    except UnsafeError:
        # An EXIF block that we made would be left with nothing in it, which EXIF forbids: "unrated", then.
        return embedded_change(entry.path, lambda said: _unrated(entry.properties.taken_back(said)))


def _unrated(wanted: Wanted) -> Wanted:
    return Wanted(wanted.xmp, ExifRating(0)) if wanted.exif == ExifRating() else wanted


def _replace(
    path: str,
    splices: tuple[Splice, ...],
    before: Version,
    store: Store,
    verify: Callable[[BinaryIO], None] = lambda file: None,
) -> None:
    after = replace_spliced(path, splices, before, keep_mtime=True, verify=verify)
    with contextlib.suppress(StoreError):  # costs the time to score it again, no more
        was = FileState(before.size, before.mtime_ns)
        store.carry_over(path, was, file_state(path), before.content, after.content)
