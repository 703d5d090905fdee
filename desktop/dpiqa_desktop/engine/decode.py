"""From a file to the pixels that a model takes; whatever is wrong with the file is a ``PhotoError``."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.preprocess import squash

MAX_PIXELS = 250_000_000
"""More is refused as a decompression bomb. Phones make up to 200 million, camera backs 151 million."""

# Imported above, because Pillow's loading on demand is not made for threads. Not all of Pillow's: its EPS,
# for one, runs Ghostscript.
_FORMATS = tuple(
    image_file.format
    for image_file in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
_ORIENTATION = 0x0112

# A JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) that leaves this many times the model's input on
# both sides. Measured with dpiqa_lite against full decodes: see the commit that set it.
_DRAFT_MARGIN = 3

_Turn = Callable[[np.ndarray], np.ndarray]
# EXIF 2.32, 4.6.4 A: where the file's row 0 and column 0 are on the upright photo.
_TURNS: dict[int, _Turn] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}

# Our own limit speaks to the user; Pillow's would warn from 89 million pixels on and refuse from 179 million.
Image.MAX_IMAGE_PIXELS = None


def decode(path: str, size: int | None) -> np.ndarray:
    """Read a photo as the models were trained to see it.

    The content decides the format, not the name. Upright by EXIF orientation, colour profile ignored,
    transparency on white, 16 bits scaled to 8, the first frame of several.

    Args:
        path: of a JPEG, PNG, WebP, TIFF or BMP file.
        size: side of the square to squash to; None for the photo's own size.

    Returns:
        uint8 RGB array, (size, size, 3) or (height, width, 3), contiguous.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is not a regular file")  # opening a pipe would wait for ever
        # An open file, not its name: Pillow maps files it opens itself into memory, and a mapped file that
        # shrinks (a card pulled out) kills the process.
        with open(path, "rb") as file:
            return _decode(file, size)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError(_why_unidentified(path)) from None
    except MemoryError:
        raise PhotoError("not enough memory to decode it") from None
    except OSError as error:
        raise PhotoError(error.strerror or str(error)) from error
    # Pillow's plugins let SyntaxError, ValueError, struct.error and others through, each for its kind of
    # damage.
    except Exception as error:
        raise PhotoError(f"damaged: {error}") from error


def _decode(file: BinaryIO, size: int | None) -> np.ndarray:
    with Image.open(file, formats=_FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise PhotoError(
                f"{width} x {height} pixels are more than {MAX_PIXELS // 1_000_000} million: "
                "refused, because decoding it could take all memory"
            )
        if size is not None:
            image.draft(None, (size * _DRAFT_MARGIN, size * _DRAFT_MARGIN))
        image.load()
        orientation = _orientation(image)
        photo = _to_rgb(image)
    pixels = np.asarray(photo) if size is None else squash(photo, size)
    # After squashing, because turning a small square is cheap and gives the same.
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def _orientation(image: Image.Image) -> int:
    """1 to 8, or whatever number the file holds. Ask after loading: Pillow turns TIFF by itself then."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF comes out as many kinds of error, and the photo itself may be fine
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # Pillow's own conversion cuts off all above 255. PNG was mode I before Pillow 11.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise PhotoError(
            "its pixels are 32-bit numbers, of which nobody knows which is white; export it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        photo = Image.new("RGB", layer.size, "white")
        photo.paste(layer, mask=layer.getchannel("A"))
        return photo
    return image.convert("RGB")


def _why_unidentified(path: str) -> str:
    if os.path.getsize(path) == 0:
        return "the file is empty"
    return "is not a JPEG, PNG, WebP, TIFF or BMP file, or its header is damaged"
