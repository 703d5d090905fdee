"""The rating goes into EXIF blocks of every build, and nothing else in them moves or changes."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess

import piexif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import read_rating, with_rating

FOUR = ExifRating(4, 73)
MAKER_NOTE, EXIF, GPS, SUB_DIRECTORIES = 0x927C, 0x8769, 0x8825, 0x014A
THUMBNAIL, THUMBNAIL_LENGTH = 0x0201, 0x0202
OURS = (0x4746, 0x4749)
ORIENTATION = (0x0112, 3, 1, 6)
NO_RATING = st.none()


@st.composite
def blocks(draw, ratings=NO_RATING):
    """Blocks as cameras write them: directories anywhere, a MakerNote with absolute offsets.

    Built from its end: every part is put down before what points at it; but the first directory may have a
    place kept for it at the beginning, where most cameras have it.
    """
    order = draw(st.sampled_from("<>"))
    block = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8))
    rating = draw(ratings) or ExifRating()
    rated = {
        tag: (3, 1, struct.pack(f"{order}H", number))
        for tag, number in zip(OURS, (rating.rating, rating.percent), strict=True)
        if number is not None
    }
    comes_first = draw(st.booleans())
    if comes_first:
        block.extend(bytes(2 + 12 * (6 + len(rated)) + 4))

    def put(content: bytes) -> int:
        block.extend(draw(st.binary(max_size=5)))  # junk that nothing points at
        block.extend(b"\0" * (len(block) % 2))
        block.extend(content)
        return len(block) - len(content)

    def long(number: int) -> tuple[int, int, bytes]:
        return (4, 1, struct.pack(f"{order}I", number))

    def directory(entries: dict[int, tuple[int, int, bytes]], following: int = 0) -> bytes:
        table = struct.pack(f"{order}H", len(entries))
        for tag, (kind, count, value) in sorted(entries.items()):
            if len(value) > 4:
                value = struct.pack(f"{order}I", put(value))
            table += struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")
        return table + struct.pack(f"{order}I", following)

    text = draw(st.binary(min_size=1, max_size=40))
    note = struct.pack(f"{order}HHHII", 1, 1, 2, len(text), put(text))  # points out of itself
    inner = {MAKER_NOTE: (7, len(note), note), 0x9003: (2, 20, b"2026:05:01 12:00:00\0")}
    subs = [put(directory({0x0100: long(number)})) for number in range(draw(st.integers(1, 3)))]
    first = {
        0x010F: (2, len(text) + 1, text.replace(b"\0", b".") + b"\0"),
        0x0112: (3, 1, struct.pack(f"{order}H", 6)),
        SUB_DIRECTORIES: (4, len(subs), struct.pack(f"{order}{len(subs)}I", *subs)),
        EXIF: long(put(directory(inner))),
        GPS: long(put(directory({0: (1, 4, b"\2\2\0\0")}))),
        0xC4A5: (7, 8, b"PrintIM\0"),
        **rated,
    }
    second = {THUMBNAIL: long(put(b"\xff\xd8thumbnail\xff\xd9")), THUMBNAIL_LENGTH: long(13)}
    table = directory(first, put(directory(second)))
    if comes_first:
        block[8 : 8 + len(table)] = table
    else:
        block[4:8] = struct.pack(f"{order}I", put(table))
    block.extend(draw(st.binary(max_size=3)))
    return bytes(block)


def small(*entries, following=0, rest=b"", order="<"):
    """A block of one directory at offset 8, of (tag, type, count, value or offset), and what comes after."""
    block = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        block += struct.pack(f"{order}HHI", tag, kind, count)
        block += value if isinstance(value, bytes) else struct.pack(f"{order}I", value)
    return block + struct.pack(f"{order}I", following) + rest


def end_of(entries):
    """Where a small block's directory ends, and the rest begins."""
    return 8 + 2 + 12 * entries + 4


ratings = st.builds(ExifRating, st.none() | st.integers(0, 5), st.none() | st.integers(0, 99))


def tags(block):
    """All that piexif and Pillow read, without the rating."""
    by_piexif = piexif.load(b"Exif\0\0" + block)
    pillow = Image.Exif()
    pillow.load(b"Exif\0\0" + block)
    by_pillow = [dict(pillow), pillow.get_ifd(EXIF), pillow.get_ifd(GPS)]
    for directory in (by_piexif["0th"], by_pillow[0]):
        for tag in OURS:
            directory.pop(tag, None)
    return by_piexif, by_pillow


