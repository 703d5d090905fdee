"""XMP and EXIF in JPEG: segments before the image (ISO 10918-1, B.1.1; EXIF 2.32, 4.7.2; XMP part 3, 1.1.3).

Only the one EXIF segment and the one segment of the main XMP packet change. A new EXIF segment comes after
JFIF's if there is one, a new XMP segment after it. All else is kept byte for byte, with one exception:
the offsets of further images in a Multi-Picture index (CIPA DC-007, 5.2.3.3), if bytes come in between.

What points across the segments, and what becomes of it:

- further images by MPF: corrected. The index also tells the size of the first image, metadata included: it is
  left, as ExifTool and Exiv2 leave it. Readers find further images by their offsets (ExifTool, Pillow) or by
  their markers (libultrahdr), and none that we know cuts the first one by that size.
- a motion photo's video: ``GCamera:MicroVideoOffset`` and Samsung's trailer count from the file's end, and
  ``Container:Directory`` tells the lengths of the items behind the first image and of the padding between:
  unaffected.
- an EXIF block or MakerNote with a preview behind the image: found as far as ``outside`` says, and refused.
- AFCP, a trailer whose offsets count from the file's beginning: refused.
- content credentials (C2PA) sign all bytes: refused.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from dpiqa_desktop.metadata.difference import differences
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import read_rating, with_rating
from dpiqa_desktop.metadata.outside import points_outside
from dpiqa_desktop.metadata.splice import Splice

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_MPF = b"MPF\0"

_LARGEST_PAYLOAD = 65_533
_LARGEST_PACKET = 65_502  # XMP part 3, table 6
_LARGEST_EXTENDED = 64 << 20
_MOST_JUNK = 65_536
_FIRST_READ = 65_536  # holds all segments of most cameras' files

_SOI, _EOI, _SOS, _APP0, _APP1, _APP2, _APP11 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEB
_STANDALONE = (0x01, *range(0xD0, 0xD8))  # TEM and restart markers have no length
_MARKER = re.compile(rb"\xff+[^\xff]", re.DOTALL)
# ExifTool reads EXIF that begins so; a second block beside it would contradict it.
_ODD_EXIF = re.compile(rb".{0,4}exif\0", re.DOTALL | re.IGNORECASE)
_EXTENDED_BY = re.compile(rb"HasExtendedXMP(?:\s*=\s*[\"']|[^<>]*>)\s*([0-9A-Fa-f]{32})")
_AFCP = re.compile(rb"AXS[!*]")


@dataclass(frozen=True)
class _Segment:
    """One segment: its marker's second byte, where its marker begins in the file, and its payload."""

    marker: int
    start: int
    payload: bytes

    @property
    def end(self) -> int:
        return self.start + 4 + len(self.payload)


@dataclass(frozen=True)
class _Head:
    """The segments before the image that count.

    Attributes:
        exif_goes_to: where a new EXIF segment goes: behind the APP0 segments that come first. JFIF's
            extension belongs to JFIF's, and the oldest Canons put one of their own between the two.
        exif: of EXIF.
        xmp: of the main XMP packet.
        extensions: of extended XMP.
        indexes: of MPF.
        odd: there is one that other readers take for EXIF or XMP.
        signed: the file carries content credentials (C2PA).
    """

    exif_goes_to: int
    exif: tuple[_Segment, ...]
    xmp: tuple[_Segment, ...]
    extensions: tuple[_Segment, ...]
    indexes: tuple[_Segment, ...]
    odd: bool
    signed: bool

    @property
    def xmp_goes_to(self) -> int:
        return self.exif[0].end if self.exif else self.exif_goes_to


def read(file: BinaryIO) -> Embedded:
    """Find what the JPEG says of itself.

    Only what is before the image is read.

    Raises:
        UnsafeError: it is no JPEG, or damaged where that counts; or other readers may find something else.
        OSError: it cannot be read.
    """
    head = _find(file)
    _refuse_the_unclear(head)
    exif = read_rating(head.exif[0].payload[len(_EXIF) :]) if head.exif else None
    xmp = head.xmp[0].payload[len(_XMP) :] if head.xmp else None
    return Embedded(exif, xmp, _extended(head, xmp) if xmp else None)


