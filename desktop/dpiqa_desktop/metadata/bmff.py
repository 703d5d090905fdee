"""HEIC, AVIF and CR3: EXIF and XMP in ISO base media files (ISO/IEC 14496-12 and 23008-12).

In HEIC and AVIF they are items that tables locate; for what a change of them comes to see ``bmff_change``.
Canon's CR3 has them in boxes of its own; it is RAW, so it is only read.
"""

from __future__ import annotations

from typing import BinaryIO

from dpiqa_desktop.metadata import exif as exif_block
from dpiqa_desktop.metadata.bmff_boxes import LARGEST_PAYLOAD, Outline, children, content, only, outline
from dpiqa_desktop.metadata.bmff_change import Change, splices
from dpiqa_desktop.metadata.bmff_items import EXIF, XMP, Items, Kind
from dpiqa_desktop.metadata.bmff_tables import read_items
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import Splice

_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP part 3, MPEG-4
_CANON_BOX = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_SIGNATURE_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # a C2PA manifest
_NEW_EXIF = b"\0\0\0\6Exif\0\0"  # ISO/IEC 23008-12, A.2.1: how much comes before the TIFF header


def read(file: BinaryIO) -> Embedded:
    """Find what a HEIC, AVIF or CR3 file says of itself.

    Args:
        file: seekable; a file that is cut short in the image still shows what comes before.

    Raises:
        UnsafeError: it is damaged where its metadata are, has two of a kind, or is of another format.
        OSError: it cannot be read.
    """
    top = outline(file)
    if _is_cr3(file, top):
        return _read_cr3(file, top)
    meta = top.only(b"meta")
    if meta is None:
        if top.fault:
            raise top.fault
        return Embedded(xmp=_boxed_xmp(file, top))
    items = read_items(file, meta)
    exif, xmp = _payload(file, items, EXIF), _payload(file, items, XMP)
    return Embedded(
        exif=exif_block.read_rating(_divided(exif)[1]) if exif else None,
        xmp=xmp or _boxed_xmp(file, top),
    )


def edit(file: BinaryIO, xmp: bytes | None, exif: ExifRating | None) -> tuple[Splice, ...]:
    """Plan the change of a HEIC or AVIF file that gives it this XMP and this rating in EXIF.

    Both are done or none. Images keep their bytes; they move only where a new kind of metadata makes the
    tables before them grow, and then every location is corrected.

    Args:
        file: seekable.
        xmp: the packet; None to leave it as it is.
        exif: the rating, each tag of which that is None is taken out; None to leave EXIF as it is.

    Raises:
        UnsafeError: this cannot be done for certain, or the file is a CR3.
        OSError: it cannot be read.
    """
    top = outline(file)
    if _is_cr3(file, top):
        raise UnsafeError("is RAW, which is never changed")
    if top.fault:
        raise top.fault
    if top.only(_XMP_BOX):
        raise UnsafeError("has XMP where HEIF does not put it")
    if any(box.kind == _SIGNATURE_BOX for box in top.boxes):
        raise UnsafeError("is signed (C2PA), and a change would break the signature")
    meta = top.only(b"meta")
    if meta is None:
        raise UnsafeError("has no place for metadata")
    items = read_items(file, meta)
    changes = []
    if exif is not None:
        old = _payload(file, items, EXIF) or b""
        start, block = _divided(old) if old else (_NEW_EXIF, None)
        if block or exif != ExifRating():
            changes.append(Change(EXIF, old, start + exif_block.with_rating(block, exif)))
    if xmp is not None:
        changes.append(Change(XMP, _payload(file, items, XMP) or b"", xmp))
    if any(len(change.new) > LARGEST_PAYLOAD for change in changes):
        raise UnsafeError("would have more metadata than is read again")
    return splices(top, items, [change for change in changes if change.old != change.new])


def _is_cr3(file: BinaryIO, top: Outline) -> bool:
    head = top.boxes[0]
    return content(file, head.body, min(head.body + 4, head.end), 4) == b"crx "


def _read_cr3(file: BinaryIO, top: Outline) -> Embedded:
    """Read Canon's own boxes in ``moov``: ``CMT1`` is the first directory of its EXIF, with a TIFF header."""
    moov = top.only(b"moov")
    if moov is None:
        raise top.fault or UnsafeError("is damaged: it has no table of its images")
    inner = children(file, moov.body, moov.end)
    canon = only(inner, _CANON_BOX)
    block = only(children(file, canon.body, canon.end), b"CMT1") if canon else None
    xmp = top.only(_XMP_BOX) or only(inner, _XMP_BOX)
    return Embedded(
        exif=exif_block.read_rating(content(file, block.body, block.end, LARGEST_PAYLOAD)) if block else None,
        xmp=content(file, xmp.body, xmp.end, LARGEST_PAYLOAD) if xmp else None,
    )


def _boxed_xmp(file: BinaryIO, top: Outline) -> bytes | None:
    box = top.only(_XMP_BOX)
    return content(file, box.body, box.end, LARGEST_PAYLOAD) if box else None


def _payload(file: BinaryIO, items: Items, kind: Kind) -> bytes | None:
    """The photo's EXIF or XMP; None if it has none. ExifTool leaves an empty item where it removes one."""
    number = items.describing_photo(kind)
    if number is None:
        return None
    if not items.entries[number].plain:
        raise UnsafeError(f"has {kind.name} that is compressed or encrypted")
    spans = items.spans(number)
    if sum(end - start for start, end in spans) > LARGEST_PAYLOAD:
        raise UnsafeError(f"has more than {LARGEST_PAYLOAD >> 20} MB of {kind.name}")
    return b"".join(content(file, start, end, LARGEST_PAYLOAD) for start, end in spans) or None


def _divided(exif: bytes) -> tuple[bytes, bytes]:
    """What comes before the TIFF header, and the block that it begins.

    Raises:
        UnsafeError: there is no TIFF header where the first four bytes say, nor behind the usual ``Exif``,
            where readers look for it as well.
    """
    starts = [4 + int.from_bytes(exif[:4], "big")]
    if exif[4:10] == _NEW_EXIF[4:]:
        starts.append(10)
    for start in starts:
        if exif[start : start + 2] in (b"II", b"MM"):
            return exif[:start], exif[start:]
    raise UnsafeError("is damaged: its EXIF does not begin where it says")