@given(blocks(ratings), ratings)
def test_only_the_rating_changes_and_nothing_moves(block, wanted):
    changed = with_rating(block, wanted)
    assert read_rating(changed) == wanted
    found = piexif.load(b"Exif\0\0" + changed)["0th"]
    assert (found.get(0x4746), found.get(0x4749)) == (wanted.rating, wanted.percent)
    assert tags(changed) == tags(block)
    assert values(changed) == values(block)
    assert sum(a != b for a, b in zip(block[8:], changed[8:], strict=False)) <= 2  # two values, below 256


@given(blocks(ratings))
def test_what_was_put_in_can_be_taken_out(block):
    before = read_rating(block)
    assert read_rating(with_rating(with_rating(block, FOUR), before)) == before


@given(blocks(st.just(ExifRating(1, 10))))
def test_a_rating_that_is_there_is_changed_in_its_place(block):
    changed = with_rating(block, FOUR)
    assert len(changed) == len(block)
    assert sum(a != b for a, b in zip(block, changed, strict=True)) == 2


@given(blocks())
def test_a_block_grows_by_no_more_than_its_first_directory(block):
    once = with_rating(block, FOUR)
    assert once[8:].startswith(block[8:])
    assert len(once) - len(block) <= 1 + 2 + 8 * 12 + 4
    assert len(with_rating(once, ExifRating(1, 1))) == len(once)


def test_a_new_block_holds_the_rating_alone():
    block = with_rating(None, FOUR)
    assert read_rating(block) == FOUR
    assert piexif.load(b"Exif\0\0" + block)["0th"] == {0x4746: 4, 0x4749: 73}


def test_the_last_entries_are_not_taken_out():
    for block in (None, with_rating(None, FOUR)):
        with pytest.raises(UnsafeError, match="empty"):
            with_rating(block, ExifRating())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "packed"), [(1, "B"), (3, "H"), (4, "I")])
def test_other_types_are_read_and_become_the_right_one(order, kind, packed):
    block = small((0x4746, kind, 1, struct.pack(order + packed, 3).ljust(4, b"\0")), order=order)
    assert read_rating(block) == ExifRating(3)
    assert piexif.load(b"Exif\0\0" + with_rating(block, FOUR))["0th"] == {0x4746: 4, 0x4749: 73}


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"", "without a TIFF header"),
        (b"II*\0", "without a TIFF header"),
        (b"XX*\0\x08\0\0\0\0\0", "without a TIFF header"),
        (b"II+\0\x08\0\0\0\0\0", "BigTIFF"),
        (b"II*\0\x02\0\0\0\0\0", "in the header"),
        (b"II*\0\x08\0\0\0", "without a first directory"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "without a first directory"),
        (b"II*\0\xff\xff\xff\xff\0\0\0\0\0\0", "without a first directory"),
        (b"II*\0\x08\0\0\0\xff\xff" + bytes(100), "without a first directory"),
        (b"II*\0\x08\0\0\0\x02\0" + bytes(20), "cut off"),
        (small(ORIENTATION)[:-1], "cut off"),
        (small((0x4746, 3, 1, 1), (0x4746, 3, 1, 2)), "twice"),
        (small((0x4746, 2, 4, b"good")), "no number"),
        (small((0x4746, 3, 2, 1)), "no number"),
        (small((0x4746, 4, 1, 0x10000)), "out of all bounds"),
    ],
)
def test_damage_is_refused(block, reason):
    for change in (read_rating, lambda block: with_rating(block, FOUR)):
        with pytest.raises(UnsafeError, match=reason):
            change(block)


