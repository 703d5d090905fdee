"""Every format that is written into: what is asked for is read back, by us and others, and all else stays."""

import io
import json
import shutil
import subprocess
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers.formats import FORMATS, PACKET
from PIL import Image, ImageSequence

from dpiqa_desktop.metadata.embedded import Embedded, ExifRating, UnsafeError
from dpiqa_desktop.metadata.splice import inverse, spliced

RATING = ExifRating(4, 75)
SAMPLES = [(form, name) for form in FORMATS for name in form.photos]
every_sample = pytest.mark.parametrize(
    ("form", "name"), SAMPLES, ids=[f"{form.name}-{name}" for form, name in SAMPLES]
)


def edited(form, content, xmp=PACKET, exif=RATING):
    file = io.BytesIO(content)
    return b"".join(spliced(file, form.module.edit(file, xmp, exif)))


def read(form, content):
    return form.module.read(io.BytesIO(content))


def frames(content):
    """All pixels of all pictures; None if Pillow does not read them."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            warnings.simplefilter("ignore")
            return [(frame.mode, frame.size, frame.tobytes()) for frame in ImageSequence.Iterator(image)]
    except Exception:  # whatever a decoder does with a damaged file
        return None


@every_sample
def test_what_is_asked_for_is_read_back_and_the_pixels_stay(form, name):
    content = form.photos[name]()
    changed = edited(form, content)
    assert read(form, changed) == Embedded(RATING, PACKET)
    assert frames(changed) == frames(content) != None  # noqa: E711


@every_sample
def test_nothing_asked_for_changes_nothing(form, name):
    content = form.photos[name]()
    assert form.module.edit(io.BytesIO(content), None, None) == ()
    changed = edited(form, content)
    assert form.module.edit(io.BytesIO(changed), PACKET, RATING) == ()


@every_sample
def test_each_of_the_two_leaves_the_other(form, name):
    content = form.photos[name]()
    before = read(form, content)
    assert read(form, edited(form, content, exif=None)) == Embedded(before.exif, PACKET)
    assert read(form, edited(form, content, xmp=None)) == Embedded(RATING, before.xmp)


@every_sample
@pytest.mark.parametrize(
    "packet", [PACKET + b" " * 4001, PACKET[:-40], b""], ids=["longer", "shorter", "empty"]
)
def test_a_second_change_and_the_way_back(form, name, packet):
    file = io.BytesIO(edited(form, form.photos[name]()))
    splices = form.module.edit(file, packet, ExifRating(1, 2))
    changed = b"".join(spliced(file, splices))
    assert read(form, changed) == Embedded(ExifRating(1, 2), packet)
    assert frames(changed) == frames(file.getvalue())
    assert b"".join(spliced(io.BytesIO(changed), inverse(splices))) == file.getvalue()


@every_sample
def test_other_tools_read_it(form, name, tmp_path):
    path = tmp_path / f"photo.{form.name}"
    path.write_bytes(edited(form, form.photos[name]()))
    if shutil.which("exiftool"):
        [found] = json.loads(_run("exiftool", "-j", "-G1", "-n", str(path)))
        assert (found["XMP-xmp:Rating"], found["IFD0:Rating"], found["IFD0:RatingPercent"]) == (4, 4, 75)
        assert "ExifTool:Warning" not in found
    if shutil.which("exiv2") and form.name != "webp":
        found = _run("exiv2", "-q", "-Pkv", "-K", "Xmp.xmp.Rating", "-K", "Exif.Image.Rating", str(path))
        assert sorted(found.split()) == ["4", "4", "Exif.Image.Rating", "Xmp.xmp.Rating"]


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@every_sample
def test_a_file_cut_anywhere_is_refused_or_changed_rightly(form, name):
    content = form.photos[name]()
    for length in {*range(0, min(len(content), 1500), 7), *range(0, len(content), 101)}:
        _right_or_refused(form, content[:length])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_is_refused_or_passed_by(form, data):
    content = bytearray(form.photos[data.draw(st.sampled_from(sorted(form.photos)))]())
    if data.draw(st.booleans()):
        content = bytearray(edited(form, bytes(content)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content), data.draw(st.sampled_from([40, 800, 10**6])))))
        cut = data.draw(st.integers(0, 3))
        content[at : at + cut] = data.draw(
            st.one_of(
                st.binary(max_size=4), st.sampled_from([b"\xff\xd8", b"\xff\xe1", b"\0\0", b"Exif\0\0"])
            )
        )
    _right_or_refused(form, bytes(content))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_worse(content):
    for form in FORMATS:
        for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP"):
            _right_or_refused(form, start + content)


def _right_or_refused(form, content):
    before = _or_reason(read, form, content)
    changed = _or_reason(edited, form, content)
    if isinstance(changed, str):
        assert changed
        return
    after = read(form, changed)
    assert isinstance(before, Embedded)
    assert after == Embedded(RATING, PACKET, None)
    pixels = frames(content)
    assert pixels is None or frames(changed) == pixels


def _or_reason(function, form, content):
    try:
        return function(form, content)
    except UnsafeError as error:
        return str(error)
