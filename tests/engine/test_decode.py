"""Every kind of file becomes the pixels it shows, or a reason why not."""

import contextlib
import io
import re
from datetime import datetime, timezone

import numpy as np
import pytest
from makers.photos import COLOUR, GREY, exif_block, jpeg, make_torture_folder, scene
from PIL import Image, PngImagePlugin, TiffImagePlugin

from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.engine.scan import scan
from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.preprocess import squash

# Lossy formats at quality 95 come back within 2 of 255 on average over this scene, CMYK JPEG within 3. Wrong
# channel order, inversion, scale or frame is off by 30 and more.
TOLERANCE = 4


def _distance(a, b):
    return np.abs(a.astype(int) - b.astype(int)).mean()


@pytest.mark.parametrize("name", COLOUR)
def test_every_format_shows_the_scene(name, tmp_path):
    COLOUR[name](scene(), tmp_path / name)
    assert _distance(decode(str(tmp_path / name), None).pixels, np.asarray(scene())) < TOLERANCE


@pytest.mark.parametrize("name", GREY)
def test_grey_is_neither_clipped_nor_coloured(name, tmp_path):
    GREY[name](scene(), tmp_path / name)
    expected = np.asarray(scene().convert("L").convert("RGB"))
    assert _distance(decode(str(tmp_path / name), None).pixels, expected) < TOLERANCE


@pytest.mark.parametrize("name", ["baseline.jpg", "plain.png", "lossless.webp", "plain.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(name, orientation, tmp_path):
    undo = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # EXIF orientation -> PIL.Image.Transpose that undoes it
    stored = scene().transpose(Image.Transpose(undo[orientation])) if orientation > 1 else scene()
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = str(tmp_path / name)
    COLOUR[name](stored, tmp_path / name)
    with Image.open(path) as image:
        image.load()
        image.save(path, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))
    assert _distance(decode(path, None).pixels, np.asarray(scene())) < TOLERANCE
    assert _distance(decode(path, 96).pixels, squash(scene(), 96)) < TOLERANCE


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparency_shows_white(mode, tmp_path):
    path = tmp_path / "logo.png"
    if mode == "P":
        image = Image.new("P", (20, 10), 1)
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.paste(0, (0, 0, 10, 10))
        image.save(path, transparency=0)
    elif mode == "RGB":
        image = Image.new("RGB", (20, 10), (0, 0, 255))
        image.paste((255, 0, 0), (0, 0, 10, 10))
        image.save(path, transparency=(255, 0, 0))
    else:
        opaque = {"RGBA": (0, 0, 255, 255), "LA": (0, 255)}[mode]
        image = Image.new(mode, (20, 10), opaque)
        image.paste((*opaque[:-1], 0), (0, 0, 10, 10))
        image.save(path)
    pixels = decode(str(path), None).pixels
    assert (pixels[:, :10] == 255).all()
    assert (pixels[:, 10:, 0] == 0).all()


def test_half_transparency_is_mixed_with_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 128)).save(tmp_path / "veil.png")
    assert np.abs(decode(str(tmp_path / "veil.png"), None).pixels.astype(int) - 127).max() <= 1


def test_the_colour_profile_is_ignored(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    scene().save(tmp_path / "profiled.png", icc_profile=profile)
    assert (decode(str(tmp_path / "profiled.png"), None).pixels == np.asarray(scene())).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # which Pillow goes on after
def test_broken_exif_does_not_cost_the_photo(tmp_path):
    scene().save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f garbage", quality=95, subsampling=0)
    assert _distance(decode(str(tmp_path / "a.jpg"), None).pixels, np.asarray(scene())) < TOLERANCE


@pytest.mark.parametrize("kind", ["text", "itext", "icc"])
def test_a_png_may_carry_megabytes_of_text_and_profile(kind, tmp_path):
    more = PngImagePlugin.PngInfo()
    megabytes = "ab" * 4_000_000
    if kind == "text":
        more.add_text("parameters", megabytes, zip=True)
    elif kind == "itext":
        more.add_itxt("XML:com.adobe.xmp", megabytes, zip=True)
    scene().save(tmp_path / "a.png", pnginfo=more, icc_profile=megabytes.encode() if kind == "icc" else None)
    assert _distance(decode(str(tmp_path / "a.png"), None).pixels, np.asarray(scene())) == 0


def test_a_png_whose_text_would_fill_the_memory_is_refused(tmp_path):
    more = PngImagePlugin.PngInfo()
    more.add_text("bomb", "a" * 100_000_000, zip=True)
    scene().save(tmp_path / "a.png", pnginfo=more)
    assert (tmp_path / "a.png").stat().st_size < 1_000_000
    with pytest.raises(PhotoError, match="too large"):
        decode(str(tmp_path / "a.png"), None)


def test_numbers_without_a_white_point_are_refused(tmp_path):
    Image.fromarray(np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)).save(tmp_path / "depth.tif")
    with pytest.raises(PhotoError, match="32-bit"):
        decode(str(tmp_path / "depth.tif"), 64)


