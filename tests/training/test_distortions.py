"""Ladders of distortions: each rung is worse, repeatable, and of the kind that it says."""

import numpy as np
import pytest
import torch
from makers.tiny_training import EXAMPLES
from PIL import Image

from dpiqa_training.datasets.ladders import RUNGS, LadderPhotos
from dpiqa_training.distortions import KINDS, LEVELS, ladder


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(Image.open(EXAMPLES / "dog.jpg").convert("RGB").resize((256, 256)))


@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_every_rung_is_further_from_the_clean_photo(photo, kind, shift):
    rungs = [photo, *ladder(photo, kind, shift, seed=4)]
    assert len(rungs) == 1 + len(LEVELS)
    assert all(rung.shape == photo.shape and rung.dtype == np.uint8 for rung in rungs)
    errors = [np.square(rung.astype(float) - photo).mean() for rung in rungs]
    assert errors == sorted(set(errors))


def test_exposure_moves_brightness_and_blur_leaves_it(photo):
    means = {kind: ladder(photo, kind, 0.0, seed=4)[2].mean() / photo.mean() for kind in KINDS}
    assert means["underexposure"] < 0.8
    assert means["overexposure"] > 1.2
    assert means["defocus"] == pytest.approx(1, abs=0.01)
    assert means["motion"] == pytest.approx(1, abs=0.01)


def test_motion_blurs_along_one_direction_only():
    """A point becomes a line: of its two axes of spread one is long, the other thinner than two pixels."""
    point = np.zeros((65, 65, 3), np.uint8)
    point[32, 32] = 255
    severe = ladder(point, "motion", 0.0, seed=4)[3][..., 0].astype(float)
    rows, columns = np.nonzero(severe)
    spread = np.linalg.eigvalsh(np.cov(np.stack([rows, columns]), aweights=severe[rows, columns]))
    assert spread[0] < 1
    assert spread[1] > 9


def test_ladders_follow_each_other_and_begin_with_the_clean_photo():
    path = EXAMPLES / "dog.jpg"
    photos = LadderPhotos([(path, "noise"), (path, "jpeg")], 64, seed=1)
    assert len(photos) == 2 * RUNGS
    assert photos[0].shape == (3, 64, 64)
    assert torch.equal(photos[0], photos[RUNGS])
    assert not torch.equal(photos[1], photos[RUNGS + 1])
    assert torch.equal(photos[2], LadderPhotos([(path, "noise")], 64, seed=1)[2])
