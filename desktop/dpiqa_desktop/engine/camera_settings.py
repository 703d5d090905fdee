"""What camera, lens and exposure a photo was taken with, as its EXIF says; what it does not say is None."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, TypeVar

from dpiqa_desktop.engine.capture_time import capture_time_in_tiff
from dpiqa_desktop.engine.photo_file import open_image, reading
from dpiqa_desktop.engine.raw import is_raw
from dpiqa_desktop.engine.tiff import Directory, Tiff

# EXIF 2.32, 4.6.4 and 4.6.5.
_MAKE, _MODEL, _EXIF_DIRECTORY = 0x010F, 0x0110, 0x8769
_EXPOSURE_TIME, _F_NUMBER, _SENSITIVITY, _FOCAL_LENGTH, _LENS_MODEL = 0x829A, 0x829D, 0x8827, 0x920A, 0xA434
_LONGEST_TEXT = 128
# EXIF 2.32, table 4.6.5 Q: 65535 says that the sensitivity is more and stands elsewhere.
_MOST_ISO = 65_534

_T = TypeVar("_T")


@dataclass(frozen=True)
class CameraSettings:
    """How a photo was taken.

    Attributes:
        camera: maker and model, the maker once.
        lens: as the camera names it.
        exposure: seconds.
        f_number: focal length divided by aperture.
        iso: sensitivity.
        focal_length: millimetres, not converted to another sensor's.
        captured_at: seconds since 1970 on the camera's clock, see ``capture_time``.
    """

    camera: str | None = None
    lens: str | None = None
    exposure: float | None = None
    f_number: float | None = None
    iso: int | None = None
    focal_length: float | None = None
    captured_at: float | None = None


def camera_settings(path: str) -> CameraSettings:
    """Read how a photo was taken: a few kilobytes of the file. Damaged EXIF gives what can be read of it.

    Of RAW files those that are TIFFs inside are read, which most are; of others (CR3, RAF) nothing.

    Raises:
        PhotoError: the file cannot be opened as a photo.
    """
    with reading(path):
        if is_raw(path):
            with open(path, "rb") as file:
                return settings_in_tiff(file)
        with open_image(path) as image:
            if image.format == "TIFF":
                with open(path, "rb") as file:
                    return settings_in_tiff(file)
            exif = image.info.get("exif")
        return settings_in_tiff(BytesIO(exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""))


def settings_in_tiff(file: BinaryIO) -> CameraSettings:
    """The same for EXIF by itself, which is a TIFF."""

    def first_and_exif() -> tuple[Tiff, Directory, Directory]:
        tiff = Tiff(file)
        first = tiff.directory(tiff.first)
        pointer = tiff.numbers(first.get(_EXIF_DIRECTORY))
        return tiff, first, tiff.directory(pointer[0]) if pointer else {}

    found = _unless_damaged(first_and_exif)
    if found is None:
        return CameraSettings()
    tiff, first, exif = found
    iso = _unless_damaged(lambda: tiff.numbers(exif.get(_SENSITIVITY))[0])
    return CameraSettings(
        camera=_camera(_text(tiff, first, _MAKE), _text(tiff, first, _MODEL)),
        lens=_text(tiff, exif, _LENS_MODEL),
        exposure=_positive(tiff, exif, _EXPOSURE_TIME),
        f_number=_positive(tiff, exif, _F_NUMBER),
        iso=iso if iso and iso <= _MOST_ISO else None,
        focal_length=_positive(tiff, exif, _FOCAL_LENGTH),
        captured_at=capture_time_in_tiff(file),
    )


def _unless_damaged(read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except (struct.error, ValueError, OverflowError, OSError, IndexError, ZeroDivisionError):
        return None


def _text(tiff: Tiff, directory: Directory, tag: int) -> str | None:
    """A text up to its NUL; EXIF's is ASCII, but makers wrote Latin letters and UTF-8 into it, too."""
    value = _unless_damaged(lambda: tiff.text(directory.get(tag), _LONGEST_TEXT)) or b""
    text = value.split(b"\0")[0].decode("utf-8", "replace")
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()) or None


def _positive(tiff: Tiff, directory: Directory, tag: int) -> float | None:
    value = _unless_damaged(lambda: tiff.rational(directory.get(tag)))
    return value if value else None


def _camera(make: str | None, model: str | None) -> str | None:
    """Many a model begins with its maker's name, or with its first word: NIKON CORPORATION, NIKON D850."""
    if make is None or model is None:
        return model or make
    return model if model.casefold().startswith(make.split()[0].casefold()) else f"{make} {model}"
