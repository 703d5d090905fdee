"""TIFF files get XMP and rating at their end: all their bytes, and every frame's pixels, are as they were."""

from __future__ import annotations

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
        splices = tiff_file.edit(file, PACKET, FOUR)
    except UnsafeError:
        return
    result = b"".join(spliced(file, splices))
    assert tiff_file.read(BytesIO(result)) == Embedded(FOUR, PACKET)
    assert result[8:].startswith(content[8:])
