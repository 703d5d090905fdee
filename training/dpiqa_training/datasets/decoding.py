"""Decodes photos to train on, as the engine would."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from dpiqa_plugin.errors import PhotoError
from dpiqa_plugin.preprocess import squash


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
