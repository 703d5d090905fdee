"""Photos and sidecars, rated in many ways, and mutations of them, for fuzzing."""

from __future__ import annotations

import contextlib
import io
import random
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from makers.formats import FORMATS
from makers.independent_readers import PERCENT, RATING, RDF, jpeg_parts
from makers.photos import COLOUR, save_heic, scene
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dpiqa_desktop.engine.companions import RAW_SUFFIXES

DPIQA = "http://dpiqa.github.io/ns/1.0/"
XMP = "http://ns.adobe.com/xap/1.0/"
MICROSOFT = "http://ns.microsoft.com/photo/1.0"
_LARGEST_SEED = 3 << 20


def seeds(folders: Iterable[Path]) -> dict[str, list[bytes]]:
    """Real files and made ones by their suffix; sidecars and RAW files, too."""
    found: dict[str, list[bytes]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            suffix = {".jpeg": ".jpg", ".tiff": ".tif"}.get(path.suffix.lower(), path.suffix.lower())
            if path.is_file() and 0 < path.stat().st_size <= _LARGEST_SEED:
                found.setdefault(suffix, []).append(path.read_bytes())
    for form in FORMATS:
        found.setdefault(f".{form.name}", []).extend(save() for save in form.photos.values())
    with tempfile.TemporaryDirectory() as scratch:
        for name, save in COLOUR.items():
            path = Path(scratch, name)
            with contextlib.suppress(Exception):  # a format that this Pillow cannot write
                save(scene(48, 36), path)
                found.setdefault(path.suffix, []).append(path.read_bytes())
        save_heic(scene(64, 64), Path(scratch, "a.heic"), b"")
        found.setdefault(".heic", []).append(Path(scratch, "a.heic").read_bytes())
    for suffix, contents in _rated().items():
        found.setdefault(suffix, []).extend(contents)
    found.setdefault(".xmp", []).extend(packet() for packet in _packets())
    known = {".jpg", ".png", ".webp", ".tif", ".heic", ".heif", ".avif", ".xmp", *RAW_SUFFIXES}
    return {suffix: contents for suffix, contents in sorted(found.items()) if suffix in known}


def _packets() -> Iterator[Callable[[], bytes]]:
    """Packets in several spellings, rated by a photographer, by us, by both."""
    for stars in ("", "-1", "0", "1", "3", "4", "5", " 3 ", "4.0", "x"):
        for ours in ("", "1", "4", "5"):
            for as_element in (False, True):
                yield lambda stars=stars, ours=ours, as_element=as_element: _packet(stars, ours, as_element)


def _packet(stars: str, ours: str, as_element: bool) -> bytes:
    said = {"xmp:Rating": stars, "dpiqa:Rating": ours, "MicrosoftPhoto:Rating": stars and "50"}
    said = {name: text for name, text in said.items() if text}
    if len(said) == 3 and len(stars) > 1:
        del said["MicrosoftPhoto:Rating"]
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in said.items()) if as_element else ""
    attributes = "" if as_element else "".join(f' {name}="{text}"' for name, text in said.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{RDF[1:-1]}"><rdf:Description rdf:about="" xmlns:xmp="{XMP}"'
        f' xmlns:dpiqa="{DPIQA}" xmlns:MicrosoftPhoto="{MICROSOFT}/"'
        f' xmlns:dc="http://purl.org/dc/elements/1.1/"{attributes}>{inner}'
        "<dc:subject><rdf:Bag><rdf:li>cake</rdf:li><rdf:li>IQA|0.3</rdf:li></rdf:Bag></dc:subject>"
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">A cake</rdf:li></rdf:Alt></dc:title>'
        '</rdf:Description></rdf:RDF></x:xmpmeta>\n\n<?xpacket end="w"?>'
    ).encode()