def edit(file: BinaryIO, xmp: bytes | None, exif: ExifRating | None) -> tuple[Splice, ...]:
    """Say which bytes change if the JPEG gets this packet and this rating; None leaves what there is.

    Raises:
        UnsafeError: something would be lost, or it is not certain that nothing would be; the packet or the
            EXIF block would not fit a segment.
        OSError: it cannot be read.
    """
    head = _find(file)
    _refuse_the_unclear(head)
    if head.signed:
        raise UnsafeError("it carries signed content credentials, which any change would break")
    splices: list[Splice] = []
    if exif is not None:
        splices += _edit_exif(head, exif)
    if xmp is not None:
        splices += _edit_xmp(head, xmp)
    # Two new segments at one place keep their order: EXIF, then XMP.
    splices.sort(key=lambda splice: splice.offset)
    _refuse_what_would_break(file, head, splices)
    splices += [splice for index in head.indexes for splice in _corrected(index, splices)]
    return tuple(sorted(splices, key=lambda splice: splice.offset))


def _refuse_the_unclear(head: _Head) -> None:
    if head.odd:
        raise UnsafeError("it has EXIF or XMP in an unusual segment, which is neither read nor edited")
    if len(head.exif) > 1 or len(head.xmp) > 1:
        raise UnsafeError("it has two segments of EXIF or of XMP")
    packet = head.xmp[0].payload if head.xmp else b""
    if _EXTENDED_BY.search(packet) and _extended(head, packet) is None:
        raise UnsafeError("its extended XMP is not complete")


def _edit_exif(head: _Head, exif: ExifRating) -> tuple[Splice, ...]:
    block = head.exif[0].payload[len(_EXIF) :] if head.exif else None
    payload = _EXIF + with_rating(block, exif)
    if len(payload) > _LARGEST_PAYLOAD:
        raise UnsafeError("its EXIF has no room for a rating")
    return _put(head.exif, head.exif_goes_to, payload)


def _edit_xmp(head: _Head, xmp: bytes) -> tuple[Splice, ...]:
    if len(xmp) > _LARGEST_PACKET:
        raise UnsafeError("its XMP would be too large for a JPEG segment")
    return _put(head.xmp, head.xmp_goes_to, _XMP + xmp)


def _put(segments: Sequence[_Segment], at: int, payload: bytes) -> tuple[Splice, ...]:
    """Give the one segment this payload, or put a new one at ``at``."""
    if not segments:
        return (Splice(at, b"", _segment(payload)),)
    return differences(segments[0].start, _segment(segments[0].payload), _segment(payload))


def _segment(payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, _APP1, len(payload) + 2) + payload


def _refuse_what_would_break(file: BinaryIO, head: _Head, splices: Sequence[Splice]) -> None:
    """Look at what counts offsets across the bytes that come in, as far as that can be known."""
    if _growth(splices, 0):
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 65_536))
        if _AFCP.search(file.read()):
            raise UnsafeError("it has an AFCP trailer, whose offsets would be wrong")
    for segment in head.exif:
        start = segment.start + 4 + len(_EXIF)
        if _growth(splices, start) and points_outside(segment.payload[len(_EXIF) :], file, start):
            raise UnsafeError("its EXIF points at data behind it, which would move")


def _growth(splices: Sequence[Splice], start: int, end: int | None = None) -> int:
    """By how many bytes that which is at ``end``, or the file's end, moves away from what is at ``start``."""
    return sum(
        len(splice.new) - len(splice.old)
        for splice in splices
        if splice.offset >= start and (end is None or splice.offset + len(splice.old) <= end)
    )


def _corrected(index: _Segment, splices: Sequence[Splice]) -> Iterator[Splice]:
    """The changes of a Multi-Picture index's offsets, so that they point at the same images as before."""
    base = index.start + 4 + len(_MPF)
    if not _growth(splices, base):
        return
    for at, order in _image_offsets(index.payload[len(_MPF) :]):
        old = index.payload[len(_MPF) + at : len(_MPF) + at + 4]
        offset = struct.unpack(f"{order}I", old)[0]
        moved = offset + _growth(splices, base, base + offset)
        if offset and moved != offset:
            if moved >= 2**32:
                raise UnsafeError("its further images would be too far behind")
            yield Splice(base + at, old, struct.pack(f"{order}I", moved))


