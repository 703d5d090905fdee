"""RAW files: the preview where it is good enough, else the sensor's own data; upright either way."""

import contextlib
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from types import SimpleNamespace

import numpy as np
import pytest
from makers.photos import exif_block, jpeg, save_dng, scene
from PIL import Image

from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.engine.raw import SCANNED_SUFFIXES, upright_orientation
from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.preprocess import squash

rawpy = pytest.importorskip("rawpy")

TAKEN = (b"2021:02:03 04:05:06", b"25")
TAKEN_AT = datetime(2021, 2, 3, 4, 5, 6, 250_000, tzinfo=timezone.utc).timestamp()

# The sensor sees one colour a pixel, and the scene has noise of deviation 3. A turn, a channel order, a white
# balance or a curve that is wrong is off by 15 and more.
TOLERANCE = 5
# What tells the preview from the sensor's data: it is mirrored, which no camera does.
UNLIKE = 10


def _mirrored(photo):
    return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _distance(a, b):
    return np.abs(a.astype(int) - b.astype(int)).mean()


def test_a_raw_without_preview_is_developed_at_half_size(tmp_path):
    save_dng(scene(320, 240), tmp_path / "a.dng")
    pixels = decode(str(tmp_path / "a.dng"), None).pixels
    assert pixels.shape == (120, 160, 3)
    assert _distance(pixels, np.asarray(scene(320, 240).resize((160, 120), Image.Resampling.BOX))) < TOLERANCE
    assert _distance(decode(str(tmp_path / "a.dng"), 64).pixels, squash(scene(320, 240), 64)) < TOLERANCE


