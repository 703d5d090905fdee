"""The capture time is read where it is, and nothing written by a stranger can do harm."""

import struct
import time
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers.photos import exif_block

from dpiqa_desktop.engine.capture_time import capture_time

DATE = b"2021:02:03 04:05:06"
WHOLE = datetime(2021, 2, 3, 4, 5, 6, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize(
    ("sub_sec", "fraction"),
    [(None, 0), (b"5", 0.5), (b"05", 0.05), (b"123", 0.123), (b"250000", 0.25), (b"50  ", 0.5), (b"x", 0)],
)
def test_date_and_fraction_in_either_byte_order(order, prefix, sub_sec, fraction):
    exif = prefix + exif_block(DATE, sub_sec, order=order)
    assert capture_time(exif) == pytest.approx(WHOLE + fraction, abs=1e-6)


def test_the_zone_of_this_computer_does_not_matter(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("this system cannot change its zone")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert capture_time(exif_block(DATE)) == WHOLE
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "date",
    [
        b"0000:00:00 00:00:00",
        b"    :  :     :  :  ",
        b"2021:02:30 04:05:06",
        b"2021:02:03 24:05:06",
        b"yesterday",
        b"2021",
        b"",
        None,
    ],
)
def test_no_date_and_nonsense_are_none(date):
    assert capture_time(exif_block(date, b"5")) is None


def test_years_before_1970_count_too():
    assert capture_time(exif_block(b"1969:12:31 23:59:59")) == -1


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*" + b"\0" * 4])
def test_stumps_are_none(exif):
    assert capture_time(exif) is None


def test_directories_that_point_at_themselves_end():
    first = struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 34665, 4, 1, 8)
    assert capture_time(first) is None


def test_a_text_without_end_is_not_read_to_the_end():
    exif = bytearray(exif_block(DATE))
    at = exif.index(struct.pack("<HH", 36867, 2))
    struct.pack_into("<I", exif, at + 4, 0xFFFFFFFF)
    assert capture_time(bytes(exif) + bytes(1000)) == WHOLE


@given(st.binary(max_size=300))
def test_noise_never_raises(noise):
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert capture_time(start + noise) is None or isinstance(capture_time(start + noise), float)


def test_bytes_turned_anywhere_never_raise():
    damage = np.random.default_rng(0)
    whole = exif_block(DATE, b"50", orientation=6)
    outcomes = set()
    for _ in range(3000):
        exif = bytearray(whole)
        for at in damage.integers(0, len(exif), int(damage.integers(1, 4))):
            exif[at] = int(damage.integers(0, 256))
        outcomes.add(capture_time(bytes(exif[: int(damage.integers(8, len(exif) + 1))])) is None)
    assert outcomes == {True, False}