@pytest.mark.parametrize(
    "block",
    [
        small(ORIENTATION, (0x010F, 2, 20, end_of(2)), rest=b"cut off"),
        small(ORIENTATION, (0x010F, 2, 8, 4)),
        small(ORIENTATION, (EXIF, 4, 1, end_of(2)), rest=b"\2\0" + bytes(12)),
        small(ORIENTATION, (EXIF, 4, 1, end_of(2))),
        small(ORIENTATION, following=end_of(1), rest=small(ORIENTATION)[8:-4]),
        small((THUMBNAIL, 4, 1, end_of(2)), (THUMBNAIL_LENGTH, 4, 1, 10), rest=b"\xff\xd8"),
        small((SUB_DIRECTORIES, 4, 2, end_of(1)), rest=struct.pack("<II", 0, end_of(1) + 8)),
    ],
    ids=["value", "header", "EXIF", "begins at the end", "no following", "thumbnail", "sub-directory"],
)
def test_nothing_is_put_where_something_else_would_read_it(block):
    assert read_rating(block) == ExifRating()
    with pytest.raises(UnsafeError, match="points at data behind it"):
        with_rating(block, FOUR)


def test_what_something_else_reads_is_not_changed_in_its_place():
    block = small((0x010F, 2, 8, 8 + 2 + 12 + 8), (0x4746, 3, 1, 1), (0x4749, 3, 1, 1))
    with pytest.raises(UnsafeError, match="points at data behind it"):
        with_rating(block, FOUR)


def test_cut_off_values_do_not_hinder_changes_in_place():
    block = small((0x010F, 2, 20, end_of(3)), (0x4746, 3, 1, 1), (0x4749, 3, 1, 1))
    assert read_rating(with_rating(block, FOUR)) == FOUR


@pytest.mark.parametrize(
    "block",
    [
        small(ORIENTATION, following=8),
        small(ORIENTATION, (EXIF, 4, 1, 8)),
        small(ORIENTATION, following=end_of(1), rest=b"\0\0\x08\0\0\0"),
    ],
    ids=["to itself", "by EXIF", "by the second"],
)
def test_circles_through_the_first_directory_are_refused(block):
    with pytest.raises(UnsafeError, match="in a circle"):
        with_rating(block, FOUR)


def test_circles_elsewhere_are_left():
    block = small(ORIENTATION, following=end_of(1), rest=b"\0\0" + struct.pack("<I", end_of(1)))
    assert read_rating(with_rating(block, FOUR)) == FOUR


@pytest.mark.parametrize("order", ["<", ">"])
def test_entries_keep_their_order_and_their_doubles(order):
    others = [(0x8298, 2, 2, b"a\0\0\0"), (0x0112, 3, 1, b"\0\6\0\6"), (0x8298, 2, 2, b"b\0zz")]
    block = small(*others, order=order)
    rating = [
        (tag, 3, 1, struct.pack(f"{order}HH", value, 0)) for tag, value in zip(OURS, (4, 73), strict=True)
    ]
    once = with_rating(block, FOUR)
    assert once[len(block) :] == small(*rating, *others, order=order)[8:]
    assert with_rating(once, ExifRating())[len(once) :] == block[8:]


def test_a_full_directory_gets_no_more():
    block = small(*[(number, 3, 1, 0) for number in range(4095)])
    assert read_rating(with_rating(block, ExifRating(4))) == ExifRating(4)
    with pytest.raises(UnsafeError, match="no room"):
        with_rating(block, FOUR)


def test_directories_without_end_are_not_walked_forever():
    block = bytearray(small(ORIENTATION, following=end_of(1)))
    for _ in range(70_000):
        block += bytes(2) + struct.pack("<I", len(block) + 6)
    with pytest.raises(UnsafeError, match="directories"):
        with_rating(bytes(block), FOUR)


def test_what_follows_a_number_in_its_entry_stays():
    block = small((0x4746, 3, 1, b"\1\0xy"), (0x4749, 3, 1, b"\1\0zz"))
    assert with_rating(block, FOUR) == small((0x4746, 3, 1, b"\4\0xy"), (0x4749, 3, 1, b"\x49\0zz"))


