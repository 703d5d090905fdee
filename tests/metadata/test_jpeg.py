"""JPEG segments: only EXIF's and XMP's change, and what points across them stays right or is refused."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers.formats import PACKET, saved, with_second_frame
from PIL import Image

from dpiqa_desktop.metadata import jpeg
from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import with_rating
from dpiqa_desktop.metadata.splice import spliced

RATING = ExifRating(4, 75)
EXIF, XMP, EXTENSION = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
BLOCK = with_rating(None, ExifRating(1, 1))
JFIF = b"JFIF\0\1\2\0\0\1\0\1\0\0"
GUID = b"0123456789ABCDEF0123456789ABCDEF"
PHOTO = saved("JPEG")()[20:]  # from behind JFIF's segment on


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def exif(block=BLOCK):
    return segment(0xE1, EXIF + block)


def xmp(packet=b"<old/>"):
    return segment(0xE1, XMP + packet)


def put_together(*segments):
    return b"\xff\xd8" + b"".join(segments) + PHOTO


def edited(content, packet=PACKET, rating=RATING):
    file = io.BytesIO(content)
    return b"".join(spliced(file, jpeg.edit(file, packet, rating)))


def refused(content, reason, **options):
    with pytest.raises(UnsafeError, match=reason):
        edited(content, **options)


def test_new_segments_come_behind_jfif_and_exif():
    new = exif(with_rating(None, RATING)), xmp(PACKET)
    jfif, extension = segment(0xE0, JFIF), segment(0xE0, b"JFXX\0\x13")
    other = segment(0xE2, b"ICC_PROFILE\0")
    assert edited(put_together(other)) == put_together(*new, other)
    assert edited(put_together(jfif, other)) == put_together(jfif, *new, other)
    assert edited(put_together(jfif, extension, other)) == put_together(jfif, extension, *new, other)
    of_canon = segment(0xE0, b"II\x1a\0\0\0HEAPJPGM")
    before = jfif, of_canon, extension
    assert edited(put_together(*before, other)) == put_together(*before, *new, other)
    assert edited(put_together(other, jfif)) == put_together(*new, other, jfif)
    old = exif(), other
    assert edited(put_together(*old), rating=None) == put_together(old[0], new[1], other)


others = st.one_of(
    st.tuples(
        st.sampled_from([0xE0, 0xE2, 0xE3, 0xE7, 0xEB, 0xED, 0xEE, 0xEF, 0xFE, 0xE1]), st.binary(max_size=40)
    ).map(lambda made: segment(*made)),
    st.sampled_from(
        [
            b"\xff" * 3 + segment(0xFE, b"behind fill bytes"),
            b"\xff\x01",  # TEM
            b"\0" * 5 + segment(0xFE, b"behind what some writers leave between segments"),
            segment(0xE1, EXTENSION + GUID + bytes(8)),
            segment(0xE1, b"FLIR\0\1\0\0"),
        ]
    ),
)


@given(
    before=st.lists(others, max_size=4),
    between=st.lists(others, max_size=4),
    after=st.lists(others, max_size=4),
    has_exif=st.booleans(),
    has_xmp=st.booleans(),
    swapped=st.booleans(),
    trailer=st.binary(max_size=50),
)
def test_only_the_two_segments_change(before, between, after, has_exif, has_xmp, swapped, trailer):
    def file(first, second):
        two = (second, first) if swapped else (first, second)
        return put_together(*before, two[0], *between, two[1], *after) + trailer

    content = file(exif() if has_exif else b"", xmp() if has_xmp else b"")
    changed = edited(content)
    new_exif, new_xmp = exif(with_rating(BLOCK if has_exif else None, RATING)), xmp(PACKET)
    if has_exif and has_xmp:
        assert changed == file(new_exif, new_xmp)
    assert changed.count(new_exif) == changed.count(new_xmp) == 1
    rest = changed.replace(new_exif, b"").replace(new_xmp, b"")
    assert rest == file(b"", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (put_together(exif(), exif()), "two segments"),
        (put_together(xmp(), xmp()), "two segments"),
        (put_together(segment(0xE1, b"\0\0Exif\0\0" + BLOCK)), "unusual"),
        (put_together(segment(0xE1, b"exif\0\0" + BLOCK)), "unusual"),
        (put_together(segment(0xE1, XMP[:-1] + b"<x/>")), "unusual"),
        (put_together(segment(0xEB, b"JP\0\1\0\0\0\1\0\0\1\0jumb\0\0\0\x1ejumdc2pa")), "credentials"),
        (put_together(exif(b"no TIFF header")), "EXIF"),
        (put_together(b"\0" * 70_000), "cut off|damaged"),
        (put_together(b"\xff\xd8"), "damaged"),
        (put_together(b"\xff\xe5\0\1"), "damaged"),
        (b"\xff\xd8\xff\xe5\xff\xff", "damaged"),
        (b"\xff\xd8", "cut off"),
        (b"\x89PNG", "not a JPEG"),
        (put_together() + bytes(40) + b"AXS!\0\0\0\0\0\0\0\0", "AFCP"),
    ],
)
def test_what_is_not_certain_is_refused(content, reason):
    refused(content, reason)


def test_what_is_too_large_for_a_segment_is_refused():
    assert len(edited(put_together(), packet=bytes(65_502))) > 65_502
    refused(put_together(), "too large", packet=bytes(65_503))
    refused(put_together(exif(maker_note(bytes(65_480)))), "no room")


def test_extended_xmp_is_put_together_and_stays():
    main = xmp(b'<x xmpNote:HasExtendedXMP="' + GUID + b'"/>')
    parts = [
        segment(0xE1, EXTENSION + GUID + struct.pack(">II", 7, at) + part)
        for at, part in ((4, b"ded"), (0, b"exte"))
    ]
    content = put_together(main, *parts)
    assert jpeg.read(io.BytesIO(content)).extended_xmp == b"extended"[:4] + b"ded"
    new = PACKET.replace(b"xmp:Rating=", b'xmpNote:HasExtendedXMP="' + GUID + b'" xmp:Rating=')
    changed = edited(content, packet=new)
    assert jpeg.read(io.BytesIO(changed)).extended_xmp == b"exteded"
    assert all(part in changed for part in parts)
    incomplete = put_together(main, parts[0])
    refused(incomplete, "not complete")
    refused(put_together(main, *parts, parts[0]), "not complete")


def further_images(content):
    """Where the images of the Multi-Picture index are; the first excepted."""
    start = content.index(b"MPF\0") + 4
    base = content[start:]
    order = "<" if base[:2] == b"II" else ">"
    directory = struct.unpack_from(order + "I", base, 4)[0]
    for at in range(directory + 2, len(base), 12):
        tag, _, length, entries = struct.unpack_from(order + "HHII", base, at)
        if tag == 0xB002:
            offsets = [
                struct.unpack_from(order + "I", base, entries + i + 8)[0] for i in range(0, length, 16)
            ]
            return [start + offset for offset in offsets[1:]]
    raise AssertionError("no index")


@pytest.mark.parametrize("first", [True, False], ids=["index_first", "index_behind"])
def test_further_images_are_still_pointed_at(first):
    photo = with_second_frame("MPO")()
    at = photo.index(b"MPF\0") - 4
    index = photo[at : at + 2 + int.from_bytes(photo[at + 2 : at + 4], "big")]
    rest = photo[2:at] + photo[at + len(index) :]
    old = exif() + xmp()
    order = [index, old] if first else [old, index]
    content = bytearray(b"\xff\xd8" + b"".join(order) + rest)
    # Put the offset right for the new place of the index, as a camera would have it.
    [image] = further_images(photo)
    [wrong] = further_images(bytes(content))
    moved = len(content) - len(photo) + image
    entry = content.index(struct.pack("<I", wrong - (content.index(b"MPF\0") + 4)))
    content[entry : entry + 4] = struct.pack("<I", moved - (content.index(b"MPF\0") + 4))
    content = bytes(content)

    changed = edited(content)
    for each in (content, changed):
        assert [each[offset : offset + 3] for offset in further_images(each)] == [b"\xff\xd8\xff"]
    with Image.open(io.BytesIO(photo)) as before, Image.open(io.BytesIO(changed)) as after:
        before.seek(1)
        after.seek(1)
        assert after.tobytes() == before.tobytes()
    assert sum(a != b for a, b in zip(content[-len(rest) :], changed[-len(rest) :], strict=True)) == 0


def test_a_damaged_index_is_refused_only_if_its_images_would_move():
    index = segment(0xE2, b"MPF\0II*\0\xff\xff\0\0")
    assert index in edited(put_together(exif(), xmp(), index))
    refused(put_together(index, exif(), xmp()), "Multi-Picture")


def test_a_motion_photo_keeps_its_video():
    video = struct.pack(">I", 24) + b"ftypmp42" + bytes(range(256)) * 50
    content = put_together(exif(), xmp()) + video
    assert edited(content).endswith(PHOTO + video)


def maker_note(note):
    """EXIF with this note, little-endian."""
    exif_directory = struct.pack("<HHHIII", 1, 0x927C, 7, len(note), 44, 0)
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0) + exif_directory + note


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("base", [0, 44, 54])
def test_a_preview_behind_the_image_is_not_left_behind(order, base):
    def content(pointer):
        return put_together(exif(maker_note(struct.pack(f"{order}HHHII", 1, 0x88, 4, 1, pointer)))) + PREVIEW

    preview = len(content(0)) - len(PREVIEW) - 12
    refused(content(preview - base), "points at data behind it")
    assert edited(content(preview - base + 4)).endswith(PREVIEW)
    # What is no longer than before moves nothing.
    with_packet = content(preview - base).replace(PHOTO, xmp(b"<old/>") + PHOTO)
    assert edited(with_packet, packet=b"<new/>", rating=None).count(b"<new/>") == 1


PREVIEW = saved("JPEG", quality=10)()


def test_a_value_behind_the_block_is_not_left_behind():
    def content(offset, size):
        return put_together(exif(b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x010E, 2, size, offset, 0)))

    refused(content(200, 50), "points at data behind it")
    refused(content(20, 50), "points at data behind it")
    assert edited(content(8, 6)).endswith(PHOTO)
    assert edited(content(10**8, 50)).endswith(PHOTO)  # leads nowhere, before and after


@settings(max_examples=300)
@given(block=st.binary(max_size=120), order=st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_no_exif_block_breaks_it(block, order):
    content = put_together(exif(order + block))
    try:
        changed = edited(content)
    except UnsafeError:
        return
    assert changed.endswith(PHOTO)


def test_segments_far_behind_the_first_read():
    long = [segment(0xE2, bytes([number]) * 65_533) for number in range(5)]
    new = exif(with_rating(BLOCK, RATING)), xmp(PACKET)
    assert edited(put_together(*long, exif(), *long, xmp())) == put_together(*long, new[0], *long, new[1])


class CountingFile(io.BytesIO):
    taken = 0

    def read(self, size=-1):
        content = super().read(size)
        self.taken += len(content)
        return content


def test_only_the_head_is_read():
    file = CountingFile(put_together(exif(), xmp()) + bytes(10_000_000))
    jpeg.read(file)
    assert file.taken <= 65_536
