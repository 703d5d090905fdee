"""Scores that outlive a run: SQLite among the user's data, so that no photo is scored twice.

A file is known by path, size and modification time; its content by a hash, so that moved and renamed photos
keep their scores; a score by content and model identity. WAL lets several processes work at once. A commit
survives ``kill -9``; after a power cut the last ones may be missing, which costs time only.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import xxhash

from dpiqa_plugin.errors import PhotoError, StoreError

_SCHEMA_VERSION = 4
_SCHEMA = (
    """CREATE TABLE files (
        path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, hash BLOB NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE photos (hash BLOB PRIMARY KEY, captured_at REAL, likeness INTEGER) WITHOUT ROWID",
    """CREATE TABLE scores (
        hash BLOB NOT NULL, model TEXT NOT NULL, score REAL NOT NULL, scored_at REAL NOT NULL,
        PRIMARY KEY (hash, model)
    ) WITHOUT ROWID""",
)
# What brings the schema of each version to the next, from the first on.
_MIGRATIONS = (
    ("ALTER TABLE scores ADD COLUMN uncertainty REAL",),
    (  # see ``engine.marks``, which had a table of these columns before it was the store's
        "CREATE TABLE IF NOT EXISTS marks (path BLOB PRIMARY KEY, stars INTEGER, flag TEXT) WITHOUT ROWID",
        "ALTER TABLE marks ADD COLUMN size INTEGER",
        "ALTER TABLE marks ADD COLUMN mtime_ns INTEGER",
        "ALTER TABLE marks ADD COLUMN stars_at INTEGER",
        "ALTER TABLE marks ADD COLUMN flag_at INTEGER",
        "ALTER TABLE marks ADD COLUMN written INTEGER NOT NULL DEFAULT 0",
    ),
    (
        "ALTER TABLE marks ADD COLUMN said_at INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE marks ADD COLUMN void_until INTEGER NOT NULL DEFAULT -1",
    ),
)
_BUSY_SECONDS = 60  # another process holds the lock for a batch's commit: milliseconds
_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileState:
    """What tells a file from an earlier one of the same name: size in bytes, modification time in ns."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Judged:
    """What is kept of a photo.

    Attributes:
        score: in the metric's own scale.
        captured_at: seconds of the camera's clock, see ``Decoded``; None if the photo does not say.
        likeness: fingerprint of 64 bits, see ``likeness``; None for a blank photo.
        scored_at: seconds since 1970, UTC; None for now.
        uncertainty: see ``Scored``.
    """

    score: float
    captured_at: float | None
    likeness: int | None
    scored_at: float | None = field(default=None, compare=False)
    uncertainty: float | None = None


@dataclass(frozen=True)
class Record:
    """A photo's file, content and judgement, to be kept."""

    path: str
    state: FileState
    content: bytes
    judged: Judged


class Store:
    """The scores of every run of this user; may be used by several threads and processes at once.

    Args:
        database: its file; made with its directory if missing. None keeps everything in memory, for this run.

    Raises:
        StoreError: it cannot be opened, is no such database, or was made by a newer version.
    """

    def __init__(self, database: Path | None) -> None:
        self._lock = threading.Lock()
        self.database = database
        try:
            if database is not None:
                database.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(
                database or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            prepare(self.connection)
        except (sqlite3.Error, OSError) as error:
            raise store_error(f"the score store {database} cannot be used", error) from error

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def find(self, path: str, state: FileState, model: str) -> Judged | None:
        """Look a file up by path, size and time, without opening it."""
        return self._judged(
            "SELECT score, captured_at, likeness, scored_at, uncertainty "
            "FROM files JOIN photos USING (hash) JOIN scores USING (hash) "
            "WHERE path = ? AND size = ? AND mtime_ns = ? AND model = ?",
            (path_key(path), state.size, state.mtime_ns, model),
        )

    def find_content(self, content: bytes, model: str) -> Judged | None:
        """Look a photo up by the hash of its content."""
        return self._judged(
            "SELECT score, captured_at, likeness, scored_at, uncertainty "
            "FROM photos JOIN scores USING (hash) WHERE hash = ? AND model = ?",
            (content, model),
        )

    def record(self, records: Sequence[Record], model: str) -> None:
        """Keep records, all in one transaction.

        Raises:
            StoreError: the disk is full or the database cannot be written; nothing of them is kept.
        """
        now = time.time()
        try:
            with self._transaction() as connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                    [(path_key(r.path), r.state.size, r.state.mtime_ns, r.content) for r in records],
                )
                connection.executemany(
                    # A score that was taken over comes without what looking at the photo has told.
                    "INSERT INTO photos VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET "
                    "captured_at = coalesce(excluded.captured_at, captured_at), "
                    "likeness = coalesce(excluded.likeness, likeness)",
                    [(r.content, r.judged.captured_at, _signed(r.judged.likeness)) for r in records],
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)",
                    [
                        (r.content, model, r.judged.score, r.judged.scored_at or now, r.judged.uncertainty)
                        for r in records
                    ],
                )
        except sqlite3.Error as error:
            raise StoreError(f"scores of this run are not kept from now on: {error}") from error

    def carry_over(self, path: str, was: FileState, now: FileState, before: bytes, after: bytes) -> None:
        """Keep scores and mark of a photo whose metadata we changed: the file is another, its pixels are not.

        Args:
            path: of the file.
            was, now: before the change and after it.
            before, after: hashes of its content.

        Raises:
            StoreError: the database cannot be written; the photo will be scored again.
        """
        try:
            with self._transaction() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO photos SELECT ?, captured_at, likeness FROM photos WHERE hash = ?",
                    (after, before),
                )
                connection.execute(
                    "INSERT OR IGNORE INTO scores "
                    "SELECT ?, model, score, scored_at, uncertainty FROM scores WHERE hash = ?",
                    (after, before),
                )
                connection.execute(
                    "INSERT OR REPLACE INTO files SELECT ?, ?, ?, hash FROM photos WHERE hash = ?",
                    (path_key(path), now.size, now.mtime_ns, after),
                )
                # Whether the file still has what the mark says, whoever wrote it knows.
                keep_mark(connection, path, was, now, as_written=False)
        except sqlite3.Error as error:
            raise StoreError(f"the score of {path} is not kept: {error}") from error

    def _judged(self, query: str, values: tuple[object, ...]) -> Judged | None:
        try:
            with self._lock:
                row = self.connection.execute(query, values).fetchone()
        except sqlite3.Error:  # a store that cannot be read costs time, not scores
            return None
        return None if row is None else Judged(row[0], row[1], _unsigned(row[2]), row[3], row[4])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self.connection) as connection:
            yield connection


