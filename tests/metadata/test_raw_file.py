"""RAW files tell their rating, wherever their format keeps it; nothing here writes."""

from __future__ import annotations

import contextlib
import shutil
import struct
import subprocess
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpiqa_desktop.metadata import raw_file
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import with_rating

FOUR = ExifRating(4, 73)
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
BLOCK = with_rating(None, FOUR)


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


JPEG = b"".join(
    (
        b"\xff\xd8",
        segment(0xE1, b"Exif\0\0" + BLOCK),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET),
        segment(0xDA, bytes(10)),
        b"\0" * (2 << 20),
        b"\xff\xd9",
    )
)


def raf(jpeg=JPEG, offset=148):
    head = b"FUJIFILMCCD-RAW 0201FF389501X-T1".ljust(84, b"\0") + struct.pack(">II", offset, len(jpeg))
    return head.ljust(148, b"\0") + jpeg


def tiff_like(magic):
    """A directory with the rating and XMP, behind a header that says another format."""
    order = "<" if magic.startswith(b"II") else ">"
    entries = ((700, 1, len(PACKET), 8 + 2 + 3 * 12 + 4), (0x4746, 4, 1, 4), (0x4749, 4, 1, 73))
    table = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    return magic + struct.pack(f"{order}IH", 8, 3) + table + bytes(4) + PACKET


@pytest.mark.parametrize("magic", [b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR"])
def test_tiffs_inside_are_read(magic):
    assert raw_file.read(BytesIO(tiff_like(magic))) == Embedded(FOUR, PACKET)


def test_the_jpeg_in_a_raf_is_read():
    assert raw_file.read(BytesIO(raf())) == Embedded(FOUR, PACKET)


@pytest.mark.parametrize(
    "content",
    [raf()[:80], raf()[:148], raf()[:170], raf(offset=0), raf(offset=2**32 - 1), raf(b"GIF89a")],
    ids=["no offset", "no JPEG", "JPEG cut off", "at the start", "far behind", "no JPEG there"],
)
def test_a_damaged_raf_is_refused(content):
    with pytest.raises(UnsafeError):
        raw_file.read(BytesIO(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0MRM" + bytes(60),
        b"FOVb" + bytes(60),
        b"II\x1a\0\0\0HEAPCCDR" + bytes(60),
        b"\0\0\0\x18ftypqt  " + bytes(60),
    ],
    ids=["nothing", "MRW", "X3F", "CRW", "film"],
)
def test_of_other_formats_nothing_is_known(content):
    assert raw_file.read(BytesIO(content)) == Embedded()


@given(st.sampled_from([tiff_like(b"II*\0"), raf()[: 148 + 400]]), st.data())
def test_damage_is_told_and_nothing_else(content, data):
    damaged = bytearray(content)
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnsafeError):
        assert isinstance(raw_file.read(BytesIO(damaged)), Embedded)


# ExifTool keeps RW2's first directory, which has Panasonic's own tags, free of EXIF's.
@pytest.mark.parametrize(
    ("name", "exif"),
    [
        ("CanonRaw.cr2", FOUR),
        ("Nikon.nef", FOUR),
        ("DNG.dng", FOUR),
        ("FujiFilm.raf", FOUR),
        ("Panasonic.rw2", ExifRating()),
    ],
)
def test_ratings_that_exiftool_wrote_are_found(name, exif, shared, tmp_path):
    if shutil.which("exiftool") is None:
        pytest.skip("needs ExifTool")
    path = tmp_path / name
    shutil.copy(shared / "data" / "camera" / "exiftool-images" / name, path)
    with open(path, "rb") as file:
        assert raw_file.read(file).exif == ExifRating()
    tags = ["-XMP-xmp:Rating=3", "-IFD0:Rating=4", "-IFD0:RatingPercent=73"]
    subprocess.run(["exiftool", "-q", "-m", *tags, str(path)], check=True, capture_output=True)
    with open(path, "rb") as file:
        said = raw_file.read(file)
    assert b"<xmp:Rating>3</xmp:Rating>" in (said.xmp or b"")
    assert said.exif == exif
