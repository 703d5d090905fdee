"""The rating goes into EXIF blocks of every build, and nothing else in them moves or changes."""

from __future__ import annotations

import struct

import piexif
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpiqa_desktop.metadata.embedded import ExifRating, UnsafeError
from dpiqa_desktop.metadata.exif import read_rating, with_rating

FOUR = ExifRating(4, 73)
MAKER_NOTE, EXIF, GPS = 0x927C, 0x8769, 0x8825
NO_RATING = st.none()


@st.composite
def blocks(draw, ratings=NO_RATING):
    """Blocks as cameras write them: directories anywhere, a MakerNote with absolute offsets.

    Built from its end: every part is put down before what points at it.
    """
    order = draw(st.sampled_from("<>"))
    block = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0))

    def put(content: bytes) -> int:
        block.extend(draw(st.binary(max_size=5)))  # junk that nothing points at
        block.extend(b"\0" * (len(block) % 2))
        block.extend(content)
        return len(block) - len(content)

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
    thumbnail = put(b"\xff\xd8thumbnail\xff\xd9")
    first = {
        0x010F: (2, len(text) + 1, text.replace(b"\0", b".") + b"\0"),
        0x0112: (3, 1, struct.pack(f"{order}H", 6)),
        EXIF: (4, 1, struct.pack(f"{order}I", put(directory(inner)))),
        GPS: (4, 1, struct.pack(f"{order}I", put(directory({0: (1, 4, b"\2\2\0\0")})))),
        0xC4A5: (7, 8, b"PrintIM\0"),
    }
    rating = draw(ratings)
    if rating is not None:
        for tag, number in ((0x4746, rating.rating), (0x4749, rating.percent)):
            if number is not None:
                first[tag] = (3, 1, struct.pack(f"{order}H", number))
    second = {
        0x0201: (4, 1, struct.pack(f"{order}I", thumbnail)),
        0x0202: (4, 1, struct.pack(f"{order}I", 13)),
    }
    at = put(directory(first, put(directory(second))))
    block[4:8] = struct.pack(f"{order}I", at)
    block.extend(draw(st.binary(max_size=3)))
    return bytes(block)


ratings = st.builds(ExifRating, st.none() | st.integers(0, 5), st.none() | st.integers(0, 99))


def tags(block):
    """All that piexif reads, without the rating."""
    read = piexif.load(b"Exif\0\0" + block)
    for tag in (0x4746, 0x4749):
        read["0th"].pop(tag, None)
    return read


@given(blocks(ratings), ratings)
def test_only_the_rating_changes_and_nothing_moves(block, wanted):
    changed = with_rating(block, wanted)
    assert read_rating(changed) == wanted
    found = piexif.load(b"Exif\0\0" + changed)["0th"]
    assert (found.get(0x4746), found.get(0x4749)) == (wanted.rating, wanted.percent)
    old, new = tags(block), tags(changed)
    # The pointers to directories are unchanged; piexif does not tell them.
    assert new == old
    header_or_values = sum(a != b for a, b in zip(block[8:], changed[8:], strict=False))
    assert header_or_values <= 4


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
    assert len(once) - len(block) <= 1 + 2 + 7 * 12 + 4
    assert len(with_rating(once, ExifRating(1, 1))) == len(once)


def test_a_new_block_holds_the_rating_alone():
    block = with_rating(None, FOUR)
    assert read_rating(block) == FOUR
    assert piexif.load(b"Exif\0\0" + block)["0th"] == {0x4746: 4, 0x4749: 73}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "packed"), [(1, "B"), (3, "H"), (4, "I")])
def test_other_types_are_read_and_become_the_right_one(order, kind, packed):
    value = struct.pack(order + packed, 3).ljust(4, b"\0")
    block = struct.pack(f"{order}2sHIHHHI", b"II" if order == "<" else b"MM", 42, 8, 1, 0x4746, kind, 1)
    block += value + bytes(4)
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
        (b"II*\0\x08\0\0\0\x02\0" + bytes(28), "twice"),
        (b"II*\0\x08\0\0\0\x01\0" + b"\x46\x47\2\0\4\0\0\0good" + bytes(4), "no number"),
    ],
)
def test_damage_is_refused(block, reason):
    for change in (read_rating, lambda block: with_rating(block, FOUR)):
        with pytest.raises(UnsafeError, match=reason):
            change(block)


@given(blocks(ratings), st.data())
def test_mutations_end_well_or_are_refused(block, data):
    mutated = bytearray(block)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    mutated = bytes(mutated[: data.draw(st.integers(0, len(mutated)))])
    try:
        changed = with_rating(mutated, FOUR)
    except UnsafeError:
        return
    assert read_rating(changed) == FOUR
    assert len(changed) >= len(mutated)


def test_the_last_entries_are_not_taken_out():
    with pytest.raises(UnsafeError, match="empty"):
        with_rating(with_rating(None, FOUR), ExifRating())


@pytest.mark.parametrize("order", "<>")
def test_a_value_in_the_header_is_refused(order):
    """The header changes, and such a value would with it."""
    table = struct.pack(f"{order}HHHIII", 1, 0xC4A5, 7, 40, 0, 0)
    block = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8) + table + bytes(40)
    with pytest.raises(UnsafeError, match="in its header"):
        with_rating(block, FOUR)