@pytest.mark.parametrize("size", [(2400, 1600), (1600, 2400), (4000, 500)])
def test_reduced_jpeg_decoding_gives_the_pixels_of_the_full_one(size, tmp_path):
    path = tmp_path / "large.jpg"
    scene(*size).save(path, quality=92)
    with Image.open(path) as image:
        full = squash(image.convert("RGB"), 96)
    # 96 px leave room for every scale that JPEG has. Noise of deviation 3 averages out in both.
    assert _distance(decode(str(path), 96).pixels, full) < 1
    assert decode(str(path), None).pixels.shape == (size[1], size[0], 3)


def test_pixels_are_contiguous_bytes_of_the_asked_size(tmp_path):
    scene(30, 50).save(tmp_path / "a.png")
    pixels = decode(str(tmp_path / "a.png"), 384).pixels
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((384, 384, 3), np.uint8, True)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow's own words about the damage
def test_torture_folder_gives_pixels_or_reasons(tmp_path):
    for name, reason in make_torture_folder(tmp_path).items():
        path = str(tmp_path / name)
        if reason is None:
            assert decode(path, 64).pixels.shape == (64, 64, 3), name
        else:
            with pytest.raises(PhotoError) as caught:
                decode(path, 64)
            assert re.search(reason, str(caught.value)), (name, str(caught.value))


@pytest.mark.parametrize("name", ["plain.png", "baseline.jpg", "plain.tif"])
def test_a_bomb_is_refused_before_it_is_decoded(name, tmp_path):
    path = str(tmp_path / name)
    COLOUR[name](scene(80, 60), tmp_path / name)
    assert decode(path, 64, max_pixels=4800).pixels.shape == (64, 64, 3)
    with pytest.raises(PhotoError, match=r"80 x 60 pixels are more than 4799: refused"):
        decode(path, 64, max_pixels=4799)


def test_jpegs_of_12_bits_are_refused(tmp_path):
    """Eight bits are all that Pillow's libjpeg reads; the frame header says how many there are."""
    content = jpeg(scene())
    at = content.index(b"\xff\xc0") + 4
    (tmp_path / "a.jpg").write_bytes(content[:at] + b"\x0c" + content[at + 1 :])
    with pytest.raises(PhotoError):
        decode(str(tmp_path / "a.jpg"), 64)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_jpeg_is_refused_at_every_scale(progressive, share, tmp_path):
    scene(1600, 1200).save(tmp_path / "whole.jpg", quality=92, progressive=progressive)
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: int(share * len(content))])
    for size in (48, 96, None):
        with pytest.raises(PhotoError, match="truncated"):
            decode(str(tmp_path / "cut.jpg"), size)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_reduced_decoding_knows_grey_and_inks(mode, tmp_path):
    photo = scene(1600, 1200).convert(mode)
    photo.save(tmp_path / "a.jpg", quality=95)
    expected = squash(photo.convert("RGB"), 96)
    assert _distance(decode(str(tmp_path / "a.jpg"), 96).pixels, expected) < TOLERANCE


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_every_format_tells_when_it_was_taken(name, tmp_path):
    if name == "a.tif":
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory[0x8769] = {0x9003: "2021:02:03 04:05:06", 0x9291: "25"}
        scene().save(tmp_path / name, tiffinfo=directory)
    else:
        scene().save(tmp_path / name, exif=b"Exif\0\0" + exif_block(b"2021:02:03 04:05:06", b"25"))
    expected = datetime(2021, 2, 3, 4, 5, 6, 250_000, tzinfo=timezone.utc).timestamp()
    assert decode(str(tmp_path / name), 64).captured_at == expected


def test_a_photo_that_does_not_tell_its_time_has_none(tmp_path):
    scene().save(tmp_path / "a.jpg")
    assert decode(str(tmp_path / "a.jpg"), 64).captured_at is None


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@pytest.mark.parametrize("name", ["baseline.jpg", "plain.png", "lossless.webp", "lzw.tif", "plain.bmp"])
def test_no_damage_gets_past_as_another_error(name, tmp_path):
    """Wherever bytes are lost or turned, the outcome is pixels or a PhotoError."""
    COLOUR[name](scene(80, 60), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    damage = np.random.default_rng(0)
    victim = tmp_path / "victim"
    outcomes = set()
    for _ in range(60):
        broken = io.BytesIO(content)
        start = int(damage.integers(0, len(content)))
        broken.seek(start)
        broken.write(damage.bytes(int(damage.integers(1, 40))))
        victim.write_bytes(broken.getvalue()[: int(damage.integers(start, len(content) + 1))])
        try:
            outcomes.add(decode(str(victim), 64).pixels.shape)
        except PhotoError:
            outcomes.add("refused")
    assert "refused" in outcomes
    assert outcomes <= {(64, 64, 3), "refused"}


def test_camera_files_decode_or_say_why(shared):
    decoded = 0
    for path in scan([str(shared / "data" / "camera")]).photos:
        with contextlib.suppress(PhotoError):
            assert decode(path, 64).pixels.shape == (64, 64, 3)
            decoded += 1
    assert decoded > 100
