"""From a decoded photo to what the models take: the one place that knows size, filter and range.

Numpy and Pillow only, so that the batch tool needs no torch.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

LITE_INPUT_SIZE = 384
"""Side in pixels of the square that ``dpiqa_lite`` was trained on."""

DPIQA_INPUT_SIZE = 512
"""Side in pixels of the square that DP-IQA's teacher and student were trained on."""


def squash(photo: Image.Image, size: int) -> np.ndarray:
    """Resize to a square without cropping or keeping the aspect ratio (paper, section 4.1).

    Antialiased bilinear, as torchvision's ``Resize`` does on PIL images and ``F.interpolate(antialias=True)``
    on tensors.

    Args:
        photo: an image of mode ``RGB``, any size.
        size: side of the square in pixels.

    Returns:
        uint8 array of shape (size, size, 3), range 0..255.
    """
    if photo.mode != "RGB":
        raise ValueError(f"photo must have mode RGB, got {photo.mode}; convert it first")
    return np.asarray(photo.resize((size, size), Image.Resampling.BILINEAR))
