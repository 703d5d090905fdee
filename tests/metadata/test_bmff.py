"""HEIC, AVIF and CR3 say what they hold, and take EXIF and XMP without a byte of an image lost, or refuse."""

import json
import random
import shutil
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from makers import heif
from makers.heif import AUXILIARY, EXIF, IMAGES, PACKET, PHOTO, TILE, XMP, Heif, box, cr3, full, rating_block
from makers.photos import exif_block, scene
from PIL import Image, features

from dpiqa_desktop.metadata import bmff
from dpiqa_desktop.metadata.bmff_boxes import outline
from dpiqa_desktop.metadata.bmff_tables import read_items
from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import inverse, spliced

OURS = ExifRating(4, 71)
NO_RATING = exif_block(b"2021:02:03 04:05:06", orientation=1)
LONGER = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
UNRATED = LONGER.replace(b' xmp:Rating="4"', b' xmp:CreatorTool="A"')


def _read(content):
    return bmff.read(BytesIO(content))


def _edited(content, xmp=LONGER, exif=OURS):
    """The file changed; going back gives the same bytes."""
    splices = bmff.edit(BytesIO(content), xmp, exif)
    changed = b"".join(spliced(BytesIO(content), splices))
    assert b"".join(spliced(BytesIO(changed), inverse(splices))) == content
    return changed


def _items(content):
    """The bytes of every item by its number."""
    file = BytesIO(content)
    items = read_items(file, outline(file).only(b"meta"))
    return {
        number: b"".join(content[start:end] for start, end in items.spans(number)) for number in items.entries
    }


# Files of real encoders, read by real decoders.


@pytest.fixture(params=["heic", "avif"])
def save(request, tmp_path):
    """Save a scene, with EXIF and XMP if they are given."""
    if request.param == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("this Pillow does not write AVIF")

    def save(**metadata):
        path = tmp_path / f"a.{request.param}"
        scene().save(path, **metadata)
        return path

    return save


BEFORE = {
    "nothing": {},
    "exif": {"exif": b"Exif\0\0" + NO_RATING},
    "xmp": {"xmp": UNRATED},
    "both": {"exif": b"Exif\0\0" + NO_RATING, "xmp": UNRATED},
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize(
    "wanted", [(LONGER, OURS), (LONGER, None), (None, OURS)], ids=["both", "xmp", "exif"]
)
def test_decoders_see_the_same_photo_and_the_new_metadata(before, wanted, save):
    path = save(**before)
    old = _read(path.read_bytes())
    assert (old.xmp, old.exif) == (before.get("xmp"), ExifRating() if "exif" in before else None)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    path.write_bytes(_edited(path.read_bytes(), *wanted))
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), pixels)
        tags = image.getexif()
        packet = image.info.get("xmp")
    assert packet == (wanted[0] or before.get("xmp"))
    if "exif" in before:
        assert tags.get_ifd(34665)[36867] == "2021:02:03 04:05:06"
    assert (tags.get(0x4746), tags.get(0x4749)) == ((4, 71) if wanted[1] else (None, None))
    assert _read(path.read_bytes()) == Embedded(wanted[1] or old.exif, wanted[0] or old.xmp)


def test_nothing_moves_where_there_is_metadata_already(save):
    before = save(**BEFORE["both"]).read_bytes()
    after = _edited(before)
    changed = sum(old != new for old, new in zip(before, after, strict=False))
    assert changed <= 2 * 8 + 8  # offset and length of two items; AVIF has no more
    assert len(after) > len(before)


