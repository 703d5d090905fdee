"""RAW files by LibRaw (extra ``raw``): the camera's own preview, or a quick development at half size.

Read only: LibRaw opens a file for reading, and nothing here writes.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, JpegImagePlugin

from dpiqa_desktop.engine.capture_time import capture_time, capture_time_in_tiff, seconds
from dpiqa_desktop.engine.companions import RAW_SUFFIXES
from dpiqa_desktop.engine.photo_file import MAX_PIXELS, exif_orientation, refuse_bomb, upright
from dpiqa_desktop.engine.tiff import Tiff
from dpiqa_plugin.errors import MissingExtraError, PhotoError

if TYPE_CHECKING:
    import rawpy

SCANNED_SUFFIXES = RAW_SUFFIXES - {".raw"}
"""What RAW files are called. The name decides, because many are TIFFs inside, of a thumbnail; but what is
called ``.raw`` may be anything, from a disk image to a sound."""

# LibRaw's flip (as dcraw's -t: 3 half a turn, 5 a quarter anticlockwise, 6 clockwise) as EXIF's orientation.
_ORIENTATIONS = {0: 1, 3: 3, 5: 8, 6: 6}


@dataclass(frozen=True)
class Preview:
    """What the camera rendered.

    Attributes:
        image: opened, but not decoded if it is a JPEG.
        orientation: how to turn it upright, as EXIF counts it; see ``upright_orientation``.
    """

    image: Image.Image
    orientation: int


def is_raw(path: str) -> bool:
    """Whether the name says that this is a RAW file."""
    return os.path.splitext(path)[1].lower() in SCANNED_SUFFIXES


@contextlib.contextmanager
def open_raw(path: str, max_pixels: int = MAX_PIXELS) -> Iterator[rawpy.RawPy]:
    """Open a RAW file and close it afterwards; of its pixels nothing is read yet.

    Raises:
        PhotoError: the file is empty, rawpy is not installed, the sensor has more pixels than ``max_pixels``,
            or LibRaw fails, here or inside the ``with``.
    """
    if os.path.getsize(path) == 0:
        raise PhotoError("the file is empty")
    try:
        import rawpy
    except ImportError as error:
        raise PhotoError(str(MissingExtraError("reading RAW files", "raw"))) from error
    try:
        with rawpy.RawPy() as raw:
            try:
                path.encode()
            except UnicodeEncodeError:  # a name that is not UTF-8, which rawpy cannot pass on
                with open(path, "rb") as file:
                    raw.open_buffer(file)
            else:
                raw.open_file(path)  # reads what is needed, where open_buffer reads all 30 to 120 MB
            refuse_bomb((raw.sizes.raw_width, raw.sizes.raw_height), max_pixels)
            yield raw
    except rawpy.LibRawError as error:
        raise PhotoError(f"cannot be read as a RAW file: {_words(error)}") from error


def find_preview(raw: rawpy.RawPy, size: int | None) -> Preview | None:
    """Take the largest preview, if a model loses nothing by it.

    Args:
        raw: an opened file.
        size: the preview must have this many pixels on both sides; None for as many as ``develop`` gives.

    Returns:
        the preview, or None if there is none, or only one that is too small or that cannot be opened.
    """
    import rawpy

    try:
        thumbnail = raw.extract_thumb()
        if isinstance(thumbnail.data, bytes):
            # A type of its own, not Image.open: a file with several pictures inside is none here.
            image: Image.Image = JpegImagePlugin.JpegImageFile(io.BytesIO(thumbnail.data))
        else:
            image = Image.fromarray(thumbnail.data)
    except (rawpy.LibRawError, OSError, SyntaxError, ValueError, TypeError):
        return None
    smallest = size or min(raw.sizes.width, raw.sizes.height) // 2
    if min(image.size) < smallest:
        return None
    return Preview(image, upright_orientation(image.size, exif_orientation(image), raw.sizes))


def upright_orientation(preview: tuple[int, int], exif: int | None, sizes: rawpy.ImageSizes) -> int:
    """How to turn a preview upright, as EXIF counts it.

    Cameras do not agree: some turn the preview themselves, some say in its EXIF how to, some do not mention
    it there (or write 1 whatever it is). So the preview's EXIF counts, or LibRaw's flip where there is none,
    unless the photo would end up lying on its side: the RAW data tells whether it is upright or lying.

    Args:
        preview: its width and height as stored.
        exif: the orientation its own EXIF gives, if any.
        sizes: LibRaw's, of the photo before its flip.
    """
    flip = _ORIENTATIONS.get(sizes.flip, 1)
    orientation = exif or flip
    upright = (sizes.height > sizes.width) != _is_quarter_turn(flip)
    if preview[0] == preview[1] or ((preview[1] > preview[0]) != _is_quarter_turn(orientation)) == upright:
        return orientation
    return 1 if _is_quarter_turn(orientation) else flip


def develop(path: str, raw: rawpy.RawPy) -> Image.Image:
    """Develop at half size, upright, with the camera's white balance.

    One pixel of every 2 x 2 sensor pixels, nothing is interpolated: at 24 megapixels this takes a good second
    less than full size. Without LibRaw's automatic brightness, which would make an underexposed photo a good
    one.

    Peak memory: 5 bytes for each pixel of the sensor, 120 MB at 24 megapixels.

    Raises:
        PhotoError: pixels are missing. LibRaw itself passes over that in some formats, and develops whatever
            was in memory before.
    """
    if _is_cut_off(path, raw):
        raise PhotoError("cannot be read as a RAW file: its pixels are missing, or it is cut off")
    photo = Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True, no_auto_bright=True))
    if max(photo.convert("L").histogram()) > 0.99 * photo.width * photo.height:
        raise PhotoError("cannot be read as a RAW file: all its pixels are equal, so its data is missing")
    return photo


def _is_cut_off(path: str, raw: rawpy.RawPy) -> bool:
    size = os.path.getsize(path)
    # No way to store RAW data gets below a bit a pixel.
    if 8 * size < raw.sizes.raw_width * raw.sizes.raw_height:
        return True
    with open(path, "rb") as file:
        try:
            return Tiff(file).end_of_pixels() > size
        except (ValueError, struct.error, OverflowError):
            return False  # no TIFF, or damage that LibRaw has to judge


def render(
    path: str, raw: rawpy.RawPy, preview: Preview | None, pixels_of: Callable[[Image.Image], np.ndarray]
) -> np.ndarray:
    """Upright pixels of the preview, or developed if there is none or it is broken.

    Args:
        path: of the file.
        raw: the same, opened.
        preview: as ``find_preview`` gave it.
        pixels_of: decodes an image as it lies.
    """
    if preview is not None:
        with contextlib.suppress(Exception):  # whatever is wrong with it, the photo itself may be fine
            return upright(pixels_of(preview.image), preview.orientation)
    return pixels_of(develop(path, raw))


def raw_capture_time(path: str, raw: rawpy.RawPy, preview: Preview | None) -> float | None:
    """See ``capture_time``. Where neither file nor preview has EXIF: whole seconds, as LibRaw knows them."""
    with open(path, "rb") as file:
        found = capture_time_in_tiff(file)
    exif = preview.image.info.get("exif") if preview and found is None else None
    if isinstance(exif, bytes):
        found = capture_time(exif)
    if found is not None:
        return found
    try:
        # rawpy turns LibRaw's number into local time, as LibRaw made it from the camera's.
        clock = seconds(raw.other.timestamp)
    except Exception:  # a rawpy before 0.25, or no date within the platform's range
        return None
    return clock if clock > 86_400 else None  # the first of January 1970 is LibRaw's "unknown"


def _words(error: rawpy.LibRawError) -> str:
    import rawpy

    if isinstance(error, rawpy.LibRawOutOfOrderCallError):
        return "damaged or cut off"  # what LibRaw calls going on after it
    (words,) = error.args or ("unknown error",)
    return words.decode() if isinstance(words, bytes) else str(words)


def _is_quarter_turn(orientation: int) -> bool:
    return orientation >= 5
