"""What the photographer said of photos in this program, kept at once: in the score store's database.

A mark is given to a photo, not to a path for ever: with it is kept what tells its file, size and time. Our
own changes of a file take the mark along, see ``Store.carry_over`` and ``Journal.set_state``. After anybody
else's nobody knows whether it is the same photo: then the mark is outdated. A mark that was taken away leaves
behind which file it was of, so that it does not come back for another one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dpiqa_desktop.engine.store import (
    FileState,
    file_state,
    keep_mark,
    path_key,
    prepare,
    store_error,
    transaction,
)
from dpiqa_plugin.errors import PhotoError

Flag = Literal["picked", "rejected"]

# The window waits for it: another process holds the lock for a batch's commit, which takes milliseconds.
_BUSY_SECONDS = 2
_COLUMNS = "path, stars, flag, size, mtime_ns, stars_at, flag_at, written, said_at, void_until"
_FORGET = "UPDATE marks SET stars = NULL, flag = NULL, written = 0 WHERE path = ?"


@dataclass(frozen=True)
class Mark:
    """What the photographer said of a photo.

    Attributes:
        stars: 0 to 5; None if not rated here.
        flag: None if neither picked nor rejected.
        stars_at: when the stars were given, ns since 1970; None if unknown. Stars that were given replace a
            rating in the photo's files only as long as nobody has changed these since.
        flag_at: when the flag was given.
        outdated: others have changed the file since: it may be another photo. To be shown, no more.
    """

    stars: int | None = None
    flag: Flag | None = None
    stars_at: int | None = field(default=None, compare=False)
    flag_at: int | None = field(default=None, compare=False)
    outdated: bool = False

    @property
    def in_force(self) -> Mark:
        """What of it counts: nothing if it is outdated."""
        return UNMARKED if self.outdated else self


UNMARKED = Mark()


@dataclass(frozen=True)
class _Kept:
    """A mark as it is kept.

    Attributes:
        mark: says nothing if it was taken away.
        state: of which file, or which one was there when an outdated mark came back.
        written: the photo's files say it, too.
        said_at: when anything was said last that was kept for this path, ns since 1970; 0 if unknown.
        void_until: what was said until then was of another file; -1 if nothing was.
    """

    mark: Mark
    state: FileState | None
    written: bool
    said_at: int
    void_until: int


@dataclass(frozen=True)
class Moved:
    """A file that has another path now, and what it was before and is there."""

    source: str
    target: str
    was: FileState
    now: FileState


class Marks:
    """The marks of every photo of this user, by path; may be used by several threads.

    A commit survives ``kill -9``; after a power cut the last ones may be missing.

    Args:
        database: file of the score store, opened at the first use; made with its directory if missing.

    Raises:
        StoreError: by all methods, if the database fails.
    """

    def __init__(self, database: Path) -> None:
        self._lock = threading.Lock()
        self._database = database
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def all_below(self, folder: str) -> dict[str, Mark]:
        """Return the marks of photos in a folder and those below it, or of one photo, as they stand now.

        Paths begin with ``folder`` as it is given, as the scan's do.
        """
        key = path_key(folder)
        inside = os.fsencode(os.path.join(os.fsdecode(key), ""))
        behind = inside[:-1] + bytes([inside[-1] + 1])  # the first that does not begin so
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM marks WHERE (path = ? OR (path > ? AND path < ?)) "
                "AND (stars IS NOT NULL OR flag IS NOT NULL)",
                (key, inside, behind),
            ).fetchall()
        found = {
            os.path.join(folder, os.fsdecode(path[len(inside) :])) if path != key else folder: _kept(*row)
            for path, *row in rows
        }
        standing = {path: _as_it_stands(path, kept) for path, kept in found.items()}
        return {path: mark for path, mark in standing.items() if mark != UNMARKED}

    def as_they_stand(self, marks: Mapping[str, Mark]) -> dict[str, Mark]:
        """Return marks that were read or given some time ago as they stand now.

        Those that are not kept, or not yet, are returned as they are.
        """
        if not self._database.exists():
            return dict(marks)
        with self._connected() as connection:
            kept = {path: found for path in marks if (found := _find(connection, path)) is not None}
        return {
            path: _shown_as_it_stands(path, mark, kept[path]) if path in kept else mark
            for path, mark in marks.items()
        }

    def set(self, marks: Mapping[str, Mark]) -> dict[str, Mark]:
        """Keep the marks of these photos, given to the files as they are now, all or none.

        One that is outdated stays so. Marks may come back that were replaced or taken away, as undoing does.

        Returns:
            those that are kept otherwise: what was given to another file than the one that is there now does
            not count, as a flag beside new stars, or what comes back after the file was replaced.
        """
        corrected = {}
        with self._connected() as connection, transaction(connection):
            for path, given in marks.items():
                kept = _to_be_kept(given, _find(connection, path), _state(path))
                if kept.mark != given:
                    corrected[path] = kept.mark
                connection.execute(
                    f"INSERT OR REPLACE INTO marks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (path_key(path), *_values(kept)),
                )
        return corrected

    def set_written(self, marks: Mapping[str, Mark], written: bool) -> None:
        """Keep whether the photos' files say what these marks say; others that were given since are not."""
        with self._connected() as connection, transaction(connection):
            connection.executemany(
                "UPDATE marks SET written = ? WHERE path = ? AND stars IS ? AND flag IS ?",
                [(written, path_key(path), mark.stars, mark.flag) for path, mark in marks.items()],
            )

    def renew_stars(self, marks: Mapping[str, Mark]) -> None:
        """Take the stars of these marks for given now; others that were given since stay as they are."""
        now = time.time_ns()
        with self._connected() as connection, transaction(connection):
            connection.executemany(
                "UPDATE marks SET stars_at = ? WHERE path = ? AND stars = ? AND stars_at = ?",
                [(now, path_key(path), mark.stars, mark.stars_at) for path, mark in marks.items()],
            )

    def forget(self, paths: Iterable[str]) -> dict[str, Mark]:
        """Forget the marks of photos that are gone; return what they were."""
        forgotten = {}
        with self._connected() as connection, transaction(connection):
            for path in paths:
                kept = _find(connection, path)
                if kept is not None and kept.mark != UNMARKED:
                    forgotten[path] = kept.mark
                    connection.execute(_FORGET, (path_key(path),))
        return forgotten

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise store_error(
                    f"picks, rejects and stars are not kept in {self._database}", error
                ) from error

    def _opened(self) -> sqlite3.Connection:
        self._database.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._database, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def take_along(connection: sqlite3.Connection, moved: Iterable[Moved]) -> None:
    """Give the marks of files that were moved to their new paths, in the transaction that is under way."""
    for file in moved:
        old, new = path_key(file.source), path_key(file.target)
        connection.execute(_FORGET, (new,))  # of an earlier file of that name
        connection.execute(
            f"INSERT OR REPLACE INTO marks ({_COLUMNS}) "
            f"SELECT ?, {_COLUMNS.partition(', ')[2]} FROM marks WHERE path = ?",
            (new, old),
        )
        connection.execute(_FORGET, (old,))
        # Some file systems keep times less exactly.
        keep_mark(connection, file.target, file.was, file.now, as_written=True)