def test_as_many_bytes_go_where_the_old_ones_were(save):
    before = _edited(save(**BEFORE["both"]).read_bytes())
    wanted = LONGER.replace(b"4", b"2"), ExifRating(2, 30)
    after = _edited(before, *wanted)
    assert len(after) == len(before)
    assert _read(after) == Embedded(wanted[1], wanted[0])
    assert bmff.edit(BytesIO(after), *wanted) == ()


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs ExifTool")
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_exiftool_reads_the_rating_and_all_else_as_before(before, save):
    path = save(**before)
    old = _exiftool(path)
    path.write_bytes(_edited(path.read_bytes()))
    new = _exiftool(path)
    assert (new["IFD0:Rating"], new["IFD0:RatingPercent"], new["XMP-xmp:Rating"]) == (4, 71, 4)
    ours = {"IFD0:Rating", "IFD0:RatingPercent", "XMP-xmp:Rating", "File:ExifByteOrder"}
    elsewhere = {"XMP-xmp:CreatorTool", "QuickTime:MediaDataOffset", "QuickTime:MediaDataSize"}
    assert {tag: new.get(tag) for tag in old if tag not in elsewhere} == {
        tag: value for tag, value in old.items() if tag not in elsewhere
    }
    assert set(new) - set(old) <= ours


def _exiftool(path):
    command = ["exiftool", "-j", "-G1", "-n", "-a", "--System:all", "--SourceFile", path]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    return {
        tag: value for tag, value in found.items() if tag not in ("SourceFile", "ExifTool:ExifToolVersion")
    }


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs ExifTool")
@pytest.mark.parametrize("name", ["L_exif_xmp_iptc.heic", "empty_icc.heic", "alpha.heic", "zPug_3.heic"])
def test_nothing_is_lost_in_files_of_cameras_and_phones(name, shared, tmp_path):
    before = shared / "data/camera/heif" / name
    found = _read(before.read_bytes())
    packet = found.xmp.replace(b"</rdf:RDF>", b"\n</rdf:RDF>") if found.xmp else LONGER
    after = tmp_path / name
    after.write_bytes(_edited(before.read_bytes(), packet))
    assert _read(after.read_bytes()) == Embedded(OURS, packet)
    command = [sys.executable, shared / "tools/check_preserved.py", before, after]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


# Layouts that encoders at hand do not write.


@st.composite
def layouts(draw):
    version = draw(st.integers(0, 2))
    offset = draw(st.sampled_from([0, 4, 8]))
    base = draw(st.sampled_from([0, 4, 8])) if offset else draw(st.sampled_from([4, 8]))
    return Heif(
        exif=draw(st.none() | st.sampled_from([NO_RATING, rating_block(2, 25)])),
        xmp=draw(st.none() | st.just(PACKET)),
        describes=draw(st.sampled_from([None, PHOTO])),
        version=version,
        offset=offset,
        length=draw(st.sampled_from([4, 8])),
        base=base,
        index=draw(st.sampled_from([0, 4, 8])) if version else 0,
        based=bool(base) and draw(st.booleans()),
        in_idat=version > 0 and draw(st.booleans()),
        pieces=draw(st.integers(1, 3)) if offset else 1,
        wide=version == 2 and draw(st.booleans()),
        large=draw(st.booleans()),
        data_first=draw(st.booleans()),
    )


@given(layouts(), st.sampled_from([None, LONGER, PACKET[::-1]]), st.sampled_from([None, OURS]))
def test_every_layout_is_read_and_changed_or_refused(layout, xmp, exif):
    before = layout.build()
    old = _read(before)
    assert old.xmp == layout.xmp
    assert (old.exif is None) == (layout.exif is None)
    wants_more = (exif is not None and layout.exif is not None and old.exif.rating is None) or (
        xmp == LONGER and layout.xmp is not None
    )
    stuck = wants_more and (layout.in_idat or layout.pieces > 1)
    try:
        after = _edited(before, xmp, exif)
    except UnsafeError as error:
        assert (stuck, "where no more fits" in str(error)) == (True, True)  # noqa: PT017 - or it goes well
        return
    assert not stuck
    assert _read(after) == Embedded(exif or old.exif, xmp or old.xmp)
    numbers = {layout.number(item): content for item, content in IMAGES.items()}
    assert {number: content for number, content in _items(after).items() if number in numbers} == numbers


