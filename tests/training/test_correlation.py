"""Correlations against values worked out by hand."""

import numpy as np
import pytest

from dpiqa_training.correlation import agreement


def test_a_monotone_but_bent_relation_has_full_rank_correlation_only():
    result = agreement(np.array([0.0, 1.0, 2.0, 9.0]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert result.srcc == pytest.approx(1)
    assert result.krcc == pytest.approx(1)
    # By hand: sum of products 14, sums of squares 50 and 5.
    assert result.plcc == pytest.approx(14 / np.sqrt(50 * 5))
    assert result.rmse == pytest.approx(3)


def test_one_swapped_pair_of_four():
    result = agreement(np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert result.srcc == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert result.krcc == pytest.approx((5 - 1) / 6)


def test_vectors_of_unlike_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        agreement(np.zeros(3), np.zeros(4))
