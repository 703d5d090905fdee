"""Local folders and object storage alike: where a name leads, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import fs, parquet

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import UsageError

_SCHEMES = ("s3", "gs")
# Every piece is a request; nearly every photo is smaller.
_PIECE = 64 << 20
# Google's client would try for a quarter of an hour, even where it only lacks credentials.
_PATIENCE = "retry_limit_seconds=30"
# Around what happened it says which of its functions and source files were there.
_TOLD_BY_GOOGLE = re.compile(
    r"google::cloud::Status\((\w+: )(?:[^,]*, with a last message of )?"
    r"(.*?)(?: error_info=\{.*)?\)(?:\. Detail.*)?$",
    re.DOTALL,
)


class Storage:
    """Opens file systems as their names come up, and keeps them open; may be used from any thread.

    Args:
        addresses: what the user gave. Their options (``s3://bucket/photos?endpoint_override=...``) hold for
            all names in the same bucket.

    Raises:
        UsageError: an address is of a kind that is not known, or its storage cannot be reached.
    """

    def __init__(self, *addresses: str) -> None:
        self._buckets: dict[str, fs.FileSystem] = {}
        for address in addresses:
            if is_remote(address):
                self._open_bucket(address)

    def find(self, name: str) -> tuple[fs.FileSystem, str]:
        """Give the file system of a file or folder, and its path there.

        Raises:
            UsageError: as for the constructor.
        """
        if not is_remote(name):
            return fs.LocalFileSystem(), name
        bucket = _bucket(name)
        if bucket not in self._buckets:
            self._open_bucket(bucket)
        return self._buckets[bucket], name.partition("://")[2]

    def info(self, name: str) -> fs.FileInfo:
        """What there is by that name, if anything.

        Raises:
            OSError: it cannot be told.
        """
        filesystem, path = self.find(name)
        with _as_os_error():
            return filesystem.get_file_info(path)

    def check(self, name: str) -> None:
        """Find out whether an object alone cannot be read, or nothing in its bucket.

        Raises:
            OSError: nothing can.
        """
        if name.startswith("gs://"):
            # Who may read and list all objects may not ask for their bucket: roles/storage.objectViewer.
            self.info(f"{_bucket(name)}/dpiqa-looks-for-nothing-here")
        elif is_remote(name):
            self.info(_bucket(name))

    def listing(self, folder: str) -> list[tuple[str, bool]]:
        """What is in a folder: names, and whether they are folders; sorted.

        Raises:
            OSError: it cannot be listed.
        """
        if folder.startswith("gs://"):
            return sorted(self._tree(folder)[folder])
        return sorted(self._entries(folder, recursive=False))

    def walk(self, top: str, passed_over: str | tuple[str, ...]) -> Iterator[tuple[str, list[str] | OSError]]:
        """Each folder below ``top`` and the names of its files, sorted, or why it cannot be listed.

        Files and folders are passed over if their own name begins with (one of) ``passed_over``.

        Raises:
            OSError: ``top`` itself cannot be listed.
        """
        tree = self._tree(top) if top.startswith("gs://") else None
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                listed = self.listing(folder) if tree is None else sorted(tree.pop(folder))
            except OSError as error:
                if folder == top:
                    raise
                yield folder, error
                continue
            wanted = [item for item in listed if not item[0].rpartition("/")[2].startswith(passed_over)]
            yield folder, [name for name, is_folder in wanted if not is_folder]
            folders += [name for name, is_folder in reversed(wanted) if is_folder]

    def _tree(self, top: str) -> dict[str, list[tuple[str, bool]]]:
        """What is in a folder and in each one below.

        Listing folder by folder, pyarrow finds on gs:// only those folders that are objects themselves, and
        few are: apache/arrow#35993.
        """
        tree: dict[str, list[tuple[str, bool]]] = {top: []}

        def add(name: str, is_folder: bool) -> None:
            folder = name.rpartition("/")[0]
            if folder not in tree:
                tree[folder] = []
                add(folder, True)
            tree[folder].append((name, is_folder))

        for name, is_folder in self._entries(top, recursive=True):
            if not is_folder:
                add(name, False)
        return tree

    def _entries(self, folder: str, *, recursive: bool) -> Iterator[tuple[str, bool]]:
        filesystem, path = self.find(folder)
        prefix = folder[: len(folder) - len(path)]
        with _as_os_error():
            entries = filesystem.get_file_info(fs.FileSelector(path, recursive=recursive))
        return ((prefix + entry.path, entry.type == fs.FileType.Directory) for entry in entries)

    def open_parquet(self, name: str) -> parquet.ParquetFile:
        """Open a table to be read in pieces: memory for what is asked for, not for the file.

        Raises:
            OSError: it cannot be read.
            pyarrow.ArrowInvalid: it is no Parquet.
        """
        filesystem, path = self.find(name)
        with _as_os_error():
            file = filesystem.open_input_file(path)
        return parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to this machine.

        Raises:
            OSError: it cannot be read.
        """
        filesystem, path = self.find(name)
        with _as_os_error(), filesystem.open_input_stream(path) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, _PIECE)

    def write_table(self, table: pa.Table, name: str) -> None:
        """Write a small Parquet file; readers see nothing or all of it.

        Raises:
            OSError: it cannot be written.
        """
        if not is_remote(name):
            with replacing(Path(name)) as beside:
                parquet.write_table(table, beside)
            return
        file = pa.BufferOutputStream()
        parquet.write_table(table, file)
        filesystem, path = self.find(name)
        # An object appears when it is complete: that is the storage's promise.
        with _as_os_error(), filesystem.open_output_stream(path) as stream:
            stream.write(file.getvalue())

    def put(self, file: Path, name: str) -> None:
        """Copy a file of this machine to ``name``; readers see nothing or all of it.

        Raises:
            OSError: it cannot be written.
        """
        if not is_remote(name):
            with replacing(Path(name)) as beside:
                shutil.copyfile(file, beside)
            return
        filesystem, path = self.find(name)
        with _as_os_error(), file.open("rb") as source, filesystem.open_output_stream(path) as stream:
            shutil.copyfileobj(source, stream, 8 << 20)

    def _open_bucket(self, address: str) -> None:
        bucket, query = _bucket(address), address.partition("?")[2]
        if bucket.startswith("gs://") and "retry_limit_seconds=" not in query:
            query = f"{query}&{_PATIENCE}" if query else _PATIENCE
        try:
            # Names are never parsed as URIs: in a key, # and % and ? are letters.
            self._buckets[bucket], _ = fs.FileSystem.from_uri(f"{bucket}/?{query}" if query else f"{bucket}/")
        except (OSError, ValueError, NotImplementedError) as error:
            raise UsageError(f"{bucket} cannot be opened: {error}") from error


