"""From a file to the pixels that a model takes; whatever is wrong with the file is a ``PhotoError``.

Everything here may run in several threads at once; Pillow, libheif and LibRaw release the GIL while they
decode.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
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

from dpiqa_desktop.engine.capture_time import capture_time, capture_time_in_tiff
from dpiqa_desktop.engine.raw import Preview, develop, find_preview, is_raw, open_raw, raw_capture_time
from dpiqa_plugin.errors import MissingExtraError, PhotoError
from dpiqa_plugin.preprocess import squash

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
_ORIENTATION = 0x0112

DRAFT_MARGIN = 3
"""A JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) that leaves this many times the model's input on
both sides. The smallest whole number at which scores stay within 0.01 of a full decode's on 95 % of photos
and within 0.02 on all (benchmarks/decode_fidelity.py; dpiqa_lite): 3 moves them by 0.007 at most, 2 by
0.022."""

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
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is not a regular file")  # opening a pipe would wait for ever
        if is_raw(path):
            return _decode_raw(path, size, max_pixels)
        # An open file, not its name: Pillow maps files it opens itself into memory, and a mapped file that
        # shrinks (a card pulled out) kills the process.
        with open(path, "rb") as file:
            return _decode(file, size, max_pixels)
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


def _decode(file: BinaryIO, size: int | None, max_pixels: int) -> Decoded:
    formats = _formats_to_try(file)
    with Image.open(file, formats=formats) as image:
        _refuse_bombs(image.size, max_pixels)
        pixels = _pixels(image, size, _orientation)
        return Decoded(pixels, _capture_time(image, file))


def _decode_raw(path: str, size: int | None, max_pixels: int) -> Decoded:
    if os.path.getsize(path) == 0:
        raise PhotoError("the file is empty")
    with open_raw(path) as raw:
        _refuse_bombs((raw.sizes.raw_width, raw.sizes.raw_height), max_pixels)
        preview = find_preview(raw, size)
        captured_at = raw_capture_time(path, raw, preview)
        pixels = None if preview is None else _preview_pixels(preview, size, max_pixels)
        if pixels is None:
            pixels = _pixels(develop(raw), size, lambda _: 1)
        return Decoded(pixels, captured_at)


def _preview_pixels(preview: Preview, size: int | None, max_pixels: int) -> np.ndarray | None:
    try:
        _refuse_bombs(preview.image.size, max_pixels)
        return _pixels(preview.image, size, lambda _: preview.orientation)
    except Exception:  # whatever is wrong with the preview, the photo itself may be fine
        return None


def _formats_to_try(file: BinaryIO) -> tuple[str, ...]:
    """Choose by the file's first bytes, and load a reader of HEIF only when there is a HEIF file."""
    head = file.read(12)
    file.seek(0)
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


def _refuse_bombs(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        limit = f"{max_pixels // 1_000_000} million" if max_pixels >= 1_000_000 else str(max_pixels)
        raise PhotoError(
            f"{width} x {height} pixels are more than {limit}: "
            "refused, because decoding it could take all memory"
        )


def _pixels(image: Image.Image, size: int | None, orientation: Callable[[Image.Image], int]) -> np.ndarray:
    # Of JPEG only: pillow-heif takes a draft for leave to decode the thumbnail instead of the photo.
    if size is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (size * DRAFT_MARGIN, size * DRAFT_MARGIN))
    image.load()
    photo = _to_rgb(image)
    pixels = np.asarray(photo) if size is None else squash(photo, size)
    # After squashing, because turning a small square is cheap and gives the same.
    turn = _TURNS.get(orientation(image))
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def _capture_time(image: Image.Image, file: BinaryIO) -> float | None:
    if image.format == "TIFF":
        return capture_time_in_tiff(file)
    exif = image.info.get("exif")
    return capture_time(exif) if isinstance(exif, bytes) else None


def _orientation(image: Image.Image) -> int:
    """1 to 8, or whatever number the file holds. Ask after loading: Pillow turns TIFF by itself then.

    HEIF says how to turn it in its own way, which libheif follows; pillow-heif therefore gives 1 here.
    """
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
    return image if image.mode == "RGB" else image.convert("RGB")


def _why_unidentified(path: str) -> str:
    if os.path.getsize(path) == 0:
        return "the file is empty"
    return "is not a JPEG, PNG, WebP, TIFF, BMP or HEIF file, or its header is damaged"
