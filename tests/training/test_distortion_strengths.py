"""The ladders: worse from rung to rung, of the kind that the name says, and the same for the same seed."""

import numpy as np
import pytest
from makers.photos import scene

from dpiqa_training.distortions import KINDS, LEVELS, ladder

PHOTO = np.asarray(scene(160, 120, seed=1))


def sharpness(photo: np.ndarray) -> float:
    return float(np.abs(np.diff(photo.astype(float), axis=1)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_every_rung_lies_further_from_the_clean_photo(kind):
    rungs = ladder(PHOTO, kind, shift=0, seed=0)
    distances = [np.square(PHOTO.astype(float) - rung).mean() for rung in rungs]
    assert len(rungs) == len(LEVELS)
    assert all(rung.shape == PHOTO.shape and rung.dtype == np.uint8 for rung in rungs)
    assert distances[0] > 0
    assert distances == sorted(distances)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ladder_depends_on_nothing_but_its_arguments(kind):
    first, again = (ladder(PHOTO, kind, shift=0.3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", ["noise", "motion"])
def test_another_seed_gives_another_ladder(kind):
    assert not np.array_equal(ladder(PHOTO, kind, 0, seed=1), ladder(PHOTO, kind, 0, seed=2))


def test_blur_takes_sharpness_away_and_keeps_the_light():
    for kind in ("defocus", "motion"):
        worst = ladder(PHOTO, kind, 0, seed=0)[-1]
        assert sharpness(worst) < 0.8 * sharpness(PHOTO)
        assert worst.mean() == pytest.approx(PHOTO.mean(), abs=1)


def test_a_dot_moves_along_a_line_of_the_stated_length():
    dot = np.zeros((81, 81, 3), np.uint8)
    dot[36:45, 36:45] = 255
    smear = np.argwhere(ladder(dot, "motion", 0, seed=4)[-1][..., 0] > 0)
    longest = max(np.linalg.norm(a - b) for a in smear for b in smear)
    # 35 pixels of motion and the diagonal of the dot, 8 to 12 pixels, with a pixel's blur at both ends.
    assert 35 <= longest - 8 <= 41


def test_exposure_moves_a_middle_grey_by_the_stated_stops():
    grey = np.full((8, 8, 3), 128, np.uint8)
    darkest = ladder(grey, "underexposure", 0, seed=0)[-1]
    assert darkest[0, 0, 0] == round(255 * ((128 / 255) ** 2.2 / 16) ** (1 / 2.2))
    assert (ladder(grey, "overexposure", 0, seed=0)[-1] == 255).all()


def test_noise_has_the_stated_deviation():
    grey = np.full((200, 200, 3), 128, np.uint8)
    mildest = ladder(grey, "noise", 0, seed=0)[0].astype(float)
    assert mildest.std() == pytest.approx(4, rel=0.03)
