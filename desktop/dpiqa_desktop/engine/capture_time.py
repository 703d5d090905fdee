"""When a photo was taken: two EXIF tags, read without trusting a byte of what surrounds them.

Not by an EXIF library: those read every tag, the maker's notes of half a megabyte too, and warn or raise at
damage that does not concern these two. Here two directories are looked through, no pointer is followed twice,
and whatever is wrong means that the time is not known.
"""

from __future__ import annotations

import re
import struct
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

# TIFF 6.0, section 2, and those who put another number where TIFF has its 42: Panasonic's RW2, Olympus' ORF.
_MAGIC_NUMBERS = {42, 0x0055, 0x4F52, 0x5352}
_EXIF_DIRECTORY = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_SUB_SEC_TIME_ORIGINAL = 0x9291
_ASCII = 2
_LONGEST_TEXT = 64

# EXIF 2.32, 4.6.5 F, "YYYY:MM:DD HH:MM:SS"; some programs write the date as ISO 8601 has it.
_DATE = re.compile(rb"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_EPOCH = datetime(1970, 1, 1)  # the camera's clock knows no zone


def capture_time(exif: bytes) -> float | None:
    """Find out when a photo was taken: DateTimeOriginal and SubSecTimeOriginal.

    Args:
        exif: the EXIF of a file, with or without ``Exif\\0\\0`` before it.

    Returns:
        seconds since 1970 on the camera's clock, as if that showed UTC: good for differences and for order.
        None if there is no such time or none that can be true.
    """
    return capture_time_in_tiff(BytesIO(exif.removeprefix(b"Exif\0\0")))


def capture_time_in_tiff(file: BinaryIO) -> float | None:
    """The same for a file that is a TIFF, as most RAW formats are; reads a few kilobytes of it."""
    try:
        return _read(file)
    except (struct.error, ValueError, OverflowError, OSError):
        return None


def seconds(clock: datetime) -> float:
    """Seconds since 1970 of a date and time without zone, as if it were UTC."""
    return (clock - _EPOCH).total_seconds()


def _read(file: BinaryIO) -> float | None:
    file.seek(0)
    header = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    if order is None or struct.unpack(order + "H", header[2:4])[0] not in _MAGIC_NUMBERS:
        return None
    (first,) = struct.unpack(order + "I", header[4:])
    pointer = _directory(file, order, first).get(_EXIF_DIRECTORY)
    if pointer is None:
        return None
    exif = _directory(file, order, struct.unpack(order + "I", pointer[6:])[0])
    match = _DATE.match(_text(file, order, exif.get(_DATE_TIME_ORIGINAL)))
    if match is None:
        return None
    whole = seconds(datetime(*(int(group) for group in match.groups())))  # type: ignore[arg-type]  # six of them
    fraction = _text(file, order, exif.get(_SUB_SEC_TIME_ORIGINAL)).rstrip(b"\0 ")
    return whole + float(b"0." + fraction) if fraction.isdigit() else whole


def _directory(file: BinaryIO, order: str, offset: int) -> dict[int, bytes]:
    """Read an image file directory: by tag, what follows the tag: type, count, value or its offset."""
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    table = file.read(12 * count)
    tags = (struct.unpack_from(order + "H", table, at)[0] for at in range(0, len(table) - 11, 12))
    return {tag: table[12 * index + 2 : 12 * index + 12] for index, tag in enumerate(tags)}


def _text(file: BinaryIO, order: str, entry: bytes | None) -> bytes:
    if entry is None:
        return b""
    kind, count = struct.unpack(order + "HI", entry[:6])
    if kind != _ASCII:
        return b""
    if count <= 4:
        return entry[6 : 6 + count]
    file.seek(struct.unpack(order + "I", entry[6:])[0])
    return file.read(min(count, _LONGEST_TEXT))
