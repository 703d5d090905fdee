"""A thumbnail shows the photo, all of it, upright, without bars, metadata or harm."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import piexif
import pytest
from makers.photos import COLOUR, GREY, exif_block, jpeg, make_torture_folder, save_dng, save_heic, scene
from PIL import Image, features

from dpiqa_desktop.engine.thumbnail import thumbnail
from dpiqa_plugin.errors import PhotoError

SIDE = 160


def _opened(path, side=SIDE):
    return Image.open(io.BytesIO(thumbnail(str(path), side)))


def _pixels(image):
    return np.asarray(image.convert("RGB")).astype(int)


def _distance(image, photo):
    """From the photo, scaled to the image's size."""
    return np.abs(_pixels(image) - _pixels(photo.resize(image.size, Image.Resampling.BOX))).mean()


def _exif(embedded=None, orientation=1):
    """EXIF as a camera writes it; ``embedded`` is the picture it puts in."""
    file = io.BytesIO()
    if embedded is not None:
        embedded.save(file, "JPEG", quality=90)
    first = {} if embedded is None else {piexif.ImageIFD.Compression: 6}
    zeroth = {piexif.ImageIFD.Orientation: orientation, piexif.ImageIFD.Artist: b"somebody"}
    return piexif.dump({"0th": zeroth, "1st": first, "thumbnail": file.getvalue() or None})


