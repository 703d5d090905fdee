"""The formats that the suites over metadata run over: each with its module and real files in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from makers.photos import scene
from PIL import Image, ImageCms

from dpiqa_desktop.metadata import jpeg, png, webp

PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/>'
    b'</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
"""A packet that says four stars."""


@dataclass(frozen=True)
class Format:
    """A format of photos whose metadata are written into the file.

    Attributes:
        name: ending of its files, without the dot.
        module: has its ``read`` and ``edit``.
        photos: real files by a name that tells what is special about them.
    """

    name: str
    module: ModuleType
    photos: dict[str, Callable[[], bytes]]


def saved(form: str, mode: str = "RGB", **options: object) -> Callable[[], bytes]:
    """Return a function that writes a small scene with Pillow."""

    def save() -> bytes:
        buffer = io.BytesIO()
        scene(48, 36).convert(mode).save(buffer, form, **options)
        return buffer.getvalue()

    return save


def with_second_frame(form: str, **options: object) -> Callable[[], bytes]:
    """Return a function that writes a scene and a black frame behind it."""
    return saved(form, save_all=True, append_images=[Image.new("RGB", (48, 36))], **options)


_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_EXIF = Image.Exif()
_EXIF[0x010F] = "Make of the camera"
_EXIF[0x4746] = 2  # Rating

FORMATS = (
    Format(
        "jpg",
        jpeg,
        {
            "plain": saved("JPEG"),
            "progressive": saved("JPEG", progressive=True),
            "grey": saved("JPEG", "L"),
            "cmyk": saved("JPEG", "CMYK"),
            "exif": saved("JPEG", exif=_EXIF),
            "exif_xmp": saved("JPEG", exif=_EXIF, xmp=PACKET + b" " * 2000),
            "profile": saved("JPEG", icc_profile=_PROFILE),
            "two_pictures": with_second_frame("MPO"),
        },
    ),
    Format(
        "png",
        png,
        {
            "plain": saved("PNG"),
            "palette": saved("PNG", "P"),
            "alpha": saved("PNG", "RGBA"),
            "exif": saved("PNG", exif=_EXIF),
            "animated": with_second_frame("PNG"),
        },
    ),
    Format(
        "webp",
        webp,
        {
            "lossy": saved("WEBP"),
            "lossless": saved("WEBP", lossless=True),
            "lossless_alpha": saved("WEBP", "RGBA", lossless=True),
            "exif": saved("WEBP", exif=_EXIF),
            "exif_xmp": saved("WEBP", exif=_EXIF, xmp=PACKET + b" "),
            "profile": saved("WEBP", icc_profile=_PROFILE),
            "animated": with_second_frame("WEBP"),
        },
    ),
)
