"""TIFF files get XMP and rating at their end: all their bytes, and every frame's pixels, are as they were."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers.photos import scene
from PIL import Image, ImageSequence

from dpiqa_desktop.metadata import tiff_file
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import inverse, spliced

FOUR = ExifRating(4, 73)
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="%s"/></x:xmpmeta>' % (
    b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"
)
OTHER = PACKET.replace(b"<rdf:RDF ", b"<rdf:RDF\n")  # of the same size
LONGER = PACKET + b" "


def tiff(frames=1, trailer=b"", **options):
    file = BytesIO()
    images = [scene(seed=seed) for seed in range(frames)]
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:], **options)
    return file.getvalue() + trailer


FILES = {
    "plain": tiff(),
    "deflate": tiff(compression="tiff_deflate"),
    "three frames": tiff(frames=3),
    "trailing byte": tiff(trailer=b"x"),
    "with XMP": tiff(tiffinfo={700: PACKET}),
    # Pillow writes in this machine's order only: ImageJ's and many scanners' is the other one.
    "big-endian": struct.pack(">2sHIHHHII", b"MM", 42, 8, 9, 256, 4, 1, 2)
    + b"".join(
        struct.pack(">HHI", tag, 3, 1) + struct.pack(">HH", value, 0)
        for tag, value in (
            (257, 1),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 8 + 2 + 9 * 12 + 4),
            (277, 1),
            (278, 1),
            (279, 2),
        )
    )
    + bytes(4)
    + b"\x11\xee",
}


@pytest.fixture(params=FILES)
def content(request):
    return FILES[request.param]


def changed(content, xmp, exif):
    file = BytesIO(content)
    splices = tiff_file.edit(file, xmp, exif)
    result = b"".join(spliced(file, splices))
    assert b"".join(spliced(BytesIO(result), inverse(splices))) == content
    return result


def frames(content):
    with Image.open(BytesIO(content)) as image:
        return [frame.tobytes() for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize(("xmp", "exif"), [(PACKET + b" ", FOUR), (PACKET, None), (None, FOUR)])
def test_all_else_stays(content, xmp, exif):
    before = tiff_file.read(BytesIO(content))
    result = changed(content, xmp, exif)
    assert tiff_file.read(BytesIO(result)) == Embedded(exif or before.exif, xmp or before.xmp)
    assert result[8:].startswith(content[8:])
    assert frames(result) == frames(content)
    with Image.open(BytesIO(content)) as old, Image.open(BytesIO(result)) as new:
        ours = {700, 0x4746, 0x4749}
        assert {t: v for t, v in new.tag_v2.items() if t not in ours} == {
            t: v for t, v in old.tag_v2.items() if t not in ours
        }


def test_again_and_again(content):
    for number in range(1, 4):
        content = changed(content, PACKET + b" " * number, ExifRating(number, number))
    assert tiff_file.read(BytesIO(content)) == Embedded(ExifRating(3, 3), PACKET + b" " * 3)
    assert len(frames(content)) >= 1


def test_what_is_said_already_is_not_written(content):
    once = changed(content, PACKET, FOUR)
    assert tiff_file.edit(BytesIO(once), PACKET, FOUR) == ()
    assert tiff_file.edit(BytesIO(content), None, ExifRating()) == ()
    assert tiff_file.edit(BytesIO(content), None, None) == ()


def test_what_has_the_same_size_is_changed_in_its_place(content):
    once = changed(content, PACKET, FOUR)
    twice = changed(once, OTHER, ExifRating(1, 7))
    assert len(twice) == len(once)
    assert tiff_file.read(BytesIO(twice)) == Embedded(ExifRating(1, 7), OTHER)
    assert frames(twice) == frames(content)


def test_a_packet_of_the_same_size_stays_in_its_place_if_the_rating_cannot():
    with_packet = FILES["with XMP"]
    result = changed(with_packet, OTHER, FOUR)
    assert (result.count(OTHER), result.count(PACKET)) == (1, 0)
    assert tiff_file.read(BytesIO(result)) == Embedded(FOUR, OTHER)


@pytest.mark.parametrize("place", [0, 10, -1, +1])
def test_a_pointer_astray_does_not_get_anything_overwritten(place):
    content = bytearray(FILES["with XMP"])
    at = content.index(struct.pack("<HHI", 700, 1, len(PACKET))) + 8
    if place in (-1, 1):
        place += int.from_bytes(content[at : at + 4], "little")
    content[at : at + 4] = struct.pack("<I", place)
    result = changed(bytes(content), OTHER, FOUR)
    assert result[8:].startswith(content[8:])
    assert tiff_file.read(BytesIO(result)) == Embedded(FOUR, OTHER)


def test_a_rating_is_taken_out_and_the_packet_stays(content):
    rated = changed(content, PACKET, FOUR)
    assert tiff_file.read(BytesIO(changed(rated, None, ExifRating()))) == Embedded(ExifRating(), PACKET)


def test_exiftool_reads_both(content, tmp_path):
    if shutil.which("exiftool") is None:
        pytest.skip("needs ExifTool")
    path = tmp_path / "photo.tif"
    packet = PACKET.replace(b"/></x:", b"><rdf:Description xmp:Rating='4'/></rdf:RDF></x:").replace(
        b"xmlns:rdf", b"xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmlns:rdf"
    )
    path.write_bytes(changed(content, packet, FOUR))
    done = subprocess.run(["exiftool", "-j", "-G1", str(path)], capture_output=True, check=True)
    (found,) = json.loads(done.stdout)
    assert (found["IFD0:Rating"], found["IFD0:RatingPercent"], found["XMP-xmp:Rating"]) == (4, 73, 4)
    assert "ExifTool:Warning" not in found


class CountingFile(BytesIO):
    """Counts the bytes that are read."""

    bytes_read = 0

    def read(self, size=-1, /):
        content = super().read(size)
        self.bytes_read += len(content)
        return content


def test_pixels_are_not_read():
    file = CountingFile(FILES["with XMP"])
    tiff_file.read(file)
    tiff_file.edit(file, PACKET + b" ", FOUR)
    assert file.bytes_read < 4096 < len(FILES["with XMP"])


@pytest.mark.parametrize("cut", [1, 1000])
def test_a_file_whose_pixels_are_cut_off_is_refused(cut):
    # Pillow puts the directory first and the pixels last.
    with pytest.raises(UnsafeError, match="points at data behind it"):
        tiff_file.edit(BytesIO(FILES["plain"][:-cut]), PACKET, FOUR)


@pytest.mark.parametrize(
    ("kind", "count", "reason"),
    [(4, 10, "unknown kind"), (1, 3, "empty"), (1, 1 << 30, "over"), (7, 1 << 20, "cut off")],
)
def test_xmp_that_cannot_be_read_is_not_replaced(kind, count, reason):
    content = bytearray(FILES["with XMP"])
    at = content.index(struct.pack("<HHI", 700, 1, len(PACKET)))
    content[at : at + 8] = struct.pack("<HHI", 700, kind, count)
    for does in (tiff_file.read, lambda file: tiff_file.edit(file, PACKET, None)):
        with pytest.raises(UnsafeError, match=reason):
            does(BytesIO(content))


def test_packets_that_are_none_are_not_put_in(content):
    for packet in (b"", b"<x/>"):
        with pytest.raises(UnsafeError, match="empty"):
            tiff_file.edit(BytesIO(content), packet, None)


def test_a_file_does_not_outgrow_its_offsets(tmp_path):
    path = tmp_path / "large.tif"
    path.write_bytes(FILES["plain"])
    for size, fits in ((2**32 - 1000, True), (2**32 - 100, False)):
        with open(path, "r+b") as file:
            file.truncate(size)  # a hole, which takes no room
            if fits:
                assert tiff_file.edit(file, None, FOUR)
            else:
                with pytest.raises(UnsafeError, match="4 GB"):
                    tiff_file.edit(file, None, FOUR)


def test_bigtiff_is_refused():
    file = BytesIO()
    scene().save(file, "TIFF", big_tiff=True)
    with pytest.raises(UnsafeError, match="BigTIFF"):
        tiff_file.edit(file, PACKET, FOUR)


@given(st.sampled_from(sorted(FILES)), st.data())
def test_mutations_end_well_or_are_refused(name, data):
    content = bytearray(FILES[name])
    directory = int.from_bytes(content[4:8], "little")
    near = st.sampled_from([*range(8), *range(directory, min(directory + 200, len(content)))])
    for at in data.draw(st.lists(near, min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    file = BytesIO(content)
    try:
        splices = tiff_file.edit(file, LONGER, FOUR)
    except UnsafeError:
        return
    result = b"".join(spliced(file, splices))
    assert tiff_file.read(BytesIO(result)) == Embedded(FOUR, LONGER)
    assert result[8:].startswith(content[8:])
