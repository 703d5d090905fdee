"""Every data set by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dpiqa_plugin.errors import UsageError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.biq2021 import read_test, read_validation
from dpiqa_training.datasets.clive import read_clive
from dpiqa_training.datasets.flive import read_flive
from dpiqa_training.datasets.koniq import read_koniq
from dpiqa_training.datasets.pyiqa_meta import read_pyiqa_meta
from dpiqa_training.datasets.spaq import read_spaq
from dpiqa_training.splits import Shares, of_part, split_photos

READERS: dict[str, Callable[[Path], list[LabelledPhoto]]] = {
    "koniq": read_koniq,
    "clive": read_clive,
    "flive": read_flive,
    "spaq": read_spaq,
}
"""Readers of whole data sets as published, by their names; BIQ2021 is read by parts."""


def read_dataset(name: str, root: Path) -> list[LabelledPhoto]:
    """Read all of one of ``READERS``, as published or in pyiqa's layout (``root`` holds ``meta_info/``).

    Raises:
        DPIQAError: as the readers.
    """
    if (root / "meta_info").is_dir():
        return read_pyiqa_meta(root, name)
    return READERS[name](root)


def read_part(name: str, root: Path, part: str, splits: Path | None = None) -> list[LabelledPhoto]:
    """Read one part of a data set of ``NAMES`` to measure on.

    Args:
        name: of the data set.
        root: its folder.
        part: ``val``, ``test`` or ``all``.
        splits: folder of split files, ``koniq.csv`` and so on, each written if it is not there; None for the
            official split.

    Raises:
        DPIQAError: as the readers, or there is no such part.
    """
    if name == "biq2021":
        if part == "all":
            raise UsageError(
                f"{root}: biq2021 has no part all, as its photos to train on would be among them. "
                "Give --part val or --part test; other data sets can be measured by a command of their own"
            )
        return {"val": read_validation, "test": read_test}[part](root)
    photos = read_dataset(name, root)
    if part == "all":
        return photos
    if splits is None:
        fault = f"{root}: {name} has no official part {part}; say where split files are: --splits DIR"
    else:
        file = splits / f"{name}.csv"
        photos = split_photos(file, root, photos, Shares())
        fault = f"{file} puts no photo into {part}; change the file, or delete it to draw a new split"
    chosen = of_part(photos, part)
    if not chosen:
        raise UsageError(f"{fault}, or measure on all photos: --part all")
    return chosen