def changed_at(path: str) -> int | None:
    """When a file was changed last, ns since 1970, as far as can be told; None if there is none.

    Programs set the time of modification back, so the system's own is asked, which also changes when a file
    is moved. Windows does not tell that one.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns


def _find(connection: sqlite3.Connection, path: str) -> _Kept | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM marks WHERE path = ?", (path_key(path),)).fetchone()
    return None if row is None else _kept(*row[1:])


def _kept(
    stars: int | None,
    flag: Flag | None,
    size: int | None,
    mtime_ns: int | None,
    stars_at: int | None,
    flag_at: int | None,
    written: int,
    said_at: int,
    void_until: int,
) -> _Kept:
    state = None if size is None or mtime_ns is None else FileState(size, mtime_ns)
    mark = Mark(stars, flag, stars_at, flag_at)
    # A version that does not know the last two columns may be at work, too.
    return _Kept(mark, state, bool(written), max(said_at, _said_at(mark)), void_until)


def _values(kept: _Kept) -> tuple[object, ...]:
    """As ``_kept`` takes them."""
    mark, state = kept.mark, kept.state
    size, mtime_ns = (state.size, state.mtime_ns) if state else (None, None)
    return (
        *(mark.stars, mark.flag, size, mtime_ns, mark.stars_at, mark.flag_at),
        *(kept.written, kept.said_at, kept.void_until),
    )


def _as_it_stands(path: str, kept: _Kept) -> Mark:
    if kept.mark == UNMARKED:
        return UNMARKED
    now = _state(path)
    is_void = _said_at(kept.mark) <= kept.void_until
    if not is_void and now in (None, kept.state):
        return kept.mark  # whoever wants to do something with a photo that is gone finds that out
    if is_void or not kept.written:
        return replace(kept.mark, outdated=True)
    # The files have said it, too, so what they say now counts; a pick is in no file.
    return Mark(flag="picked", outdated=True) if kept.mark.flag == "picked" else UNMARKED


def _shown_as_it_stands(path: str, shown: Mark, kept: _Kept) -> Mark:
    """As `_as_it_stands`, of what is shown, which may be about to be kept, or could not be."""
    if _said_at(shown) > kept.said_at:
        return shown
    left = replace(
        kept.mark,
        stars=None if shown.stars is None else kept.mark.stars,
        flag=None if shown.flag is None else kept.mark.flag,
    )
    return _as_it_stands(path, replace(kept, mark=left))


def _to_be_kept(given: Mark, kept: _Kept | None, state: FileState | None) -> _Kept:
    """A mark that is given to a file as it is now, ``state`` (None: it is gone), after one that was kept."""
    kept = kept or _Kept(UNMARKED, state, False, 0, -1)
    void_until = kept.void_until
    if state not in (None, kept.state):
        # No later than now: after a clock that was ahead, what is given later counts, all the same.
        void_until = max(void_until, min(kept.said_at, time.time_ns()))
    mark = given
    if given.outdated:
        void_until = max(void_until, _said_at(given))
    else:
        stars = given.stars if (given.stars_at or 0) > void_until else None
        flag = given.flag if (given.flag_at or 0) > void_until else None
        mark = replace(given, stars=stars, flag=flag)
    return _Kept(mark, state or kept.state, False, max(kept.said_at, _said_at(given)), void_until)


def _said_at(mark: Mark) -> int:
    return max(mark.stars_at or 0, mark.flag_at or 0)


def _state(path: str) -> FileState | None:
    """None if there is no such file."""
    try:
        return file_state(path)
    except (OSError, PhotoError):
        return None
