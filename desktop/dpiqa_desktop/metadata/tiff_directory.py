"""One directory of a TIFF (TIFF 6.0, section 2), read strictly, and written anew with a few entries changed.

Strictly, because what is read here is copied: a directory that is damaged is not made look whole.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal

from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError

RATING, RATING_PERCENT = 0x4746, 0x4749

_TIFF = frozenset({42})
_ENTRY = 12
_SHORT = 3
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Of the types of values, in bytes (TIFF 6.0, section 2; 13 is IFD)."""
_HEADER = 8
_BY_SIZE = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG: what programs write a rating as
# TIFFs and cameras' files have fewer than 100 entries in the first directory.
_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class Entry:
    """An entry: type, number of values, and the four bytes that hold the values or their offset."""

    kind: int
    count: int
    value: bytes


@dataclass(frozen=True)
class Directory:
    """The first directory of a TIFF.

    Attributes:
        order: ``"<"`` or ``">"``, as ``struct`` has it.
        offset: where it stands.
        entries: by tag, in their order.
        following: four bytes, the offset of the next directory.
    """

    order: str
    offset: int
    entries: Mapping[int, Entry]
    following: bytes

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """The order as ``int.to_bytes`` has it."""
        return "little" if self.order == "<" else "big"

    def rating(self) -> ExifRating:
        """The rating in it.

        Raises:
            UnsafeError: it is no number.
        """
        return ExifRating(self._number(RATING), self._number(RATING_PERCENT))

    def packed(self, changes: Mapping[int, Entry | None]) -> bytes:
        """Write it anew, entries in ascending order as the specification wants it.

        Args:
            changes: by tag; None takes an entry out.

        Raises:
            UnsafeError: none would be left, which the specification forbids; or a value is where the header
                is, which changes with the directory's place.
        """
        if any(self._in_header(entry) for entry in self.entries.values()):
            raise UnsafeError("its EXIF has a value in its header")
        entries = {**self.entries, **changes}
        table = [
            struct.pack(f"{self.order}HHI", tag, entry.kind, entry.count) + entry.value
            for tag, entry in sorted(entries.items())
            if entry is not None
        ]
        if not table:
            raise UnsafeError("its EXIF would be left with an empty directory")
        return struct.pack(f"{self.order}H", len(table)) + b"".join(table) + self.following

    def rating_changes(self, wanted: ExifRating) -> dict[int, Entry | None]:
        """What ``packed`` needs so that it says a rating."""
        return {RATING: self._short(wanted.rating), RATING_PERCENT: self._short(wanted.percent)}

    def value_offset(self, tag: int) -> int:
        """Where in the TIFF the four bytes of an entry's value stand."""
        return self.offset + 2 + _ENTRY * list(self.entries).index(tag) + 8

    def number(self, entry: Entry) -> int | None:
        """The value of an entry that holds one whole number; None if it does not."""
        if entry.count != 1 or entry.kind not in _BY_SIZE:
            return None
        (number,) = struct.unpack_from(self.order + _BY_SIZE[entry.kind], entry.value)
        return int(number)

    def _in_header(self, entry: Entry) -> bool:
        long = SIZES.get(entry.kind, 0) * entry.count > len(entry.value)
        return long and int.from_bytes(entry.value, self.byte_order) < _HEADER

    def _number(self, tag: int) -> int | None:
        entry = self.entries.get(tag)
        if entry is None:
            return None
        number = self.number(entry)
        if number is None:
            raise UnsafeError("its EXIF rating is no number")
        return number

    def _short(self, number: int | None) -> Entry | None:
        if number is None:
            return None
        return Entry(_SHORT, 1, struct.pack(f"{self.order}HH", number, 0))


def read_first_directory(file: BinaryIO, magic_numbers: frozenset[int] = _TIFF) -> Directory:
    """Read the first directory of a TIFF that begins at the file's start.

    Args:
        file: seekable.
        magic_numbers: what may stand in the header; RAW formats have others than TIFF's 42.

    Raises:
        UnsafeError: there is no TIFF, or it is damaged.
        OSError: it cannot be read.
    """
    file.seek(0)
    header = file.read(_HEADER)
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    if order is None or len(header) < _HEADER:
        raise UnsafeError("its EXIF is without a TIFF header")
    magic, offset = struct.unpack(f"{order}HI", header[2:])
    if magic == 43:
        raise UnsafeError("it is a BigTIFF, which is not edited")
    if magic not in magic_numbers:
        raise UnsafeError("its EXIF is without a TIFF header")
    if offset < _HEADER:
        raise UnsafeError("its EXIF has its first directory in the header")
    file.seek(offset)
    start = file.read(2)
    count = struct.unpack(f"{order}H", start)[0] if len(start) == 2 else 0
    if not 0 < count <= _MOST_ENTRIES:
        raise UnsafeError("its EXIF is without a first directory")
    table = file.read(_ENTRY * count + 4)
    if len(table) < _ENTRY * count + 4:
        raise UnsafeError("its EXIF has a first directory that is cut off")
    entries: dict[int, Entry] = {}
    for at in range(0, _ENTRY * count, _ENTRY):
        tag, kind, number = struct.unpack_from(f"{order}HHI", table, at)
        if tag in entries:
            raise UnsafeError(f"its EXIF has the tag 0x{tag:04x} twice")
        entries[tag] = Entry(kind, number, table[at + 8 : at + _ENTRY])
    return Directory(order, offset, entries, table[-4:])