def values(block):
    """What each entry of each directory reads, as slices of the block, cut off ones too; not the rating."""
    order = "<" if block[:2] == b"II" else ">"
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
    seen = []

    def number(form, at):
        content = block[at : at + struct.calcsize(form)]
        return struct.unpack(order + form, content)[0] if len(content) == struct.calcsize(form) else 0

    def walk(offset, path):
        if offset == 0 or len(path) > 3:
            return
        count = number("H", offset)
        for at in range(offset + 2, min(offset + 2 + 12 * count, len(block) - 11), 12):
            tag, kind, length = number("H", at), number("H", at + 2), number("I", at + 4)
            if not path and tag in OURS:
                continue
            size = sizes.get(kind, 0) * length
            start = at + 8 if size <= 4 else number("I", at + 8)
            seen.append((path, tag, kind, length, block[start : start + size]))
            if tag in (EXIF, GPS, 0xA005) and kind == 4 and length == 1:
                walk(number("I", start), (*path, tag))
        if not path or path[-1] == "next":
            walk(number("I", offset + 2 + 12 * count), (*path, "next"))

    walk(number("I", 4), ())
    return seen


def ends_well_or_is_refused(block):
    """Whether it ended well."""
    try:
        changed = with_rating(block, FOUR)
    except UnsafeError:
        return False
    assert read_rating(changed) == FOUR
    assert values(changed) == values(block)
    if len(changed) == len(block):
        assert sum(a != b for a, b in zip(block, changed, strict=True)) <= 4
    else:
        assert changed[:4] == block[:4]
        assert changed[8:].startswith(block[8:])
    return True


@given(blocks(ratings), st.data())
def test_mutations_end_well_or_are_refused(block, data):
    mutated = bytearray(block)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    ends_well_or_is_refused(bytes(mutated[: data.draw(st.integers(0, len(mutated)))]))


@given(st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]), st.binary(max_size=80))
def test_any_bytes_end_well_or_are_refused(header, content):
    ends_well_or_is_refused(header + content)


@pytest.fixture(scope="session")
def real_blocks(shared):
    """The EXIF blocks of cameras' JPEGs, by name."""
    found = {}
    for path in sorted((shared / "data" / "camera").rglob("*.jpg")):
        content = path.read_bytes()
        at = content.find(b"Exif\0\0", 0, 65_536)
        if at >= 4 and content[at - 4 : at - 2] == b"\xff\xe1":
            end = at - 2 + int.from_bytes(content[at - 2 : at], "big")
            found[f"{path.parent.name}-{path.stem}"] = content[at + 6 : end]
    return found


def test_real_blocks_get_a_rating_and_lose_nothing(real_blocks):
    refused = [name for name, block in real_blocks.items() if not ends_well_or_is_refused(block)]
    assert len(refused) < len(real_blocks) / 20, refused


@given(data=st.data())
def test_mutated_real_blocks_end_well_or_are_refused(real_blocks, data):
    block = bytearray(real_blocks[data.draw(st.sampled_from(sorted(real_blocks)))])
    first = int.from_bytes(block[4:8], "little" if block[:2] == b"II" else "big")
    near = st.integers(0, min(first + 200, len(block) - 1))
    for at in data.draw(st.lists(near | st.integers(0, len(block) - 1), max_size=6)):
        block[at] = data.draw(st.integers(0, 255))
    ends_well_or_is_refused(bytes(block[: data.draw(st.just(len(block)) | st.integers(0, len(block)))]))


def test_exiftool_finds_the_rating_and_all_else_as_before(real_blocks, tmp_path):
    if shutil.which("exiftool") is None:
        pytest.skip("needs ExifTool")
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    for name, block in real_blocks.items():
        if ends_well_or_is_refused(block):
            (tmp_path / "before" / f"{name}.tif").write_bytes(block)
            (tmp_path / "after" / f"{name}.tif").write_bytes(with_rating(block, FOUR))
    before, after = (by_exiftool(tmp_path / folder) for folder in ("before", "after"))
    assert before.keys() == after.keys()
    for name, found in after.items():
        assert (found["IFD0:Rating"], found["IFD0:RatingPercent"]) == (4, 73)
        assert {tag: value for tag, value in found.items() if not tag.startswith("IFD0:Rating")} == {
            tag: value for tag, value in before[name].items() if not tag.startswith("IFD0:Rating")
        }, name


def by_exiftool(folder):
    """By file: all tags, unknown ones and those of MakerNotes included, and its warnings."""
    done = subprocess.run(
        ["exiftool", "-j", "-n", "-a", "-u", "-G1", "-b", "-all", "--File:all", "--System:all", str(folder)],
        capture_output=True,
        check=False,  # it fails if there is a warning
    )
    return {found.pop("SourceFile").rpartition("/")[2]: found for found in json.loads(done.stdout)}
