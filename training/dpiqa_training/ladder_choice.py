"""Which photos ``dpiqa_lite`` sees distorted in training, and in which ways."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageStat

from dpiqa_plugin.errors import UsageError
from dpiqa_training.config import LiteConfig
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.decoding import reading
from dpiqa_training.distortions import KINDS

# Exposure is the hardest to learn: raters like bright photos, and what is too bright for one scene is right
# for another.
_OF_DARK = ("overexposure", "underexposure", "overexposure")
_OF_OTHERS = ("underexposure", "overexposure")
_ALL = (*KINDS, "overexposure", "underexposure", "overexposure")
_CLEAN_ABOVE = 0.75
# Of photos that raters found nearly faultless hardly any is a night scene or shows a hazy sky.
_WELL_EXPOSED_ABOVE = 0.6
_DARK_BELOW = 70  # mean luma, 0..255


def choose_ladders(
    config: LiteConfig, training: Sequence[LabelledPhoto], clean: Sequence[Path]
) -> list[tuple[Path, str]]:
    """Give the photos to distort, each with a kind of distortion, as `LadderPhotos` takes them.

    Args:
        config: the recipe.
        training: from those of ``ss03`` that raters found nearly faultless ``ladder_sources`` are drawn and
            distorted in one way each: other contents teach more than other faults of the same. Of those that
            they found good all dark ones, drawn before or not, and ``exposure_sources`` others are distorted
            in exposure alone. So are ``camera_sources`` from cameras rather than from Unsplash: of those of
            ``ss01`` that raters found good, and of all of ``ss02``, a personal gallery.
        clean: distorted in ``clean_ladders`` ways each.

    Raises:
        PhotoError: a photo of ``ss03`` cannot be read.
        UsageError: there are none.
    """
    unsplash = [photo for photo in training if photo.subset == "ss03"]
    good = [photo.path for photo in unsplash if photo.mos > _CLEAN_ABOVE]
    dark, bright = _by_luma([photo.path for photo in unsplash if photo.mos > _WELL_EXPOSED_ABOVE])
    others = sorted(set(bright) - set(good))
    camera = [
        photo.path
        for photo in training
        if photo.subset == "ss02" or (photo.subset == "ss01" and photo.mos > _WELL_EXPOSED_ABOVE)
    ]
    ladders = [
        *_with_kinds(
            [*_drawn(good, config.ladder_sources, config.seed), *list(clean) * config.clean_ladders], _ALL
        ),
        *_with_kinds(dark, _OF_DARK),
        *_with_kinds(_drawn(others, config.exposure_sources, config.seed), _OF_OTHERS),
        *_with_kinds(_drawn(camera, config.camera_sources, config.seed), _OF_OTHERS),
    ]
    if not ladders:
        raise UsageError(
            "the training photos have none that the recipe distorts: of ss03 and ss01 those with a MOS above "
            f"{_WELL_EXPOSED_ABOVE}, of ss02 all; give some by --clean"
        )
    return ladders


def _with_kinds(photos: Iterable[Path], kinds: Sequence[str]) -> Iterable[tuple[Path, str]]:
    return zip(photos, itertools.cycle(kinds), strict=False)


def _drawn(photos: Sequence[Path], count: int, seed: int) -> list[Path]:
    chosen = random.Random(seed).sample(range(len(photos)), min(count, len(photos)))
    return [photos[index] for index in sorted(chosen)]


def _by_luma(photos: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Part dark photos from the others."""
    dark: list[Path] = []
    bright: list[Path] = []
    for path in photos:
        with reading(path), Image.open(path) as image:
            image.draft("L", (64, 64))  # an eighth of the size is enough, and quickly decoded
            luma = ImageStat.Stat(image.convert("L")).mean[0]
        (dark if luma < _DARK_BELOW else bright).append(path)
    return dark, bright
