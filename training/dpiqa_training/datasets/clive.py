"""CLIVE, or LIVE in the Wild Challenge (Ghadiyaram and Bovik, IEEE Trans. Image Processing 25, 2016).

As published (https://live.ece.utexas.edu/research/ChallengeDB, ``ChallengeDB_release/``): the photos in
``Images/``, and in ``Data/`` MATLAB files with the names, ``AllImages_release.mat``, and the MOS in the same
order, ``AllMOS_release.mat``. 1,162 photos, about 175 raters each; no official split.

The first seven of the 1,169 photos (``Images/trainingImages/``) trained the raters, and are left out, as by
everyone.

MOS: published on 0..100; divided by 100, which is also what DP-IQA's authors trained with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.labels_table import Row, find_folder, find_table

RATER_TRAINING = 7
"""How many photos at the head of the list served to train the raters."""


def read_clive(root: Path) -> list[LabelledPhoto]:
    """Read all photos but the first seven.

    Raises:
        DPIQAError: a file is missing, or not what it should be.
    """
    photos = find_folder(root, "Images")
    names_file = find_table(root, "Data/AllImages_release.mat")
    mos_file = find_table(root, "Data/AllMOS_release.mat")
    names = [_name(entry) for entry in _variable(names_file, "AllImages_release")]
    mos = _variable(mos_file, "AllMOS_release")
    if len(names) != len(mos):
        raise DPIQAError(f"{mos_file}: {len(mos)} MOS for the {len(names)} names in {names_file.name}")
    labelled = []
    for number, (name, value) in enumerate(zip(names, mos.tolist(), strict=True), 1):
        if number > RATER_TRAINING:
            labelled.append(Row(f"{mos_file}, entry {number}", {"MOS": value}).photo(photos / name, "MOS"))
    if not labelled:
        raise DPIQAError(f"{mos_file}: no more than the {RATER_TRAINING} photos that trained the raters")
    return labelled


def _variable(file: Path, name: str) -> np.ndarray:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return np.ravel(loadmat(file)[name])
    except KeyError as error:
        raise DPIQAError(f"{file}: no variable {name}; download the file again") from error
    except (OSError, ValueError, TypeError, MatReadError) as error:
        raise DPIQAError(f"{file}: {error}; download the file again") from error


def _name(entry: Any) -> str:
    """Unwrap a text of a cell array, which scipy gives as an array of one text."""
    return str(np.ravel(entry)[0])
