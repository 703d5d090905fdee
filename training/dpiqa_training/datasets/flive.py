"""FLIVE, or PaQ-2-PiQ (Ying et al., CVPR 2020): 39,810 photos, about 35 raters each.

As published (https://github.com/niu-haoran/FLIVE_Database, https://github.com/baidut/PaQ-2-PiQ): tables in
``database/`` or beside it, and there the photos in a folder for each source (``voc_emotic_ava/``,
``blur_dataset/``, ``EE371R/``). ``labels_image.csv`` has all photos; the official split stands in two others:
the photos of more than 640 pixels, ``labels640.csv`` or ``labels>640.csv``, are the test part, and
``labels<=640_padded.csv`` marks the validation part (``is_valid``). Only whole photos are read, no patches.

MOS: published on 0..100; divided by 100, which is also what DP-IQA's authors trained with.
"""

from __future__ import annotations

from pathlib import Path

from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.labels_table import find_folder, find_table, read_csv

_TEST = ("labels640.csv", "labels>640.csv")
_REST = ("labels<=640_padded.csv", "labels=640_padded.csv", "labels<=640.csv")
# As pandas writes booleans, and as spreadsheets do when they save them again.
_TRUTHS = {"True": True, "TRUE": True, "1": True, "False": False, "FALSE": False, "0": False}


def read_flive(root: Path) -> list[LabelledPhoto]:
    """Read all photos; the folder of each is its subset.

    Without the table of the test part no photo has a part; without the one of the others, all of those are
    ``train``.

    Raises:
        DPIQAError: a table or a photo is missing, or a row is malformed.
    """
    table = find_table(root, "labels_image.csv", "database/labels_image.csv")
    photos = find_folder(root, "database")
    parts = _official_parts(table.parent)
    result = []
    for row in read_csv(table, ("name", "mos")):
        name = str(row.cells["name"])
        part = parts.get(name, "train") if parts else ""
        result.append(row.photo(photos / name, "mos", subset=name.partition("/")[0], part=part))
    return result


def _official_parts(folder: Path) -> dict[str, str]:
    parts: dict[str, str] = {}
    for table in _present(folder, _TEST):
        parts |= {str(row.cells["name_image"]): "test" for row in read_csv(table, ("name_image",))}
    if not parts:
        return {}
    for table in _present(folder, _REST):
        for row in read_csv(table, ("name_image", "is_valid")):
            valid = row.cells["is_valid"]
            if valid not in _TRUTHS:
                raise row.error(f"is_valid must be True or False, got {valid!r}")
            if _TRUTHS[str(valid)]:
                parts.setdefault(str(row.cells["name_image"]), "val")
    return parts


def _present(folder: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()][:1]