def _rated() -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    picture = scene(48, 36)
    for number, packet in enumerate(_packets()):
        exif = Image.Exif()
        exif[0x010F] = "Make of the camera"
        exif.get_ifd(0x8769)[0x927C] = b"a maker note " * 9
        if number % 3:
            exif[RATING] = number % 6
        if number % 4 == 3:
            exif[PERCENT] = 50
        for form, suffix in (("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("TIFF", ".tif")):
            buffer = io.BytesIO()
            if form == "PNG":
                info = PngInfo()
                info.add_itxt("XML:com.adobe.xmp", packet().decode())
                picture.save(buffer, form, exif=exif, pnginfo=info)
            elif form == "TIFF":
                exif[700] = packet()
                picture.save(buffer, form, exif=exif)
                del exif[700]
            else:
                picture.save(buffer, form, exif=exif, xmp=packet())
            found.setdefault(suffix, []).append(buffer.getvalue())
    return found


# Mutations.

_ODD_NUMBERS = (0, 1, 2, 4, 7, 8, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_STRUCTURE = re.compile(
    rb"\xff[\xc0-\xfe]|Exif|II\*\0|MM\0\*|MPF\0|<rdf:|xmp:Rating|dpiqa|xpacket|eXIf|iTXt|IDAT|VP8|XMP |EXIF|"
    rb"ftyp|meta|iloc|iinf|infe|iref|ipco|mdat|\x46\x47|\x47\x46|\x87\x69|\x69\x87"
)
_XMP_TEXT = re.compile(rb"[\"'=<>/:]|Rating|rdf:\w+|xmlns:\w+|\d")
_XMP_SCRAPS = (
    b'"', b"'", b"<", b">", b"&amp;", b"&#51;", b"&lt;", b"<!-- -->", b"<![CDATA[3]]>", b"<?a b?>", b" ",
    b"\n",
    b"\0", b"\xef\xbb\xbf", b"\xff", b"3", b"-1", b"0", b'xmp:Rating="2"', b"<xmp:Rating>2</xmp:Rating>",
    b'xmlns:xmp="http://ns.adobe.com/xap/1.0/"', b'xmlns="http://ns.adobe.com/xap/1.0/"',
    b"<rdf:Description rdf:about=''/>", b'rdf:parseType="Resource"', b'xml:lang="de"', b"/>", b"<rdf:Bag/>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b'dpiqa:Rating="2"',
)  # fmt: skip


def mutated(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Change a file in one to five places; sometimes not at all."""
    changed = bytearray(content)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        if not changed:
            break
        chance.choice(_MUTATIONS)(changed, others, chance)
    return bytes(changed)


def _place(content: bytearray, chance: random.Random) -> int:
    """Somewhere: near what looks like structure, at the beginning, at the end, or anywhere."""
    kind = chance.random()
    if kind < 0.6:
        start = chance.randrange(len(content)) if chance.random() < 0.3 else 0
        marks = [
            match.start() for _, match in zip(range(40), _STRUCTURE.finditer(content, start), strict=False)
        ]
        if marks:
            return min(max(0, chance.choice(marks) + chance.randint(-8, 40)), len(content) - 1)
    if kind < 0.8:
        return chance.randrange(min(len(content), 4096))
    return (
        chance.randrange(max(0, len(content) - 300), len(content))
        if kind < 0.85
        else chance.randrange(len(content))
    )


def _flip(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    content[_place(content, chance)] ^= 1 << chance.randrange(8)


def _number(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    at, size = _place(content, chance), chance.choice((1, 2, 4, 8))
    value = chance.choice(_ODD_NUMBERS) if chance.random() < 0.6 else chance.randrange(len(content) + 50)
    content[at : at + size] = (value % 256**size).to_bytes(size, chance.choice(("big", "little")))


def _nudge(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    at, order = _place(content, chance), chance.choice(("big", "little"))
    size = min(chance.choice((2, 4)), len(content) - at)
    value = int.from_bytes(content[at : at + size], order) + chance.randint(-20, 20)
    content[at : at + size] = (value % 256**size).to_bytes(size, order)


def _cut_off(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    del content[_place(content, chance) :]


def _take_out(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    at = _place(content, chance)
    del content[at : at + chance.choice((1, 2, 4, 12, chance.randrange(2000)))]


def _put_in(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    at = _place(content, chance)
    content[at:at] = chance.randbytes(chance.choice((1, 2, 4, 12, 300)))


def _repeat(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    at, to = _place(content, chance), _place(content, chance)
    content[to:to] = content[at : at + chance.choice((4, 12, 60, 3000))]


def _append(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    content += chance.choice(others)[: chance.choice((1, 50, 5000))] if chance.random() < 0.5 else bytes(3)


def _mix(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    other = bytearray(chance.choice(others))
    if other:
        at, start = _place(content, chance), _place(other, chance)
        part = other[start : start + chance.choice((20, 500, len(other)))]
        content[at : at + chance.choice((0, len(part), len(content)))] = part


def _edit_text(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    start = content.find(b"<rdf:RDF")
    if start < 0:
        return
    marks = list(_XMP_TEXT.finditer(content, start, start + 4000))
    if marks:
        mark = chance.choice(marks)
        content[mark.start() : chance.choice((mark.start(), mark.end()))] = chance.choice(_XMP_SCRAPS)


def _segments_of_a_jpeg(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    """Repeat, move or leave out a whole segment, or take one from another file."""
    try:
        parts = list(jpeg_parts(bytes(content)))
        foreign = list(jpeg_parts(chance.choice(others)))
    except ValueError:
        return
    if len(parts) > 1:
        at, to = chance.randrange(len(parts) - 1), chance.randrange(1, len(parts))
        moved = chance.choice(
            (parts[at], foreign[chance.randrange(len(foreign) - 1)] if len(foreign) > 1 else b"")
        )
        if chance.random() < 0.3:
            del parts[at]
        parts[to:to] = [moved]
        content[:] = b"".join(parts)


def _chunks_made_whole(content: bytearray, others: list[bytes], chance: random.Random) -> None:
    """Let a PNG's checksums be right again after a mutation, and move a chunk."""
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        return
    parts, at = [], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        body = bytes(content[at + 4 : at + 8 + length])
        parts.append(content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    if len(parts) > 2 and chance.random() < 0.5:
        parts.insert(chance.randrange(len(parts)), chance.choice(parts))
    content[:] = content[:8] + b"".join(parts) + content[at:]


_MUTATIONS = (
    _flip, _flip, _number, _number, _nudge, _nudge, _cut_off, _take_out, _put_in, _repeat, _append, _mix,
    _edit_text, _edit_text, _edit_text, _segments_of_a_jpeg, _chunks_made_whole,
)  # fmt: skip
