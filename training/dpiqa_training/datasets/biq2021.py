"""BIQ2021 (Ahmed et al., Journal of Electronic Imaging 31(5), 2022): 12,000 photos with about 30 raters each.

Two layouts are read: the published one (``git clone https://github.com/nisarahmedrana/BIQ2021``: ``Images/``
and two tables) and a folder with ``images/`` and ``labels.csv`` (name, mos, ss, split). MOS is published on
0..1 and is used as it is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets.labelled import LabelledPhoto

VALIDATION_LIST = Path(__file__).with_name("biq2021_validation.txt")
"""Names of the 120 photos of the official training part that are held out, stratified by subset and MOS."""

_OFFICIAL = {"train": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}
_NAME = re.compile(r"(ss0[123]) \((\d+)\)\.jpg")
# ss01 shows one object in about a dozen consecutive numbers, each with another camera fault.
_SCENE_REACH = 12


def read_training(root: Path, subsets: tuple[str, ...]) -> list[LabelledPhoto]:
    """Photos to train on: the official training part without the validation photos and their ``ss01`` scenes.

    Args:
        root: a folder in either layout.
        subsets: which of ``ss01``, ``ss02``, ``ss03`` to keep.

    Raises:
        DPIQAError: no known layout, a malformed row (names file and line), or fewer than two photos left.
    """
    held_out = validation_names()
    scenes = {number for subset, number in map(_parse_name, held_out) if subset == "ss01"}
    photos = [
        photo
        for photo in _read_part(root, "train")
        if photo.subset in subsets and photo.path.name not in held_out and not _shares_scene(photo, scenes)
    ]
    if len(photos) < 2:
        raise DPIQAError(f"{root}: no training photos left of the subsets {', '.join(subsets)}")
    return photos


def read_validation(root: Path) -> list[LabelledPhoto]:
    """Read the photos of ``VALIDATION_LIST``, in its order.

    Raises:
        DPIQAError: as ``read_training``, or a listed photo is not there (names the first).
    """
    by_name = {photo.path.name: photo for photo in [*_read_part(root, "train"), *_read_part(root, "val")]}
    missing = [name for name in validation_names() if name not in by_name]
    if missing:
        raise DPIQAError(f"{root}: {len(missing)} validation photos are not there, first: {missing[0]}")
    return [by_name[name] for name in validation_names()]


def validation_names() -> list[str]:
    """File names of the held-out photos."""
    return VALIDATION_LIST.read_text(encoding="utf-8").splitlines()


def _read_part(root: Path, part: str) -> list[LabelledPhoto]:
    small, official = root / "labels.csv", root / _OFFICIAL["train"]
    if small.is_file():
        return list(_read_small(small, part))
    if official.is_file():
        return list(_read_official(root / _OFFICIAL[part])) if part in _OFFICIAL else []
    raise DPIQAError(f"{root}: neither {small.name} nor {official.name} is here; give a folder of BIQ2021")


def _read_small(table: Path, part: str) -> Iterator[LabelledPhoto]:
    for line, row in _rows(table):
        if row["split"] == part:
            yield _labelled(table, line, table.parent / "images" / row["name"], row["mos"])


def _read_official(table: Path) -> Iterator[LabelledPhoto]:
    for line, row in _rows(table):
        path = table.parent / "Images" / row["Image Name"]
        # The published table lists photos that were never uploaded (ss02 (1014).jpg).
        if path.is_file():
            yield _labelled(table, line, path, row["MOS"])


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row


def _labelled(table: Path, line: int, path: Path, mos: str | None) -> LabelledPhoto:
    try:
        value = float(mos or "")
        subset, _ = _parse_name(path.name)
    except ValueError as error:
        raise DPIQAError(f"{table}, line {line}: {error}") from error
    if not 0 <= value <= 1:
        raise DPIQAError(f"{table}, line {line}: MOS must lie in 0..1, got {value}")
    return LabelledPhoto(path, value, subset)


def _parse_name(name: str) -> tuple[str, int]:
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"expected a name like 'ss01 (12).jpg', got {name!r}")
    return match[1], int(match[2])


def _shares_scene(photo: LabelledPhoto, scenes: set[int]) -> bool:
    subset, number = _parse_name(photo.path.name)
    return subset == "ss01" and any(abs(number - other) <= _SCENE_REACH for other in scenes)
