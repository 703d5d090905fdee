"""What was moved and copied, written down before it is done: a killed run can be put right, any run undone.

Tables inside the score store's database. States of a file: ``planned`` -> ``placed`` -> ``done`` (or back to
``undone``), and ``done`` -> ``undoing`` -> ``undone``. Nothing is touched before ``planned`` or ``undoing``
is on the disk, and no original is removed before ``placed`` is.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby
from typing import BinaryIO, Literal

from dpiqa_desktop.engine.marks import Moved, take_along
from dpiqa_desktop.engine.store import FileState, transaction
from dpiqa_desktop.placing import Seen, Step
from dpiqa_desktop.process_lock import lock
from dpiqa_plugin.errors import DPIQAError, UsageError

State = Literal["planned", "placed", "done", "undoing", "undone"]

_TABLES = """
CREATE TABLE IF NOT EXISTS organise_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL, what TEXT NOT NULL,
    into_folder BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS organise_operations (
    run INTEGER NOT NULL, photo INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    source BLOB NOT NULL, target BLOB NOT NULL, temporary BLOB NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, mode INTEGER NOT NULL,
    placed_mtime_ns INTEGER, placed_mode INTEGER, sha256 BLOB, state TEXT NOT NULL,
    PRIMARY KEY (run, photo, seq)
);
CREATE INDEX IF NOT EXISTS organise_operations_by_state ON organise_operations (state);
CREATE INDEX IF NOT EXISTS organise_operations_by_source ON organise_operations (source);
CREATE TABLE IF NOT EXISTS organise_folders (
    run INTEGER NOT NULL, path BLOB NOT NULL,
    PRIMARY KEY (run, path)
);
CREATE TABLE IF NOT EXISTS organise_missed (
    run INTEGER NOT NULL, photo INTEGER NOT NULL,
    PRIMARY KEY (run, photo)
);
"""
_COLUMNS = "source, target, temporary, kind, size, mtime_ns, mode, placed_mtime_ns, placed_mode, sha256"
_UNFINISHED = "state IN ('planned', 'placed', 'undoing')"


class JournalError(DPIQAError):
    """The journal could not be read or written, or is in use; no photo is touched without it."""


@dataclass(frozen=True)
class Entry:
    """A photo in the journal.

    Attributes:
        run, photo: its place.
        into: the run's target folder; every target is inside it.
        state: how far it got.
        steps: its files.
    """

    run: int
    photo: int
    into: str
    state: State
    steps: tuple[Step, ...]


class Journal:
    """The journal in an open database.

    Args:
        connection: to the score store, prepared, in autocommit mode (``isolation_level=None``).

    Raises:
        JournalError: its tables cannot be made. So do all methods if the database fails.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        with translated():
            for statement in _TABLES.split(";"):
                connection.execute(statement)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from organising meanwhile: they would take what is under way for left behind.

        The system takes the lock away from a process that dies. Meanwhile every commit waits for the disk
        (``synchronous=FULL``): what a power cut takes back must not be what says where the photos are.

        Raises:
            JournalError: another process is at it.
        """
        with translated():
            (_, _, database), *_ = self._connection.execute("PRAGMA database_list").fetchall()
        with contextlib.ExitStack() as stack:
            if database:
                _lock(stack.enter_context(_lock_file(database)))
            with translated():
                (before,) = self._connection.execute("PRAGMA synchronous").fetchone()
                self._connection.execute("PRAGMA synchronous = FULL")
            try:
                yield
            finally:
                with translated():
                    self._connection.execute(f"PRAGMA synchronous = {int(before)}")

    def start(self, what: str, into: str) -> int:
        """Open a run and return its number."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO organise_runs (started_at, what, into_folder) VALUES (?, ?, ?)",
                (now, os.fsencode(what).decode(errors="replace"), os.fsencode(into)),
            )
        return int(cursor.lastrowid or 0)

    def write(self, entry: Entry) -> None:
        """Write a photo down, in place of what was written of it before."""
        rows = [
            (
                *(entry.run, entry.photo, seq, entry.state),
                *(os.fsencode(step.source), os.fsencode(step.target), os.fsencode(step.temporary)),
                "copy" if step.keep else "move",
                *(step.before.size, step.before.mtime_ns, step.before.mode),
                *((step.after.mtime_ns, step.after.mode) if step.after else (None, None)),
                step.sha256,
            )
            for seq, step in enumerate(entry.steps)
        ]
        places = ", ".join("?" * len(rows[0]))
        with self._transaction() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO organise_operations (run, photo, seq, state, {_COLUMNS}) "
                f"VALUES ({places})",
                rows,
            )

    def set_state(self, entry: Entry, state: State, moved: Iterable[Step] = ()) -> None:
        """Write how far a photo got; the marks of files that were moved by that go along."""
        with self._transaction() as connection:
            take_along(connection, map(_moved, moved))
            connection.execute(
                "UPDATE organise_operations SET state = ? WHERE run = ? AND photo = ?",
                (state, entry.run, entry.photo),
            )

    def unfinished(self) -> list[Entry]:
        """Return the photos that a run was killed over, or could not put back, the last ones first."""
        return self._entries(_UNFINISHED, ())

    def done(self, run: int) -> list[Entry]:
        """Return the photos of a run that can be undone, the last ones first."""
        return self._entries("state = 'done' AND run = ?", (run,))

    def miss(self, entry: Entry) -> None:
        """Write down that a photo was not where its run had put it when that was to be undone."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO organise_missed VALUES (?, ?)", (entry.run, entry.photo)
            )

    def latest(self) -> int | None:
        """Return the number of the last run of which something can be undone.

        What was missed does not count, or photos that are gone for good would hide all earlier runs; unless
        it is there again.
        """
        with translated():
            (run,) = self._connection.execute(
                "SELECT max(run) FROM organise_operations WHERE state = 'done' "
                "AND (run, photo) NOT IN (SELECT run, photo FROM organise_missed)"
            ).fetchone()
            missed = self._connection.execute(
                "SELECT run, target FROM organise_operations JOIN organise_missed USING (run, photo) "
                "WHERE state = 'done' AND run > ? ORDER BY run DESC",
                (run or 0,),
            ).fetchall()
        back = (int(number) for number, target in missed if os.path.lexists(os.fsdecode(target)))
        return next(back, None if run is None else int(run))

    def moved(self, path: str, run: int) -> tuple[int, str] | None:
        """Return the last run that has moved the file that was at ``path`` in ``run``, and where it is now.

        None if none has, or it was taken back.
        """
        found = None
        while True:
            with translated():
                row = self._connection.execute(
                    "SELECT run, target FROM organise_operations WHERE source = ? AND run > ? "
                    "AND kind = 'move' AND state = 'done' ORDER BY run LIMIT 1",
                    (os.fsencode(path), run),
                ).fetchone()
            if row is None:
                return found
            run, path = int(row[0]), os.fsdecode(row[1])
            found = (run, path)

    def check_run(self, run: int) -> None:
        """Raise UsageError if there was no such run."""
        with translated():
            found = self._connection.execute("SELECT 1 FROM organise_runs WHERE id = ?", (run,)).fetchone()
        if found is None:
            raise UsageError(
                f"there was no run {run} that wrote, moved or copied; a folder of that name is ./{run}"
            )

    def add_folder(self, run: int, path: str) -> None:
        """Write down a folder that is about to be made."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO organise_folders VALUES (?, ?)", (run, os.fsencode(path))
            )

    def drop_folder(self, run: int, path: str) -> None:
        """Forget a folder: it is gone, or was there before us."""
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM organise_folders WHERE run = ? AND path = ?", (run, os.fsencode(path))
            )

    def folders_to_remove(self, run: int | None = None) -> list[tuple[int, str]]:
        """Return run and path of folders that were made by ``run`` or by runs of which nothing is left.

        Inner ones first. None at all while any photo is unfinished: it can only be put right where its
        folder is.
        """
        with translated():
            rows = self._connection.execute(
                "SELECT run, path FROM organise_folders WHERE (run = ? OR run NOT IN "
                "(SELECT run FROM organise_operations WHERE state <> 'undone')) AND NOT EXISTS "
                f"(SELECT 1 FROM organise_operations WHERE {_UNFINISHED}) ORDER BY length(path) DESC",
                (run,),
            ).fetchall()
        return [(number, os.fsdecode(path)) for number, path in rows]

    def _entries(self, condition: str, values: Sequence[object]) -> list[Entry]:
        with translated():
            rows = self._connection.execute(
                f"SELECT run, photo, into_folder, state, {_COLUMNS} FROM organise_operations "
                f"JOIN organise_runs ON id = run WHERE {condition} ORDER BY run DESC, photo DESC, seq",
                values,
            ).fetchall()
        return [
            Entry(run, photo, os.fsdecode(into), state, tuple(_step(*row[4:]) for row in members))
            for (run, photo, into, state), members in groupby(rows, key=lambda row: row[:4])
        ]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with translated(), transaction(self._connection) as connection:
            yield connection


