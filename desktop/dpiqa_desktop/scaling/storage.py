"""Local folders and object storage alike: where a name leads, and files that are whole or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
from pyarrow import fs, parquet

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import UsageError

_SCHEMES = ("s3", "gs")
# Every piece is a request; nearly every photo is smaller.
_PIECE = 64 << 20


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
        return filesystem.get_file_info(path)

    def check(self, name: str) -> None:
        """Find out whether an object alone cannot be read, or nothing in its bucket.

        Raises:
            OSError: nothing can.
        """
        if is_remote(name):
            self.info(_bucket(name))

    def listing(self, folder: str) -> list[tuple[str, bool]]:
        """What is in a folder: names, and whether they are folders; sorted.

        Raises:
            OSError: it cannot be listed.
        """
        filesystem, path = self.find(folder)
        prefix = folder[: len(folder) - len(path)]
        entries = filesystem.get_file_info(fs.FileSelector(path))
        return sorted((prefix + entry.path, entry.type == fs.FileType.Directory) for entry in entries)

    def open_parquet(self, name: str) -> parquet.ParquetFile:
        """Open a table to be read in pieces: memory for what is asked for, not for the file.

        Raises:
            OSError: it cannot be read.
            pyarrow.ArrowInvalid: it is no Parquet.
        """
        filesystem, path = self.find(name)
        return parquet.ParquetFile(filesystem.open_input_file(path), buffer_size=1 << 20, pre_buffer=False)

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to this machine.

        Raises:
            OSError: it cannot be read.
        """
        filesystem, path = self.find(name)
        with filesystem.open_input_stream(path) as source, target.open("wb") as file:
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
        with filesystem.open_output_stream(path) as stream:
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
        with file.open("rb") as source, filesystem.open_output_stream(path) as stream:
            shutil.copyfileobj(source, stream, 8 << 20)

    def _open_bucket(self, address: str) -> None:
        bucket, query = _bucket(address), address.partition("?")[2]
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


def _bucket(name: str) -> str:
    scheme, _, rest = name.partition("://")
    bucket = rest.partition("?")[0].partition("/")[0]
    if not bucket or "@" in bucket:
        raise UsageError(
            f"{scheme}:// needs the name of a bucket, and no key before it; "
            "keys come from the environment or the storage's own configuration"
        )
    return f"{scheme}://{bucket}"
