"""The torch data set that decodes labelled photos as the engine would."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from dpiqa_plugin.errors import PhotoError
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
        """Decode one photo; PhotoError as `read_squashed` raises it."""
        photo = self.photos[index]
        pixels = torch.from_numpy(read_squashed(photo.path, self.size).copy())
        return pixels.permute(2, 0, 1), torch.tensor(photo.mos, dtype=torch.float32)


def read_squashed(path: Path, size: int, content: bytes | None = None) -> np.ndarray:
    """Decode a photo to train on, from its ``content`` if that is at hand: uint8 RGB (size, size, 3).

    Raises:
        PhotoError: it cannot be read: a training set must not change unnoticed.
    """
    with reading(path), Image.open(path if content is None else io.BytesIO(content)) as image:
        return squash(image.convert("RGB"), size)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the photo that cannot be read: PhotoError."""
    try:
        yield
    except OSError as error:
        raise PhotoError(f"{path} cannot be read ({error}); fetch it again") from error