def _step(
    source: bytes,
    target: bytes,
    temporary: bytes,
    kind: str,
    size: int,
    mtime_ns: int,
    mode: int,
    placed_mtime_ns: int | None,
    placed_mode: int | None,
    sha256: bytes | None,
) -> Step:
    after = None
    if placed_mtime_ns is not None and placed_mode is not None:
        after = Seen(size, placed_mtime_ns, placed_mode)
    before = Seen(size, mtime_ns, mode)
    paths = (os.fsdecode(source), os.fsdecode(target), os.fsdecode(temporary))
    return Step(*paths, keep=kind == "copy", before=before, after=after, sha256=sha256)


def _moved(step: Step) -> Moved:
    was, now = (FileState(seen.size, seen.mtime_ns) for seen in (step.before, step.after or step.before))
    return Moved(step.source, step.target, was, now)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into ours.

    Raises:
        JournalError: the database fails.
    """
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise JournalError(
            f"the journal of what was done cannot be used ({error}), and no photo is touched without it. "
            "Free some space or close the program that holds the score database, then try again."
        ) from error


def _lock_file(database: str) -> BinaryIO:
    try:
        return open(f"{database}-organise.lock", "ab")
    except OSError as error:
        raise JournalError(
            f"cannot write beside the score database {database} ({error.strerror}), and nothing is moved "
            "without its journal. Choose another place for the database."
        ) from error


def _lock(file: BinaryIO) -> None:
    try:
        lock(file)
    except OSError as error:
        raise JournalError(
            "another dpiqa-batch is moving or copying photos. Try again when it has finished."
        ) from error
