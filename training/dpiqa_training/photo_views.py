"""Photos as training sees them: squashed, perhaps mirrored, with what a frozen model makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dpiqa_training.batches import View
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.decoding import read_squashed, reading
from dpiqa_training.teacher_cache import PhotoCache


class PhotoViews(Dataset[dict[str, Tensor]]):
    """Views by `View`: ``image`` uint8 (3, size, size), ``mos`` float32 scalar, and the tensors of the cache.

    Args:
        photos: with their opinions.
        size: side in pixels of the square that they are squashed to.
        cache: holds an entry for every view that will be asked for; None for photos and opinions alone.
    """

    def __init__(self, photos: Sequence[LabelledPhoto], size: int, cache: PhotoCache | None = None) -> None:
        self.photos = photos
        self.size = size
        self.cache = cache

    def __len__(self) -> int:
        """Give the number of photos; each can be seen in two views."""
        return len(self.photos)

    def __getitem__(self, view: View) -> dict[str, Tensor]:
        """Decode one view.

        Raises:
            PhotoError: the photo cannot be read: a training set must not change unnoticed.
            CacheError: the cache has no entry of this photo, as it is now.
        """
        photo = self.photos[view.photo]
        with reading(photo.path):
            content = photo.path.read_bytes()
        pixels = torch.from_numpy(read_squashed(photo.path, self.size, content).copy()).permute(2, 0, 1)
        cached = self.cache.read(content, view.flipped, photo.path) if self.cache else {}
        return {
            "image": pixels.flip(2) if view.flipped else pixels,
            "mos": torch.tensor(photo.mos, dtype=torch.float32),
            **cached,
        }
