"""XMP and EXIF in PNG: chunks of their own (PNG, third edition, 5.3 and 11.3.4; XMP part 3, 1.1.5).

Chunks come before the first IDAT if they are new, since some readers stop there. What follows IEND is kept.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from dpiqa_desktop.metadata.difference import differences
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import read_rating, with_rating
from dpiqa_desktop.metadata.splice import Splice

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_WRONG_EXIF = b"Exif\0\0"  # of the APP1 segment in JPEG; it does not belong here, but is met
_LARGEST_TEXT = 64 << 20
_LONGEST_CHUNK = (1 << 31) - 1


@dataclass(frozen=True)
class _Chunk:
    """One chunk: its type, where it begins in the file, and the length of its data."""

    kind: bytes
    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + 12 + self.length


@dataclass(frozen=True)
class _Found:
    """The chunks that count, each with its data.

    Attributes:
        exif: of the type eXIf.
        xmp: iTXt with XMP's keyword.
        profiles: what ImageMagick keeps in text chunks, as its name ("exif" or "xmp") and content.
        odd_xmp: there is XMP's keyword in a chunk of another type.
        signed: the file carries content credentials (C2PA).
        insert_at: where new chunks go.
    """

    exif: tuple[tuple[_Chunk, bytes], ...]
    xmp: tuple[tuple[_Chunk, bytes], ...]
    profiles: tuple[tuple[bytes, bytes], ...]
    odd_xmp: bool
    signed: bool
    insert_at: int


def read(file: BinaryIO) -> Embedded:
    """Find what the PNG says of itself.

    Raises:
        UnsafeError: it is no PNG, or damaged where that counts; or other readers may find something else.
        OSError: it cannot be read.
    """
    found = _find(file)
    _refuse_the_unclear(found)
    profiles = dict(reversed(found.profiles))
    exif = next((data for _, data in found.exif), profiles.get(b"exif"))
    xmp = next((_packet(data) for _, data in found.xmp), profiles.get(b"xmp"))
    return Embedded(None if exif is None else read_rating(exif.removeprefix(_WRONG_EXIF)), xmp)


def edit(file: BinaryIO, xmp: bytes | None, exif: ExifRating | None) -> tuple[Splice, ...]:
    """Say which bytes change if the PNG gets this packet and this rating; None leaves what there is.

    Raises:
        UnsafeError: something would be lost, or it is not certain that nothing would be.
        OSError: it cannot be read.
    """
    found = _find(file)
    _refuse_the_unclear(found)
    if found.signed:
        raise UnsafeError("it carries signed content credentials, which any change would break")
    splices: list[Splice] = []
    if exif is not None:
        splices += _edit_exif(found, exif)
    if xmp is not None:
        splices += _edit_xmp(found, xmp)
    return tuple(sorted(splices, key=lambda splice: splice.offset))


def _refuse_the_unclear(found: _Found) -> None:
    if len(found.exif) > 1:
        raise UnsafeError("it has two EXIF chunks")
    if len(found.xmp) > 1 or found.odd_xmp:
        raise UnsafeError("it has two XMP packets, or one in the wrong type of chunk")


def _edit_exif(found: _Found, exif: ExifRating) -> tuple[Splice, ...]:
    if any(name == b"exif" for name, _ in found.profiles):
        raise UnsafeError("it has EXIF in a text chunk, which is not edited")
    if not found.exif:
        return (Splice(found.insert_at, b"", _chunk(b"eXIf", with_rating(None, exif))),)
    [(chunk, data)] = found.exif
    block = data.removeprefix(_WRONG_EXIF)
    wrong = data[: len(data) - len(block)]
    return differences(chunk.start, _chunk(b"eXIf", data), _chunk(b"eXIf", wrong + with_rating(block, exif)))


def _edit_xmp(found: _Found, xmp: bytes) -> tuple[Splice, ...]:
    if any(name == b"xmp" for name, _ in found.profiles):
        raise UnsafeError("it has XMP in ImageMagick's text chunk, which is not edited")
    if not found.xmp:
        return (Splice(found.insert_at, b"", _chunk(b"iTXt", _XMP + bytes(5) + xmp)),)
    [(chunk, data)] = found.xmp
    compressed, head, _ = _international(data)
    if compressed:
        raise UnsafeError("its XMP is compressed, which is not edited")
    return differences(chunk.start, _chunk(b"iTXt", data), _chunk(b"iTXt", head + xmp))


def _find(file: BinaryIO) -> _Found:
    exif, xmp, profiles = [], [], []
    odd_xmp = signed = False
    insert_at = None
    for chunk in _chunks(file):
        if chunk.kind in (b"IDAT", b"fcTL"):
            # An animation's fcTL stays next to the data that it is about.
            insert_at = insert_at or chunk.start
        elif chunk.kind == b"eXIf":
            exif.append((chunk, _data(file, chunk)))
        elif chunk.kind in (b"iTXt", b"zTXt", b"tEXt"):
            keyword = _keyword(file, chunk)
            if keyword == _XMP and chunk.kind == b"iTXt":
                xmp.append((chunk, _data(file, chunk)))
            odd_xmp |= keyword == _XMP and chunk.kind != b"iTXt"
            if keyword.startswith(_RAW):
                profiles += _profile(keyword, chunk.kind, _data(file, chunk))
        signed |= chunk.kind == b"caBX"
    if insert_at is None:
        raise UnsafeError("it holds no image")
    return _Found(tuple(exif), tuple(xmp), tuple(profiles), odd_xmp, signed, insert_at)


def _chunks(file: BinaryIO) -> Iterator[_Chunk]:
    """Walk from IHDR to IEND; data are left out, since most of a file is image.

    Raises:
        UnsafeError: it is no PNG, or ends before IEND.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(8) != _SIGNATURE:
        raise UnsafeError("it is not a PNG")
    at = 8
    while True:
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            raise UnsafeError("it is cut off: a PNG ends with a chunk IEND")
        length, kind = struct.unpack(">I4s", header)
        if not (kind.isalpha() and kind.isascii()):
            raise UnsafeError("its chunks are damaged")
        chunk = _Chunk(kind, at, length)
        if length > _LONGEST_CHUNK or chunk.end > size:
            raise UnsafeError("it is cut off, or its chunks are damaged")
        if (at == 8) != (kind == b"IHDR") and kind != b"CgBI":
            raise UnsafeError("its chunks are out of order")
        yield chunk
        if kind == b"IEND":
            return
        at = chunk.end


