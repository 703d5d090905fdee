"""Photos for tests, all generated: one scene in every format and pixel type, and files not to be trusted."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

Writer = Callable[[Image.Image, Path], None]


def scene(width: int = 160, height: int = 120, seed: int = 0) -> Image.Image:
    """Draw a landscape, RGB: sky over ground, sun at the upper left, soft texture; no two corners alike."""
    noise = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    sky = np.stack([90 + 80 * y, 130 + 60 * y, 220 - 30 * x], axis=-1)
    ground = np.stack([60 + 60 * x, 110 - 30 * y, 40 + 20 * x], axis=-1)
    pixels = np.where((y < 0.6)[..., None], sky, ground) + noise.normal(0, 3, (height, width, 1))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    sun = [0.1 * width, 0.1 * height, 0.3 * width, 0.1 * height + 0.2 * width]
    ImageDraw.Draw(image).ellipse(sun, fill=(250, 230, 150))
    return image


def save_photo(path: Path, seed: int = 0, size: tuple[int, int] = (160, 120)) -> Path:
    """Write a scene in the format of the name's ending and return ``path``."""
    scene(*size, seed=seed).save(path)
    return path


def _saved_as(form: str, **options: object) -> Writer:
    return lambda image, path: image.save(path, form, **options)


def _converted(mode: str, form: str, **options: object) -> Writer:
    return lambda image, path: image.convert(mode).save(path, form, **options)


def _with_second_frame(form: str, **options: object) -> Writer:
    """Follow the image with a black frame."""
    return lambda image, path: image.save(
        path, form, save_all=True, append_images=[Image.new(image.mode, image.size)], **options
    )


def save_png_of_16_bits(image: Image.Image, path: Path) -> None:
    """Write RGB with 16 bits a channel, which Pillow reads but does not write; the low bytes are not zero."""
    samples = np.asarray(image).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    path.write_bytes(_png(*image.size, depth=16, data=zlib.compress(rows)))


def save_tiff_of_16_bits(image: Image.Image, path: Path) -> None:
    """Write RGB with 16 bits a channel, uncompressed, one strip (TIFF 6.0, section 6), as converters do."""
    data = (np.asarray(image).astype("<u2") * 257).tobytes()
    width, height = image.size
    bits_at = 8 + len(data)
    # Tag, type (3 short, 4 long), count, value: section 2 of the specification.
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, bits_at),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    header = struct.pack("<2sHI", b"II", 42, bits_at + 6)
    path.write_bytes(header + data + struct.pack("<3H", 16, 16, 16) + directory + struct.pack("<I", 0))


def exif_block(
    date: bytes | None = None, sub_sec: bytes | None = None, orientation: int | None = None, order: str = "<"
) -> bytes:
    """Put EXIF together as cameras write it (EXIF 2.32, 4.5 and 4.6), without ``Exif\\0\\0`` before it."""
    inner = [(36867, 2, date), (37521, 2, sub_sec)]
    inner = [(tag, kind, value + b"\0") for tag, kind, value in inner if value is not None]
    outer = [(274, 3, struct.pack(order + "H", orientation))] if orientation else []
    header = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    at = len(header) + 2 + 12 * (len(outer) + 1) + 4
    at += at % 2
    pointer = (34665, 4, struct.pack(order + "I", at))
    return header + _directory([*outer, pointer], 8, order) + _directory(inner, at, order)


_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}


