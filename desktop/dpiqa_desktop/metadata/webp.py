"""XMP and EXIF in WebP: chunks at the end of a RIFF container (RFC 9649, 2.3 to 2.7).

They need the extended format, which a chunk VP8X announces; a file in the simple format gets one. What
follows the RIFF container, whose size leaves it out, is kept.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from dpiqa_desktop.metadata.difference import differences
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import read_rating, with_rating
from dpiqa_desktop.metadata.splice import Splice

_EXIF, _XMP = b"EXIF", b"XMP "
_FLAGS = {_EXIF: 0x08, _XMP: 0x04}
_ALPHA = 0x10
_WRONG_EXIF = b"Exif\0\0"  # of the APP1 segment in JPEG; it does not belong here, but many a writer puts it
_LARGEST = 64 << 20


@dataclass(frozen=True)
class _Chunk:
    """One chunk: its type, where it begins in the file, and the length of its data without the padding."""

    kind: bytes
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + 8 + self.length + self.length % 2


@dataclass(frozen=True)
class _Container:
    """The chunks of a file in order, and where the container ends; more may follow."""

    chunks: tuple[_Chunk, ...]
    end: int

    def first(self, kind: bytes) -> _Chunk | None:
        return next((chunk for chunk in self.chunks if chunk.kind == kind), None)


def read(file: BinaryIO) -> Embedded:
    """Find what the WebP says of itself.

    Raises:
        UnsafeError: it is no WebP, or damaged where that counts; or has two chunks of a kind: readers may
            ignore all but the first (RFC 9649, 2.7.1.4), but need not.
        OSError: it cannot be read.
    """
    container = _find(file)
    _refuse_the_unclear(container)
    exif, xmp = container.first(_EXIF), container.first(_XMP)
    return Embedded(
        None if exif is None else read_rating(_data(file, exif).removeprefix(_WRONG_EXIF)),
        None if xmp is None else _data(file, xmp),
    )


def edit(file: BinaryIO, xmp: bytes | None, exif: ExifRating | None) -> tuple[Splice, ...]:
    """Say which bytes change if the WebP gets this packet and this rating; None leaves what there is.

    Raises:
        UnsafeError: something would be lost, or it is not certain that nothing would be.
        OSError: it cannot be read.
    """
    container = _find(file)
    _refuse_the_unclear(container)
    kinds = [chunk.kind for chunk in container.chunks]
    if b"C2PA" in kinds:
        raise UnsafeError("it carries signed content credentials, which any change would break")
    if b"VP8X" in kinds[1:]:
        raise UnsafeError("its chunks are out of order")
    splices: list[Splice] = []
    if exif is not None:
        splices += _edit_exif(file, container, exif)
    if xmp is not None:
        splices += _edit_chunk(file, container, _XMP, xmp)
    if splices:
        kinds = [_EXIF] * (exif is not None) + [_XMP] * (xmp is not None)
        splices += _announce(file, container, kinds)
        splices.append(_resize(container, splices))
    return tuple(sorted(splices, key=lambda splice: splice.offset))


def _refuse_the_unclear(container: _Container) -> None:
    kinds = [chunk.kind for chunk in container.chunks]
    if any(kinds.count(kind) > 1 for kind in (_EXIF, _XMP, b"VP8X")):
        raise UnsafeError("it has two chunks of EXIF or XMP, or two headers")


def _edit_exif(file: BinaryIO, container: _Container, exif: ExifRating) -> tuple[Splice, ...]:
    chunk = container.first(_EXIF)
    if chunk is None:
        return _edit_chunk(file, container, _EXIF, with_rating(None, exif))
    data = _data(file, chunk)
    block = data.removeprefix(_WRONG_EXIF)
    wrong = data[: len(data) - len(block)]
    return _edit_chunk(file, container, _EXIF, wrong + with_rating(block, exif))


def _edit_chunk(file: BinaryIO, container: _Container, kind: bytes, data: bytes) -> tuple[Splice, ...]:
    chunk = container.first(kind)
    if chunk is not None:
        file.seek(chunk.start)
        return differences(chunk.start, file.read(chunk.end - chunk.start), _chunk(kind, data))
    # EXIF comes before XMP (2.7); both behind the image and all else.
    follower = container.first(_XMP) if kind == _EXIF else None
    return (Splice(follower.start if follower else container.end, b"", _chunk(kind, data)),)


def _announce(file: BinaryIO, container: _Container, kinds: list[bytes]) -> tuple[Splice, ...]:
    """Set the flags of these kinds in VP8X, or put one first (2.7.1)."""
    flags = 0
    for kind in kinds:
        flags |= _FLAGS[kind]
    header = container.first(b"VP8X")
    if header is None:
        for chunk in container.chunks:
            flags |= _FLAGS.get(chunk.kind, 0)
        return (Splice(12, b"", _chunk(b"VP8X", _extended_header(file, container, flags))),)
    data = _data(file, header)
    if len(data) < 10:
        raise UnsafeError("its header is damaged")
    if data[0] | flags == data[0]:
        return ()
    return (Splice(header.start + 8, data[:1], bytes([data[0] | flags])),)


def _extended_header(file: BinaryIO, container: _Container, flags: int) -> bytes:
    """VP8X for a file in the simple format, whose size and alpha are in the image's own header (2.5, 2.6)."""
    if any(chunk.kind in (b"ICCP", b"ALPH", b"ANIM", b"ANMF") for chunk in container.chunks):
        # Without VP8X readers pass these over; with it, the image would look different.
        raise UnsafeError("it has chunks of the extended format but not its header")
    image = container.chunks[0] if container.chunks else None
    if image is None or image.kind not in (b"VP8 ", b"VP8L"):
        raise UnsafeError("its image is not where it should be")
    file.seek(image.start + 8)
    data = file.read(min(image.length, 10))
    width = height = 0
    if image.kind == b"VP8 " and len(data) == 10 and data[3:6] == b"\x9d\x01\x2a":
        # RFC 6386, 9.1: 14 bits each, then two of scaling.
        bits = int.from_bytes(data[6:], "little")
        width, height = bits & 0x3FFF, bits >> 16 & 0x3FFF
    elif image.kind == b"VP8L" and len(data) >= 5 and data[0] == 0x2F:
        # RFC 9649, 3.4: width - 1 and height - 1 in 14 bits each, then one for alpha.
        bits = int.from_bytes(data[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= _ALPHA * (bits >> 28 & 1)
    if not width or not height:
        raise UnsafeError("its image is damaged")
    sides = int(width - 1).to_bytes(3, "little") + int(height - 1).to_bytes(3, "little")
    return bytes([flags, 0, 0, 0]) + sides


def _resize(container: _Container, splices: list[Splice]) -> Splice:
    old = container.end - 8
    new = old + sum(len(splice.new) - len(splice.old) for splice in splices)
    if new > 2**32 - 10:
        raise UnsafeError("it would be too large for a WebP")
    return Splice(4, struct.pack("<I", old), struct.pack("<I", new))


def _find(file: BinaryIO) -> _Container:
    """Walk through the chunks; data are left out, since most of a file is image.

    Raises:
        UnsafeError: it is no WebP, or its chunks do not fill the container exactly.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    header = file.read(12)
    if len(header) < 12 or header[:4] != b"RIFF" or header[8:] != b"WEBP":
        raise UnsafeError("it is not a WebP")
    end = 8 + struct.unpack("<I", header[4:8])[0]
    if end > size:
        raise UnsafeError("it is cut off")
    at, chunks = 12, []
    while at < end:
        file.seek(at)
        head = file.read(8)
        if at + 8 > end or len(head) < 8:
            raise UnsafeError("its chunks do not fit its size")
        chunk = _Chunk(head[:4], at, struct.unpack("<I", head[4:])[0])
        chunks.append(chunk)
        at = chunk.end
    if at != end:
        raise UnsafeError("its chunks do not fit its size")
    return _Container(tuple(chunks), end)


def _data(file: BinaryIO, chunk: _Chunk) -> bytes:
    if chunk.length > _LARGEST:
        raise UnsafeError(f"its metadata take more than {_LARGEST >> 20} MB")
    file.seek(chunk.start + 8)
    return file.read(chunk.length)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