def is_remote(name: str) -> bool:
    """Whether a name is one of object storage.

    Raises:
        UsageError: it is one of a storage that is not known.
    """
    scheme, separator, _ = name.partition("://")
    if separator and scheme not in _SCHEMES:
        raise UsageError(f"{name}: give a local path, or one that begins with s3:// or gs://")
    return bool(separator)


def plain(address: str) -> str:
    """What the user gave as the name of a place: absolute, without options and without a slash at its end."""
    if not is_remote(address):
        return os.path.abspath(address)
    return address.partition("?")[0].rstrip("/")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """pyarrow raises errors of many kinds when storage refuses something, or a name."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        said = str(getattr(error, "strerror", None) or error)
        told = _TOLD_BY_GOOGLE.search(said)
        if isinstance(error, OSError) and not told:
            raise
        said = "".join(told.groups()) if told else said
        raise (OSError(error.errno, said) if getattr(error, "errno", None) else OSError(said)) from error


def _bucket(name: str) -> str:
    scheme, _, rest = name.partition("://")
    bucket = rest.partition("?")[0].partition("/")[0]
    if not bucket or "@" in bucket:
        raise UsageError(
            f"{scheme}:// needs the name of a bucket, and no key before it; "
            "keys come from the environment or the storage's own configuration"
        )
    return f"{scheme}://{bucket}"
