"""What a photo's files say now: the photo itself, and its sidecars."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from dpiqa_desktop.metadata import sidecar, xmp
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.formats import format_of
from dpiqa_desktop.metadata.plan import Said


def said_by_photo(path: str) -> Said:
    """Read a photo's own metadata.

    Raises:
        UnsafeError: it cannot be understood for certain.
        OSError: the file cannot be read.
    """
    with open_regular(path) as file:
        return said_by(format_of(path, file).read(file))


def said_by_sidecar(path: str) -> Said:
    """Read a sidecar.

    Raises:
        UnsafeError: it cannot be understood for certain.
        OSError: the file cannot be read.
    """
    return Said(xmp.read(sidecar_packet(path)))


def said_by(embedded: Embedded) -> Said:
    """Take in what a reader found.

    Raises:
        UnsafeError: its XMP cannot be understood for certain.
    """
    properties = {} if embedded.extended_xmp is None else xmp.read(embedded.extended_xmp)
    if embedded.xmp is not None:
        properties |= xmp.read(embedded.xmp)
    return Said(properties, embedded.exif or ExifRating())


def open_regular(path: str) -> BinaryIO:
    """Open a file to read it, but not a pipe: that would wait for ever.

    Raises:
        UnsafeError: it is no regular file.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise UnsafeError("it is not a regular file")
    return open(path, "rb")


def sidecar_packet(path: str) -> bytes:
    """The content of a sidecar.

    Raises:
        UnsafeError: it is no regular file, or larger than any sidecar.
        OSError: the file cannot be read.
    """
    with open_regular(path) as file:
        return read_packet(file)


def read_packet(file: BinaryIO) -> bytes:
    """The same for an open one."""
    if os.fstat(file.fileno()).st_size > sidecar.LARGEST:
        raise UnsafeError(f"it is larger than {sidecar.LARGEST >> 20} MB, which no sidecar is")
    file.seek(0)
    return file.read()