def _directory(entries: list[tuple[int, int, bytes]], at: int, order: str = "<", following: int = 0) -> bytes:
    """Put a TIFF directory together that begins at ``at``, with its longer values behind it (TIFF 6.0, 2)."""
    entries = sorted(entries)
    table = struct.pack(order + "H", len(entries))
    values = b""
    values_at = at + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        table += struct.pack(order + "HHI", tag, kind, len(value) // _TYPE_SIZES[kind])
        if len(value) <= 4:
            table += value.ljust(4, b"\0")
        else:
            table += struct.pack(order + "I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
    return table + struct.pack(order + "I", following) + values


def save_dng(
    image: Image.Image,
    path: Path,
    preview: bytes | None = None,
    orientation: int = 1,
    exif: tuple[bytes, bytes] | None = None,
) -> None:
    """Write a DNG (specification 1.4): the image as a Bayer sensor with sRGB's primaries would see it.

    Args:
        image: RGB, both sides even.
        path: where to.
        preview: a JPEG to embed.
        orientation: as EXIF counts it; the pixels stay as they are.
        exif: DateTimeOriginal and SubSecTimeOriginal.
    """
    colour = np.asarray(image) / 255
    # The inverse of LibRaw's output curve, BT.709's, and 14 of 16 bits, to have a white level to be read.
    linear = np.where(colour < 0.081, colour / 4.5, ((colour + 0.099) / 1.099) ** (1 / 0.45))
    sensor = np.empty(linear.shape[:2])
    sensor[0::2, 0::2] = linear[0::2, 0::2, 0]
    sensor[0::2, 1::2] = linear[0::2, 1::2, 1]
    sensor[1::2, 0::2] = linear[1::2, 0::2, 1]
    sensor[1::2, 1::2] = linear[1::2, 1::2, 2]
    data = np.rint(sensor * 16383).astype("<u2").tobytes()
    from_xyz = [3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570]  # IEC 61966-2-1
    width, height = image.size
    body = data + (preview or b"")
    body += b"\0" * (len(body) % 2)
    exif_at = 8 + len(body)
    if exif is not None:
        body += _directory([(36867, 2, exif[0] + b"\0"), (37521, 2, exif[1] + b"\0")], exif_at)

    def short(*values: int) -> bytes:
        return struct.pack(f"<{len(values)}H", *values)

    def long(value: int) -> bytes:
        return struct.pack("<I", value)

    entries = [
        (254, 4, long(0)),
        (256, 4, long(width)),
        (257, 4, long(height)),
        (258, 3, short(16)),
        (259, 3, short(1)),
        (262, 3, short(32803)),
        (271, 2, b"Maker\0"),
        (272, 2, b"Model\0"),
        (273, 4, long(8)),
        (274, 3, short(orientation)),
        (277, 3, short(1)),
        (278, 4, long(height)),
        (279, 4, long(len(data))),
        (33421, 3, short(2, 2)),
        (33422, 1, bytes([0, 1, 1, 2])),
        (50706, 1, bytes([1, 4, 0, 0])),
        (50708, 2, b"Maker Model\0"),
        (50717, 4, long(16383)),
        (50721, 10, b"".join(struct.pack("<ii", round(x * 10_000), 10_000) for x in from_xyz)),
        (50728, 5, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),
        (50778, 3, short(21)),
    ]
    if exif is not None:
        entries.append((34665, 4, long(exif_at)))
    first = 8 + len(body)
    directories = _directory(entries, first)
    if preview is not None:
        with Image.open(io.BytesIO(preview)) as opened:
            preview_size = opened.size
        second = first + len(directories)
        directories = _directory(entries, first, following=second) + _directory(
            [
                (254, 4, long(1)),
                (256, 4, long(preview_size[0])),
                (257, 4, long(preview_size[1])),
                (258, 3, short(8, 8, 8)),
                (259, 3, short(7)),
                (262, 3, short(6)),
                (273, 4, long(8 + len(data))),
                (277, 3, short(3)),
                (278, 4, long(preview_size[1])),
                (279, 4, long(len(preview))),
            ],
            second,
        )
    path.write_bytes(struct.pack("<2sHI", b"II", 42, first) + body + directories)


def save_heic(image: Image.Image, path: Path, exif: bytes = b"", **options: object) -> None:
    """Write a HEIC with little loss; an orientation in ``exif`` also as HEIF's own, as phones do."""
    import pillow_heif

    photo = pillow_heif.from_pillow(image)
    if exif:
        photo.info["exif"] = b"Exif\0\0" + exif
    photo.save(path, quality=95, chroma=444, **options)


def jpeg(image: Image.Image, exif: bytes = b"") -> bytes:
    """Encode as JPEG with little loss; ``exif`` as ``exif_block`` makes it, first as in cameras' files."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0" + exif if exif else b"")
    content = buffer.getvalue()
    return content[:2] + content[20:] if exif else content  # without JFIF's segment of 18 bytes


def _save_grey_of_16_bits(form: str) -> Writer:
    def save(image: Image.Image, path: Path) -> None:
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path, form)

    return save


def _save_grey_tiff(bits: int, white_is_zero: bool = False) -> Writer:
    """Of 12 or 16 bits, uncompressed, one strip (TIFF 6.0, section 4): Pillow does not write such files."""

    def save(image: Image.Image, path: Path) -> None:
        white = 2**bits - 1
        samples = np.asarray(image.convert("L")).astype(np.uint32) * white // 255
        if white_is_zero:
            samples = white - samples
        if bits == 16:
            data = samples.astype("<u2").tobytes()
        else:  # the first sample's highest bit is the first byte's, whatever the byte order
            each = np.unpackbits(samples.astype(">u2").view(np.uint8)).reshape(-1, 16)[:, -bits:]
            data = np.packbits(each).tobytes()
        short, long = struct.Struct("<H").pack, struct.Struct("<I").pack
        entries = [
            (256, 3, short(image.width)),
            (257, 3, short(image.height)),
            (258, 3, short(bits)),
            (259, 3, short(1)),
            (262, 3, short(0 if white_is_zero else 1)),
            (273, 4, long(8)),
            (277, 3, short(1)),
            (278, 3, short(image.height)),
            (279, 4, long(len(data))),
        ]
        at = 8 + len(data)
        path.write_bytes(struct.pack("<2sHI", b"II", 42, at) + data + _directory(entries, at))

    return save


COLOUR: dict[str, Writer] = {
    "baseline.jpg": _saved_as("JPEG", quality=95, subsampling=0),
    "progressive.jpg": _saved_as("JPEG", quality=95, subsampling=0, progressive=True),
    "cmyk.jpg": _converted(
        "CMYK", "JPEG", quality=95
    ),  # with Adobe's marker and inverted inks, as Photoshop's
    "two_pictures.jpg": _with_second_frame("MPO", quality=95, subsampling=0),  # as phones write
    "plain.png": _saved_as("PNG"),
    "interlace_free_16_bits.png": save_png_of_16_bits,
    "opaque_alpha.png": _converted("RGBA", "PNG"),
    "animated.png": _with_second_frame("PNG"),
    "lossless.webp": _saved_as("WEBP", lossless=True),
    "lossy.webp": _saved_as("WEBP", quality=95),
    "animated.webp": _with_second_frame("WEBP", lossless=True),
    "plain.tif": _saved_as("TIFF"),
    "lzw.tif": _saved_as("TIFF", compression="tiff_lzw"),
    "jpeg_inside.tif": _saved_as("TIFF", compression="jpeg", quality=95),
    "cmyk.tif": _converted("CMYK", "TIFF"),
    "two_pages.tiff": _with_second_frame("TIFF"),
    "16_bits.tif": save_tiff_of_16_bits,
    "plain.bmp": _saved_as("BMP"),
    "named_jpg_but_png.jpg": _saved_as("PNG"),
    "named_png_but_jpg.png": _saved_as("JPEG", quality=95, subsampling=0),
}
"""Writers of an RGB image that must read back as it was, but for the rounding of lossy formats."""

GREY: dict[str, Writer] = {
    "grey.jpg": _converted("L", "JPEG", quality=95),
    "grey.png": _converted("L", "PNG"),
    "grey_16_bits.png": _save_grey_of_16_bits("PNG"),
    "grey_16_bits.tif": _save_grey_of_16_bits("TIFF"),
    "grey_12_bits.tif": _save_grey_tiff(12),
    "grey_16_bits_white_is_0.tif": _save_grey_tiff(16, white_is_zero=True),
    "grey_alpha.png": _converted("LA", "PNG"),
    "grey.tif": _converted("L", "TIFF"),
    "grey.bmp": _converted("L", "BMP"),
}
"""Writers that drop the colour."""


def _png(width: int, height: int, depth: int, data: bytes) -> bytes:
    """Put an RGB PNG together (PNG specification, 5 and 11.2.2)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def make_torture_folder(folder: Path) -> dict[str, str | None]:
    """Fill ``folder`` with what turns up on cards and old disks.

    Returns:
        the path of each file below ``folder``, with a regular expression for the reason it must fail with, or
        None if it must be scored.
    """
    photo = save_photo(folder / "plain.jpg").read_bytes()
    png = save_photo(folder / "plain.png").read_bytes()
    outcomes: dict[str, str | None] = {"plain.jpg": None, "plain.png": None}

    def put(name: str, content: bytes, reason: str | None) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        outcomes[name] = reason

    put("zero.jpg", b"", "empty")
    put("cut_in_half.jpg", photo[: len(photo) // 2], "truncated")
    put("cut_in_half.png", png[: len(png) // 2], "truncated|broken")
    put("only_a_header.jpg", photo[:20], "header|truncated|damaged")
    put("text.jpg", b"not a photo at all\n" * 20, "is not a JPEG")
    put("PostScript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a JPEG")
    put("bomb.png", _png(60_000, 60_000, 8, zlib.compress(bytes(1000))), "60000 x 60000 pixels")
    put(
        "flipped_bits.png",
        png[:60] + bytes(b ^ 0x55 for b in png[60:90]) + png[90:],
        "broken|damaged|truncated",
    )
    put("SHOUTING.JPG", photo, None)
    put("deep/er/and/deeper.jpg", photo, None)
    put("two  spaces .jpg", photo, None)
    put("相片.jpg", photo, None)
    put("👩‍🚀.jpg", photo, None)
    save_photo(folder / "one_pixel.png", size=(1, 1))
    save_photo(folder / "ribbon.png", size=(65_500, 10))
    outcomes |= {"one_pixel.png": None, "ribbon.png": None}
    if os.name == "posix":
        put("new\nline.jpg", photo, None)
        put(os.fsdecode(b"caf\xe9.jpg"), photo, None)
        outcomes |= _links_and_pipes(folder)
    return outcomes


def _links_and_pipes(folder: Path) -> dict[str, str | None]:
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "itself.jpg").symlink_to(folder / "itself.jpg")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    # Permissions do not stop root, who runs many a test; memory that is not there cannot be read by anyone.
    (folder / "unreadable.jpg").symlink_to("/proc/self/mem")
    return {
        "itself.jpg": "symbolic link",
        "gone.jpg": "No such file",
        "pipe.jpg": "not a regular file",
        "unreadable.jpg": "Input/output error" if Path("/proc/self/mem").exists() else "No such file",
    }
