"""Which files of a folder are one photo, by their names: RAW and JPEG, sidecars, voice notes."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterable

# fmt: off
RAW_SUFFIXES = frozenset({
    ".3fr", ".arq", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr",
    ".iiq", ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw",
    ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
})
# fmt: on
"""What cameras call the files that only they and raw converters write."""

_WITH_MOTION = frozenset([".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg", ".jpg"])
_PHOTO_SUFFIXES = (
    RAW_SUFFIXES | _WITH_MOTION | frozenset([".avif", ".bmp", ".jxl", ".png", ".tif", ".tiff", ".webp"])
)
# Edits (XMP, what Adobe puts beside it, RawTherapee, DxO, ON1, Canon's two, Apple's), a video's or RAW's
# preview, a voice note.
_ATTACHED_SUFFIXES = frozenset(
    [".xmp", ".acr", ".arp", ".pp3", ".dop", ".on1", ".vrd", ".dr4", ".aae", ".thm", ".wav"]
)
_MOTION_SUFFIX = ".mov"
# darktable's name for the edits of a photo's second version: IMG_1_01.CR2.xmp beside IMG_1.CR2.
_DUPLICATE = re.compile(r"(.+)_\d{2,}(\.[^.]+)", re.DOTALL)


def companions(path: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return all files that are the same photo as ``path``, itself among them, in the order of their names.

    Args:
        path: a photo, whatever it is called.
        names: of the files in its folder; no folders among them.
    """
    folder, name = os.path.split(path)
    start = composed(stem(name))
    # Those of its files, and of all photos that could have a better claim to one of them, begin so.
    near = {other for other in names if composed(other).startswith(start)}
    members = group_by_photo({*near, name}, (name,))[stem(name)]
    return tuple(os.path.join(folder, member) for member in members)


def group_by_photo(names: Iterable[str], also: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Sort a folder's files by the photo they are part of; every file is part of one at most.

    - Photos of equal stem are one photo: ``IMG_1.CR2``, ``IMG_1.JPG``, ``IMG_1.heic``.
    - ``IMG_1.CR2.xmp`` belongs to ``IMG_1.CR2``, and so to ``IMG_1``; without that file it is nobody's.
    - ``IMG_1.xmp`` belongs to whatever photo has the stem ``IMG_1``; ``IMG_1.mov`` only to a JPEG or HEIC.
    - Stems are equal to the letter: ``img_1.jpg`` is another photo than ``IMG_1.JPG`` where both can be. The
      case of suffixes does not matter.
    - Sidecars and the like may spell their photo's accents in the other way, ``é`` or ``e`` and an accent:
      Macs do. Photos may not: where both can be, they are two.

    Args:
        names: of the files in one folder.
        also: those of ``names`` that are photos although their suffix does not say so.

    Returns:
        stem -> names, sorted. Each name begins with the stem, but for the spelling of accents.
    """
    ordered = sorted(names)
    photos: dict[str, list[str]] = {}
    stem_of: dict[str, str] = {}
    for name in ordered:
        if name in also or is_photo(name):
            photos.setdefault(stem(name), []).append(name)
            stem_of[_without_case(name)] = stem(name)
    attached: dict[str, list[str]] = {}
    composed_photos = {composed(key): members for key, members in photos.items()}
    composed_stem_of = {composed(key): composed(value) for key, value in stem_of.items()}
    spelled = {composed(key): key for key in photos}
    for name in ordered:
        if name in also:
            continue
        owner = _owner(name, photos, stem_of)
        if owner is None and not name.isascii():
            owner = spelled.get(_owner(composed(name), composed_photos, composed_stem_of) or "")
        if owner is not None:
            attached.setdefault(owner, []).append(name)
    return {owner: tuple(sorted(members + attached.get(owner, []))) for owner, members in photos.items()}


def is_photo(name: str) -> bool:
    """Whether a file is a photo, RAW or not, by its name."""
    return _suffix(name) in _PHOTO_SUFFIXES


def stem(name: str) -> str:
    """Return a photo's name without its suffix; all of it if the suffix is none of a photo."""
    return os.path.splitext(name)[0] if is_photo(name) else name


def composed(name: str) -> str:
    """Return ``name`` with its accents in the one of two spellings that most programs use, Unicode's NFC."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def ending(name: str, stem: str) -> str:
    """Return what comes after the stem that ``name`` begins with, in either spelling of its accents."""
    return name[len(stem) :] if name.startswith(stem) else composed(name)[len(composed(stem)) :]


def stems_claimed(name: str) -> frozenset[str]:
    """Return the stems that a new photo must not have, lest ``name`` would seem to belong to it."""
    base, suffix = os.path.splitext(name)
    if suffix.lower() in _ATTACHED_SUFFIXES or suffix.lower() == _MOTION_SUFFIX:
        return frozenset({base, stem(base)})
    return frozenset({stem(name)})


def _owner(name: str, photos: dict[str, list[str]], stem_of: dict[str, str]) -> str | None:
    """Return the stem of the photo that the attached file ``name`` belongs to, if any."""
    base, suffix = os.path.splitext(name)
    if suffix.lower() == _MOTION_SUFFIX:
        return base if any(_suffix(photo) in _WITH_MOTION for photo in photos.get(base, ())) else None
    if suffix.lower() not in _ATTACHED_SUFFIXES:
        return None
    if _without_case(base) in stem_of:
        return stem_of[_without_case(base)]
    if base in photos:
        return base
    duplicate = _DUPLICATE.fullmatch(base)
    if duplicate and stem_of.get(_without_case(duplicate[1] + duplicate[2])) == duplicate[1]:
        return duplicate[1]
    return None


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _without_case(name: str) -> str:
    """Return ``name`` with a photo's suffix in small letters, so that IMG_1.CR2.xmp finds IMG_1.cr2."""
    return stem(name) + name[len(stem(name)) :].lower()
