"""Readers of labelled photo collections, one layout a file, and the type they all give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NAMES = ("koniq", "clive", "flive", "spaq", "biq2021")
"""The data sets that are known, as the plugin's model cards call them."""

PARTS = ("train", "val", "test")
"""To learn from, to choose by, and to measure with once."""


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo and what its raters thought of it.

    Attributes:
        path: the image file.
        mos: mean opinion score scaled to 0..1, higher is better.
        subset: the part of the data set that it comes from, e.g. ``ss01``; empty if there are no such.
        part: which of ``PARTS`` the makers of the data set put it into; empty if they fixed no split.
    """

    path: Path
    mos: float
    subset: str = ""
    part: str = ""
