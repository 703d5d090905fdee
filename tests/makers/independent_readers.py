"""Readers of photos' metadata that share no code with the application, to check what it wrote."""

from __future__ import annotations

import contextlib
import struct
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
RATING, PERCENT = 0x4746, 0x4749


def jpeg_parts(content: bytes) -> Iterator[bytes]:
    """Cut a JPEG into SOI, its segments, what stands between them, and all from the scan on."""
    if content[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    yield content[:2]
    at = 2
    while True:
        begin = at
        while at + 1 < len(content) and (content[at] != 0xFF or content[at + 1] == 0xFF):
            at += 1
        if at > begin:
            yield content[begin:at]
            begin = at
        if at + 4 > len(content) or content[at + 1] in (0xDA, 0xD9, 0xD8, 0):
            yield content[begin:]
            return
        if 0xD0 <= content[at + 1] <= 0xD7 or content[at + 1] == 1:
            at += 2
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        yield content[begin:at]


@dataclass
class Taken:
    """A file taken apart: what must stay, and the blocks that may change."""

    rest: list[bytes] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)


def taken_apart(content: bytes) -> Taken:
    """Take a file apart by its format.

    Raises:
        ValueError, struct.error, IndexError: it is too damaged for that.
    """
    if content[:2] == b"\xff\xd8":
        return _taken_jpeg(content)
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _taken_png(content)
    if content[:4] == b"RIFF":
        return _taken_webp(content)
    if content[:4] in (b"II*\0", b"MM\0*"):
        return _taken_tiff(content)
    if content[4:8] == b"ftyp":
        return _taken_bmff(content)
    raise ValueError("another format")


def _taken_jpeg(content: bytes) -> Taken:
    taken = Taken()
    for part in jpeg_parts(content):
        marker = part[1:2] if part[:1] == b"\xff" else b""
        payload = part[4:]
        if marker == b"\xe1" and payload.startswith(b"Exif\0\0"):
            taken.exif.append(payload[6:])
        elif marker == b"\xe1" and payload.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            taken.xmp.append(payload[29:])
        elif marker == b"\xe2" and payload.startswith(b"MPF\0"):
            taken.rest.append(_without_offsets(part))
        else:
            taken.rest.append(part)
    return taken


def _without_offsets(part: bytes) -> bytes:
    """A Multi-Picture index with its offsets blanked; whether they are right ``further_images`` tells."""
    blank = bytearray(part)
    for at, _ in _offsets(part[8:]):
        blank[8 + at : 12 + at] = bytes(4)
    return bytes(blank)


def _offsets(index: bytes) -> list[tuple[int, int]]:
    order = "<" if index[:2] == b"II" else ">"
    found = []
    with contextlib.suppress(struct.error):
        (start,) = struct.unpack_from(order + "I", index, 4)
        for number in range(struct.unpack_from(order + "H", index, start)[0]):
            tag, _, length, at = struct.unpack_from(order + "HHII", index, start + 2 + 12 * number)
            if tag == 0xB002:
                places = range(at + 8, min(at + length, len(index)) - 7, 16)
                found += [(place, struct.unpack_from(order + "I", index, place)[0]) for place in places]
    return found


def further_images(content: bytes) -> list[bytes]:
    """The first bytes of each image that a Multi-Picture index names."""
    found, start = [], 0
    for part in jpeg_parts(content):
        if part[:2] == b"\xff\xe2" and part[4:8] == b"MPF\0":
            base = start + 8
            found += [content[base + to : base + to + 64] for _, to in _offsets(part[8:]) if to]
        start += len(part)
    return found


def _taken_png(content: bytes) -> Taken:
    taken, at = Taken([content[:8]]), 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if kind == b"eXIf":
            taken.exif.append(data.removeprefix(b"Exif\0\0"))
        elif kind == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0\0"):
            taken.xmp.append(data.split(b"\0", 5)[-1])
        else:
            taken.rest.append(content[at : at + 12 + length])
        at += 12 + length
        if kind == b"IEND":
            break
    taken.rest.append(content[at:])
    return taken


def _taken_webp(content: bytes) -> Taken:
    taken, at = Taken(), 12
    end = 8 + int.from_bytes(content[4:8], "little")
    while at + 8 <= end:
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        data = content[at + 8 : at + 8 + length]
        whole = content[at : at + 8 + length + length % 2]
        if kind == b"EXIF":
            taken.exif.append(data.removeprefix(b"Exif\0\0"))
        elif kind == b"XMP ":
            taken.xmp.append(data)
        elif kind != b"VP8X":  # comes in, or gets flags: the pixels tell whether rightly
            taken.rest.append(whole)
        at += len(whole)
    taken.rest.append(content[end:])
    return taken


def _taken_tiff(content: bytes) -> Taken:
    tags = tiff_tags(content)
    kind_and_value = tags.get(700)
    return Taken([], [content], [kind_and_value[1]] if kind_and_value else [])


def _taken_bmff(content: bytes) -> Taken:
    """The boxes; ``meta`` is compared by what decoders make of it."""
    taken, at = Taken(), 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        size = int.from_bytes(content[at + 8 : at + 16], "big") if size == 1 else size or len(content) - at
        if size < 8:
            raise ValueError("damaged")
        if kind != b"meta":
            taken.rest.append(content[at : at + size])
        at += size
    return taken