@given(layouts(), st.data())
def test_what_stays_keeps_its_bytes(layout, data):
    """A kind of metadata that is not asked for is the same item with the same bytes."""
    before = replace(layout, exif=NO_RATING, xmp=PACKET).build()
    kept, wanted = data.draw(st.sampled_from([(EXIF, (LONGER, None)), (XMP, (None, OURS))]))
    assume(not layout.in_idat and layout.pieces == 1)
    old, new = _items(before), _items(_edited(before, *wanted))
    assert new[layout.number(kept)] == old[layout.number(kept)]
    assert set(new) == set(old)


def test_new_items_describe_the_photo_under_numbers_of_their_own():
    group = box(b"grpl", full(b"altr", struct.pack(">III", 5, 1, PHOTO)))
    after = BytesIO(_edited(Heif(meta_parts=group).build()))
    items = read_items(after, outline(after).only(b"meta"))
    assert items.described() == {4: {PHOTO}, 6: {PHOTO}}
    assert set(items.entries) == {*IMAGES, 4, 6}


def test_where_no_number_is_left_nothing_is_added():
    last = Heif(wide=True, version=2).build().replace(struct.pack(">I", AUXILIARY + 0x12345), b"\xff" * 4)
    with pytest.raises(UnsafeError, match="no room for a larger number"):
        _edited(last)
    last = Heif().build().replace(struct.pack(">HH4s", AUXILIARY, 0, b"hvc1"), b"\xff\xff\0\0hvc1")
    with pytest.raises(UnsafeError, match="no room for a larger number"):
        _edited(last)


def test_tables_without_references_get_them():
    after = BytesIO(_edited(Heif(references=False, wide=True, version=2).build()))
    assert _read(after.getvalue()) == Embedded(OURS, LONGER)
    items = read_items(after, outline(after).only(b"meta"))
    assert set(map(frozenset, items.described().values())) == {frozenset({items.primary})}


def test_xmp_of_a_gain_map_is_not_the_photos():
    before = Heif(xmp=PACKET, describes=AUXILIARY).build()
    assert _read(before) == Embedded()
    after = _edited(before)
    assert _read(after) == Embedded(OURS, LONGER)
    assert _items(after)[XMP] == PACKET


WHOLE = Heif(exif=NO_RATING, xmp=PACKET)
TINY = struct.pack(">I4s", 0, b"mdat") + b"until the end"
SIGNATURE = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"manifest"
REFUSED = {
    "describes a tile": (Heif(xmp=PACKET, describes=TILE), "describes another"),
    "compressed": (replace(WHOLE, encoding=b"deflate"), "compressed or encrypted"),
    "encrypted": (replace(WHOLE, protection=1), "compressed or encrypted"),
    "shared bytes": (replace(WHOLE, shared=True), "a part of something else"),
    "no end": (replace(WHOLE, parts=TINY), "without a length"),
    "motion photo": (replace(WHOLE, parts=box(b"mpvd", b"video")), "'mpvd'"),
    "file behind": (replace(WHOLE, parts=box(b"ftyp", b"mp42")), "another file behind"),
    "signed": (replace(WHOLE, parts=box(b"uuid", SIGNATURE)), "signed"),
    "trailer": (replace(WHOLE, parts=b"trailer that is no box"), "is damaged"),
    "boxed XMP": (replace(WHOLE, parts=box(b"uuid", heif.XMP_BOX + PACKET)), "where HEIF does not"),
    "tracks": (Heif(parts=box(b"moov")), "'moov'"),
    "unknown table": (Heif(meta_parts=box(b"abcd")), "'abcd'"),
    "two tables": (replace(WHOLE, meta_parts=full(b"iinf", bytes(2))), "two boxes 'iinf'"),
    "large table": (replace(WHOLE, references=False, meta_parts=full(b"iref", bytes(2 << 20))), "more than"),
    "damaged groups": (replace(WHOLE, meta_parts=box(b"grpl", bytes(100))), "damaged"),
    "two packets": (replace(WHOLE, exif=None, twice=True), "XMP twice"),
}


