"""Opens photos of every format but RAW; whatever is wrong with any photo's file becomes a ``PhotoError``."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from dpiqa_plugin.errors import MissingExtraError, PhotoError

MAX_PIXELS = 250_000_000
"""More is refused as a decompression bomb. Phones make up to 200 million, camera backs 151 million."""

HEIF_SUFFIXES = frozenset({".avif", ".heic", ".heif", ".hif"})
"""What HEIF files are called, beside those that the base can read. The content decides, as for those."""

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
# Brands of ISO 23008-12 (HEIF), annex B, and of AVIF; other files of this container are films.
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}

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
# Bytes of a PNG's compressed text or profile. Pillow's limit is 1 MiB, and XMP with a history of edits may be
# larger; of all texts together it still takes 64.
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Read a photo's file inside the ``with``.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file or goes wrong inside the ``with``.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is not a regular file")  # opening a pipe would wait for ever
        yield
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError(
            "is not a JPEG, PNG, WebP, TIFF, BMP or HEIF file, or its header is damaged"
        ) from None
    except MemoryError:
        raise PhotoError("not enough memory to decode it") from None
    except OSError as error:
        raise PhotoError(error.strerror or str(error)) from error
    # Pillow's plugins let SyntaxError, ValueError, struct.error and others through, each for its kind of
    # damage.
    except Exception as error:
        raise PhotoError(f"damaged: {error}") from error


@contextlib.contextmanager
def open_image(path: str) -> Iterator[Image.Image]:
    """Open a file, inside ``reading``, as what its content says, and close it; nothing is decoded yet."""
    # An open file, not its name: Pillow maps files it opens itself into memory, and a mapped file that
    # shrinks (a card pulled out) kills the process.
    with open(path, "rb") as file, Image.open(file, formats=_formats_to_try(file)) as image:
        yield image


def refuse_bomb(size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> None:
    """Raise a ``PhotoError`` if width times height is more than ``max_pixels``."""
    width, height = size
    if width * height > max_pixels:
        limit = f"{max_pixels // 1_000_000} million" if max_pixels >= 1_000_000 else str(max_pixels)
        raise PhotoError(
            f"{width} x {height} pixels are more than {limit}: "
            "refused, because decoding it could take all memory"
        )


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB: colour profile ignored, transparency on white, 16 bits scaled to 8.

    Returns:
        the image itself if it is RGB already.

    Raises:
        PhotoError: its pixels have no known white point.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # Pillow's own conversion cuts off all above 255. PNG was mode I before Pillow 11.
        return Image.fromarray(_grey_of_8_bits(image)).convert("RGB")
    if image.mode in ("I", "F"):
        raise PhotoError(
            "its pixels are 32-bit numbers, of which nobody knows which is white; export it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        photo = Image.new("RGB", layer.size, "white")
        photo.paste(layer, mask=layer.getchannel("A"))
        return photo
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_of_8_bits(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return (pixels >> 8).astype(np.uint8)
    # Of more than 8 bits Pillow gives a TIFF's numbers as they are in the file: 12 bits are up to 4095, and
    # white may be 0 (TIFF 6.0, section 4; without the tag, as Pillow takes it for 8 bits).
    bits: int = image.tag_v2[TiffImagePlugin.BITSPERSAMPLE][0]
    grey = (pixels >> (bits - 8)).astype(np.uint8)
    white_is_zero = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0) == 0
    return ~grey if white_is_zero else grey


def exif_orientation(image: Image.Image) -> int | None:
    """1 to 8, or None if EXIF does not tell. Ask after loading: Pillow turns TIFF by itself then.

    HEIF says how to turn it in its own way, which libheif follows; pillow-heif therefore gives 1 here.
    """
    try:
        value = int(image.getexif()[ExifTags.Base.Orientation])
    except Exception:  # broken EXIF comes out as many kinds of error, and the photo itself may be fine
        return None
    return value if 1 <= value <= 8 else None


def upright(pixels: np.ndarray, orientation: int | None) -> np.ndarray:
    """Turn (height, width, 3) as EXIF's orientation says; contiguous."""
    turn = _TURNS.get(orientation or 1)
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def _formats_to_try(file: BinaryIO) -> tuple[str, ...]:
    """Choose by the file's first bytes, and load a reader of HEIF only when there is a HEIF file."""
    head = file.read(12)
    file.seek(0)
    if not head:
        raise PhotoError("the file is empty")
    if head[4:8] != b"ftyp":
        return _FORMATS
    if head[8:] in _HEIF_BRANDS:
        # Importing registers with Pillow: once, whatever the number of threads, because Python locks imports.
        try:
            import pillow_heif.HeifImagePlugin  # noqa: F401
        except ImportError as error:
            raise PhotoError(str(MissingExtraError("reading HEIF files", "raw"))) from error
        return ("HEIF",)
    if head[8:] in _AVIF_BRANDS:
        _load_avif()
        return ("AVIF",)
    return _FORMATS


def _load_avif() -> None:
    """Pillow reads AVIF itself from 11.3 on, pillow-heif did until 0.22; so every version has it."""
    try:
        from PIL import AvifImagePlugin

        supported = AvifImagePlugin.SUPPORTED
    except ImportError:
        supported = False
    if supported:
        return
    try:
        import pillow_heif.AvifImagePlugin  # noqa: F401
    except ImportError as error:
        raise PhotoError(str(MissingExtraError("reading AVIF files", "raw"))) from error
