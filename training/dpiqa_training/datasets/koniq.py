"""KonIQ-10k (Hosu et al., IEEE Trans. Image Processing 29, 2020): 10,073 photos, 120 raters each.

As published (https://database.mmsp-kn.de, https://osf.io/hcsdy): the photos in ``1024x768/`` or ``512x384/``,
and one of two tables, ``koniq10k_distributions_sets.csv`` (of https://github.com/subpic/koniq, with the
official split) or ``koniq10k_scores_and_distributions.csv`` (without).

MOS: published on 0..100, as the column ``MOS`` of the first table and ``MOS_zscore`` of the second, whose own
``MOS`` is on 1..5; divided by 100, which is also what DP-IQA's authors trained with.
"""

from __future__ import annotations

from pathlib import Path

from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.labels_table import find_folder, find_table, read_csv

_WITH_SETS = "koniq10k_distributions_sets.csv"
_WITHOUT = "koniq10k_scores_and_distributions.csv"
_PARTS = {"training": "train", "validation": "val", "test": "test"}


def read_koniq(root: Path) -> list[LabelledPhoto]:
    """Read all photos, the large ones where there are both sizes.

    Raises:
        DPIQAError: a table or the photos are missing, or a row is malformed.
    """
    table = find_table(root, _WITH_SETS, f"metadata/{_WITH_SETS}", _WITHOUT)
    photos = find_folder(root, "1024x768", "512x384")
    official = table.name == _WITH_SETS
    column = "MOS" if official else "MOS_zscore"
    result = []
    for row in read_csv(table, ("image_name", column, *(("set",) if official else ()))):
        part = row.cells["set"] if official else "training"
        if part not in _PARTS:
            raise row.error(f"set must be training, validation or test, got {part!r}")
        path = photos / str(row.cells["image_name"])
        result.append(row.photo(path, column, part=_PARTS[str(part)] if official else ""))
    return result