@pytest.mark.parametrize(("layout", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_certain_is_refused(layout, reason):
    with pytest.raises(UnsafeError, match=reason):
        bmff.edit(BytesIO(layout.build()), LONGER, OURS)


def test_a_box_with_images_stays_the_same_and_ours_does_not_grow():
    """Not even as many bytes go into it: ExifTool takes its whole content for one value."""
    before = replace(WHOLE, exif=rating_block(1, 1)).build()
    once = _edited(before, PACKET[::-1], OURS)
    images = outline(BytesIO(before)).only(b"mdat")
    assert once[images.start : images.end] == before[images.start : images.end]
    twice = _edited(once, PACKET, ExifRating(1, 1))
    assert len(twice) == len(once)
    assert _read(twice) == Embedded(ExifRating(1, 1), PACKET)


@pytest.mark.parametrize("parts", [TINY, b"trailer that is no box", box(b"mpvd", b"video"), box(b"moov")])
def test_as_many_bytes_are_changed_even_if_no_more_could_follow(parts):
    layout = replace(WHOLE, exif=rating_block(1, 1), parts=parts)
    wanted = PACKET[::-1], OURS
    if parts.startswith(b"trailer"):  # nobody knows what it is
        with pytest.raises(UnsafeError, match="damaged"):
            _edited(layout.build(), *wanted)
    else:
        assert _read(_edited(layout.build(), *wanted)) == Embedded(OURS, PACKET[::-1])


def test_metadata_before_a_cut_are_read_but_not_changed():
    cut = WHOLE.build() + struct.pack(">I4s", 1000, b"mdat")
    assert _read(cut) == Embedded(ExifRating(), PACKET)
    with pytest.raises(UnsafeError, match="cut short"):
        _edited(cut)


@pytest.mark.parametrize(
    ("offset", "length", "reason"),
    [
        (4000, 1, "ends before its images"),  # and would find there what is appended
        (600, 0, "without a length"),
        (40, 30, "within its tables"),
    ],
)
@pytest.mark.parametrize("before", [WHOLE, Heif()], ids=["with metadata", "without"])
def test_an_image_at_an_odd_place_is_not_touched(offset, length, reason, before):
    content = before.build()
    file = BytesIO(content)
    extent = read_items(file, outline(file).only(b"meta")).location(PHOTO).extents[0]
    odd = b"".join(spliced(file, (*extent.offset.holding(offset), *extent.length.holding(length))))
    with pytest.raises(UnsafeError, match=reason):
        _edited(odd)


def test_an_image_said_to_be_in_another_file_is_not_moved():
    """Decoders differ on whether that is so."""
    content = Heif(version=0).build()
    file = BytesIO(content)
    extent = read_items(file, outline(file).only(b"meta")).location(PHOTO).extents[0]
    at = extent.offset.offset - 4  # data reference, count of extents, offset
    with pytest.raises(UnsafeError, match="in another file"):
        _edited(content[:at] + b"\0\1" + content[at + 2 :])


@pytest.mark.parametrize("layout", [WHOLE, Heif()])
def test_a_rating_taken_out_leaves_no_item_behind(layout):
    rated = replace(layout, exif=layout.exif and rating_block(2, 25)).build()
    if layout.exif is None:
        assert bmff.edit(BytesIO(rated), None, ExifRating()) == ()
    else:
        changed = _edited(rated, None, ExifRating(2, None))
        assert _read(changed).exif == ExifRating(2, None)


def test_exif_is_found_where_the_length_before_it_is_wrong():
    content = WHOLE.build()
    wrong = content.replace(b"\0\0\0\6Exif\0\0", b"\0\0\0\0Exif\0\0")
    assert _read(_edited(wrong)) == Embedded(OURS, LONGER)
    with pytest.raises(UnsafeError, match="does not begin where"):
        _read(content.replace(b"\0\0\0\6Exif\0\0", b"\0\0\0\0Flif\0\0"))


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs ExifTool")
def test_exif_and_xmp_that_exiftool_took_out_are_none(tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / "a.heic"
    scene().save(path, **BEFORE["both"])
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-all=", path], check=True)
    assert _read(path.read_bytes()) == Embedded()
    with pytest.raises(UnsafeError, match="without a length"):
        _edited(path.read_bytes())


class _Counting(BytesIO):
    def __init__(self, content):
        super().__init__(content)
        self.taken = 0

    def read(self, size=-1):
        block = super().read(size)
        self.taken += len(block)
        return block


def test_images_are_not_read():
    file = _Counting(
        Heif(exif=NO_RATING, xmp=PACKET, parts=box(b"mdat", bytes(10 << 20), large=True)).build()
    )
    assert bmff.read(file).xmp == PACKET
    bmff.edit(file, LONGER, OURS)
    assert file.taken < 10_000


def test_more_than_the_offsets_can_hold_is_refused(tmp_path):
    """In a file of 5 GB, which takes no room on the disk, offsets of 32 bits do not reach the end."""
    size = 5 << 30
    for offset, reason in ((4, "no room for a larger number"), (8, None)):
        path = tmp_path / f"{offset}.heic"
        before = replace(WHOLE, offset=offset, base=0).build()
        path.write_bytes(before + struct.pack(">I4sQ", 1, b"mdat", size))
        with path.open("r+b") as file:
            file.truncate(len(before) + size)
            if reason:
                with pytest.raises(UnsafeError, match=reason):
                    bmff.edit(file, LONGER, OURS)
            else:
                assert bmff.edit(file, LONGER, OURS)[-1].offset == len(before) + size


# Canon's RAW.


@pytest.mark.parametrize("at_top", [True, False])
def test_cr3_is_read_but_never_changed(at_top):
    content = cr3(rating_block(3, 50), PACKET, at_top)
    assert _read(content) == Embedded(ExifRating(3, 50), PACKET)
    with pytest.raises(UnsafeError, match="RAW"):
        bmff.edit(BytesIO(content), LONGER, OURS)
    assert _read(cr3(None, None)) == Embedded()


# Files not to be trusted.

SEEDS = [
    WHOLE.build(),
    replace(WHOLE, in_idat=True, pieces=2).build(),
    Heif(version=2, wide=True, base=4, based=True, meta_parts=box(b"grpl", full(b"altr", bytes(8)))).build(),
    cr3(rating_block(3, 50), PACKET),
]


@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(1, 6))
def test_no_damage_is_worse_than_unsafe(seed, chance, hits):
    content = _damaged(seed, chance, hits)
    with suppress(UnsafeError):
        _read(content)
    with suppress(UnsafeError):
        assert _read(_edited(content)) == Embedded(OURS, LONGER)


def _damaged(content: bytes, chance: random.Random, hits: int) -> bytes:
    damaged = bytearray(content)
    for _ in range(hits):
        at = chance.randrange(len(damaged))
        damage = chance.randrange(4)
        if damage == 0:
            del damaged[at:]
        elif damage == 1:
            damaged[at : at + 4] = struct.pack(
                ">I", chance.choice([0, 1, 7, 8, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
            )
        elif damage == 2:
            damaged[at:at] = damaged[at : at + chance.randrange(1, 40)]
        else:
            damaged[at] = chance.randrange(256)
        if not damaged:
            break
    return bytes(damaged)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_empty(content):
    for start in (b"", box(b"ftyp", b"heic"), box(b"ftyp", b"heic") + full(b"meta")):
        with suppress(UnsafeError):
            assert _read(start + content).exif is None


def test_extents_by_the_billion_are_refused():
    table = bytes([0x00, 0x00]) + struct.pack(">H", 65535)
    table += b"".join(struct.pack(">HHHH", number, 0, 0, 65535) for number in range(65535))
    meta = full(b"meta", full(b"pitm", bytes([0, 1])) + full(b"iloc", table, 1))
    with pytest.raises(UnsafeError, match="contradicts itself"):
        _read(box(b"ftyp", b"heic") + meta)
