"""From a file to the pixels that a model takes; whatever is wrong with the file is a ``PhotoError``.

Everything here may run in several threads at once; Pillow, libheif and LibRaw release the GIL while they
decode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image, JpegImagePlugin

from dpiqa_desktop.engine.capture_time import capture_time, capture_time_in_tiff
from dpiqa_desktop.engine.photo_file import (
    MAX_PIXELS,
    exif_orientation,
    open_image,
    reading,
    refuse_bomb,
    to_rgb,
    upright,
)
from dpiqa_desktop.engine.raw import find_preview, is_raw, open_raw, raw_capture_time, render
from dpiqa_plugin.preprocess import squash

DRAFT_MARGIN = 3.9
"""A JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) that leaves this many times the model's input on
both sides. At exactly this ratio the score of 50 sharp and grainy photos moved by 0.0066 at most, by less
than 0.005 in 94 %; at 3 times by 0.0101. A 12-megapixel photo, 4000 x 3000, is still reduced."""

_BAND = 512  # rows


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class Decoded:
    """A photo as a model takes it.

    Attributes:
        pixels: uint8 RGB, upright, (size, size, 3) or (height, width, 3), contiguous.
        captured_at: when it was taken: seconds since 1970 on the camera's clock, as if that showed UTC; None
            if the file does not say.
    """

    pixels: np.ndarray
    captured_at: float | None


def decode(path: str, size: int | None, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Read a photo as the models were trained to see it.

    RAW files are known by their names, of all others the content decides the format. Upright, colour profile
    ignored, transparency on white, 16 bits scaled to 8, the first frame of several (of HEIF the primary one).

    Peak memory: a JPEG takes 4 bytes a pixel at the scale it is decoded at, a progressive one another 3 to 6
    a pixel of the file (it is there to be put together); other formats 4 to 10 a pixel; a RAW file as a JPEG
    if its preview is used, see ``raw.develop`` if not.

    Args:
        path: of a JPEG, PNG, WebP, TIFF or BMP file; with the extra ``raw`` also of a HEIF or RAW file.
        size: side of the square to squash to; None for the photo's own size (RAW: the preview's, or half).
        max_pixels: a photo of more is refused before memory is taken for it.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    pixels_of = partial(_pixels, size=size, max_pixels=max_pixels)
    with reading(path):
        if is_raw(path):
            with open_raw(path, max_pixels) as raw:
                preview = find_preview(raw, size)
                captured_at = raw_capture_time(path, raw, preview)
                return Decoded(render(path, raw, preview, pixels_of), captured_at)
        with open_image(path) as image:
            pixels = pixels_of(image)
            # Turned after squashing, because turning a small square is cheap and gives the same.
            return Decoded(upright(pixels, exif_orientation(image)), _capture_time(image, path))


def _pixels(image: Image.Image, size: int | None, max_pixels: int) -> np.ndarray:
    """RGB as it lies in the file."""
    refuse_bomb(image.size, max_pixels)
    # Of JPEG only: pillow-heif takes a draft for leave to decode the thumbnail instead of the photo.
    if size is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        least = math.ceil(size * DRAFT_MARGIN)
        image.draft(None, (least, least))
    image.load()
    photo = to_rgb(image)
    return _whole(photo) if size is None else squash(photo, size)


def _whole(photo: Image.Image) -> np.ndarray:
    """All pixels, band by band: at once, Pillow makes two copies on the way, 6 bytes a pixel."""
    pixels = np.empty((photo.height, photo.width, 3), np.uint8)
    for top in range(0, photo.height, _BAND):
        bottom = min(top + _BAND, photo.height)
        pixels[top:bottom] = np.asarray(photo.crop((0, top, photo.width, bottom)))
    return pixels


def _capture_time(image: Image.Image, path: str) -> float | None:
    if image.format == "TIFF":
        with open(path, "rb") as file:
            return capture_time_in_tiff(file)
    exif = image.info.get("exif")
    return capture_time(exif) if isinstance(exif, bytes) else None
