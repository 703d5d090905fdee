"""pyiqa's own layout of KonIQ-10k, CLIVE, FLIVE and SPAQ: its folder ``datasets/``.

In it ``meta_info/meta_info_*Dataset.csv`` (https://huggingface.co/datasets/chaofengc/IQA-PyTorch-Datasets-metainfo)
and the photos where pyiqa 0.1.16's ``default_dataset_configs.yml`` says. Columns go by their place, as in its
``GeneralNRDataset``: first the photo's path below its folder, then the MOS. A column ``official_split`` says
``train``, ``val`` or ``test``.

CLIVE's first seven rows are left out, as there and in ``clive``; so are FLIVE's patches.

MOS: the tables repeat the published numbers, so they are divided by 100 as in the other readers. (pyiqa calls
the scale of three of them 1..100, where photos below 1 exist.) A KonIQ-10k table on 1..5 is refused.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import PARTS, LabelledPhoto
from dpiqa_training.datasets.clive import RATER_TRAINING
from dpiqa_training.datasets.labels_table import Row, find_folder, find_table, read_csv


@dataclass(frozen=True)
class _Layout:
    table: str
    folders: tuple[str, ...]
    left_out: int = 0


_LAYOUTS = {
    "koniq": _Layout("meta_info_KonIQ10kDataset.csv", ("koniq10k/1024x768", "koniq10k/512x384")),
    # Its table's paths begin with Images/ in newer releases of pyiqa.
    "clive": _Layout("meta_info_LIVEChallengeDataset.csv", ("LIVEC",), left_out=RATER_TRAINING),
    "flive": _Layout("meta_info_FLIVEDataset.csv", ("FLIVE_Database/database",)),
    "spaq": _Layout("meta_info_SPAQDataset.csv", ("SPAQ/TestImage",)),
}


def read_pyiqa_meta(datasets: Path, name: str) -> list[LabelledPhoto]:
    """Read all photos of one data set.

    Args:
        datasets: pyiqa's folder of that name.
        name: ``koniq``, ``clive``, ``flive`` or ``spaq``.

    Raises:
        DPIQAError: the table or a photo is missing, or a row is malformed.
    """
    layout = _LAYOUTS[name]
    table = find_table(datasets, f"meta_info/{layout.table}", layout.table)
    folder = find_folder(datasets, *layout.folders)
    path_column, mos_column = _first_two_columns(table)
    photos = []
    for row in islice(read_csv(table, (path_column, mos_column)), layout.left_out, None):
        below = str(row.cells[path_column])
        if not below.startswith("patches/"):
            subset = below.partition("/")[0] if name == "flive" else ""
            photos.append(row.photo(_find(folder, below), mos_column, subset=subset, part=_part(row)))
    if photos and max(photo.mos for photo in photos) <= 0.05:
        raise DPIQAError(f"{table}: no MOS above 5: this seems to be on 1..5; download pyiqa's, on 0..100")
    return photos


def _first_two_columns(table: Path) -> tuple[str, str]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            path_column, mos_column, *_ = next(csv.reader(file))
    except (OSError, ValueError, StopIteration) as error:
        raise DPIQAError(f"{table}, line 1: expected two columns or more, path and MOS") from error
    return path_column, mos_column


def _find(folder: Path, below: str) -> Path:
    inside = folder / "Images" / below
    return inside if inside.is_file() else folder / below


def _part(row: Row) -> str:
    part = str(row.cells.get("official_split", ""))
    if part and part not in PARTS:
        raise row.error(f"official_split must be {', '.join(PARTS)} or empty, got {part!r}")
    return part
