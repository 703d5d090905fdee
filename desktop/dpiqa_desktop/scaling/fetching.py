"""Photos that are no files of this machine: each becomes one for as long as it is decoded.

So objects and tables go through the very steps that files do, RAW by its name included; a copy of 8 MB in the
system's cache costs 3 ms, where decoding it costs 80.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.steps import Photo, Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.scaling.storage import Storage
from dpiqa_plugin.errors import PhotoError

Fetch = Callable[[str, Path], None]
"""Puts the photo of a name into a file. Raises OSError, where it is the network after up to half a minute's
attempts, or PhotoError."""


class FetchingSteps(Steps):
    """The engine's steps, for photos that ``fetch`` has to bring from ``storage``."""

    def __init__(
        self, storage: Storage, fetch: Fetch, scratch: Path, backend: Backend, max_pixels: int
    ) -> None:
        super().__init__(backend, Store(None), max_pixels)
        self._storage = storage
        self._fetch = fetch
        self._scratch = scratch

    def look_up(self, path: str) -> Photo | None:
        """Nothing is known here."""
        return None

    def prepare(self, path: str) -> Photo:
        """Fetch, then as for a file; decoder threads do this, each with a file of its own.

        Raises:
            OSError: the storage is down or has shut us out: a list full of failures would be no result.
        """
        # The ending tells RAW files from others.
        copy = self._scratch / f"{threading.get_ident()}{os.path.splitext(path)[1]}"
        try:
            self._fetch(path, copy)
            return replace(super().prepare(str(copy)), path=path)
        except (FileNotFoundError, PhotoError) as error:
            return Photo(path, reason=getattr(error, "strerror", None) or str(error))
        except OSError as error:
            self._storage.check(path)
            return Photo(path, reason=f"cannot be fetched: {error.strerror or error}")
        finally:
            copy.unlink(missing_ok=True)


class TableRows:
    """Reads a column of bytes from its first wanted row to its last, once, for several threads.

    They ask in about that order: what one finds before its own row is kept for the others.

    Args:
        storage: where the table is.
        names: ``TABLE#ROW``, all of one table, rows in order.
        column: of the photos' bytes.
    """

    def __init__(self, storage: Storage, names: Sequence[str], column: str) -> None:
        table, _, first = names[0].rpartition("#")
        self._table = storage.open_parquet(table)
        self._rows = self._read(int(first), column)
        self._ahead: dict[int, bytes | None] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the table."""
        self._table.close()

    def fetch(self, name: str, target: Path) -> None:
        """Write the photo of a row to ``target``.

        Raises:
            PhotoError: there is none.
            OSError: the table cannot be read.
        """
        row = int(name.rpartition("#")[2])
        with self._lock:
            while row not in self._ahead:
                found, photo = next(self._rows)
                self._ahead[found] = photo
            content = self._ahead.pop(row)
        if content is None:
            raise PhotoError("the table has no photo here")
        target.write_bytes(content)

    def _read(self, first: int, column: str) -> Iterator[tuple[int, bytes | None]]:
        metadata = self._table.metadata
        start, group = 0, 0
        while start + metadata.row_group(group).num_rows <= first:
            start += metadata.row_group(group).num_rows
            group += 1
        groups = range(group, metadata.num_row_groups)
        batches = self._table.iter_batches(batch_size=8, row_groups=groups, columns=[column])
        rows = enumerate(chain.from_iterable(batch.column(0) for batch in batches), start)
        return ((row, photo.as_py()) for row, photo in rows if row >= first)
