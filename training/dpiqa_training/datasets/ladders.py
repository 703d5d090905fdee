"""Clean photos and their synthetic distortions, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from dpiqa_plugin.preprocess import squash
from dpiqa_training.datasets.decoding import read_squashed
from dpiqa_training.distortions import LEVELS, ladder

RUNGS = 1 + len(LEVELS)
"""Photos of a ladder: the clean one, then from slight to severe."""

SIDE = 512
"""Distortions are made at this size, whose pixels their strengths are given in."""


class LadderPhotos(Dataset[Tensor]):
    """One ladder after another, ``RUNGS`` photos each: uint8 tensors (3, size, size).

    Args:
        ladders: of each, the clean photo and the kind of distortion.
        size: side of the square that is handed out.
        seed: of the noise, the directions and the shifts of severity.
    """

    def __init__(self, ladders: Sequence[tuple[Path, str]], size: int, seed: int) -> None:
        self.ladders = ladders
        self.size = size
        self.seed = seed

    def __len__(self) -> int:
        """Give the number of photos."""
        return len(self.ladders) * RUNGS

    def __getitem__(self, index: int) -> Tensor:
        """Decode and distort one photo."""
        number, rung = divmod(index, RUNGS)
        photos = _rungs(*self.ladders[number], self.seed + number)
        pixels = squash(Image.fromarray(photos[rung]), self.size)
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


@lru_cache(maxsize=1)  # a ladder is made at once and read in order
def _rungs(path: Path, kind: str, seed: int) -> list[np.ndarray]:
    clean = read_squashed(path, SIDE)
    shift = np.random.default_rng(seed).uniform(-0.5, 0.5)
    return [clean, *ladder(clean, kind, shift, seed)]
