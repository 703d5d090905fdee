"""BIQ2021 (Ahmed et al., Journal of Electronic Imaging 31(5), 2022): 12,000 photos with about 30 raters each.

Two layouts are read: the published one (``git clone https://github.com/nisarahmedrana/BIQ2021``: ``Images/``
and two tables) and an excerpt of its training part, a folder with ``images/`` and ``labels.csv`` (name, mos).
MOS is published on 0..1 and is used as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.labels_table import Row, read_csv

VALIDATION_LIST = Path(__file__).with_name("biq2021_validation.txt")
"""The blocks of a hundred numbers that are held out of the training part: subset and first number."""

BLOCK = 100
_SIZES = {"ss01": 2000, "ss02": 2000, "ss03": 8000}
_OFFICIAL = {"train": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}
_NEVER_UPLOADED = "ss02 (1014).jpg"  # listed in the published table
_NAME = re.compile(r"(ss0[123]) \((\d+)\)\.jpg")


def draw_validation_blocks(seed: int = 0) -> list[tuple[str, int]]:
    """Draw a tenth of each subset's blocks; how ``VALIDATION_LIST`` was made.

    Whole blocks, since ``ss01`` shows one object in about a dozen consecutive numbers, each with another
    camera fault, and ``ss03`` is sorted by search word: single photos would have their like in training.
    """
    rng = random.Random(seed)
    blocks = ((name, rng.sample(range(size // BLOCK), size // BLOCK // 10)) for name, size in _SIZES.items())
    return [(name, index * BLOCK + 1) for name, indices in blocks for index in sorted(indices)]


def read_training(root: Path) -> list[LabelledPhoto]:
    """Photos to train on: the official training part without the validation blocks.

    Args:
        root: a folder in either layout.

    Raises:
        DPIQAError: no known layout, a malformed row (names file and line), or fewer than two photos left.
    """
    held_out = _validation_blocks()
    photos = [photo for photo in _read_part(root, "train") if block_of(photo) not in held_out]
    if len(photos) < 2:
        raise DPIQAError(f"{root}: no training photos there")
    return photos


def read_validation(root: Path) -> list[LabelledPhoto]:
    """Photos to choose recipes by: the validation blocks of the official training part.

    Raises:
        DPIQAError: as ``read_training``.
    """
    held_out = _validation_blocks()
    photos = [photo for photo in _read_part(root, "train") if block_of(photo) in held_out]
    if len(photos) < 2:
        raise DPIQAError(f"{root}: no validation photos there")
    return photos


def read_test(root: Path) -> list[LabelledPhoto]:
    """Read the official test part, 2,000 photos, for one final measurement.

    Raises:
        DPIQAError: as ``read_training``; ``root`` holds the small layout, which has no test part.
    """
    photos = _read_part(root, "test")
    if len(photos) < 2:
        raise DPIQAError(f"{root}: no test photos there; they are in the published BIQ2021 only")
    return photos


def block_of(photo: LabelledPhoto) -> tuple[str, int]:
    """Subset and first number of the hundred that a photo belongs to: photos of one scene share it."""
    subset, number = _parse_name(photo.path.name)
    return subset, (number - 1) // BLOCK * BLOCK + 1


def _validation_blocks() -> set[tuple[str, int]]:
    lines = VALIDATION_LIST.read_text(encoding="utf-8").splitlines()
    return {(subset, int(first)) for subset, first in map(str.split, lines)}


def _read_part(root: Path, part: str) -> list[LabelledPhoto]:
    small, official = root / "labels.csv", root / _OFFICIAL["train"]
    if small.is_file():
        return list(_read_small(small)) if part == "train" else []
    if official.is_file():
        return list(_read_official(root / _OFFICIAL[part]))
    raise DPIQAError(f"{root}: neither {small.name} nor {official.name} is here; give a folder of BIQ2021")


def _read_small(table: Path) -> Iterator[LabelledPhoto]:
    for row in read_csv(table, ("name", "mos")):
        yield _labelled(row, table.parent / "images" / str(row.cells["name"]), "mos")


def _read_official(table: Path) -> Iterator[LabelledPhoto]:
    for row in read_csv(table, ("Image Name", "MOS")):
        name = str(row.cells["Image Name"])
        if name != _NEVER_UPLOADED:
            yield _labelled(row, table.parent / "Images" / name, "MOS")


def _labelled(row: Row, path: Path, mos_column: str) -> LabelledPhoto:
    try:
        subset, _ = _parse_name(path.name)
    except ValueError as error:
        raise row.error(str(error)) from error
    return row.photo(path, mos_column, subset, highest=1)


def _parse_name(name: str) -> tuple[str, int]:
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"expected a name like 'ss01 (12).jpg', got {name!r}")
    return match[1], int(match[2])
