"""The rating in an EXIF block, changed so that nothing else in the block moves.

Offsets in EXIF count from its TIFF header, and MakerNotes hold some that only their makers understand. So a
block is never written anew: the first directory is copied to its end, with two entries more, and the header
points there. What was there before stays where it was.
"""

from __future__ import annotations

from io import BytesIO

from dpiqa_desktop.metadata.embedded import ExifRating
from dpiqa_desktop.metadata.tiff_directory import (
    RATING,
    RATING_PERCENT,
    Directory,
    read_first_directory,
)


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

    Values of the right type are changed where they stand; otherwise the block grows at its end, by its first
    directory.

    Args:
        block: from its TIFF header on; None for a new one.
        wanted: the rating.

    Raises:
        UnsafeError: the block is damaged where the rating should be.
    """
    if block is None:
        return _new_block(wanted)
    directory = read_first_directory(BytesIO(block))
    changes = directory.rating_changes(wanted)
    if directory.rating() == wanted:
        return block
    if all(_fits(directory, tag, wanted) for tag in changes):
        changed = bytearray(block)
        for tag, entry in changes.items():
            if entry is not None:
                at = directory.value_offset(tag)
                changed[at : at + 4] = entry.value
        return bytes(changed)
    padded = block + b"\0" * (len(block) % 2)  # directories begin at even offsets
    header = padded[:4] + len(padded).to_bytes(4, directory.byte_order)
    return header + padded[8:] + directory.packed(changes)


def _fits(directory: Directory, tag: int, wanted: ExifRating) -> bool:
    """Whether the entry is there as we would write it, or is not and shall not be."""
    value = wanted.rating if tag == RATING else wanted.percent
    entry = directory.entries.get(tag)
    if entry is None or value is None:
        return entry is None and value is None
    return (entry.kind, entry.count) == (3, 1)


def _new_block(wanted: ExifRating) -> bytes:
    import piexif  # here, as reading needs it not

    tags = {RATING: wanted.rating, RATING_PERCENT: wanted.percent}
    first = {tag: number for tag, number in tags.items() if number is not None}
    block: bytes = piexif.dump({"0th": first})
    return block.removeprefix(b"Exif\0\0")