def bmff_items(content: bytes) -> dict[int, list[bytes]]:
    """The bytes of all items of a HEIF file but EXIF's and XMP's (ISO/IEC 14496-12, 8.11)."""
    meta = content.find(b"meta") + 4
    tables = {
        content[at + 4 : at + 8]: at + 8
        for at in _boxes(content, meta + 4, meta + _u32(content, meta - 8) - 8)
    }
    skipped = set()
    iinf = tables.get(b"iinf", -1)
    if iinf >= 0:
        start = iinf + (6 if content[iinf] == 0 else 8)
        for at in _boxes(content, start, iinf + _u32(content, iinf - 8) - 8):
            wide = content[at + 8] == 3
            kind = content[at + (18 if wide else 16) : at + (22 if wide else 20)]
            if kind in (b"Exif", b"mime"):
                skipped.add(int.from_bytes(content[at + 12 : at + (16 if wide else 14)], "big"))
    return {number: places for number, places in _located(content, tables[b"iloc"]) if number not in skipped}


def _located(content: bytes, iloc: int) -> Iterator[tuple[int, list[bytes]]]:
    at, version = iloc + 4, content[iloc]

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(content[at - size : at], "big")

    sizes = number(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        start, parts = number(base), []
        for _ in range(number(2)):
            number(index if version else 0)
            first = start + number(offset)
            parts.append(content[first : first + number(length)])
        if method == 0:
            yield item, parts


def _boxes(content: bytes, at: int, end: int) -> Iterator[int]:
    while at + 8 <= end and _u32(content, at) >= 8:
        yield at
        at += _u32(content, at)


def _u32(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")


_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


def tiff_tags(
    block: bytes, at: int | None = None, limit: int | None = None
) -> dict[int, tuple[int, bytes | None]]:
    """The entries of a directory: type and value; None for a value that is not wholly before ``limit``."""
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    limit = len(block) if limit is None else limit
    (start,) = struct.unpack_from(order + "I", block, 4) if at is None else (at,)
    tags: dict[int, tuple[int, bytes | None]] = {}
    for number in range(struct.unpack_from(order + "H", block, start)[0]):
        entry = start + 2 + 12 * number
        tag, kind, count = struct.unpack_from(order + "HHI", block, entry)
        length = _SIZES.get(kind, 0) * count
        where = entry + 8 if length <= 4 else struct.unpack_from(order + "I", block, entry + 8)[0]
        inside = length <= 4 or where + length <= limit
        tags.setdefault(tag, (kind, block[where : where + length] if inside else None))
    return tags


def masked_tiff(block: bytes) -> bytes:
    """The block without what its first directory has of a rating and of XMP."""
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    (start,) = struct.unpack_from(order + "I", block, 4)
    masked = bytearray(block)
    for number in range(struct.unpack_from(order + "H", block, start)[0]):
        entry = start + 2 + 12 * number
        tag, kind, count = struct.unpack_from(order + "HHI", block, entry)
        if tag in (RATING, PERCENT):
            masked[entry + 8 : entry + 12] = bytes(4)
        elif tag == 700 and _SIZES.get(kind, 0) * count > 4:
            at = struct.unpack_from(order + "I", block, entry + 8)[0]
            length = len(block[at : at + _SIZES[kind] * count])
            masked[at : at + length] = bytes(length)
    return bytes(masked)


def exif_rating(block: bytes) -> tuple[int | None, int | None]:
    """Rating and RatingPercent of a block; None for each that is not there or not a number."""
    order = "little" if block[:2] == b"II" else "big"
    tags = tiff_tags(block)
    return tuple(  # type: ignore[return-value]
        int.from_bytes(tags[tag][1] or b"", order) if tag in tags else None  # type: ignore[arg-type]
        for tag in (RATING, PERCENT)
    )


def xmp_properties(packet: bytes) -> list[tuple[str, str]]:
    """All properties of all descriptions in a packet, each as its name and all that is in it.

    Raises:
        ET.ParseError: it is no XML.
    """
    found = []
    root = ET.fromstring(packet.strip(b"\0 \t\r\n\xef\xbb\xbf"))
    for node in root.iter(f"{RDF}RDF"):
        for description in node:
            found += [(name, value) for name, value in description.attrib.items() if "about" not in name]
            found += [(child.tag, _text_of(child)) for child in description]
    return found


def _text_of(element: ET.Element) -> str:
    inner = "".join(_text_of(child) for child in element)
    own = element.text or "" if not len(element) else (element.text or "").strip()
    return f"{own}{sorted(element.attrib.items()) or ''}{f'<{inner}>' if inner else ''}"


def pixels(path: Path) -> list[bytes] | None:
    """Up to three frames; None if they cannot be decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix in (".heic", ".heif", ".avif"):
                import pillow_heif

                images = list(pillow_heif.open_heif(path))
                return [bytes(image.data) for image in images if image.size[0] * image.size[1] < 4_000_000][
                    :3
                ]
            with Image.open(path) as image:
                if image.width * image.height > 4_000_000:
                    return []
                frames = []
                for number in range(min(getattr(image, "n_frames", 1), 3)):
                    image.seek(number)
                    frames.append(image.tobytes() + repr((image.mode, image.size)).encode())
                return frames
    except Exception:
        return None
