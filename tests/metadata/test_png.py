"""PNG chunks: only EXIF's and XMP's change."""

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers.formats import PACKET, saved, with_second_frame

from dpiqa_desktop.metadata import png
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import with_rating
from dpiqa_desktop.metadata.splice import spliced

RATING = ExifRating(4, 75)
OLD = ExifRating(1, 1)
BLOCK = with_rating(None, OLD)
KEYWORD = b"XML:com.adobe.xmp"
PHOTO = saved("PNG")()
HEADER, IMAGE = PHOTO[:33], PHOTO[33:]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(block=BLOCK):
    return chunk(b"eXIf", block)


def xmp(packet=b"<old/>", head=b"\0\0\0\0\0"):
    return chunk(b"iTXt", KEYWORD + head + packet)


def profile(name, content, kind=b"zTXt"):
    text = b"\n%s\n%8d\n%s\n" % (name, len(content), content.hex().encode())
    head = b"Raw profile type " + name + b"\0"
    return chunk(kind, head + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text))


def edited(content, packet=PACKET, rating=RATING):
    file = io.BytesIO(content)
    return b"".join(spliced(file, png.edit(file, packet, rating)))


def read(content):
    return png.read(io.BytesIO(content))


others = st.tuples(
    st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"gAMA", b"prVt"]), st.binary(max_size=40)
).map(lambda made: chunk(*made))


@given(
    before=st.lists(others, max_size=3),
    after=st.lists(others, max_size=3),
    at_end=st.lists(others, max_size=2),
    has_exif=st.booleans(),
    has_xmp=st.sampled_from([b"", xmp(), xmp(head=b"\0\0de\0XMP\0"), xmp(b"x" * (64 * 3 - 34))]),
    late=st.booleans(),
    trailer=st.binary(max_size=30),
)
def test_only_the_two_chunks_change(before, after, at_end, has_exif, has_xmp, late, trailer):
    def file(exif_chunk, xmp_chunk):
        early = [*before, exif_chunk, *after, b"" if late else xmp_chunk]
        ends = [xmp_chunk if late else b"", *at_end]
        return HEADER + b"".join(early) + IMAGE[:-12] + b"".join(ends) + IMAGE[-12:] + trailer

    content = file(exif() if has_exif else b"", has_xmp)
    changed = edited(content)
    new_exif = exif(with_rating(BLOCK if has_exif else None, RATING))
    new_xmp = xmp(PACKET, b"\0\0de\0XMP\0" if b"de\0XMP" in has_xmp else bytes(5))
    assert read(changed) == Embedded(RATING, PACKET)
    assert changed.count(new_exif) == changed.count(new_xmp) == 1
    assert changed.replace(new_exif, b"").replace(new_xmp, b"") == file(b"", b"")
    if not has_exif and not has_xmp:
        assert changed == file(b"", b"").replace(IMAGE[:8], new_exif + new_xmp + IMAGE[:8], 1)


def test_an_animation_keeps_its_first_control_beside_its_image():
    content = with_second_frame("PNG")()
    changed = edited(content)
    start = content.index(b"fcTL") - 4
    assert changed.endswith(content[start:])
    assert changed.startswith(content[:start])


def test_jpegs_header_in_exif_is_passed_over_and_stays():
    changed = edited(HEADER + exif(b"Exif\0\0" + BLOCK) + IMAGE)
    assert read(changed).exif == RATING
    assert exif(b"Exif\0\0" + with_rating(BLOCK, RATING)) in changed


@pytest.mark.parametrize("kind", [b"zTXt", b"tEXt"])
def test_imagemagicks_text_chunks_are_read_and_not_edited(kind):
    exif_text, xmp_text = profile(b"exif", b"Exif\0\0" + BLOCK, kind), profile(b"xmp", PACKET, kind)
    content = HEADER + exif_text + xmp_text + IMAGE
    assert read(content) == Embedded(OLD, PACKET)
    for options in ({"packet": None}, {"rating": None}):
        with pytest.raises(UnsafeError, match="text chunk"):
            edited(content, **options)
    assert exif_text in edited(HEADER + exif_text + IMAGE, rating=None)
    as_app1 = profile(b"APP1", b"http://ns.adobe.com/xap/1.0/\0" + PACKET, kind)
    assert read(HEADER + as_app1 + IMAGE) == Embedded(None, PACKET)


def test_compressed_xmp_is_read_and_not_edited():
    content = HEADER + xmp(zlib.compress(PACKET), b"\0\1\0\0\0") + IMAGE
    assert read(content).xmp == PACKET
    with pytest.raises(UnsafeError, match="compressed"):
        edited(content)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (zlib.compress(bytes(100 << 20)), "too large"),
        (zlib.compress(PACKET)[:-9], "cut off"),
        (PACKET, "damaged"),
    ],
    ids=["bomb", "cut", "not_compressed"],
)
def test_compressed_xmp_that_cannot_be_read(text, reason):
    with pytest.raises(UnsafeError, match=reason):
        read(HEADER + xmp(text, b"\0\1\0\0\0") + IMAGE)


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        (exif() + exif(), "two EXIF"),
        (xmp() + xmp(), "two XMP"),
        (chunk(b"tEXt", KEYWORD + b"\0<x/>"), "wrong type of chunk"),
        (exif()[:-1] + b"\0", "checksum"),
        (xmp()[:-1] + b"\0", "checksum"),
        (chunk(b"iTXt", KEYWORD + b"\0\0"), "damaged"),
        (chunk(b"caBX", b"jumb"), "credentials"),
        (chunk(b"IEND", b""), "no image"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0", "damaged"),
        (b"\xff\xff\xff\xffeXIf", "cut off"),
        (HEADER[8:], "out of order"),
    ],
)
def test_what_is_not_certain_is_refused(chunks, reason):
    with pytest.raises(UnsafeError, match=reason):
        edited(HEADER + chunks + IMAGE)
