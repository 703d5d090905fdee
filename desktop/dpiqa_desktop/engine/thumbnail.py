"""A small upright picture of a photo, quickly: the one the camera put into it, or the photo scaled down."""

from __future__ import annotations

import contextlib
import io
import os
import stat

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from dpiqa_desktop.engine.decode import MAX_PIXELS
from dpiqa_plugin.errors import PhotoError

# Those that decode.py takes, whose plugins it has loaded before any thread starts.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")

_QUALITY = 60
"""Of the JPEG. At 160 pixels a photo takes 2 to 7 kB then, and the blocks are not seen."""

# EXIF 2.32, 4.6.4 A: what brings the photo's top to the top.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# How many times the thumbnail's size a JPEG is decoded at, at least; the rest is done by a good filter.
_REDUCING_GAP = 2.0


def thumbnail(path: str, side: int) -> bytes:
    """Make a picture of a photo that fits into a square. Safe to call from several threads.

    Upright by EXIF orientation, aspect ratio kept, never enlarged, colour profile ignored, transparency on
    white, 16 bits scaled to 8. The picture that the camera embedded is taken if it is big enough and shows
    the whole photo and nothing else: some cameras pad it with black bars to 4:3, and it is as it was shot,
    even if a program that edited the photo since forgot about it.

    Args:
        path: of a JPEG, PNG, WebP, TIFF or BMP file.
        side: of the square in pixels.

    Returns:
        a JPEG file without any metadata.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is not a regular file")  # opening a pipe would wait for ever
        # An open file, not its name: Pillow would map it into memory, and if it shrinks then, that kills us.
        with open(path, "rb") as file, Image.open(file, formats=_FORMATS) as image:
            return _as_jpeg(_small(image, side))
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError("is not a JPEG, PNG, WebP, TIFF or BMP file, or its header is damaged") from None
    except MemoryError:
        raise PhotoError("not enough memory to decode it") from None
    except OSError as error:
        raise PhotoError(error.strerror or str(error)) from error
    except Exception as error:  # Pillow's plugins let many kinds through, each for its kind of damage
        raise PhotoError(f"damaged: {error}") from error


def _small(image: Image.Image, side: int) -> Image.Image:
    """Upright RGB of at most ``side`` pixels."""
    source = _embedded(image, side)
    if source is None:
        _refuse_bomb(image)
        image.draft(None, _fitted(image.size, int(side * _REDUCING_GAP)))
        image.load()
        source = image
    # The embedded picture lies as the photo does; its own orientation, if it has one, is rarely kept up.
    orientation = _orientation(image)
    small = _to_rgb(source)
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    turn = _TURNS.get(orientation)
    return small if turn is None else small.transpose(turn)


def _embedded(image: Image.Image, side: int) -> Image.Image | None:
    """The thumbnail in the EXIF data (2.32, 4.6.9.2), decoded, if it will do; whatever is wrong, None."""
    exif = image.info.get("exif")
    if exif is None:
        return (
            None  # asking on would make Pillow decode a PNG, in case EXIF follows, and hide that it is broken
        )
    try:
        tags = image.getexif().get_ifd(ExifTags.IFD.IFD1)
        start = len(b"Exif\0\0") + tags[ExifTags.Base.JpegIFOffset]
        data = exif[start : start + tags[ExifTags.Base.JpegIFByteCount]]
        small = Image.open(io.BytesIO(data), formats=("JPEG",))
        if max(small.size) < min(side, max(image.size)) or not _same_shape(small.size, image.size):
            return None
        _refuse_bomb(small)
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


def _refuse_bomb(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"{width} x {height} pixels are more than {MAX_PIXELS // 1_000_000} million: refused"
        )


def _orientation(image: Image.Image) -> int:
    """1 to 8, or whatever number the file holds. Ask after loading: Pillow turns TIFF by itself then."""
    with contextlib.suppress(Exception):  # broken EXIF comes out as many kinds of error
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # Pillow's own conversion cuts off all above 255. PNG was mode I before Pillow 11.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise PhotoError("its pixels are 32-bit numbers, of which nobody knows which is white")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        photo = Image.new("RGB", layer.size, "white")
        photo.paste(layer, mask=layer.getchannel("A"))
        return photo
    return image.convert("RGB")


def _as_jpeg(photo: Image.Image) -> bytes:
    photo.info.clear()  # Pillow would write a comment and others back
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return file.getvalue()
