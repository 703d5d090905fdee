"""What was written into which file, kept so that it can be taken back; in the score store's database.

A change is in the journal, on the disk, before its file is replaced. Whether it then took place, the file
itself says: with the splices taken back its content has the hash that it had before, or it has not. So
nothing needs to be put right after ``kill -9``.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpiqa_desktop.journal import Journal, translated
from dpiqa_desktop.metadata import properties as prop
from dpiqa_desktop.metadata.embedded import ExifRating
from dpiqa_desktop.metadata.plan import Said, Wanted
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.metadata.xmp import Change, Items, Name

_BUSY_SECONDS = 60  # another process holds the lock for a commit: milliseconds
_TABLES = """
CREATE TABLE IF NOT EXISTS metadata_changes (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL, path BLOB NOT NULL, before BLOB, splices TEXT NOT NULL,
    properties TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS metadata_changes_by_path ON metadata_changes (path);
CREATE TABLE IF NOT EXISTS metadata_missed (change INTEGER PRIMARY KEY);
"""


# A rating or a colour that anybody may set, and what says that it is ours.
_CLAIMS = {prop.RATING: prop.OUR_RATING, prop.LABEL: prop.OUR_LABEL}
_CLAIM_OF = _CLAIMS | dict.fromkeys(prop.MICROSOFT_RATINGS, prop.OUR_RATING)


@dataclass(frozen=True)
class Properties:
    """What a change did, property by property: for a file that has changed since.

    Attributes:
        old: the texts that were there, None where there was none; arrays are not kept, see ``new``. Also of
            ratings and colours that were left as they were.
        new: what was done.
        old_exif: the EXIF rating that was there; None if there is no EXIF.
        new_exif: what was done; None if it was left as it was.
    """

    old: Mapping[Name, str | None]
    new: Mapping[Name, Change]
    old_exif: ExifRating | None = None
    new_exif: ExifRating | None = None

    @classmethod
    def of(cls, said: Said, wanted: Wanted) -> Properties:
        """Those of a change of a document."""
        texts = {name for name, change in wanted.xmp.items() if not isinstance(change, Items)}
        old = {name: said.text(name) for name in (*texts, *_CLAIMS, *_CLAIMS.values())}
        return cls(old, dict(wanted.xmp), said.exif, wanted.exif)

    def taken_back(self, said: Said) -> Wanted:
        """What leads back, from what a file says now: only where it still says what we wrote.

        The photographer may have set the very rating that we wrote. So one is taken back only while what says
        that it is ours is as this change left it, and never becomes ours again if it was set since.
        """
        back: dict[Name, Change] = {}
        for name, change in self.new.items():
            if isinstance(change, Items):
                there = said.items(name)
                add = tuple(item for item in change.remove if item not in there)
                remove = tuple(item for item in change.add if item in there)
                if add or remove:
                    back[name] = Items(add, remove)
            elif self._is_as_left(name, said) and self._is_as_left(_CLAIM_OF.get(name, name), said):
                back[name] = self._before(name, said)
        back = {name: change for name, change in back.items() if change != said.properties.get(name)}
        return Wanted(back, self._exif_taken_back(said))

    def _is_as_left(self, name: Name, said: Said) -> bool:
        left = self.new.get(name, self.old.get(name))
        return name not in said.properties if left is None else said.text(name) == left

    def _before(self, name: Name, said: Said) -> str | None:
        """What a property said; but what is set in the meantime is not claimed as ours."""
        for ours in (rating for rating, claim in _CLAIMS.items() if claim == name):
            left_exif = self.new_exif or self.old_exif
            exif_is_as_left = ours != prop.RATING or None in (said.exif, left_exif) or said.exif == left_exif
            if ours in said.properties and not (self._is_as_left(ours, said) and exif_is_as_left):
                return None
        return self.old[name]

    def _exif_taken_back(self, said: Said) -> ExifRating | None:
        now, old, new = said.exif, self.old_exif, self.new_exif
        if now is None or old is None or new is None or not self._is_as_left(prop.OUR_RATING, said):
            return None
        back = ExifRating(
            old.rating if now.rating == new.rating else now.rating,
            old.percent if now.percent == new.percent else now.percent,
        )
        return None if back == now else back


@dataclass(frozen=True)
class Entry:
    """A change in the journal.

    Attributes:
        id: its place.
        run: that made it.
        path: absolute, of the file that was changed or made.
        before: hash of its content before, see ``content_hash``; None if it was made.
        splices: what changed; the whole content if it was made.
        properties: what that meant.
    """

    id: int
    run: int
    path: str
    before: bytes | None
    splices: tuple[Splice, ...]
    properties: Properties


class WriteJournal:
    """The journal, over a connection of its own; may be used by several threads.

    Args:
        database: file of the score store, which exists.

    Raises:
        JournalError: it cannot be opened. So do all methods if the database fails.
    """

    def __init__(self, database: Path) -> None:
        self._lock = threading.Lock()
        with translated():
            self._connection = sqlite3.connect(
                database, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            # What a power cut takes back must not be what leads back from a changed photo.
            self._connection.execute("PRAGMA synchronous = FULL")
            for statement in _TABLES.split(";"):
                self._connection.execute(statement)
        self._runs = Journal(self._connection)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def start(self) -> int:
        """Open a run and return its number; runs that moved or copied are counted with those that wrote."""
        with self._lock:
            return self._runs.start("wrote scores", "")

    def write(
        self, run: int, path: str, before: bytes | None, splices: Sequence[Splice], properties: Properties
    ) -> int:
        """Write a change down, wait until it is on the disk, and return its place."""
        with self._lock, translated():
            cursor = self._connection.execute(
                "INSERT INTO metadata_changes (run, path, before, splices, properties) "
                "VALUES (?, ?, ?, ?, ?)",
                (run, os.fsencode(path), before, _packed_splices(splices), _packed_properties(properties)),
            )
        return int(cursor.lastrowid or 0)

    def drop(self, *places: int) -> None:
        """Forget changes, some hundreds at most: they did not take place, or have been taken back."""
        if places:
            marks = ", ".join("?" * len(places))
            with self._lock, translated():
                for table, column in (("metadata_missed", "change"), ("metadata_changes", "id")):
                    self._connection.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", places)

    def miss(self, *places: int) -> None:
        """Write down that the files of these changes were not there when they were to be taken back."""
        if places:
            marks = ", ".join(["(?)"] * len(places))
            with self._lock, translated():
                self._connection.execute(f"INSERT OR IGNORE INTO metadata_missed VALUES {marks}", places)

    def latest(self) -> int | None:
        """Return the number of the last run of which something can be undone.

        What was missed does not count, or photos that are gone for good would hide all earlier runs; unless
        it is there again.
        """
        with translated():
            (run,) = self._connection.execute(
                "SELECT max(run) FROM metadata_changes WHERE id NOT IN (SELECT change FROM metadata_missed)"
            ).fetchone()
            missed = self._connection.execute(
                "SELECT run, path FROM metadata_changes JOIN metadata_missed ON change = id "
                "WHERE run > ? ORDER BY run DESC",
                (run or 0,),
            ).fetchall()
        back = (int(number) for number, path in missed if self._is_back(os.fsdecode(path), number))
        return next(back, None if run is None else int(run))

    def _is_back(self, path: str, run: int) -> bool:
        return os.path.lexists(path) and self.moved(path, run) is None

    def later_run(self, entry: Entry, settled: Collection[int]) -> int | None:
        """Return the last run that changed an entry's file after it; ``settled`` changes do not count."""
        with translated():
            later = self._connection.execute(
                "SELECT id, run FROM metadata_changes WHERE path = ? AND id > ? ORDER BY id DESC",
                (os.fsencode(entry.path), entry.id),
            ).fetchall()
        return next((int(run) for place, run in later if place not in settled), None)

    def moved(self, path: str, run: int) -> tuple[int, str] | None:
        """Return the last run that has moved what was at ``path`` in ``run``, and where to.

        None if none has, or if it was brought back: by us or by hand.
        """
        found = self._runs.moved(path, run)
        if found is not None and os.path.lexists(path) and not os.path.lexists(found[1]):
            return None
        return found

    def has(self, run: int) -> bool:
        """Whether a run of that number wrote anything that can be undone."""
        with translated():
            return bool(
                self._connection.execute("SELECT 1 FROM metadata_changes WHERE run = ?", (run,)).fetchone()
            )

    def entries(self, run: int) -> Iterator[Entry]:
        """Yield what can be undone of a run, the last first."""
        return self._entries("run = ?", (run,))

    def entries_below(self, folder: str) -> Iterator[Entry]:
        """Yield what can be undone of all runs in a folder and those below it, the last first.

        Args:
            folder: its real path, absolute, without symlinks, as those in the journal.
        """
        beginning = os.fsencode(os.path.join(folder, ""))
        return self._entries("substr(path, 1, ?) = ?", (len(beginning), beginning))

    def _entries(self, condition: str, values: tuple[object, ...]) -> Iterator[Entry]:
        with translated():
            numbers = self._connection.execute(
                f"SELECT id FROM metadata_changes WHERE {condition} ORDER BY id DESC", values
            ).fetchall()
        for (number,) in numbers:  # one by one: a run may have changed half a million files
            with translated():
                run, path, before, splices, properties = self._connection.execute(
                    "SELECT run, path, before, splices, properties FROM metadata_changes WHERE id = ?",
                    (number,),
                ).fetchone()
            yield Entry(
                number,
                run,
                os.fsdecode(path),
                before,
                _unpacked_splices(splices),
                _unpacked_properties(properties),
            )


def _packed_splices(splices: Sequence[Splice]) -> str:
    return json.dumps([[splice.offset, _text(splice.old), _text(splice.new)] for splice in splices])


def _unpacked_splices(text: str) -> tuple[Splice, ...]:
    return tuple(
        Splice(offset, base64.b64decode(old), base64.b64decode(new)) for offset, old, new in json.loads(text)
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _packed_properties(properties: Properties) -> str:
    exif = [
        None if rating is None else [rating.rating, rating.percent]
        for rating in (properties.old_exif, properties.new_exif)
    ]
    xmp = [
        [name.namespace, name.name, properties.old.get(name), _packed_change(change)]
        for name, change in properties.new.items()
    ]
    left = [
        [name.namespace, name.name, text]
        for name, text in properties.old.items()
        if name not in properties.new and text is not None
    ]
    return json.dumps({"xmp": xmp, "left": left, "exif": exif})


def _packed_change(change: Change) -> Any:
    return {"add": change.add, "remove": change.remove} if isinstance(change, Items) else change


def _unpacked_properties(text: str) -> Properties:
    packed = json.loads(text)
    # The first versions wrote down only what changed.
    old = {Name(namespace, local): text for namespace, local, text in packed.get("left", ())}
    new: dict[Name, Change] = {}
    for namespace, local, was, change in packed["xmp"]:
        name = Name(namespace, local)
        if isinstance(change, dict):
            new[name] = Items(tuple(change["add"]), tuple(change["remove"]))
        else:
            old[name], new[name] = was, change
    old_exif, new_exif = (None if rating is None else ExifRating(*rating) for rating in packed["exif"])
    return Properties(old, new, old_exif, new_exif)
