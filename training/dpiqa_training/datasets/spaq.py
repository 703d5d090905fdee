"""SPAQ (Fang et al., CVPR 2020): 11,125 photos of smartphones, about 15 raters each, in a laboratory.

As published (https://github.com/h4nwei/SPAQ): the photos in ``TestImage/``, and the labels in an Excel
workbook, ``MOS and Image attribute scores.xlsx``, in ``Annotations/``. Reading it needs openpyxl. No official
split.

MOS: published on 0..100; divided by 100, which is also what DP-IQA's authors trained with.
"""

from __future__ import annotations

from pathlib import Path

from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.labels_table import find_folder, find_table, read_xlsx

_TABLE = "MOS and Image attribute scores.xlsx"


def read_spaq(root: Path) -> list[LabelledPhoto]:
    """Read all photos.

    Raises:
        DPIQAError: the workbook or a photo is missing, or a row is malformed.
        ModuleNotFoundError: openpyxl is not installed.
    """
    table = find_table(root, f"Annotations/{_TABLE}", _TABLE)
    photos = find_folder(root, "TestImage", "SPAQ/TestImage")
    rows = read_xlsx(table, ("Image name", "MOS"))
    return [row.photo(photos / str(row.cells["Image name"]), "MOS") for row in rows]
