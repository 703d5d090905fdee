"""Statistics of exposure against shares counted by hand."""

import math

import numpy as np
import pytest
import torch

from dpiqa_plugin.models.exposure import _LEVELS_AND_WIDTHS, EXPOSURE_STATISTICS, exposure_statistics

LEVELS = EXPOSURE_STATISTICS // 6
NOTHING = math.log(2**-12)


def of_grey(levels: np.ndarray) -> torch.Tensor:
    """Give the statistics of a grey photo (6, LEVELS): three planes above each level, three below."""
    image = torch.from_numpy(levels / 255).float().expand(1, 3, -1, -1)
    return exposure_statistics(image).view(6, LEVELS)


def test_half_black_and_half_white_is_half_above_every_level_and_half_below():
    photo = np.zeros((384, 384))
    photo[:, 192:] = 255
    torch.testing.assert_close(of_grey(photo), torch.full((6, LEVELS), math.log(0.5 + 2**-12)))


def test_a_little_clipped_area_is_seen_as_well_as_a_large_one():
    highest = []
    for rows in (0, 3, 30, 300):
        photo = np.full((384, 384), 100.0)
        photo[:rows] = 255
        highest.append(of_grey(photo)[0, -1].item())
    assert highest == pytest.approx([NOTHING, *(math.log(rows / 384 + 2**-12) for rows in (3, 30, 300))])


def test_the_brightest_channel_clips_where_luma_does_not():
    red = torch.zeros(1, 3, 384, 384)
    red[:, 0] = 1
    luma, brightest, darkest = exposure_statistics(red).view(6, LEVELS)[:3, -1].tolist()
    assert luma == pytest.approx(NOTHING)
    assert brightest == pytest.approx(0, abs=1e-3)
    assert darkest == pytest.approx(NOTHING)


def test_every_level_counts_the_shares_above_and_below_it():
    """On a wedge of all grey levels, each as often: shares are known without counting."""
    photo = np.repeat(np.arange(256.0), 9).reshape(1, -1).repeat(3, axis=0)
    shares = of_grey(photo).exp() - 2**-12
    levels = np.array([level for level, _ in _LEVELS_AND_WIDTHS])
    above = np.repeat(((255.5 - levels) / 256)[None], 3, axis=0)
    np.testing.assert_allclose(shares[:3], above, atol=0.003)  # half a grey level is 0.002
    np.testing.assert_allclose(shares[3:], 1 - above, atol=0.003)


def test_luma_weighs_the_channels_as_eyes_do():
    """Of pure green at full light luma is 149: above 130, below 170; a mean of the channels would be 85."""
    green = torch.zeros(1, 3, 384, 384)
    green[:, 1] = 1
    levels = [level for level, _ in _LEVELS_AND_WIDTHS]
    luma = exposure_statistics(green).view(6, LEVELS)[0]
    assert luma[levels.index(130)].item() == pytest.approx(0, abs=1e-3)
    assert luma[levels.index(170)].item() == pytest.approx(NOTHING)


def test_a_slight_change_of_brightness_makes_a_slight_change():
    darker, brighter = (of_grey(np.full((384, 384), level)).exp() for level in (129.0, 131.0))
    assert 0.05 < (brighter - darker).abs().max() < 0.2


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_photos_have_finite_gradients(level):
    photo = torch.full((1, 3, 384, 384), level, requires_grad=True)
    exposure_statistics(photo).sum().backward()
    assert photo.grad.isfinite().all()
