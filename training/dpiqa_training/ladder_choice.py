"""Which photos ``dpiqa_lite`` sees distorted in training, and in which ways."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageStat

from dpiqa_plugin.errors import UsageError
from dpiqa_training.config import LiteConfig
from dpiqa_training.datasets.labelled import LabelledPhoto
from dpiqa_training.distortions import KINDS

_OF_EXPOSURE = ("overexposure", "underexposure", "overexposure")
# Exposure is the hardest to learn: raters like bright photos, and what is too bright for one scene is right
# for another.
_ALL = (*KINDS, *_OF_EXPOSURE)
_CLEAN_ABOVE = 0.75
# Of photos that raters found nearly faultless hardly any is dark. Night scenes have to be learnt, too.
_DARK_BELOW = 70
_CLEAN_DARK_ABOVE = 0.6


def choose_ladders(
    config: LiteConfig, training: Sequence[LabelledPhoto], clean: Sequence[Path]
) -> list[tuple[Path, str]]:
    """Give the photos to distort, each with a kind of distortion, as `LadderPhotos` takes them.

    Args:
        config: the recipe.
        training: from those of ``ss03`` that raters found nearly faultless ``ladder_sources`` are drawn and
            distorted in one way each: other contents teach more than other faults of the same. Dark ones
            that they found good are distorted in exposure alone.
        clean: distorted in ``clean_ladders`` ways each.

    Raises:
        UsageError: there are none.
    """
    good = [photo.path for photo in training if photo.subset == "ss03" and photo.mos > _CLEAN_ABOVE]
    count = min(config.ladder_sources, len(good))
    chosen = sorted(random.Random(config.seed).sample(range(len(good)), count))
    dark = [
        photo.path
        for photo in training
        if photo.subset == "ss03" and photo.mos > _CLEAN_DARK_ABOVE and _luma(photo.path) < _DARK_BELOW
    ]
    ladders = [
        *_with_kinds([*(good[index] for index in chosen), *list(clean) * config.clean_ladders], _ALL),
        *_with_kinds(dark, _OF_EXPOSURE),
    ]
    if not ladders:
        raise UsageError(
            f"no photo of ss03 has a MOS above {_CLEAN_ABOVE}: there is none to distort; give some by --clean"
        )
    return ladders


def _with_kinds(photos: Iterable[Path], kinds: Sequence[str]) -> Iterable[tuple[Path, str]]:
    return zip(photos, itertools.cycle(kinds), strict=False)


def _luma(path: Path) -> float:
    """Mean luma, 0..255."""
    with Image.open(path) as image:
        image.draft("L", (64, 64))  # an eighth of the size is enough, and quickly decoded
        return ImageStat.Stat(image.convert("L")).mean[0]
