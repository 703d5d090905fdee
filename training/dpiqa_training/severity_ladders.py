"""Whether a metric scores a photo lower the worse it is distorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dpiqa_plugin.errors import UsageError
from dpiqa_training.datasets.ladders import RUNGS, SIDE
from dpiqa_training.distortions import KINDS, LEVELS, ladder
from dpiqa_training.scorers import Scorer, read_pixels

_SEED = 1_000_000  # other noise and directions than a training that counts its seeds from 0
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class LadderResult:
    """One metric on the ladders of one kind of distortion.

    Attributes:
        pairs: neighbouring rungs: the clean photo and the slightest distortion, and so on up to the severest.
        ranked_rightly: share of them, 0..1, whose worse photo has the worse score; equal scores do not count.
        by_rung: the same for each rung and the one before, from the slightest distortion to the severest.
    """

    metric: str
    kind: str
    pairs: int
    ranked_rightly: float
    by_rung: list[float]


def find_clean_photos(folders: Sequence[Path]) -> list[Path]:
    """Give the photos in some folders, sorted by name in each.

    Raises:
        UsageError: there are none in one of them.
    """
    found = []
    for folder in folders:
        photos = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)
        if not photos:
            raise UsageError(f"{folder}: no photos here; give a folder of photos without faults")
        found += photos
    return found


def rank_ladders(scorers: list[Scorer], clean: list[Path]) -> list[LadderResult]:
    """Distort every photo in every way and see how the metrics rank the results.

    Args:
        scorers: metrics.
        clean: photos without faults, on which no metric should have been trained; squashed to 512 x 512.

    Raises:
        DPIQAError: a photo cannot be read, or a metric failed.
    """
    return [
        LadderResult(scorer.name, kind, len(LEVELS) * len(clean), float(shares.mean()), shares.tolist())
        for scorer in scorers
        for kind, shares in zip(KINDS, _shares(scorer, clean), strict=True)
    ]


def _shares(scorer: Scorer, clean: list[Path]) -> np.ndarray:
    """What is ranked rightly, (kinds, levels)."""
    judged = scorer.judge_pixels(
        _rungs(tqdm(clean, f"{scorer.name} on ladders", unit="photo", leave=False, disable=None))
    )
    ladders = judged.scores.reshape(len(clean), len(KINDS), RUNGS)
    worse = np.diff(-ladders if scorer.backend.lower_better else ladders, axis=2) < 0
    shares: np.ndarray = worse.mean(axis=0)
    return shares


def _rungs(clean: Iterable[Path]) -> Iterator[np.ndarray]:
    for number, path in enumerate(clean):
        photo = read_pixels(path, SIDE)
        for kind in KINDS:
            # The clean photo again for each kind: scores are cheap, and rows of equal length are simple.
            yield from (photo, *ladder(photo, kind, shift=0, seed=_SEED + number))
