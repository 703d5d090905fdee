"""What sidecars are called."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Literal

from dpiqa_desktop.engine.companions import RAW_SUFFIXES, composed

Naming = Literal["adobe", "darktable"]
NAMINGS: tuple[Naming, ...] = ("adobe", "darktable")

# A sidecar that a program made is a few kilobytes; darktable's with masks and a long history, some hundred.
LARGEST = 64 << 20


def sidecar_name(name: str, naming: Naming) -> str:
    """What a photo's sidecar is called: ``IMG_1.xmp`` (Adobe) or ``IMG_1.CR2.xmp`` (darktable, digiKam)."""
    return (os.path.splitext(name)[0] if naming == "adobe" else name) + ".xmp"


def is_raw(name: str) -> bool:
    """Whether a photo is RAW, by its name."""
    return os.path.splitext(name)[1].lower() in RAW_SUFFIXES


def find(sidecar: str, names: Collection[str]) -> str | None:
    """Return what a sidecar is called in a folder: suffixes may be in capitals, stems may not.

    Accents may be spelled in either way.
    """
    if sidecar in names:
        return sidecar
    return next((name for name in names if are_alike(name, sidecar)), None)


def are_alike(one: str, other: str) -> bool:
    """Whether two names differ in capitals of suffixes or spelling of accents: many systems know no other."""
    return _comparable(one) == _comparable(other)


def _comparable(name: str) -> str:
    base, suffix = os.path.splitext(composed(name))
    inner, inner_suffix = os.path.splitext(base)
    return inner + inner_suffix.lower() + suffix.lower()