def _image_offsets(index: bytes) -> Iterator[tuple[int, str]]:
    """Where the offsets of the images are in the index, and in which byte order (CIPA DC-007, 5.2.3)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(index[:4])
    try:
        if order is None:
            raise UnsafeError("its Multi-Picture index is damaged")
        directory = struct.unpack_from(f"{order}I", index, 4)[0]
        for number in range(struct.unpack_from(f"{order}H", index, directory)[0]):
            tag, _, length, entries = struct.unpack_from(f"{order}HHII", index, directory + 2 + 12 * number)
            if tag == 0xB002:
                if length % 16 or entries + length > len(index):
                    raise UnsafeError("its Multi-Picture index is damaged")
                yield from ((entries + at + 8, order) for at in range(0, length, 16))
    except struct.error:
        raise UnsafeError("its Multi-Picture index is damaged") from None


def _extended(head: _Head, packet: bytes) -> bytes | None:
    """Put the extended packet together that the main one names (XMP part 3, 1.1.3.1).

    Returns:
        None if it names none, or not all of it is there.
    """
    named = _EXTENDED_BY.search(packet)
    if named is None:
        return None
    parts, total = {}, 0
    for segment in head.extensions:
        body = segment.payload[len(_EXTENSION) :]
        if body[:32].upper() == named[1].upper() and len(body) >= 40:
            total, offset = struct.unpack(">II", body[32:40])
            if offset in parts:
                return None
            parts[offset] = body[40:]
    whole = bytearray()
    for offset, part in sorted(parts.items()):
        if offset != len(whole):
            return None
        whole += part
    return bytes(whole) if parts and len(whole) == total else None


def _find(file: BinaryIO) -> _Head:
    exif: list[_Segment] = []
    xmp: list[_Segment] = []
    extensions: list[_Segment] = []
    indexes: list[_Segment] = []
    exif_goes_to = 2
    odd = signed = False
    for segment in _segments(file):
        payload = segment.payload
        if segment.marker == _APP0 and segment.start == exif_goes_to:
            exif_goes_to = segment.end
        if segment.marker == _APP1:
            if payload.startswith(_EXIF):
                exif.append(segment)
            elif payload.startswith(_XMP):
                xmp.append(segment)
            elif payload.startswith(_EXTENSION):
                extensions.append(segment)
            else:
                odd |= bool(_ODD_EXIF.match(payload)) or payload.startswith(_XMP[:-1])
        elif segment.marker == _APP2 and payload.startswith(_MPF):
            indexes.append(segment)
        elif segment.marker == _APP11:
            # A JUMBF superbox (ISO 19566-5) of the type c2pa, behind its segment's header.
            signed |= b"jumd" in payload[:40] and b"c2pa" in payload[:40]
    return _Head(exif_goes_to, tuple(exif), tuple(xmp), tuple(extensions), tuple(indexes), odd, signed)


def _segments(file: BinaryIO) -> Iterator[_Segment]:
    """Walk from the beginning to the image's scan, or to the end of a file that has none.

    Raises:
        UnsafeError: it is no JPEG, or it is not certain where its segments are.
    """
    beginning = _Beginning(file)
    if beginning.content[:2] != b"\xff\xd8":
        raise UnsafeError("it is not a JPEG")
    at = 2
    while True:
        at = beginning.marker_from(at)
        marker = beginning.content[at + 1]
        if marker in (_SOS, _EOI):
            return
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in (0, _SOI) or not beginning.reaches(at + 4):
            raise UnsafeError("its segments are damaged")
        end = at + 2 + int.from_bytes(beginning.content[at + 2 : at + 4], "big")
        if end < at + 4 or not beginning.reaches(end):
            raise UnsafeError("its segments are damaged")
        yield _Segment(marker, at, beginning.content[at + 4 : end])
        at = end


class _Beginning:
    """The beginning of a file, read as far as it is asked for."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self.content = file.read(_FIRST_READ)

    def reaches(self, end: int) -> bool:
        """Read on until there are ``end`` bytes; False if the file is shorter.

        Raises:
            UnsafeError: that would be more than metadata ever take.
        """
        while len(self.content) < end:
            if end > 2 * _LARGEST_EXTENDED:
                raise UnsafeError(f"its metadata take more than {2 * _LARGEST_EXTENDED >> 20} MB")
            more = self._file.read(max(end - len(self.content), len(self.content)))
            if not more:
                return False
            self.content += more
        return True

    def marker_from(self, at: int) -> int:
        """Where the next marker is: at ``at``, or behind fill bytes (B.1.1.2) and what decoders skip.

        Some cameras and writers leave a few bytes between segments. Decoders pass them over up to the next
        marker.

        Raises:
            UnsafeError: the file ends before there is one, or there are too many such bytes.
        """
        self.reaches(at + 2)
        found = _MARKER.match(self.content, at, at + 2)
        if found is None:
            self.reaches(at + _MOST_JUNK)
            found = _MARKER.search(self.content, at, at + _MOST_JUNK)
        if found is None:
            raise UnsafeError("it is cut off before the image, or its segments are damaged")
        return found.end() - 2
