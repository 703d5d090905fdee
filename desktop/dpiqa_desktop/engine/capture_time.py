"""When a photo was taken: two EXIF tags, in two directories; whatever is wrong, the time is not known."""

from __future__ import annotations

import re
import struct
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from dpiqa_desktop.engine.tiff import Tiff

_EXIF_DIRECTORY = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_SUB_SEC_TIME_ORIGINAL = 0x9291
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
    tiff = Tiff(file)
    pointer = tiff.numbers(tiff.directory(tiff.first).get(_EXIF_DIRECTORY))
    if not pointer:
        return None
    exif = tiff.directory(pointer[0])
    match = _DATE.match(tiff.text(exif.get(_DATE_TIME_ORIGINAL), _LONGEST_TEXT))
    if match is None:
        return None
    whole = seconds(datetime(*(int(group) for group in match.groups())))  # type: ignore[arg-type]  # six of them
    fraction = tiff.text(exif.get(_SUB_SEC_TIME_ORIGINAL), _LONGEST_TEXT).rstrip(b"\0 ")
    return whole + float(b"0." + fraction) if fraction.isdigit() else whole