class _NewerError(sqlite3.DatabaseError):
    """This version does not know the tables."""


def store_error(what: str, error: sqlite3.Error | OSError) -> StoreError:
    """Say what a database's error keeps from being done, and what to do about it."""
    if isinstance(error, _NewerError):
        cure = "Update dpiqa"
    elif isinstance(error, (sqlite3.OperationalError, OSError)):
        cure = "See whether its disk is full or read-only"
    else:
        cure = "Move it elsewhere to begin a new one, without the scores, picks and ways back that it holds"
    return StoreError(f"{what}: {error}. {cure}")


def prepare(connection: sqlite3.Connection) -> None:
    """Give a new database the tables of this version, and bring those of an earlier one to it.

    Raises:
        sqlite3.Error: it is no such database, or was made by a newer version.
    """
    # The mode is kept in the file; where the file system cannot share memory SQLite keeps its own.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone() == (_SCHEMA_VERSION,):
        return  # nothing to be written, not even on a full disk
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _SCHEMA_VERSION:
            raise _NewerError(f"it was made by a newer version of dpiqa (schema {version})")
        for statement in itertools.chain.from_iterable((_SCHEMA, *_MIGRATIONS)[version:]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Do all that is done to a database meanwhile, or nothing."""
    # Locked from the start: of two read locks that want to become write locks, one has to fail.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def keep_mark(
    connection: sqlite3.Connection, path: str, was: FileState, now: FileState, as_written: bool
) -> None:
    """Let the mark of a file that we changed or moved be of what it is now, unless it was outdated before.

    Args:
        connection: with a transaction under way.
        path: of the file.
        was, now: before that and after it.
        as_written: the file still says of the mark what it said.
    """
    connection.execute(
        "UPDATE marks SET size = ?, mtime_ns = ?, written = written AND ? "
        "WHERE path = ? AND size = ? AND mtime_ns = ?",
        (now.size, now.mtime_ns, as_written, path_key(path), was.size, was.mtime_ns),
    )


def default_database() -> Path:
    """Where this user's scores, marks and journals are kept: not among the caches, which cleaners empty.

    Earlier versions kept them there; such a file stays in use, as another process may have it open.
    """
    import platformdirs

    name = "scores.sqlite3"
    earlier = Path(platformdirs.user_cache_dir("dpiqa", appauthor=False)) / name
    database = Path(platformdirs.user_data_dir("dpiqa", appauthor=False)) / name
    return earlier if earlier.is_file() and not database.is_file() else database


def file_state(path: str) -> FileState:
    """Size and time of a file, following symlinks.

    Raises:
        OSError: as ``os.stat``.
        PhotoError: it is no file but a pipe, a device or the like: opening one would wait for ever.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError("is not a regular file")
    return FileState(status.st_size, status.st_mtime_ns)


def content_hash(path: str) -> bytes:
    """XXH3 of a file's content, 16 bytes: enough to tell all photos of the world apart.

    It runs as fast as the file is read; BLAKE2b took 8 ms of a 24-megapixel photo's 140. It does not stop
    anybody who forges a photo to get another's score, and nobody gains by that.

    Raises:
        OSError: it cannot be read.
    """
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def path_key(path: str) -> bytes:
    """The absolute path in its own bytes, as the database has it: names need not be UTF-8."""
    return os.fsencode(os.path.abspath(path))


def _signed(value: int | None) -> int | None:
    """Turn 64 bits into what SQLite stores: its integers are signed."""
    return value - (1 << 64) if value is not None and value >> 63 else value


def _unsigned(value: int | None) -> int | None:
    return None if value is None else value % (1 << 64)
