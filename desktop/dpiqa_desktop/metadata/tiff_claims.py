"""Which bytes of a TIFF belong to what: so that none changes, or is put there, that something else reads.

Files whose directories point past the end are common: of cut off thumbnails, of values that another program
left behind. What is appended to such a file would be read as the missing part. Files that point at their own
header or at each other's entries are rare, and made to deceive.

MakerNotes are taken as a whole; where they point only their makers know.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from typing import BinaryIO

from dpiqa_desktop.metadata.embedded import UnsafeError
from dpiqa_desktop.metadata.tiff_directory import IFD, LONG, SHORT, SIZES, Directory, Entry, read_directory

# Directories by which no other follows: EXIF's, GPS', interoperability's (EXIF 2.32, 4.6.3).
_SINGLE_DIRECTORIES = (0x8769, 0x8825, 0xA005)
_SUB_DIRECTORIES = 0x014A
# Offsets and byte counts of strips, of tiles, of a thumbnail.
_DATA = ((0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202))
_NUMBERS = {SHORT: "H", LONG: "I", IFD: "I"}
_MOST_DIRECTORIES = 65_536  # pages of a document
_MOST_VALUES = 1 << 22  # strips of a picture


def refuse_if_claimed(
    file: BinaryIO, first: Directory, changing: Collection[int], spans: Sequence[range]
) -> None:
    """Make sure that nothing but the entries which change reads what changes.

    Args:
        file: a TIFF.
        first: its first directory, which itself may change.
        changing: tags of its entries that change.
        spans: of bytes that change, or that come behind the file's end.

    Raises:
        UnsafeError: something does, or it cannot be known.
        OSError: it cannot be read.
    """
    for start, end in _claims(file, first, changing):
        if any(max(start, span.start) < min(end, span.stop) for span in spans):
            raise UnsafeError("its metadata points at data behind it, or into what would change")


def _claims(file: BinaryIO, first: Directory, changing: Collection[int]) -> Iterator[tuple[int, int]]:
    kept = [entry for entry in first.entries if entry.tag not in changing]
    yield from _claimed_by_entries(file, first, kept)
    waiting = [*_onward(file, first, chained=True)]
    seen = set[int]()
    while waiting:
        offset, chained = waiting.pop()
        if offset == first.offset:
            raise UnsafeError("its directories go round in a circle")
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        if len(seen) > _MOST_DIRECTORIES:
            raise UnsafeError(f"it has more than {_MOST_DIRECTORIES} directories")
        directory = read_directory(file, first.order, offset)
        yield offset, directory.end + (4 if chained else 0)
        yield from _claimed_by_entries(file, directory, directory.entries)
        waiting += _onward(file, directory, chained)


def _onward(file: BinaryIO, directory: Directory, chained: bool) -> Iterator[tuple[int, bool]]:
    """The directories that one leads to, and whether others follow them."""
    if chained:
        yield directory.following or 0, True
    for entry in directory.entries:
        if entry.tag in _SINGLE_DIRECTORIES or entry.tag == _SUB_DIRECTORIES:
            for offset in _numbers(file, directory, entry):
                yield offset, entry.tag == _SUB_DIRECTORIES


def _claimed_by_entries(
    file: BinaryIO, directory: Directory, entries: Sequence[Entry]
) -> Iterator[tuple[int, int]]:
    for entry in entries:
        size = (
            SIZES.get(entry.kind, 0) * entry.count
        )  # of unknown types nothing is read (TIFF 6.0, section 2)
        if size > 4:
            start = directory.offset_in(entry)
            yield start, start + size
    by_tag = {entry.tag: entry for entry in reversed(entries)}
    for offsets, counts in _DATA:
        if offsets in by_tag and counts in by_tag:
            starts, sizes = (_numbers(file, directory, by_tag[tag]) for tag in (offsets, counts))
            yield from ((start, start + size) for start, size in zip(starts, sizes, strict=False))


def _numbers(file: BinaryIO, directory: Directory, entry: Entry) -> tuple[int, ...]:
    """The numbers of an entry, as far as they are there."""
    if entry.kind not in _NUMBERS:
        return ()
    if entry.count > _MOST_VALUES:
        raise UnsafeError(f"it has more than {_MOST_VALUES} strips")
    size = SIZES[entry.kind] * entry.count
    content = entry.value[:size]
    if size > 4:
        file.seek(directory.offset_in(entry))
        content = file.read(size)
    count = len(content) // SIZES[entry.kind]
    return struct.unpack_from(f"{directory.order}{count}{_NUMBERS[entry.kind]}", content)
