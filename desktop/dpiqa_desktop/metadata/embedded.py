"""What readers of all formats find in a photo, and the one error by which they refuse to change it."""

from __future__ import annotations

from dataclasses import dataclass

from dpiqa_plugin.errors import DPIQAError


class UnsafeError(DPIQAError):
    """A file's metadata cannot be read for certain, or not be changed without a loss; it is as it was.

    ``str(error)`` is a reason that goes after the file's name: "its XMP is not in UTF-8".
    """


@dataclass(frozen=True)
class ExifRating:
    """The two tags of the rating in EXIF's first directory (IFD0), each a SHORT.

    Attributes:
        rating: Rating, 0x4746, 0 to 5; None if there is none.
        percent: RatingPercent, 0x4749, 0 to 99; None if there is none.
    """

    rating: int | None = None
    percent: int | None = None


@dataclass(frozen=True)
class Embedded:
    """What a photo says of itself.

    Attributes:
        exif: its rating in EXIF; None if there is no EXIF block at all.
        xmp: its XMP packet as it is, wrapper and padding included; None if it has none.
        extended_xmp: the rest of a packet that was too large for a JPEG segment (XMP part 3, 1.1.3.1), put
            together again; None if there is none.
    """

    exif: ExifRating | None = None
    xmp: bytes | None = None
    extended_xmp: bytes | None = None
