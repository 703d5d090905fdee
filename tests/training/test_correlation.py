"""Agreement against values worked out by hand, against scipy, and against a bootstrap spelt out."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from dpiqa_training.correlation import Logistic, agreement, bootstrap, fit_logistic


def random_pair(count: int, seed: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mos = rng.uniform(0, 1, count)
    scores = mos + rng.normal(0, 0.2, count)
    return (np.round(scores, 1), np.round(mos, 1)) if ties else (scores, mos)


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


def test_ties_share_their_ranks():
    result = agreement(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    # Ranks 1.5, 1.5, 3 against 1, 2, 3; of three pairs two agree, and one is tied in the scores.
    assert result.srcc == pytest.approx(1.5 / np.sqrt(1.5 * 2))
    assert result.krcc == pytest.approx(2 / np.sqrt(2 * 3))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("count", [3, 50, 1000])
def test_the_coefficients_are_those_of_scipy(count, ties):
    scores, mos = random_pair(count, seed=count, ties=ties)
    result = agreement(scores.astype(np.float32), mos)
    scores = scores.astype(np.float32)
    assert result.srcc == pytest.approx(stats.spearmanr(scores, mos).statistic, abs=1e-12)
    assert result.plcc == pytest.approx(stats.pearsonr(scores.astype(float), mos).statistic, abs=1e-12)
    assert result.krcc == pytest.approx(stats.kendalltau(scores, mos).statistic, abs=1e-12)


def test_equal_scores_have_no_correlation():
    scores, mos = np.full(5, 0.1), np.linspace(0, 1, 5)
    result, interval = agreement(scores, mos), bootstrap(scores, mos, resamples=10)
    for figures in (result, interval.low, interval.high):
        assert np.isnan([figures.srcc, figures.plcc, figures.krcc, figures.plcc_fitted]).all()
    assert result.rmse == pytest.approx(np.sqrt(np.mean((mos - 0.1) ** 2)))


def test_vectors_of_unlike_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        agreement(np.zeros(3), np.zeros(4))


@pytest.mark.parametrize(
    "truth",
    [
        Logistic(0.9, 0.1, 0.5, 0.1),
        Logistic(0.9, 0.1, 50, 8),  # a metric on 0..100
        Logistic(0.1, 0.9, 50, 8),  # where lower is better
        Logistic(0.8, 0.2, -3000, 2),  # far from zero, and steep
        Logistic(1.4, -0.5, 0.5, 0.8),  # hardly bent: the ends lie beyond all data
    ],
)
def test_the_logistic_that_made_the_data_is_found_again(truth):
    scores = truth.middle + truth.width * np.random.default_rng(0).uniform(-3, 3, 300)
    fitted = fit_logistic(scores, truth(scores))
    np.testing.assert_allclose(fitted(scores), truth(scores), atol=1e-4)


def test_a_fit_does_not_depend_on_the_unit_of_the_scores():
    scores, mos = random_pair(200, seed=1)
    once, rescaled = agreement(scores, mos), agreement(-1000 * scores + 7, mos)
    assert rescaled.plcc_fitted == pytest.approx(once.plcc_fitted, abs=1e-6)
    assert rescaled.rmse_fitted == pytest.approx(once.rmse_fitted, abs=1e-6)
    assert rescaled.srcc == pytest.approx(-once.srcc)


@pytest.mark.parametrize(
    "bend",
    [lambda x: x, np.exp, lambda x: -np.exp(-2 * x), np.sign],
    ids=["line", "exp", "saturation", "step"],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_fit_is_no_worse_than_a_straight_line(seed, bend):
    rng = np.random.default_rng(seed)
    scores = rng.gamma(2, size=120)
    mos = bend(scores - 2) + rng.normal(0, 0.3, 120)
    line = stats.linregress(scores, mos)
    # The flattest logistic is a line to within a thousandth of the spread.
    spread = np.std(mos)
    assert (
        agreement(scores, mos).rmse_fitted
        <= np.std(mos - line.intercept - line.slope * scores) + spread / 1000
    )


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_handful_of_photos_can_be_fitted(count):
    scores, mos = random_pair(count, seed=3)
    assert np.isfinite(agreement(scores, mos).rmse_fitted)


@pytest.mark.parametrize("ties", [False, True])
def test_the_intervals_are_those_of_a_bootstrap_spelt_out(ties):
    scores, mos = random_pair(40, seed=5, ties=ties)
    drawn = np.random.default_rng(9).integers(40, size=(200, 40))
    fitted = fit_logistic(scores, mos)(scores)
    figures = [
        (
            stats.spearmanr(scores[row], mos[row]).statistic,
            stats.pearsonr(scores[row], mos[row]).statistic,
            stats.kendalltau(scores[row], mos[row]).statistic,
            np.sqrt(np.mean((scores[row] - mos[row]) ** 2)),
            stats.pearsonr(fitted[row], mos[row]).statistic,
            np.sqrt(np.mean((fitted[row] - mos[row]) ** 2)),
        )
        for row in drawn
    ]
    interval = bootstrap(scores, mos, resamples=200, seed=9)
    low, high = np.quantile(figures, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(astuple(interval.low), [40, *low], atol=1e-12)
    np.testing.assert_allclose(astuple(interval.high), [40, *high], atol=1e-12)


def test_the_intervals_do_not_depend_on_how_many_resamples_are_held_at_once(monkeypatch):
    scores, mos = random_pair(40, seed=5)
    whole = bootstrap(scores, mos, resamples=50)
    monkeypatch.setattr("dpiqa_training.correlation._CHUNK", 7 * 40)
    assert bootstrap(scores, mos, resamples=50) == whole


def test_about_95_of_100_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    rho, hits = 0.8, 0
    for _ in range(100):
        scores, mos = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 50).T
        interval = bootstrap(scores, mos, resamples=60)
        hits += interval.low.plcc <= rho <= interval.high.plcc
    # Intervals of so few photos cover a little less than 95 %; 84 to 99 is three deviations around 92.
    assert 84 <= hits <= 99


def test_the_same_seed_gives_the_same_intervals():
    scores, mos = random_pair(30, seed=2)
    assert bootstrap(scores, mos, 100, seed=4) == bootstrap(scores, mos, 100, seed=4)
    assert bootstrap(scores, mos, 100, seed=4) != bootstrap(scores, mos, 100, seed=5)
