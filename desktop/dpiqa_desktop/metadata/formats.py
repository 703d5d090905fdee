"""Which module reads and changes which file: by what is in it; what is called RAW is never changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from dpiqa_desktop.engine.companions import RAW_SUFFIXES
from dpiqa_desktop.metadata import bmff, jpeg, png, raw_file, tiff_file, webp
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating
from dpiqa_desktop.metadata.splice import Splice

Edit = Callable[[BinaryIO, bytes | None, ExifRating | None], tuple[Splice, ...]]

_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})


@dataclass(frozen=True)
class Format:
    """How to deal with the metadata of a kind of file.

    Attributes:
        name: for the user's eyes.
        read: file -> what it says of itself.
        edit: file, XMP packet, EXIF rating (each None to leave it) -> what changes in the file. None: files
            of this kind are never changed.

    Both raise UnsafeError or OSError.
    """

    name: str
    read: Callable[[BinaryIO], Embedded]
    edit: Edit | None = None


_JPEG = Format("JPEG", jpeg.read, jpeg.edit)
_PNG = Format("PNG", png.read, png.edit)
_WEBP = Format("WebP", webp.read, webp.edit)
_TIFF = Format("TIFF", tiff_file.read, tiff_file.edit)
_HEIF = Format("HEIC or AVIF", bmff.read, bmff.edit)
_RAW = Format("RAW", raw_file.read)
_OTHER = Format("a format that holds no metadata", lambda file: Embedded())


def format_of(path: str, file: BinaryIO) -> Format:
    """Find out what an open photo is; the file is at its start again.

    A TIFF by another name than ``.tif`` or ``.tiff`` is RAW: most RAW formats are TIFFs inside.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix in RAW_SUFFIXES:
        return _RAW
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    if head.startswith(b"\xff\xd8"):
        return _JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _WEBP
    if head[4:8] == b"ftyp":
        return _RAW if head[8:12] == b"crx " else _HEIF
    if head[:2] in (b"II", b"MM"):
        return _TIFF if suffix in _TIFF_SUFFIXES else _RAW
    return _OTHER
