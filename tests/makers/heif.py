"""HEIF and CR3 files put together box by box, in forms that no encoder at hand writes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

PHOTO, TILE, AUXILIARY, EXIF, XMP = 1, 2, 3, 70, 71  # numbers of items
IMAGES = {PHOTO: b"the photo" * 20, TILE: b"a tile" * 30, AUXILIARY: b"a gain map" * 10}
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>as good as XMP</x:xmpmeta>"
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def box(kind: bytes, content: bytes = b"", large: bool = False) -> bytes:
    """Put a box together; ``large`` for a size of 64 bits (ISO/IEC 14496-12, 4.2)."""
    if large:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full(kind: bytes, content: bytes = b"", version: int = 0, flags: int = 0) -> bytes:
    """Put a box with version and flags together."""
    return box(kind, bytes([version]) + flags.to_bytes(3, "big") + content)


def rating_block(rating: int, percent: int) -> bytes:
    """A TIFF block as EXIF has it, with the two tags of the rating and no others."""
    entries = struct.pack(">HHIHH", 0x4746, 3, 1, rating, 0) + struct.pack(">HHIHH", 0x4749, 3, 1, percent, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 2) + entries + bytes(4)


@dataclass(frozen=True)
class Heif:
    """A HEIF file with a photo, a tile and an auxiliary image, whose bytes are no real images.

    Attributes:
        exif: the TIFF block of its EXIF; None for none.
        xmp: its packet; None for none.
        describes: the image that EXIF and XMP describe; None for no reference.
        version, offset, length, base, index: of ``iloc``.
        based: the locations' bases are in use, with offsets from there.
        in_idat: EXIF and XMP are in ``idat``.
        pieces: extents of every item.
        wide: tables with numbers of four bytes; items' numbers are above 65,535.
        large: ``meta`` and ``mdat`` with sizes of 64 bits.
        data_first: ``mdat`` comes before ``meta``.
        references: whether there is an ``iref``.
        encoding: content encoding of the XMP.
        protection: of EXIF and XMP.
        shared: the last byte of EXIF is the first of XMP.
        twice: the tile is XMP of the photo, too.
        meta_parts, parts: further boxes in ``meta`` and at the end.
        brand: in ``ftyp``.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    describes: int | None = PHOTO
    version: int = 1
    offset: int = 4
    length: int = 4
    base: int = 0
    index: int = 0
    based: bool = False
    in_idat: bool = False
    pieces: int = 1
    wide: bool = False
    large: bool = False
    data_first: bool = False
    references: bool = True
    encoding: bytes = b""
    protection: int = 0
    shared: bool = False
    twice: bool = False
    meta_parts: bytes = b""
    parts: bytes = b""
    brand: bytes = b"heic"

    def number(self, item: int) -> int:
        """The item_ID of an item."""
        return item + 0x12345 if self.wide else item

    def build(self) -> bytes:
        """Put the file together."""
        ftyp = box(b"ftyp", self.brand + bytes(4) + b"mif1" + self.brand)
        metadata = {}
        if self.exif is not None:
            metadata[EXIF] = b"\0\0\0\6Exif\0\0" + self.exif
        if self.xmp is not None:
            metadata[XMP] = self.xmp
        in_file = {**IMAGES, **({} if self.in_idat else metadata)}
        mdat = box(b"mdat", b"".join(in_file.values()), self.large)
        meta_length = len(self._meta(metadata, 0))
        data_at = len(ftyp) + (0 if self.data_first else meta_length) + (16 if self.large else 8)
        meta = self._meta(metadata, data_at)
        return ftyp + (mdat + meta if self.data_first else meta + mdat) + self.parts

    def _meta(self, metadata: dict[int, bytes], data_at: int) -> bytes:
        """Put ``meta`` together for a file whose images begin at ``data_at``."""
        wide = int(self.wide)
        width = ">I" if wide else ">H"
        entries, locations, references = b"", b"", b""
        places = {0: data_at, 1: 0}
        contents = {**IMAGES, **metadata}
        for item, content in contents.items():
            method = int(self.in_idat and item in metadata)
            start = places[method]
            places[method] += len(content)
            is_xmp = item == XMP or (self.twice and item == TILE)
            kind = b"mime" if is_xmp else b"Exif" if item == EXIF else b"hvc1"
            encoding = self.encoding and self.encoding + b"\0"
            rest = b"application/rdf+xml\0" + encoding if is_xmp else b""
            protection = self.protection if item in metadata else 0
            entry = struct.pack(width + "H", self.number(item), protection) + kind + b"a name\0" + rest
            entries += full(b"infe", entry, 2 + wide)
            locations += self._location(item, method, start, len(content) + (self.shared and item == EXIF))
            if item in metadata and self.describes is not None:
                numbers = (self.number(item), 1, self.number(self.describes))
                references += box(b"cdsc", struct.pack(width + "H" + width[1], *numbers))
        numbers = (self.number(AUXILIARY), 1, self.number(PHOTO))
        references = box(b"auxl", struct.pack(width + "H" + width[1], *numbers)) + references
        sizes = bytes([self.offset << 4 | self.length, self.base << 4 | self.index])
        count = struct.pack(">I" if self.version == 2 else ">H", len(contents))
        idat = box(b"idat", b"".join(metadata.values())) if self.in_idat else b""
        parts = (
            full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            full(b"pitm", struct.pack(width, self.number(PHOTO)), wide),
            full(b"iloc", sizes + count + locations, self.version),
            idat,
            full(b"iinf", struct.pack(width, len(contents)) + entries, wide),
            full(b"iref", references, wide) if self.references else b"",
            self.meta_parts,
        )
        return box(b"meta", bytes(4) + b"".join(parts), self.large)

    def _location(self, item: int, method: int, start: int, length: int) -> bytes:
        """Put an entry of ``iloc`` together."""
        base = start if self.based or not self.offset else 0
        step = -(-length // self.pieces)
        entry = self.number(item).to_bytes(4 if self.version == 2 else 2, "big")
        entry += struct.pack(">H", method) if self.version else b""
        entry += bytes(2) + base.to_bytes(self.base, "big") + struct.pack(">H", self.pieces)
        for at in range(0, length, step):
            offset = (start + at - base).to_bytes(self.offset, "big")
            entry += bytes(self.index) + offset + min(step, length - at).to_bytes(self.length, "big")
        return entry


def cr3(block: bytes | None, packet: bytes | None, at_top: bool = True) -> bytes:
    """Put a CR3 together: Canon's box with the first directory of EXIF, XMP at the top or in ``moov``."""
    canon = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48") + box(
        b"CNCV", b"CanonCR3_001/00.09.00/00.00.00"
    )
    if block is not None:
        canon += box(b"CMT1", block) + box(b"CMT2", block[:8] + bytes(6))
    xmp = box(b"uuid", XMP_BOX + packet) if packet is not None else b""
    moov = box(b"moov", box(b"uuid", canon) + (b"" if at_top else xmp))
    return box(b"ftyp", b"crx \0\0\0\1crx isom") + moov + (xmp if at_top else b"") + box(b"mdat", b"raw" * 50)
