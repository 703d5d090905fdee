"""What the photographer said of photos in this program: kept beside the scores, at once, by path."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dpiqa_plugin.errors import StoreError

Flag = Literal["picked", "rejected"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS marks (path BLOB PRIMARY KEY, stars INTEGER, flag TEXT) WITHOUT ROWID"
_BUSY_SECONDS = 5


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
    """All marks of this user; may be used by several threads.

    Args:
        database: the score store's file; opened at the first use, by a connection of its own.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def all_below(self, folder: str) -> dict[str, Mark]:
        """The marks of all photos in a folder and its subfolders, by absolute path.

        Raises:
            StoreError: they cannot be read.
        """
        below = os.fsencode(os.path.join(os.path.abspath(folder), ""))
        with self._lock:
            try:
                rows = self._opened().execute(
                    "SELECT path, stars, flag FROM marks WHERE path >= ? AND path < ?",
                    (below, below + b"\xff"),
                )
                return {os.fsdecode(path): Mark(stars, flag) for path, stars, flag in rows}
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"stars and flags given here earlier cannot be read: {error}") from error

    def set(self, marks: Mapping[str, Mark]) -> None:
        """Keep marks; those that say nothing are removed.

        Raises:
            StoreError: they cannot be kept.
        """
        rows = [(os.fsencode(os.path.abspath(path)), mark.stars, mark.flag) for path, mark in marks.items()]
        with self._lock:
            try:
                with self._opened() as connection:
                    connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", rows)
                    connection.execute("DELETE FROM marks WHERE stars IS NULL AND flag IS NULL")
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"stars and flags are not kept beyond this session: {error}") from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._database, timeout=_BUSY_SECONDS, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection
