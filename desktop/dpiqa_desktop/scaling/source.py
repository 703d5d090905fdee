"""Which photos a job is about, in an order that does not change, cut into parts: of folders or of tables.

A photo has a name: its path, its address in object storage, or, if its bytes are in a table,
``TABLE#ROW``, counted from 0. Nothing but names is held, and of s3:// one folder's at a time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
from pyarrow import fs, parquet

from dpiqa_desktop.engine.scan import PHOTO_SUFFIXES, scan, without_paired_raw
from dpiqa_desktop.scaling.storage import Storage, is_remote
from dpiqa_plugin.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """A photo to be scored.

    Attributes:
        name: see above.
        reason: why it cannot be scored, if that is known already.
    """

    name: str
    reason: str | None = None


@dataclass(frozen=True)
class Source:
    """Where photos come from.

    Attributes:
        name: a folder, a photo, or with ``column`` a Parquet file or a folder of them.
        column: of photos' bytes or of their paths; None if ``name`` is where the photos are.
    """

    name: str
    column: str | None

    def parts(self, storage: Storage, size: int) -> Iterator[list[Entry]]:
        """List the photos in parts of ``size``, the last one smaller; of bytes in whole row groups.

        Raises:
            UsageError: there is nothing by that name, it cannot be read, or it has no such column. Also
                while the parts are taken.
        """
        with self._reading():
            kind = self._kind(storage)
            if self.column is not None:
                yield from _parts_of_tables(storage, self.name, kind, self.column, size)
            elif self.name.endswith(".parquet"):
                with storage.open_parquet(self.name) as table:
                    raise UsageError(f"{self.name} is a table: say by --column where {_columns(table)}")
            else:
                yield from _cut(_in_folders(storage, self.name, kind), size)

    def holds_bytes(self, storage: Storage) -> bool:
        """Whether the column is one of bytes; False if there is none.

        Raises:
            UsageError: there is nothing by that name, it cannot be read, or it has no such column.
        """
        with self._reading():
            kind = self._kind(storage)
            if self.column is None:
                return False
            first = next(_tables(storage, self.name, kind))
            with storage.open_parquet(first) as table:
                return _is_bytes(table, first, self.column)

    def _kind(self, storage: Storage) -> fs.FileType:
        kind = storage.info(self.name).type
        if kind == fs.FileType.NotFound:
            raise UsageError(f"no such file or folder: {self.name}")
        return kind

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowInvalid as error:
            raise UsageError(f"{self.name} is not a Parquet file, or is damaged: {error}") from error
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"cannot read {self.name}: {error}") from error


def _cut(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    entries = iter(entries)
    while part := list(islice(entries, size)):
        yield part


def _in_folders(storage: Storage, top: str, kind: fs.FileType) -> Iterator[Entry]:
    if not is_remote(top):
        found = scan([top])
        yield from (Entry(path) for path in found.photos)
        yield from (Entry(failure.path, failure.reason) for failure in found.unreadable)
        return
    if kind == fs.FileType.File:
        yield Entry(top)
        return
    for folder, listed in storage.walk(top, "."):
        if isinstance(listed, OSError):
            yield Entry(folder, f"cannot list this folder: {listed}")
        else:
            photos = [name for name in listed if os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES]
            yield from map(Entry, without_paired_raw(photos))


def _parts_of_tables(
    storage: Storage, top: str, kind: fs.FileType, column: str, size: int
) -> Iterator[list[Entry]]:
    for name in _tables(storage, top, kind):
        with storage.open_parquet(name) as table:
            if _is_bytes(table, name, column):
                yield from _rows_in_groups(name, table, size)
            else:
                yield from _cut(_paths(name, table, column), size)


def _rows_in_groups(name: str, table: parquet.ParquetFile, size: int) -> Iterator[list[Entry]]:
    """Parts begin and end with row groups: of one that is cut, all would be read for each piece."""
    part: list[Entry] = []
    row = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        part += [Entry(f"{name}#{number}") for number in range(row, row + rows)]
        row += rows
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part


def _paths(name: str, table: parquet.ParquetFile, column: str) -> Iterator[Entry]:
    row = 0
    for batch in table.iter_batches(columns=[column]):
        for path in batch.column(0).to_pylist():
            if path:
                yield Entry(path if is_remote(path) else os.path.abspath(path))
            else:
                yield Entry(f"{name}#{row}", "the table has no path here")
            row += 1


def _tables(storage: Storage, top: str, kind: fs.FileType) -> Iterator[str]:
    """The Parquet files below ``top``, without those that other readers pass over, too."""
    if kind == fs.FileType.File:
        yield top
        return
    found = False
    for _, listed in storage.walk(top, (".", "_")):
        if isinstance(listed, OSError):
            raise listed
        for name in listed:
            if name.endswith(".parquet"):
                found = True
                yield name
    if not found:
        raise UsageError(f"no Parquet files in {top}; looked for names that end in .parquet")


def _is_bytes(table: parquet.ParquetFile, name: str, column: str) -> bool:
    schema = table.schema_arrow
    if column not in schema.names:
        raise UsageError(f"{name} has no column {column}; say by --column where {_columns(table)}")
    kind = schema.field(column).type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return True
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return False
    raise UsageError(f"the column {column} of {name} holds neither bytes nor paths, but {kind}")


def _columns(table: parquet.ParquetFile) -> str:
    return f"the photos are: {', '.join(table.schema_arrow.names)}"