@pytest.mark.parametrize("name", [*COLOUR, *GREY])
def test_every_format_shows_the_scene(name, tmp_path):
    (COLOUR | GREY)[name](scene(640, 480), tmp_path / name)
    image = _opened(tmp_path / name)
    expected = (
        scene(640, 480).convert("L" if name in GREY else "RGB").resize((160, 120), Image.Resampling.BOX)
    )
    assert image.format == "JPEG"
    assert image.size == (160, 120)
    # CMYK and JPEG at this quality; another scene, or one turned, is off by 30 and more.
    assert np.abs(_pixels(image) - _pixels(expected)).mean() < 8


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (160, 120)), ((300, 900), (53, 160)), ((100, 50), (100, 50)), ((5000, 2), (160, 1))],
)
def test_fits_the_square_and_is_never_enlarged(size, expected, tmp_path):
    scene(*size).save(tmp_path / "photo.png")
    assert _opened(tmp_path / "photo.png").size == expected


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("embeds", [False, True])
def test_upright_whatever_the_camera_was_held_like(orientation, embeds, tmp_path):
    upright = scene(480, 360)
    stored = _stored(upright, orientation)
    embedded = stored.resize((stored.width // 3, stored.height // 3)) if embeds else None
    stored.save(tmp_path / "photo.jpg", quality=95, exif=_exif(embedded, orientation))
    image = _opened(tmp_path / "photo.jpg")
    assert image.size == (160, 120)
    assert _distance(image, upright) < 8


_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _stored(upright, orientation):
    """The photo as a camera held so would store it."""
    undo = {6: 8, 8: 6}.get(orientation, orientation)  # every other turn is its own inverse
    return upright if undo == 1 else upright.transpose(Image.Transpose(_METHODS[undo]))


def _with_embedded(path, photo, embedded):
    photo.save(path, quality=95, exif=_exif(embedded))
    return path


def _is_green(image):
    red, green, blue = _pixels(image).reshape(-1, 3).mean(axis=0)
    return green > red + 50 and green > blue + 50


GREEN = (0, 200, 0)


@pytest.mark.parametrize(
    ("size", "embedded", "taken"),
    [
        ((640, 480), (160, 120), True),
        ((600, 400), (160, 107), True),  # rounded to a whole pixel
        ((640, 480), (320, 240), True),
        ((600, 400), (160, 120), False),  # 3:2 padded to 4:3
        ((480, 640), (160, 120), False),  # turned without the photo
        ((640, 480), (120, 90), False),  # would have to be enlarged
    ],
)
def test_takes_what_the_camera_embedded_if_it_will_do(size, embedded, taken, tmp_path):
    # Green where the photo is not, so that it shows which of the two was taken.
    path = _with_embedded(tmp_path / "photo.jpg", scene(*size), Image.new("RGB", embedded, GREEN))
    assert _is_green(_opened(path)) == taken


def test_black_bars_are_never_shown(tmp_path):
    bright = Image.new("RGB", (600, 400), (200, 200, 200))
    barred = Image.new("RGB", (160, 120))
    barred.paste(bright.resize((160, 107)), (0, 6))
    image = _opened(_with_embedded(tmp_path / "photo.jpg", bright, barred))
    assert image.size == (160, 107)
    assert _pixels(image).min() > 190


def test_a_broken_embedded_picture_gives_way_to_the_photo(tmp_path):
    path = _with_embedded(tmp_path / "photo.jpg", scene(640, 480), Image.new("RGB", (160, 120), GREEN))
    data = path.read_bytes()
    start = data.index(b"\xff\xd8", 2)
    path.write_bytes(data[: start + 40] + b"\0" * 500 + data[start + 540 :])
    assert not _is_green(_opened(path))


@pytest.mark.parametrize(
    ("preview", "expected"), [((300, 200), (160, 107)), ((80, 60), (80, 60)), (None, (150, 100))]
)
def test_a_raw_shows_its_preview_whatever_its_size_or_else_is_developed(preview, expected, tmp_path):
    pytest.importorskip("rawpy")
    green = None if preview is None else jpeg(Image.new("RGB", preview, GREEN))
    save_dng(scene(300, 200), tmp_path / "a.dng", green)
    image = _opened(tmp_path / "a.dng")
    assert image.size == expected
    assert _is_green(image) == (preview is not None)
    if preview is None:
        assert _distance(image, scene(300, 200)) < 8


@pytest.mark.parametrize(("orientation", "turn"), [(1, None), (3, 3), (6, 4), (8, 2)])
@pytest.mark.parametrize("with_preview", [False, True])
def test_raws_are_turned_upright_once(orientation, turn, with_preview, tmp_path):
    pytest.importorskip("rawpy")
    stored = scene(320, 240)
    save_dng(stored, tmp_path / "a.dng", jpeg(stored) if with_preview else None, orientation)
    upright = stored if turn is None else stored.transpose(Image.Transpose(turn))
    assert _distance(_opened(tmp_path / "a.dng"), upright) < 8


def test_a_broken_preview_gives_way_to_the_developed_raw(tmp_path):
    pytest.importorskip("rawpy")
    preview = jpeg(scene(320, 240).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    save_dng(scene(320, 240), tmp_path / "a.dng", preview[: len(preview) // 2])
    assert _distance(_opened(tmp_path / "a.dng"), scene(320, 240)) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("thumbnails", [[], [320]])
def test_heic_is_turned_upright_once(orientation, thumbnails, tmp_path):
    pytest.importorskip("pillow_heif")
    stored = _stored(scene(640, 480), orientation)
    save_heic(stored, tmp_path / "a.heic", exif_block(orientation=orientation), thumbnails=thumbnails)
    image = _opened(tmp_path / "a.heic")
    assert image.size == (160, 120)
    assert _distance(image, scene(640, 480)) < 8


def test_a_heic_whose_own_thumbnail_is_broken_shows_the_photo(tmp_path):
    pytest.importorskip("pillow_heif")
    save_heic(scene(640, 480), tmp_path / "plain.heic")
    save_heic(scene(640, 480), tmp_path / "a.heic", thumbnails=[320])
    content = (tmp_path / "a.heic").read_bytes()
    photo = (tmp_path / "plain.heic").read_bytes()[-2000:]
    end = content.index(photo) + len(photo)  # the thumbnail's data comes last
    assert end < len(content)
    (tmp_path / "a.heic").write_bytes(content[:end] + bytes(len(content) - end))
    assert _distance(_opened(tmp_path / "a.heic"), scene(640, 480)) < 8


def test_the_exif_picture_of_a_heic_is_left_alone(tmp_path):
    """It lies as the sensor did, and what turns the photo is not in the EXIF data."""
    pytest.importorskip("pillow_heif")
    save_heic(scene(640, 480), tmp_path / "a.heic", _exif(Image.new("RGB", (160, 120), GREEN))[6:])
    assert b"\xff\xd8\xff" in (tmp_path / "a.heic").read_bytes()
    assert not _is_green(_opened(tmp_path / "a.heic"))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow does not write AVIF")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_upright_once(orientation, tmp_path):
    stored = _stored(scene(640, 480), orientation)
    embedded = Image.new("RGB", (stored.width // 2, stored.height // 2), GREEN)
    stored.save(tmp_path / "a.avif", exif=_exif(embedded, orientation))
    assert _distance(_opened(tmp_path / "a.avif"), scene(640, 480)) < 8


def test_no_metadata(tmp_path):
    photo = scene(320, 240)
    photo.save(tmp_path / "photo.jpg", exif=_exif(), comment=b"at home", icc_profile=b"profile", xmp=b"<x/>")
    assert set(_opened(tmp_path / "photo.jpg").info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_torture_ends_as_a_photo_error_or_a_thumbnail(tmp_path):
    outcomes = make_torture_folder(tmp_path)
    for name, reason in outcomes.items():
        if reason is None:
            assert max(_opened(tmp_path / name).size) <= SIDE, name
        else:
            with pytest.raises(PhotoError):
                thumbnail(str(tmp_path / name), SIDE)


def test_several_threads_at_once(tmp_path):
    paths = [tmp_path / f"{index}.jpg" for index in range(24)]
    for index, path in enumerate(paths):
        Image.new("RGB", (400, 300), (index * 10, 0, 0)).save(path)
    with ThreadPoolExecutor(8) as pool:
        thumbnails = list(pool.map(_opened, paths))
    reds = [_pixels(image)[..., 0].mean() for image in thumbnails]
    assert reds == pytest.approx([index * 10 for index in range(24)], abs=3)
