"""Deviations against errors, on numbers whose answer is known."""

import numpy as np
import pytest

from dpiqa_training.calibration import calibration


def test_right_deviations_of_normal_errors_cover_what_they_should():
    rng = np.random.default_rng(5)
    deviations = rng.uniform(0.02, 0.2, 20_000)
    mos = np.full(20_000, 0.5)
    found = calibration(mos + deviations * rng.standard_normal(20_000), deviations, mos)
    assert found.within_one == pytest.approx(0.683, abs=0.01)
    assert found.within_two == pytest.approx(0.954, abs=0.01)
    assert found.mean_deviation == pytest.approx(0.11, abs=0.002)
    assert found.srcc > 0.4


def test_deviations_that_are_the_errors_rank_them_wholly():
    mos = np.array([0.1, 0.5, 0.9])
    found = calibration(mos + np.array([0.1, -0.2, 0.3]), np.array([0.05, 0.15, 0.25]), mos)
    assert found.srcc == pytest.approx(1)
    assert (found.within_one, found.within_two) == (0, 1)


def test_vectors_of_unlike_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        calibration(np.zeros(3), np.zeros(3), np.zeros(4))
