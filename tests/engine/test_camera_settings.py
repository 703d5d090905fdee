"""Camera, lens and exposure are read from every kind of file, and damage costs only what is damaged."""

from io import BytesIO

import pytest
from makers.photos import save_dng, scene
from PIL import ExifTags, Image, TiffImagePlugin

from dpiqa_desktop.engine.camera_settings import CameraSettings, camera_settings, settings_in_tiff
from dpiqa_plugin.errors import PhotoError

ALL = CameraSettings("Canon EOS R6", "RF 24-105mm F4", 1 / 250, 4.0, 400, 50.0, 1_714_746_130.5)


def exif(make="Canon", model="Canon EOS R6", **changed):
    """EXIF as a camera writes it, by Pillow's writer, which is not ours."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = make, model
    tags.get_ifd(ExifTags.IFD.Exif).update(
        {
            ExifTags.Base.ExposureTime: TiffImagePlugin.IFDRational(1, 250),
            ExifTags.Base.FNumber: TiffImagePlugin.IFDRational(4, 1),
            ExifTags.Base.ISOSpeedRatings: 400,
            ExifTags.Base.FocalLength: TiffImagePlugin.IFDRational(50, 1),
            ExifTags.Base.LensModel: "RF 24-105mm F4",
            ExifTags.Base.DateTimeOriginal: "2024:05:03 14:22:10",
            ExifTags.Base.SubsecTimeOriginal: "50",
        }
        | {getattr(ExifTags.Base, name): value for name, value in changed.items()}
    )
    return tags


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_all_is_read_from_every_format(name, tmp_path):
    scene().save(tmp_path / name, exif=exif())
    assert camera_settings(str(tmp_path / name)) == ALL


def test_a_tiff_is_its_own_exif(tmp_path):
    scene().save(tmp_path / "a.tif", exif=exif())  # Pillow leaves the inner directory out
    assert camera_settings(str(tmp_path / "a.tif")) == CameraSettings("Canon EOS R6")


def test_a_photo_without_exif_says_nothing(tmp_path):
    scene().save(tmp_path / "a.jpg")
    assert camera_settings(str(tmp_path / "a.jpg")) == CameraSettings()


def test_raw_that_is_a_tiff_is_read(tmp_path):
    save_dng(scene(), tmp_path / "a.dng", exif=(b"2024:05:03 14:22:10", b"50"))
    found = camera_settings(str(tmp_path / "a.dng"))
    assert (found.camera, found.captured_at) == ("Maker Model", ALL.captured_at)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON CORPORATION", "NIKON D850", "NIKON D850"),
        ("SONY", "ILCE-7M4", "SONY ILCE-7M4"),
        ("", "X100V", "X100V"),
        ("Leica\0junk", "\t Q3  \n", "Leica Q3"),
    ],
)
def test_the_maker_is_named_once(make, model, camera, tmp_path):
    scene().save(tmp_path / "a.jpg", exif=exif(make, model))
    assert camera_settings(str(tmp_path / "a.jpg")).camera == camera


def test_values_that_mean_unknown_are_not_shown(tmp_path):
    unknown = exif(FNumber=TiffImagePlugin.IFDRational(0, 0), ISOSpeedRatings=65535, ExposureTime=0.0)
    scene().save(tmp_path / "a.jpg", exif=unknown)
    found = camera_settings(str(tmp_path / "a.jpg"))
    assert (found.f_number, found.iso, found.exposure, found.focal_length) == (None, None, None, 50.0)


def test_exif_cut_off_anywhere_gives_what_is_left_of_it():
    whole = exif().tobytes().removeprefix(b"Exif\0\0")
    numbers = ("exposure", "f_number", "iso", "focal_length")
    for length in range(len(whole)):
        found = settings_in_tiff(BytesIO(whole[:length]))
        assert all(getattr(found, name) in (None, getattr(ALL, name)) for name in numbers)
    assert settings_in_tiff(BytesIO(whole)) == ALL


def test_a_file_that_is_no_photo_has_a_reason(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"text")
    with pytest.raises(PhotoError, match="is not a JPEG"):
        camera_settings(str(tmp_path / "a.jpg"))
