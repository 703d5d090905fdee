"""Directories of a TIFF, which most RAW formats and all EXIF are, read without trusting a byte of them.

Not by an EXIF library: those read every tag, the maker's notes of half a megabyte too, and warn or raise at
damage that does not concern us.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

# TIFF 6.0, section 2, and those who put another number where TIFF has its 42: Panasonic's RW2, Olympus' ORF.
_MAGIC_NUMBERS = {42, 0x0055, 0x4F52, 0x5352}
_ASCII = 2
_NUMBERS = {3: "H", 4: "I", 13: "I"}
_RATIONAL = 5
_SUB_DIRECTORIES = 0x014A
# Offsets and byte counts of strips and of tiles.
_PIXEL_DATA = ((0x0111, 0x0117), (0x0144, 0x0145))
_UNKNOWN = 0xFFFFFFFF  # what Panasonic writes for them
_MOST_DIRECTORIES = 32
_MOST_VALUES = 100_000

Directory = dict[int, bytes]
"""By tag, what follows the tag: type, count, value or its offset."""


class Tiff:
    """An open TIFF.

    Raises:
        ValueError: it is none. All methods raise ValueError, struct.error or OverflowError if it is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)
        header = file.read(8)
        order = {b"II": "<", b"MM": ">"}.get(header[:2])
        if order is None or struct.unpack(order + "H", header[2:4])[0] not in _MAGIC_NUMBERS:
            raise ValueError("not a TIFF")
        self._order = order
        (self.first,) = struct.unpack(order + "I", header[4:])

    def directory(self, offset: int) -> Directory:
        """Read the directory at ``offset``."""
        return self._directory(offset)[0]

    def text(self, entry: bytes | None, longest: int) -> bytes:
        """At most ``longest`` bytes of a text; empty if the entry is none."""
        if entry is None:
            return b""
        kind, count = struct.unpack(self._order + "HI", entry[:6])
        return self._values(entry, min(count, longest), count) if kind == _ASCII else b""

    def numbers(self, entry: bytes | None) -> tuple[int, ...]:
        """The integers of an entry; empty if it has none."""
        if entry is None:
            return ()
        kind, count = struct.unpack(self._order + "HI", entry[:6])
        if kind not in _NUMBERS or count > _MOST_VALUES:
            return ()
        size = count * struct.calcsize(_NUMBERS[kind])
        return struct.unpack(f"{self._order}{count}{_NUMBERS[kind]}", self._values(entry, size, size))

    def rational(self, entry: bytes | None) -> float | None:
        """The first fraction of an entry; None if it has none.

        Raises:
            ZeroDivisionError: it is a number over 0, by which some programs say infinite, some unknown.
        """
        if entry is None:
            return None
        kind, count = struct.unpack(self._order + "HI", entry[:6])
        if kind != _RATIONAL or not count:
            return None
        above, below = struct.unpack(self._order + "II", self._values(entry, 8, 8))
        return float(above / below)

    def end_of_pixels(self) -> int:
        """Where in the file the last strip or tile of all its images ends, as its directories say."""
        end = 0
        waiting, seen = [self.first], set[int]()
        while waiting and len(seen) < _MOST_DIRECTORIES:
            offset = waiting.pop()
            if offset in seen or not offset:
                continue
            seen.add(offset)
            directory, following = self._directory(offset)
            waiting += [following, *self.numbers(directory.get(_SUB_DIRECTORIES))]
            for offsets, counts in _PIXEL_DATA:
                parts = zip(
                    self.numbers(directory.get(offsets)), self.numbers(directory.get(counts)), strict=False
                )
                end = max([end, *(start + count for start, count in parts if _UNKNOWN not in (start, count))])
        return end

    def _directory(self, offset: int) -> tuple[Directory, int]:
        self._file.seek(offset)
        (count,) = struct.unpack(self._order + "H", self._file.read(2))
        table = self._file.read(12 * count)
        following = self._file.read(4)
        tags = (struct.unpack_from(self._order + "H", table, at)[0] for at in range(0, len(table) - 11, 12))
        entries = {tag: table[12 * index + 2 : 12 * index + 12] for index, tag in enumerate(tags)}
        return entries, struct.unpack(self._order + "I", following)[0] if len(following) == 4 else 0

    def _values(self, entry: bytes, wanted: int, size: int) -> bytes:
        """Up to ``wanted`` bytes of values that take ``size``: in the entry itself if they fit."""
        if size <= 4:
            return entry[6 : 6 + wanted]
        self._file.seek(struct.unpack(self._order + "I", entry[6:])[0])
        return self._file.read(wanted)
