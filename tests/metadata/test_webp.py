"""WebP chunks: only EXIF's, XMP's and the header that announces them change."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers.formats import PACKET, saved
from PIL import Image

from dpiqa_desktop.metadata import webp
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import with_rating
from dpiqa_desktop.metadata.splice import spliced

RATING = ExifRating(4, 75)
BLOCK = with_rating(None, ExifRating(1, 1))
LOSSY, LOSSLESS = saved("WEBP")()[12:], saved("WEBP", lossless=True)()[12:]
CANVAS = b"\x2f\0\0\x23\0\0"  # 48 by 36, less one


def chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def header(flags):
    return chunk(b"VP8X", bytes([flags, 0, 0, 0]) + CANVAS)


def put_together(*chunks):
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def edited(content, packet=PACKET, rating=RATING):
    file = io.BytesIO(content)
    return b"".join(spliced(file, webp.edit(file, packet, rating)))


def read(content):
    return webp.read(io.BytesIO(content))


NEW = chunk(b"EXIF", with_rating(None, RATING)), chunk(b"XMP ", PACKET)


@pytest.mark.parametrize("image", [LOSSY, LOSSLESS], ids=["lossy", "lossless"])
def test_the_simple_format_becomes_the_extended_one(image):
    assert edited(put_together(image)) == put_together(header(0x0C), image, *NEW)
    assert edited(put_together(image), rating=None) == put_together(header(0x04), image, NEW[1])


def test_transparency_is_announced():
    see_through = io.BytesIO()
    Image.new("RGBA", (48, 36), (9, 9, 9, 99)).save(see_through, "WEBP", lossless=True)
    content = see_through.getvalue()
    content = content if content[12:16] == b"VP8L" else put_together(content[30:])
    assert edited(content)[20] == 0x1C


@given(
    others=st.lists(
        st.tuples(st.sampled_from([b"ICCP", b"abcd"]), st.binary(max_size=9)).map(lambda made: chunk(*made)),
        max_size=2,
    ),
    has_exif=st.booleans(),
    has_xmp=st.booleans(),
    unknown=st.sampled_from([b"", chunk(b"abcd", b"123")]),
    trailer=st.binary(max_size=30),
)
def test_only_the_two_chunks_and_their_flags_change(others, has_exif, has_xmp, unknown, trailer):
    def file(flags, exif, xmp):
        return put_together(header(flags), *others, LOSSY, exif, xmp, unknown) + trailer

    content = file(
        0x20 + 8 * has_exif,  # XMP's flag is not set, as some writers leave it
        chunk(b"EXIF", BLOCK) if has_exif else b"",
        chunk(b"XMP ", b"<old/>") if has_xmp else b"",
    )
    changed = edited(content)
    new_exif = chunk(b"EXIF", with_rating(BLOCK if has_exif else None, RATING))
    assert read(changed) == Embedded(RATING, PACKET)
    if (has_exif and has_xmp) or not unknown:
        assert changed == file(0x2C, new_exif, NEW[1])
    assert changed.count(new_exif) == changed.count(NEW[1]) == 1
    size = struct.pack("<I", len(changed) - len(trailer) - 8)
    assert changed[:8] == b"RIFF" + size
    rest = changed.replace(new_exif, b"").replace(NEW[1], b"")
    assert rest[8:] == file(0x2C, b"", b"")[8:]


def test_exif_comes_before_xmp():
    xmp = chunk(b"XMP ", PACKET)
    assert edited(put_together(header(4), LOSSY, xmp)) == put_together(header(0x0C), LOSSY, NEW[0], xmp)


def test_jpegs_header_in_exif_is_passed_over_and_stays():
    changed = edited(put_together(header(8), LOSSY, chunk(b"EXIF", b"Exif\0\0" + BLOCK)))
    assert read(changed).exif == RATING
    assert chunk(b"EXIF", b"Exif\0\0" + with_rating(BLOCK, RATING)) in changed


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (put_together(header(8), LOSSY, chunk(b"EXIF", BLOCK), chunk(b"EXIF", BLOCK)), "two chunks"),
        (put_together(header(4), LOSSY, chunk(b"XMP ", b""), chunk(b"XMP ", b"")), "two chunks"),
        (put_together(LOSSY, header(0)), "out of order"),
        (put_together(header(0), LOSSY, chunk(b"C2PA", b"")), "credentials"),
        (put_together(chunk(b"ICCP", b""), LOSSY), "extended format"),
        (put_together(chunk(b"abcd", b"")), "not where it should be"),
        (put_together(), "not where it should be"),
        (put_together(chunk(b"VP8 ", bytes(20))), "image is damaged"),
        (put_together(chunk(b"VP8L", b"\x2f")), "image is damaged"),
        (put_together(chunk(b"VP8X", b""), LOSSY), "header is damaged"),
        (put_together(LOSSY, b"EXIF\1\0\0\0x"), "do not fit"),
        (put_together(LOSSY)[:-2], "cut off"),
        (put_together(LOSSY, b"EXI"), "do not fit"),
        (b"RIFF\4\0\0\0WAVE", "not a WebP"),
    ],
)
def test_what_is_not_certain_is_refused(content, reason):
    with pytest.raises(UnsafeError, match=reason):
        edited(content)
