"""Ladders of synthetic distortions: one clean photo, ever worse in one way.

The kinds are what goes wrong in a camera or after it. Severity is a number, 1 is slight and 5 is severe; what
it means for each kind is interpolated geometrically, so that a step looks about equally large everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0)


def ladder(photo: np.ndarray, kind: str, shift: float, seed: int) -> list[np.ndarray]:
    """Distort a photo at the severities of ``LEVELS``, each plus ``shift``.

    Args:
        photo: uint8 RGB (H, W, 3), clean; lengths below are in pixels of a photo of 512.
        kind: one of ``KINDS``.
        shift: -0.5..0.5; moves the whole ladder, to train on more than five severities.
        seed: of the noise and of the direction of the motion, which all levels of a ladder share.

    Returns:
        Five photos of the same shape, from slight to severe.
    """
    return [KINDS[kind](photo, level + shift, np.random.default_rng(seed)) for level in LEVELS]


def _defocus(photo: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur of 0.7 to 5 pixels' deviation."""
    blurred = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(_between(0.7, 5.0, severity)))
    return np.asarray(blurred)


def _motion(photo: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Blur along a straight line of 3 to 35 pixels in any direction."""
    length, angle = _between(3.0, 35.0, severity), rng.uniform(0, np.pi)
    side = 2 * int(np.ceil(length / 2)) + 1
    along = np.linspace(-length / 2, length / 2, 8 * side)
    # The line as a histogram of many points on it: pixels that it crosses briefly weigh little.
    edges = np.arange(side + 1) - side / 2
    line, _, _ = np.histogram2d(along * np.sin(angle), along * np.cos(angle), bins=(edges, edges))
    kernel = (line / line.sum()).astype(np.float32)
    channels = [_filtered(photo[..., c].astype(np.float32), kernel) for c in range(3)]
    return _to_uint8(np.stack(channels, axis=-1))


def _noise(photo: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of 4 to 45 grey levels, mostly of brightness, as cameras leave it."""
    luminance = rng.standard_normal((*photo.shape[:2], 1), dtype=np.float32)
    colour = rng.standard_normal(photo.shape, dtype=np.float32)
    return _to_uint8(photo + _between(4.0, 45.0, severity) * (0.8 * luminance + 0.6 * colour))


def _jpeg(photo: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """JPEG of quality 50 to 5."""
    compressed = io.BytesIO()
    Image.fromarray(photo).save(compressed, "JPEG", quality=round(_between(50.0, 5.0, severity)))
    return np.asarray(Image.open(compressed))


def _underexposure(photo: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """0.6 to 4 stops too little light."""
    return _exposed(photo, -_between(0.6, 4.0, severity))


def _overexposure(photo: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """0.5 to 3 stops too much light, clipped."""
    return _exposed(photo, _between(0.5, 3.0, severity))


KINDS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "defocus": _defocus,
    "motion": _motion,
    "noise": _noise,
    "jpeg": _jpeg,
    "underexposure": _underexposure,
    "overexposure": _overexposure,
}
"""From a photo, a severity and a source of randomness to the distorted photo."""


def _between(slight: float, severe: float, severity: float) -> float:
    return float(slight * (severe / slight) ** ((severity - 1) / 4))


def _filtered(channel: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    filtered: np.ndarray = ndimage.convolve(channel, kernel, mode="nearest")
    return filtered


def _exposed(photo: np.ndarray, stops: float) -> np.ndarray:
    # sRGB's curve as a plain power: exposure needs light, not what is stored of it.
    linear = (photo.astype(np.float32) / 255) ** 2.2 * 2.0**stops
    return _to_uint8(255 * np.minimum(linear, 1) ** (1 / 2.2))


def _to_uint8(photo: np.ndarray) -> np.ndarray:
    return np.clip(np.round(photo), 0, 255).astype(np.uint8)
