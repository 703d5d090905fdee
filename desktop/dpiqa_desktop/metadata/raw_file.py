"""What RAW files say of themselves: cameras with a rating button write it into them. They are never changed.

CR2, NEF, ARW, DNG, ORF, RW2, PEF, SRW and most others are TIFFs inside; RAF has a whole JPEG in it, CR3 is an
ISO base media file. Of what is none of these, nothing is known.
"""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

from dpiqa_desktop.metadata.embedded import Embedded, UnsafeError
from dpiqa_desktop.metadata.tiff_directory import read_first_directory
from dpiqa_desktop.metadata.tiff_file import said_by_directory

# TIFF's, Panasonic's RW2, Olympus' ORF twice; CRW and others begin with the byte order as well.
_MAGIC_NUMBERS = frozenset({42, 0x0055, 0x4F52, 0x5352})
_TIFF_HEADERS = (b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"II+\0", b"MM\0+")
_RAF = b"FUJIFILMCCD-RAW "
_RAF_JPEG = 84  # its offset and length, four bytes each, most significant first
_METADATA_OF_A_JPEG = 1 << 20  # its segments come first, and are 64 kB each at most


def read(file: BinaryIO) -> Embedded:
    """Read a RAW file's XMP and rating.

    Raises:
        UnsafeError: it is damaged where they should be.
        OSError: it cannot be read.
    """
    file.seek(0)
    head = file.read(16)
    if head.startswith(_RAF):
        return _read_raf(file)
    if head[4:12] == b"ftypcrx ":
        from dpiqa_desktop.metadata import bmff

        return bmff.read(file)
    if head[:4] in _TIFF_HEADERS:
        return said_by_directory(file, read_first_directory(file, _MAGIC_NUMBERS))
    return Embedded()


def _read_raf(file: BinaryIO) -> Embedded:
    from dpiqa_desktop.metadata import jpeg

    file.seek(_RAF_JPEG)
    offset, length = (int.from_bytes(file.read(4), "big") for _ in range(2))
    file.seek(offset)
    head = file.read(min(length, _METADATA_OF_A_JPEG))
    if not head.startswith(b"\xff\xd8"):
        raise UnsafeError("it has no JPEG where a RAF should have one")
    return jpeg.read(BytesIO(head))
