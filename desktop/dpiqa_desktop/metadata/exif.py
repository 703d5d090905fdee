"""The rating in an EXIF block, changed so that nothing else in the block moves.

Offsets in EXIF count from its TIFF header, and MakerNotes hold some that only their makers understand. So a
block, which is a TIFF, is changed as ``tiff_file`` does it: where the rating stands, or at its end.
"""

from __future__ import annotations

from io import BytesIO

from dpiqa_desktop.metadata import tiff_file
from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import spliced
from dpiqa_desktop.metadata.tiff_directory import (
    RATING,
    RATING_PERCENT,
    Directory,
    Entry,
    read_first_directory,
)

_POINTER = range(4, 8)  # the header's, to the first directory


def read_rating(block: bytes) -> ExifRating:
    """The rating in an EXIF block.

    Args:
        block: from its TIFF header on, without ``Exif\\0\\0``.

    Raises:
        UnsafeError: it is damaged where the rating should be, or the rating is no number.
    """
    return read_first_directory(BytesIO(block)).rating()


def with_rating(block: bytes | None, wanted: ExifRating) -> bytes:
    """Return the block saying ``wanted``; a tag that it wants to be None is taken out.

    Values of the right type are changed where they stand. Otherwise, and to take a tag out, the block grows
    at its end by its first directory: the old one stays, as nobody knows who else points there.

    Args:
        block: from its TIFF header on; None for a new one.
        wanted: the rating, each number from 0 to 65,535.

    Raises:
        UnsafeError: the block is damaged, or would be empty. Nothing else, whatever is in it.
    """
    if block is None:
        return _new_block(wanted)
    file = BytesIO(block)
    changed = b"".join(spliced(file, tiff_file.edit(file, None, wanted)))
    _verify(block, changed, wanted)
    return changed


def _verify(block: bytes, changed: bytes, wanted: ExifRating) -> None:
    before, after = (read_first_directory(BytesIO(each)) for each in (block, changed))
    may_differ = [_POINTER]
    if before.offset == after.offset:
        entries = [entry for entry in before.entries if entry.tag in (RATING, RATING_PERCENT)]
        may_differ = [range(at, at + 2) for at in map(before.value_offset, entries)]
    old, kept = bytearray(block), bytearray(changed[: len(block)])
    for span in may_differ:
        old[span.start : span.stop] = kept[span.start : span.stop]
    if (
        after.rating() != wanted
        or _others(before) != _others(after)
        or before.following != after.following
        or old != kept
    ):
        raise UnsafeError("its EXIF would not be the same but for the rating")


def _others(directory: Directory) -> list[Entry]:
    return [entry for entry in directory.entries if entry.tag not in (RATING, RATING_PERCENT)]


def _new_block(wanted: ExifRating) -> bytes:
    import piexif  # here, as reading needs it not

    tags = {RATING: wanted.rating, RATING_PERCENT: wanted.percent}
    first = {tag: number for tag, number in tags.items() if number is not None}
    if not first:
        raise UnsafeError("its EXIF would be left with an empty directory")
    block: bytes = piexif.dump({"0th": first})
    return block.removeprefix(b"Exif\0\0")
