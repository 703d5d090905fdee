"""One directory of a TIFF (TIFF 6.0, section 2), which EXIF blocks and most RAW files are, too.

``engine/tiff.py`` reads the same to look something up, and takes what it gets. Here a directory is copied and
put in the place of the old one: every entry counts, in its order, and one that is damaged is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal

from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError

RATING, RATING_PERCENT = 0x4746, 0x4749

BYTE, SHORT, LONG, UNDEFINED, IFD = 1, 3, 4, 7, 13
# TIFF 6.0, section 2, and IFD of its technical note 1: bytes of one value.
SIZES = {BYTE: 1, 2: 1, SHORT: 2, LONG: 4, 5: 8, 6: 1, UNDEFINED: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, IFD: 4}

_TIFF = frozenset({42})
_ENTRY = 12
# Cameras and programs write fewer than 100 into the first directory.
_MOST_ENTRIES = 4096
_NUMBERS = {BYTE: "B", SHORT: "H", LONG: "I"}  # as what programs write a rating


@dataclass(frozen=True)
class Entry:
    """An entry of a directory.

    Attributes:
        tag: what it is about.
        kind: the type of its values.
        count: how many there are.
        value: four bytes: the values if they fit, else their offset.
    """

    tag: int
    kind: int
    count: int
    value: bytes


@dataclass(frozen=True)
class Directory:
    """A directory.

    Attributes:
        order: ``"<"`` or ``">"``, as ``struct`` has it.
        offset: where it stands.
        count: how many entries it says it has.
        entries: in their order; of one that is cut off, those that are whole.
        following: the offset of the next directory, 0 if there is none; None if it is cut off.
    """

    order: str
    offset: int
    count: int
    entries: tuple[Entry, ...]
    following: int | None

    @property
    def byte_order(self) -> Literal["little", "big"]:
        """The order as ``int.to_bytes`` has it."""
        return "little" if self.order == "<" else "big"

    @property
    def end(self) -> int:
        """Where its entries would end, be the file that long or not."""
        return self.offset + 2 + _ENTRY * self.count

    def find(self, tag: int) -> Entry | None:
        """The entry of a tag, None if there is none.

        Raises:
            UnsafeError: there are two.
        """
        found = [entry for entry in self.entries if entry.tag == tag]
        if len(found) > 1:
            raise UnsafeError(f"its EXIF has the tag 0x{tag:04x} twice")
        return found[0] if found else None

    def offset_in(self, entry: Entry) -> int:
        """An entry's four bytes as one number, as which they are an offset."""
        return int.from_bytes(entry.value, self.byte_order)

    def value_offset(self, entry: Entry) -> int:
        """Where in the file the four bytes of an entry stand."""
        return self.offset + 2 + _ENTRY * self.entries.index(entry) + 8

    def rating(self) -> ExifRating:
        """The rating in it.

        Raises:
            UnsafeError: it is there twice, or is no number, or one that the right type, SHORT, cannot hold.
        """
        return ExifRating(self._rating(RATING), self._rating(RATING_PERCENT))

    def short(self, tag: int, number: int) -> Entry:
        """An entry for it of one SHORT."""
        return Entry(tag, SHORT, 1, struct.pack(f"{self.order}HH", number, 0))

    def packed(self, changes: Mapping[int, Entry | None]) -> bytes:
        """Write it anew, with entries changed.

        A new entry goes before the first that has a higher tag. The others stay in their order, even if that
        is not the ascending one which the specification wants: readers take any, and who is warned of it
        today shall be warned of it tomorrow.

        Args:
            changes: by tag; None takes an entry out.

        Raises:
            UnsafeError: none would be left, which the specification forbids, or too many.
        """
        entries: list[Entry] = []
        present = {entry.tag for entry in self.entries}
        added = sorted(tag for tag, entry in changes.items() if entry is not None and tag not in present)
        for old in self.entries:
            while added and added[0] < old.tag:
                entries += _wanted(changes[added.pop(0)])
            entries += _wanted(changes.get(old.tag, old))
        for tag in added:
            entries += _wanted(changes[tag])
        if not 0 < len(entries) <= _MOST_ENTRIES:
            raise UnsafeError("its EXIF would be left with an empty directory, or has no room in it")
        return b"".join(
            (
                struct.pack(f"{self.order}H", len(entries)),
                *(struct.pack(f"{self.order}HHI4s", e.tag, e.kind, e.count, e.value) for e in entries),
                struct.pack(f"{self.order}I", self.following),
            )
        )

    def _rating(self, tag: int) -> int | None:
        entry = self.find(tag)
        if entry is None:
            return None
        if entry.count != 1 or entry.kind not in _NUMBERS:
            raise UnsafeError("its EXIF rating is no number")
        (number,) = struct.unpack_from(self.order + _NUMBERS[entry.kind], entry.value)
        if number > 0xFFFF:
            raise UnsafeError("its EXIF rating is out of all bounds")
        return int(number)


def read_first_directory(file: BinaryIO, magic_numbers: frozenset[int] = _TIFF) -> Directory:
    """Read the first directory of a TIFF that begins at the file's start.

    Args:
        file: seekable.
        magic_numbers: what may stand in the header; some RAW formats have others than TIFF's 42.

    Raises:
        UnsafeError: there is no TIFF, or the directory is not whole.
        OSError: it cannot be read.
    """
    file.seek(0)
    header = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    if order is None or len(header) < 8:
        raise UnsafeError("its EXIF is without a TIFF header")
    magic, offset = struct.unpack(f"{order}HI", header[2:])
    if magic == 43:
        raise UnsafeError("it is a BigTIFF, which is not edited")
    if magic not in magic_numbers:
        raise UnsafeError("its EXIF is without a TIFF header")
    if offset < 8:
        raise UnsafeError("its EXIF has its first directory in the header")
    directory = read_directory(file, order, offset)
    if not 0 < directory.count <= _MOST_ENTRIES:
        raise UnsafeError("its EXIF is without a first directory")
    if directory.following is None:
        raise UnsafeError("its EXIF has a first directory that is cut off")
    return directory


def read_directory(file: BinaryIO, order: str, offset: int) -> Directory:
    """Read whatever is there of a directory.

    Raises:
        OSError: it cannot be read.
    """
    file.seek(offset)
    start = file.read(2)
    count = struct.unpack(f"{order}H", start)[0] if len(start) == 2 else 0
    table = file.read(_ENTRY * count + 4)
    following = table[_ENTRY * count :]
    return Directory(
        order,
        offset,
        count,
        tuple(_entries(table, min(count, len(table) // _ENTRY), order)),
        struct.unpack(f"{order}I", following)[0] if len(following) == 4 else None,
    )


def _entries(table: bytes, count: int, order: str) -> Iterator[Entry]:
    for at in range(0, _ENTRY * count, _ENTRY):
        yield Entry(*struct.unpack_from(f"{order}HHI4s", table, at))


def _wanted(entry: Entry | None) -> tuple[Entry, ...]:
    return () if entry is None else (entry,)
