"""XMP and rating of TIFF files (TIFF 6.0; XMP part 3, 1.1.7: tag 700).

What has the right size is changed where it stands. Otherwise a new packet and a copy of the first directory
are put at the file's end, and the header points at that: no pixel, no other directory and no offset moves.
Old packets stay behind as unused bytes.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import Splice
from dpiqa_desktop.metadata.tiff_claims import refuse_if_claimed
from dpiqa_desktop.metadata.tiff_directory import (
    BYTE,
    RATING,
    RATING_PERCENT,
    SHORT,
    UNDEFINED,
    Directory,
    Entry,
    read_first_directory,
)

_XMP = 700
_RDF = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"
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

    Of the rating, a tag that shall be None is taken out.

    Raises:
        UnsafeError: it is damaged, a BigTIFF, or would be too large.
        OSError: it cannot be read.
    """
    directory = read_first_directory(file)
    size = file.seek(0, os.SEEK_END)
    added = b"\0" * (size % 2)  # values and directories begin at even offsets
    splices: list[Splice] = []
    changes: dict[int, Entry | None] = {}
    if exif is not None and exif != directory.rating():
        changes |= _rating_entries(directory, exif)
    if xmp is not None and xmp != (packet := _packet(file, directory)):
        _refuse_packet_of(len(xmp))
        entry = directory.find(_XMP)
        if entry and packet and len(packet) == len(xmp) and _stands_alone(directory, entry, packet):
            splices.append(Splice(directory.offset_in(entry), packet, xmp))
        else:
            at = size + len(added)
            changes[_XMP] = Entry(_XMP, BYTE, len(xmp), at.to_bytes(4, directory.byte_order))
            added += xmp + b"\0" * (len(xmp) % 2)
    in_place = _in_place(directory, changes)
    if in_place is None:
        at = size + len(added)
        added += directory.packed(changes)
        if size + len(added) > _LARGEST_FILE:
            raise UnsafeError("it would be larger than 4 GB, which a TIFF cannot be")
        file.seek(4)
        in_place = [
            Splice(4, file.read(4), at.to_bytes(4, directory.byte_order)),
            Splice(size, b"", added),
        ]
    splices += in_place
    changing = {*changes, _XMP} if xmp is not None else set(changes)
    spans = [range(splice.offset, splice.offset + len(splice.new)) for splice in splices]
    if spans:
        refuse_if_claimed(file, directory, changing, spans)
    return tuple(sorted(splices, key=lambda splice: splice.offset))


def _rating_entries(directory: Directory, exif: ExifRating) -> dict[int, Entry | None]:
    wanted = {RATING: exif.rating, RATING_PERCENT: exif.percent}
    return {tag: None if number is None else directory.short(tag, number) for tag, number in wanted.items()}


def _in_place(directory: Directory, changes: dict[int, Entry | None]) -> list[Splice] | None:
    """The changes where they stand; None if that is not possible, as a SHORT is or shall not be there."""
    splices = []
    for tag, new in changes.items():
        old = directory.find(tag)
        if old is None and new is None:
            continue
        if old is None or new is None or not (old.kind, old.count) == (new.kind, new.count) == (SHORT, 1):
            return None
        if old.value[:2] != new.value[:2]:  # what follows a SHORT is undefined, and stays
            splices.append(Splice(directory.value_offset(old), old.value[:2], new.value[:2]))
    return splices


def _stands_alone(directory: Directory, entry: Entry, packet: bytes) -> bool:
    """Whether a packet's place holds just that. A pointer that is damaged leads to anything, and into it."""
    start = directory.offset_in(entry)
    before, behind = start + entry.count <= directory.offset, directory.end + 4 <= start
    is_packet = packet.startswith(b"<") and packet.rstrip(b" \t\r\n\0").endswith(b">") and _RDF in packet
    return is_packet and start >= 8 and (before or behind)


def _packet(file: BinaryIO, directory: Directory) -> bytes | None:
    entry = directory.find(_XMP)
    if entry is None:
        return None
    if entry.kind not in (BYTE, UNDEFINED):
        raise UnsafeError("its XMP is of an unknown kind")
    _refuse_packet_of(entry.count)
    file.seek(directory.offset_in(entry))
    packet = file.read(entry.count)
    if len(packet) < entry.count:
        raise UnsafeError("its XMP is cut off")
    return packet


def _refuse_packet_of(size: int) -> None:
    """Refuse a packet that would not be at an offset, and one that is absurdly large."""
    if not 4 < size <= _LARGEST_PACKET:
        raise UnsafeError(f"its XMP would be empty or over {_LARGEST_PACKET >> 20} MB")
