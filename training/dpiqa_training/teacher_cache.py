"""What frozen weights make of each photo, kept on disk: computed once, read in every epoch.

The teacher's training reads latents of the VAE, which it never changes; the student's reads the teacher's map
and score, and so runs at the student's speed. An entry is found by the content of the photo, whether it is
mirrored, and the identity of weights and preprocessing: an entry of other weights cannot be met.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dpiqa_plugin.atomic import replacing
from dpiqa_training.errors import CacheError


class PhotoCache:
    """Tensors by photo and view, one file an entry.

    Args:
        folder: of all caches of a run; made when the first entry is written.
        identity: see `identity_of`.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder / identity[:16]

    def __contains__(self, key: tuple[bytes, bool]) -> bool:
        """Whether there is an entry of (the photo's content, whether it is mirrored)."""
        return self._path(*key).is_file()

    def read(self, content: bytes, flipped: bool, photo: Path) -> dict[str, Tensor]:
        """Give the tensors of one view.

        Args:
            content: bytes of the photo's file.
            flipped: whether it is mirrored.
            photo: its name, for the error.

        Raises:
            CacheError: there is no such entry, or it is damaged.
        """
        path = self._path(content, flipped)
        try:
            return load_file(path)
        except FileNotFoundError as error:
            raise CacheError(f"{photo} has changed since this run began; start the run again") from error
        except (OSError, SafetensorError) as error:
            raise CacheError(f"{path} cannot be read ({error}); delete it and start the run again") from error

    def write(self, content: bytes, flipped: bool, tensors: Mapping[str, Tensor]) -> None:
        """Put an entry in place in one step.

        Raises:
            CacheError: it cannot be written.
        """
        path = self._path(content, flipped)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(path) as temporary:
                save_file({name: x.detach().cpu().contiguous() for name, x in tensors.items()}, temporary)
        except (OSError, SafetensorError) as error:
            raise CacheError(f"{path} cannot be written ({error}); make room there") from error

    def _path(self, content: bytes, flipped: bool) -> Path:
        name = hashlib.sha256(content).hexdigest()
        # A folder for each first byte: file managers and backups choke on 20,000 files in one.
        return self.folder / name[:2] / f"{name[2:]}{'-flipped' if flipped else ''}.safetensors"


def identity_of(weights: Mapping[str, Tensor], *preprocessing: object) -> str:
    """SHA-256 over names, types, shapes and values of weights, and what is done to a photo before them."""
    digest = hashlib.sha256(repr(preprocessing).encode())
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
