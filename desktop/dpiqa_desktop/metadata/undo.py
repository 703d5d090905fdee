"""Takes back what was written: byte for byte where a file is unchanged since, else property by property."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import xxhash

from dpiqa_desktop.engine.store import Store, file_state
from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError
from dpiqa_desktop.metadata.file_change import FileChange, embedded_change, sidecar_change
from dpiqa_desktop.metadata.plan import Wanted
from dpiqa_desktop.metadata.read import open_regular
from dpiqa_desktop.metadata.replace_file import (
    ReplaceError,
    Version,
    remove_file,
    remove_strays,
    replace_spliced,
    version_of,
)
from dpiqa_desktop.metadata.splice import Splice, inverse, spliced
from dpiqa_desktop.metadata.targets import NotWritten, name_of_all
from dpiqa_desktop.metadata.write_journal import Entry, WriteJournal
from dpiqa_desktop.process_lock import LockError, writing_alone
from dpiqa_plugin.errors import StoreError


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

    Raises:
        JournalError: the journal fails.
    """
    cleared: set[str] = set()
    for entry in entries:
        try:
            os.stat(os.path.dirname(entry.path))
            with writing_alone(name_of_all(entry.path)):
                folder = os.path.dirname(entry.path)
                if folder not in cleared:  # once: each time the whole folder is listed
                    cleared.add(folder)
                    remove_strays(folder)
                outcome = _take_back(entry, store)
        except FileNotFoundError:
            yield NotWritten(entry.path, "it is gone: deleted, moved or renamed since")
            if os.path.isdir(os.path.dirname(entry.path)):  # else its disk may come back
                journal.drop(entry.id)
            continue
        except (UnsafeError, LockError) as error:
            yield NotWritten(entry.path, str(error))
            continue
        except ReplaceError as error:
            yield NotWritten(entry.path, error.reason)
            continue
        except OSError as error:
            yield NotWritten(entry.path, error.strerror or str(error))
            continue
        journal.drop(entry.id)
        if outcome is not None:
            yield outcome


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
        store.carry_over(path, file_state(path), before.content, after.content)
