"""XMP and rating of TIFF files (TIFF 6.0; XMP part 3, 1.1.7: tag 700), changed at the end of the file only.

A new packet and a copy of the first directory are appended, and the header points at that: no pixel, no other
directory and no offset moves. Old packets stay as unused bytes, as other programs' values might overlap them.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.metadata.tiff_directory import Directory, Entry, read_first_directory

_XMP = 700
_BYTE, _UNDEFINED = 1, 7
_LARGEST_PACKET = 16 << 20
_LARGEST_FILE = (1 << 32) - 1  # offsets have 32 bits


def read(file: BinaryIO) -> Embedded:
    """Read a TIFF file's XMP and rating.

    Raises:
        UnsafeError: it is damaged where they should be, or is a BigTIFF.
        OSError: it cannot be read.
    """
    return said_by_directory(file, read_first_directory(file))


def said_by_directory(file: BinaryIO, directory: Directory) -> Embedded:
    """The same from its first directory.

    Raises:
        UnsafeError: its XMP is not inside the file, or its rating is no number.
        OSError: it cannot be read.
    """
    return Embedded(directory.rating(), _packet(file, directory))


def edit(file: BinaryIO, xmp: bytes | None, exif: ExifRating | None) -> tuple[Splice, ...]:
    """Work out what changes; None leaves XMP or rating as they are.

    Raises:
        UnsafeError: it is damaged, a BigTIFF, or would be too large.
        OSError: it cannot be read.
    """
    directory = read_first_directory(file)
    said_by_directory(file, directory)  # what cannot be read is not changed either
    size = file.seek(0, os.SEEK_END)
    added = b"\0" * (size % 2)  # directories begin at even offsets
    changes: dict[int, Entry | None] = {}
    if xmp is not None:
        if len(xmp) <= 4:
            raise UnsafeError("it would get XMP that is none")
        changes[_XMP] = Entry(_BYTE, len(xmp), (size + len(added)).to_bytes(4, directory.byte_order))
        added += xmp + b"\0" * (len(xmp) % 2)
    if exif is not None:
        changes |= directory.rating_changes(exif)
    at = size + len(added)
    added += directory.packed(changes)
    if size + len(added) > _LARGEST_FILE:
        raise UnsafeError("it would be larger than 4 GB, which a TIFF cannot be")
    file.seek(4)
    return Splice(4, file.read(4), at.to_bytes(4, directory.byte_order)), Splice(size, b"", added)


def _packet(file: BinaryIO, directory: Directory) -> bytes | None:
    entry = directory.entries.get(_XMP)
    if entry is None:
        return None
    if entry.kind not in (_BYTE, _UNDEFINED) or not 4 < entry.count <= _LARGEST_PACKET:
        raise UnsafeError("its XMP is of an unknown kind")
    file.seek(int.from_bytes(entry.value, directory.byte_order))
    packet = file.read(entry.count)
    if len(packet) < entry.count:
        raise UnsafeError("its XMP is cut off")
    return packet