def test_an_underexposed_raw_stays_dark(tmp_path):
    dark = scene(320, 240).point(lambda level: level // 4)
    save_dng(dark, tmp_path / "a.dng")
    assert _distance(decode(str(tmp_path / "a.dng"), 64).pixels, squash(dark, 64)) < TOLERANCE


@pytest.mark.parametrize(("orientation", "turn"), [(1, None), (3, 3), (6, 4), (8, 2)])
@pytest.mark.parametrize("with_preview", [False, True])
def test_raws_are_turned_upright_once(orientation, turn, with_preview, tmp_path):
    stored = scene(320, 240)
    upright = stored if turn is None else stored.transpose(Image.Transpose(turn))
    preview = jpeg(stored.resize((200, 150))) if with_preview else None
    save_dng(stored, tmp_path / "a.dng", preview, orientation)
    assert _distance(decode(str(tmp_path / "a.dng"), 96).pixels, squash(upright, 96)) < TOLERANCE


def test_a_preview_that_the_camera_turned_is_not_turned_again(tmp_path):
    stored = scene(320, 240)
    upright = stored.transpose(Image.Transpose.ROTATE_270)
    save_dng(stored, tmp_path / "a.dng", jpeg(upright), orientation=6)
    assert _distance(decode(str(tmp_path / "a.dng"), 96).pixels, squash(upright, 96)) < TOLERANCE


@pytest.mark.parametrize(
    ("preview", "exif", "flip", "expected"),
    [
        ((600, 400), None, 0, 1),
        ((600, 400), None, 6, 6),
        ((600, 400), 6, 6, 6),
        ((600, 400), 8, 5, 8),
        ((600, 400), 1, 6, 6),  # EXIF does not tell
        ((400, 600), 1, 6, 1),  # turned by the camera, and it says so
        ((400, 600), 6, 6, 1),  # turned by the camera, EXIF copied from the RAW
        ((400, 600), None, 5, 1),
        ((600, 400), None, 3, 3),
        ((600, 400), 1, 3, 1),
        ((600, 400), 6, 0, 1),
        ((500, 500), None, 6, 6),
    ],
)
def test_the_upright_side_of_a_preview(preview, exif, flip, expected):
    sizes = SimpleNamespace(width=6000, height=4000, flip=flip)
    assert upright_orientation(preview, exif, sizes) == expected


@pytest.mark.parametrize(("size", "preview_is_used"), [(64, True), (150, True), (151, False), (None, True)])
def test_the_preview_counts_if_it_is_big_enough(size, preview_is_used, tmp_path):
    photo = scene(300, 300)
    save_dng(photo, tmp_path / "a.dng", jpeg(_mirrored(photo).resize((200, 150))))
    shown = _mirrored(photo) if preview_is_used else photo
    pixels = decode(str(tmp_path / "a.dng"), size).pixels
    side = size or 200
    expected = np.asarray(shown.resize((side, size or 150), Image.Resampling.BILINEAR))
    assert _distance(pixels, expected) < TOLERANCE
    assert _distance(pixels, expected[:, ::-1]) > UNLIKE


def test_a_broken_preview_does_not_cost_the_photo(tmp_path):
    preview = jpeg(_mirrored(scene(320, 240)))
    preview = preview[: len(preview) // 2] + bytes(len(preview) - len(preview) // 2)
    preview = preview.replace(b"\xff\xda", b"\xff\xd9")  # nothing is left to be decoded
    save_dng(scene(320, 240), tmp_path / "a.dng", preview)
    assert _distance(decode(str(tmp_path / "a.dng"), 96).pixels, squash(scene(320, 240), 96)) < TOLERANCE


@pytest.mark.parametrize("with_preview", [False, True])
def test_the_raw_tells_when_it_was_taken(with_preview, tmp_path):
    preview = jpeg(scene(320, 240)) if with_preview else None
    save_dng(scene(320, 240), tmp_path / "a.dng", preview, exif=TAKEN)
    assert decode(str(tmp_path / "a.dng"), 96).captured_at == TAKEN_AT


def test_else_its_preview_does(tmp_path):
    save_dng(scene(320, 240), tmp_path / "a.dng", jpeg(scene(320, 240), exif_block(*TAKEN)))
    assert decode(str(tmp_path / "a.dng"), 96).captured_at == TAKEN_AT


def test_or_neither(tmp_path):
    save_dng(scene(320, 240), tmp_path / "a.dng", jpeg(scene(320, 240)))
    assert decode(str(tmp_path / "a.dng"), 96).captured_at is None


@pytest.mark.parametrize("with_preview", [False, True])
def test_a_bomb_is_refused(with_preview, tmp_path):
    """By what the sensor has, even if the preview alone would do: the limit is on photos."""
    save_dng(scene(80, 60), tmp_path / "a.dng", jpeg(scene(80, 60)) if with_preview else None)
    assert decode(str(tmp_path / "a.dng"), 30, max_pixels=4800).pixels.shape == (30, 30, 3)
    with pytest.raises(PhotoError, match=r"80 x 60 pixels .* refused"):
        decode(str(tmp_path / "a.dng"), 30, max_pixels=4799)


def test_a_preview_that_is_a_bomb_is_left_alone(tmp_path):
    save_dng(scene(80, 60), tmp_path / "a.dng", jpeg(_mirrored(scene(160, 120))))
    pixels = decode(str(tmp_path / "a.dng"), 30, max_pixels=4800).pixels
    assert _distance(pixels, squash(scene(80, 60), 30)) < TOLERANCE


def test_without_the_extra_the_reason_says_what_to_install(tmp_path, monkeypatch):
    save_dng(scene(), tmp_path / "a.dng")
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(PhotoError) as caught:
        decode(str(tmp_path / "a.dng"), 64)
    assert "reading RAW files needs packages that are not installed" in str(caught.value)
    assert 'pip install "dpiqa[raw]"' in str(caught.value)


@pytest.mark.parametrize("suffix", sorted(SCANNED_SUFFIXES))
def test_what_is_no_raw_inside_says_so(suffix, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(b"not a photo at all\n" * 1000)
    with pytest.raises(PhotoError, match=r"cannot be read as a RAW file: .*not RAW"):
        decode(str(tmp_path / f"a{suffix}"), 64)


def test_an_empty_file_says_so(tmp_path):
    (tmp_path / "A.NEF").touch()
    with pytest.raises(PhotoError, match="empty"):
        decode(str(tmp_path / "A.NEF"), 64)


def test_a_raw_without_pixel_data_is_not_scored_as_black(tmp_path):
    save_dng(Image.new("RGB", (80, 60)), tmp_path / "a.dng")
    with pytest.raises(PhotoError, match="missing"):
        decode(str(tmp_path / "a.dng"), 30)


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_not_utf_8(tmp_path):
    save_dng(scene(), tmp_path / "caf\udce9.dng")
    assert decode(str(tmp_path / "caf\udce9.dng"), 64).pixels.shape == (64, 64, 3)


def test_raw_files_are_left_as_they_are(tmp_path):
    path = tmp_path / "a.dng"
    save_dng(scene(320, 240), path, jpeg(scene(320, 240)), exif=TAKEN)
    path.chmod(0o444)
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir()))
    for size in (64, 300, None):
        decode(str(path), size)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before


def test_threads_do_not_mix_photos(tmp_path):
    scenes = [scene(320, 240, seed=0), _mirrored(scene(320, 240, seed=1))]
    for index, photo in enumerate(scenes):
        save_dng(photo, tmp_path / f"{index}.dng", jpeg(photo) if index else None)
    with ThreadPoolExecutor(4) as pool:
        decoded = list(pool.map(lambda i: decode(str(tmp_path / f"{i % 2}.dng"), 96), range(12)))
    for index, photo in enumerate(decoded):
        assert _distance(photo.pixels, squash(scenes[index % 2], 96)) < TOLERANCE


def test_no_damage_gets_past_as_another_error(tmp_path, capfd):
    save_dng(scene(80, 60), tmp_path / "a.dng", jpeg(scene(80, 60)), exif=TAKEN)
    content = (tmp_path / "a.dng").read_bytes()
    damage = np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        broken = bytearray(content)
        # Most of it is pixels; what counts is behind them.
        for at in damage.integers(len(broken) - 800, len(broken), 4):
            broken[at] = int(damage.integers(0, 256))
        (tmp_path / "victim.dng").write_bytes(broken)
        try:
            outcomes.add(decode(str(tmp_path / "victim.dng"), 30).pixels.shape)
        except PhotoError:
            outcomes.add("refused")
    capfd.readouterr()  # LibRaw's own words about the damage
    assert outcomes == {(30, 30, 3), "refused"}


def test_camera_files_decode_or_say_why(shared, capfd):
    """ExifTool's samples: nearly all of their pixels have been cut out."""
    folder = shared / "data" / "camera" / "exiftool-images"
    refused = set()
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SCANNED_SUFFIXES):
        with contextlib.suppress(PhotoError):
            assert decode(str(path), 384).pixels.shape == (384, 384, 3)
            continue
        refused.add(path.name)
    capfd.readouterr()
    assert {"CanonRaw.cr2", "FujiFilm.raf", "Nikon.nef", "DNG.dng"} <= refused


@pytest.mark.parametrize("missing", [1, 1000, 150_000])
def test_a_raw_file_whose_pixels_are_cut_off_gets_no_made_up_score(missing, tmp_path, capfd):
    """LibRaw develops what is missing from whatever was in memory."""
    save_dng(scene(320, 240), tmp_path / "a.dng")
    content = (tmp_path / "a.dng").read_bytes()
    strip = struct.pack("<HHII", 273, 4, 1, 8)
    moved = struct.pack("<HHII", 273, 4, 1, len(content) - 2 * 320 * 240 + missing)
    assert content.count(strip) == 1
    (tmp_path / "a.dng").write_bytes(content.replace(strip, moved))
    with pytest.raises(PhotoError, match="cannot be read as a RAW file"):
        decode(str(tmp_path / "a.dng"), 30)
    capfd.readouterr()  # LibRaw's own words about the damage
