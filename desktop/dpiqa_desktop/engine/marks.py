"""What the photographer said of photos in this program, kept at once: in the score store's database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dpiqa_plugin.errors import StoreError

Flag = Literal["picked", "rejected"]

# The window waits for it: another process holds the lock for a batch's commit, which takes milliseconds.
_BUSY_SECONDS = 2
_TABLE = """
CREATE TABLE IF NOT EXISTS marks (path BLOB PRIMARY KEY, stars INTEGER, flag TEXT) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Mark:
    """What the photographer said of a photo.

    Attributes:
        stars: 0 to 5; None if not rated here.
        flag: None if neither picked nor rejected.
    """

    stars: int | None = None
    flag: Flag | None = None


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
        """Return the marks of photos in a folder and those below it, or of one photo.

        Paths begin with ``folder`` as it is given, as the scan's do.
        """
        key = _key(folder)
        inside = os.fsencode(os.path.join(os.fsdecode(key), ""))
        behind = inside[:-1] + bytes([inside[-1] + 1])  # the first that does not begin so
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT path, stars, flag FROM marks WHERE path = ? OR (path > ? AND path < ?)",
                (key, inside, behind),
            ).fetchall()
        return {
            os.path.join(folder, os.fsdecode(path[len(inside) :])) if path != key else folder: Mark(
                stars, flag
            )
            for path, stars, flag in rows
        }

    def set(self, marks: Mapping[str, Mark]) -> None:
        """Keep the marks of these photos, all or none; a mark that says nothing is forgotten."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(
                    "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)",
                    [(_key(path), mark.stars, mark.flag) for path, mark in marks.items()],
                )
                connection.execute("DELETE FROM marks WHERE stars IS NULL AND flag IS NULL")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise StoreError(
                    f"picks, rejects and stars are not kept in {self._database}: {error}. "
                    "See whether its disk is full or read-only"
                ) from error

    def _opened(self) -> sqlite3.Connection:
        self._database.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._database, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        return connection


def _key(path: str) -> bytes:
    """The absolute path in its own bytes: names need not be UTF-8."""
    return os.fsencode(os.path.abspath(path))
