"""A small upright picture of a photo, quickly: the one the camera put into it, or the photo scaled down."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from PIL import ExifTags, Image

from dpiqa_desktop.engine.photo_file import (
    exif_orientation,
    open_image,
    reading,
    refuse_bomb,
    to_rgb,
    upright,
)
from dpiqa_desktop.engine.raw import find_preview, is_raw, open_raw, render

_QUALITY = 60
"""Of the JPEG. At 160 pixels a photo takes 2 to 7 kB then, and the blocks are not seen."""

# How many times the thumbnail's size a JPEG is decoded at, at least; the rest is done by a good filter.
_REDUCING_GAP = 2.0


def thumbnail(path: str, side: int) -> bytes:
    """Make a picture of a photo that fits into a square. Safe to call from several threads.

    Upright by EXIF orientation, aspect ratio kept, never enlarged, colour profile ignored, transparency on
    white, 16 bits scaled to 8. The picture that the camera embedded is taken if it is big enough and shows
    the whole photo and nothing else: some cameras pad it with black bars to 4:3, and it is as it was shot,
    even if a program that edited the photo since forgot about it. Of a RAW file the preview is taken, however
    small, because developing the photo takes a second and more.

    Args:
        path: of a JPEG, PNG, WebP, TIFF or BMP file; with the extra ``raw`` also of a HEIF or RAW file.
        side: of the square in pixels.

    Returns:
        a JPEG file without any metadata.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    with reading(path):
        if is_raw(path):
            with open_raw(path) as raw:
                return _as_jpeg(render(path, raw, find_preview(raw, 1), partial(_small, side=side)))
        with open_image(path) as image:
            small = _small(_embedded(image, side) or image, side)
            # The embedded picture lies as the photo does; its own orientation, if it has one, is rarely kept
            # up.
            return _as_jpeg(upright(small, exif_orientation(image)))


def embedded_thumbnail(path: str) -> bytes | None:
    """The picture that the camera put into a file, upright, as a JPEG file; None if it would not do.

    No pixel of the photo itself is read: this takes a tenth of the time of ``thumbnail``, or less.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    with reading(path):
        if is_raw(path):
            return None
        with open_image(path) as image:
            small = _embedded(image, 1)
            return (
                None
                if small is None
                else _as_jpeg(upright(np.asarray(to_rgb(small)), exif_orientation(image)))
            )


def _small(image: Image.Image, side: int) -> np.ndarray:
    """RGB as it lies in the file, of at most ``side`` pixels."""
    refuse_bomb(image.size)
    # For a draft pillow-heif decodes the file's own thumbnail if it shows all of the photo: welcome here.
    image.draft(None, _fitted(image.size, int(side * _REDUCING_GAP)))
    image.load()
    # A copy, because not every kind of opened file is made for being scaled in place: HEIF would load anew.
    small = to_rgb(image).copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    return np.asarray(small)


def _embedded(image: Image.Image, side: int) -> Image.Image | None:
    """The thumbnail in the EXIF data (2.32, 4.6.9.2), decoded, if it will do; whatever is wrong, None."""
    exif = image.info.get("exif")
    # Without: asking on would make Pillow decode a PNG, in case EXIF follows, and hide that it is broken. In
    # HEIF: it lies as stored, while the photo is turned by what is not in the EXIF data.
    if exif is None or image.format in ("HEIF", "AVIF"):
        return None
    try:
        tags = image.getexif().get_ifd(ExifTags.IFD.IFD1)
        start = len(b"Exif\0\0") + tags[ExifTags.Base.JpegIFOffset]
        data = exif[start : start + tags[ExifTags.Base.JpegIFByteCount]]
        small = Image.open(io.BytesIO(data), formats=("JPEG",))
        if max(small.size) < min(side, max(image.size)) or not _same_shape(small.size, image.size):
            return None
        refuse_bomb(small.size)
        small.load()
        return small
    except Exception:  # absent or broken, in as many ways as there are cameras: the photo itself may be fine
        return None


def _same_shape(small: tuple[int, int], photo: tuple[int, int]) -> bool:
    """Whether a thumbnail shows the whole photo without bars: its sides are right to a pixel."""
    scale = max(small) / max(photo)
    return all(abs(short - scale * long) <= 1 for short, long in zip(small, photo, strict=True))


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _as_jpeg(pixels: np.ndarray) -> bytes:
    """Made of pixels alone: of an opened photo Pillow would write a comment and others back."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()
