"""The torch data set that decodes labelled photos as the engine would."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from dpiqa_plugin.preprocess import squash

# Under this name, too, which the readers of one data set and the recipes know it by.
from dpiqa_training.datasets import LabelledPhoto as LabelledPhoto


class SquashedPhotos(Dataset[tuple[Tensor, Tensor]]):
    """Photos as uint8 tensors (3, size, size) with their MOS, a float32 scalar tensor."""

    def __init__(self, photos: list[LabelledPhoto], size: int) -> None:
        self.photos = photos
        self.size = size

    def __len__(self) -> int:
        """Give the number of photos."""
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Decode one photo; an unreadable one raises, since a training set must not change unnoticed."""
        photo = self.photos[index]
        with Image.open(photo.path) as image:
            pixels = torch.from_numpy(squash(image.convert("RGB"), self.size).copy())
        return pixels.permute(2, 0, 1), torch.tensor(photo.mos, dtype=torch.float32)