def _data(file: BinaryIO, chunk: _Chunk) -> bytes:
    """The chunk's data, if they agree with their checksum."""
    if chunk.length > _LARGEST_TEXT:
        raise UnsafeError(f"its metadata take more than {_LARGEST_TEXT >> 20} MB")
    file.seek(chunk.start)
    whole = file.read(12 + chunk.length)
    data = whole[8:-4]
    if whole != _chunk(chunk.kind, data):
        raise UnsafeError("its metadata do not agree with their checksum")
    return data


def _chunk(kind: bytes, data: bytes) -> bytes:
    if len(data) > _LONGEST_CHUNK:
        raise UnsafeError("its metadata would be too large for a PNG")
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _keyword(file: BinaryIO, chunk: _Chunk) -> bytes:
    file.seek(chunk.start + 8)
    return file.read(min(chunk.length, 80)).partition(b"\0")[0]  # 1 to 79 bytes (11.3.3.1)


def _international(data: bytes) -> tuple[bool, bytes, bytes]:
    """Part an iTXt chunk (11.3.3.4): whether it is compressed, all before the text, the text as it is."""
    _, _, rest = data.partition(b"\0")
    parts = rest[2:].split(b"\0", 2)
    if len(rest) < 2 or len(parts) < 3 or rest[0] > 1:
        raise UnsafeError("its text chunks are damaged")
    return rest[0] == 1, data[: len(data) - len(parts[2])], parts[2]


def _packet(data: bytes) -> bytes:
    compressed, _, text = _international(data)
    return _inflated(text) if compressed else text


def _profile(keyword: bytes, kind: bytes, data: bytes) -> list[tuple[bytes, bytes]]:
    """EXIF or XMP from ImageMagick's text chunk: newline, name, length in decimals, then hexadecimals."""
    name = keyword[len(_RAW) :].lower()
    if name not in (b"exif", b"xmp", b"app1"):
        return []
    if kind == b"iTXt":
        text = _packet(data)
    else:
        text = data[len(keyword) + 1 :]
        text = _inflated(text[1:]) if kind == b"zTXt" else text
    try:
        content = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        raise UnsafeError("its metadata in a text chunk are damaged") from None
    if name == b"app1":
        name = b"exif" if content.startswith(_WRONG_EXIF) else b"xmp"
        content = content.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
    return [(name, content)]


def _inflated(text: bytes) -> bytes:
    """Decompress, up to a limit: a small file must not fill the memory."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(text, _LARGEST_TEXT)
    except zlib.error:
        raise UnsafeError("its compressed metadata are damaged") from None
    if not inflater.eof:
        raise UnsafeError("its compressed metadata are cut off or too large")
    return content
