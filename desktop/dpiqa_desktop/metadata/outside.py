"""Whether an EXIF block in a JPEG points at bytes behind itself, which must not move alone.

Offsets in EXIF count from its TIFF header, and some cameras let them lead out of the segment: to a preview
behind the image's end (Konica Minolta, Olympus, Pentax, Sony, some Canon) or to a whole MakerNote (Leica). If
the segment grew, or anything came in behind it, they would point at other bytes.

What is found: values and directories of the block's own directories that end behind it; and in a MakerNote,
whose inside is each make's own, any number which, counted from where makes count from, is the position of a
JPEG's first marker. What is not found: MakerNotes that point at something else than a JPEG, or count from
somewhere else.
"""

from __future__ import annotations

import os
import re
import struct
from typing import BinaryIO

from dpiqa_desktop.metadata.tiff_directory import SIZES

_DIRECTORIES = (0x014A, 0x8769, 0x8825, 0xA005)  # SubIFDs, EXIF, GPS, interoperability
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_MAKER_NOTE = 0x927C
_MOST_ENTRIES = 4096  # of all directories together; cameras have fewer than 200
# Neither is found in a JPEG's scan, where 0xFF is only followed by 0 or a restart marker. The second is for
# Minolta's, whose previews lack the first byte.
_JPEG = re.compile(rb"\xff\xd8\xff|.\xd8\xff\xdb", re.DOTALL)


def points_outside(block: bytes, file: BinaryIO, start: int) -> bool:
    """Tell whether anything in ``block`` leads to bytes of the file behind it.

    Args:
        block: from its TIFF header to the end of its segment.
        file: seekable; the whole JPEG.
        start: where the block begins in the file.
    """
    if block[:4] not in (b"II*\0", b"MM\0*"):
        return False
    size = file.seek(0, os.SEEK_END)
    order = "<" if block[:1] == b"I" else ">"
    directories = _Directories(block, order, size - start)
    return directories.lead_outside or (
        directories.maker_note is not None and _finds_a_jpeg(block, directories.maker_note, file, start, size)
    )


class _Directories:
    """A walk through all directories of a block (TIFF 6.0, section 2; EXIF 2.32, 4.6).

    It reads the block itself: ``tiff_directory`` and ``engine.tiff`` tell what a directory holds; here it
    matters on which side of the block's end each part of it lies, whole or not.

    Attributes:
        lead_outside: a value or a directory ends behind the block, and begins inside the file.
        maker_note: where the MakerNote is, as offset and length; None if there is none.
    """

    def __init__(self, block: bytes, order: str, to_end: int) -> None:
        self.lead_outside = False
        self.maker_note: tuple[int, int] | None = None
        self._block, self._order, self._to_end = block, order, to_end
        self._seen: set[int] = set()
        self._left = _MOST_ENTRIES
        waiting = [self._number("I", 4)]
        while waiting:
            offset = waiting.pop()
            if offset and offset not in self._seen:
                self._seen.add(offset)
                waiting += self._walk(offset)

    def _walk(self, directory: int) -> list[int]:
        """Look at one directory and return the offsets of those it names."""
        if not self._inside(directory, 2):
            return []
        count = self._number("H", directory)
        if count > self._left or not self._inside(directory, 2 + 12 * count):
            return []
        self._left -= count
        found: list[int] = []
        numbers: dict[int, int] = {}
        for at in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, amount = struct.unpack_from(f"{self._order}HHI", self._block, at)
            length = SIZES.get(kind, 0) * amount
            value = at + 8 if length <= 4 else self._number("I", at + 8)
            if not self._inside(value, length):
                continue
            if tag == _MAKER_NOTE:
                self.maker_note = (value, length)
            elif tag in _DIRECTORIES and kind in (4, 13):
                found += struct.unpack_from(f"{self._order}{min(amount, 64)}I", self._block, value)
            elif kind == 4 and amount == 1:
                numbers[tag] = self._number("I", value)
        if _THUMBNAIL in numbers and _THUMBNAIL_LENGTH in numbers:
            self._inside(numbers[_THUMBNAIL], numbers[_THUMBNAIL_LENGTH])
        end = directory + 2 + 12 * count
        if end + 4 <= len(self._block):
            found.append(self._number("I", end))
        return found

    def _inside(self, offset: int, length: int) -> bool:
        """Whether so many bytes are inside the block. Offsets behind the file's end lead nowhere."""
        if offset + length <= len(self._block):
            return True
        self.lead_outside |= offset < self._to_end
        return False

    def _number(self, form: str, offset: int) -> int:
        number: int = struct.unpack_from(self._order + form, self._block.ljust(8, b"\0"), offset)[0]
        return number


def _finds_a_jpeg(block: bytes, maker_note: tuple[int, int], file: BinaryIO, start: int, size: int) -> bool:
    offset, length = maker_note
    targets = set()
    # Makes count from the TIFF header, from their note (Fujifilm, Olympus), or from a TIFF header of their
    # own in it (Nikon); and some keep their own byte order.
    for base in (0, offset, offset + 10):
        low, high = len(block) - base, size - start - base
        for first in (offset, offset + 2):
            words = (offset + length - first) // 4
            for each in "<>":
                numbers = struct.unpack_from(f"{each}{max(words, 0)}I", block, first)
                targets |= {start + base + number for number in numbers if low <= number < high}
    for target in sorted(targets):
        file.seek(target)
        if _JPEG.match(file.read(4)):
            return True
    return False
