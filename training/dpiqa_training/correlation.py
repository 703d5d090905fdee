"""Agreement of scores with opinion: SRCC, PLCC, KRCC and RMSE, and how far they can be trusted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

CONFIDENCE = 0.95
_WIDTHS = (0.01, 10.0)  # of a logistic, in deviations of the scores: a step, and a line
_START_WIDTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_Parameters = tuple[float, float, float, float]
_CHUNK = 4_000_000  # numbers of resampled photos held at once: 32 MB an array


@dataclass(frozen=True)
class Agreement:
    """How well scores follow opinion over ``count`` photos.

    Attributes:
        srcc, plcc, krcc: Spearman's, Pearson's and Kendall's (tau-b) coefficients, -1..1; NaN where all
            scores or all MOS are equal.
        rmse: root of the mean squared difference, in the unit of MOS (0..1); of no meaning where the scores
            are on another scale.
        plcc_fitted, rmse_fitted: the same after ``fit_logistic``, which is how the literature compares
            metrics of any scale.
    """

    count: int
    srcc: float
    plcc: float
    krcc: float
    rmse: float
    plcc_fitted: float
    rmse_fitted: float


@dataclass(frozen=True)
class Interval:
    """The lower and the upper ends of bootstrap intervals, one of each figure."""

    low: Agreement
    high: Agreement


@dataclass(frozen=True)
class Logistic:
    """The four-parameter logistic of the Video Quality Experts Group, from scores to the scale of MOS.

    ``bottom + (top - bottom) / (1 + exp(-(score - middle) / width))``, width above 0; falling if top is below
    bottom.
    """

    top: float
    bottom: float
    middle: float
    width: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Map scores of any shape."""
        return _logistic(scores, self.top, self.bottom, self.middle, self.width)


def agreement(scores: np.ndarray, mos: np.ndarray) -> Agreement:
    """Compare scores with MOS, both of shape (N,), N at least 2."""
    _check(scores, mos)
    scores, mos = scores.astype(np.float64), mos.astype(np.float64)
    fitted = fit_logistic(scores, mos)(scores)
    return Agreement(
        count=len(scores),
        srcc=float(_pearson(stats.rankdata(scores), stats.rankdata(mos))),
        plcc=float(_pearson(scores, mos)),
        krcc=_kendall(scores, mos),
        rmse=float(_rmse(scores, mos)),
        plcc_fitted=float(_pearson(fitted, mos)),
        rmse_fitted=float(_rmse(fitted, mos)),
    )


def fit_logistic(scores: np.ndarray, mos: np.ndarray) -> Logistic:
    """Fit MOS by least squares.

    Where the relation is hardly bent, the best logistic has its ends at infinity, and an unbounded search
    does not converge: it is held within what looks the same on the data. It starts from the best of a grid of
    middles and widths, for each of which the best ends follow in closed form.

    Args:
        scores, mos: (N,); scores of any scale, rising or falling with MOS.
    """
    # Standardised, so that one grid serves every scale.
    shift, scale = float(np.mean(scores)), float(np.std(scores)) or 1.0
    standard = (scores - shift) / scale
    middles = [*np.quantile(standard, (0.1, 0.3, 0.5, 0.7, 0.9)), standard.min() - 1, standard.max() + 1]
    starts = [_with_ends(standard, mos, middle, width) for middle in middles for width in _START_WIDTHS]
    start = min(starts, key=lambda parameters: _misfit(standard, mos, parameters))
    found = _improved(standard, mos, start)
    # A search that was given up may have found less than it started from.
    best = min(start, found, key=lambda parameters: _misfit(standard, mos, parameters))
    return Logistic(best[0], best[1], best[2] * scale + shift, best[3] * scale)


def bootstrap(scores: np.ndarray, mos: np.ndarray, resamples: int = 1000, seed: int = 0) -> Interval:
    """Give the percentile intervals of 95 % over resampled photos (Efron and Tibshirani 1993, 13.3).

    The logistic is fitted once, on all photos: the intervals of the fitted figures leave its own uncertainty
    out, which is small beside that of the choice of photos.

    Args:
        scores, mos: (N,), N at least 2.
        resamples: how many times N photos are drawn, with replacement.
        seed: of the draws; the same for every metric, so that they are compared on the same resamples.
    """
    _check(scores, mos)
    scores, mos = scores.astype(np.float64), mos.astype(np.float64)
    fitted = fit_logistic(scores, mos)(scores)
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // len(scores))
    figures = []
    for first in range(0, resamples, rows):
        drawn = rng.integers(len(scores), size=(min(rows, resamples - first), len(scores)))
        figures.append(_figures(scores[drawn], mos[drawn], fitted[drawn]))
    every = np.concatenate(figures)
    # A resample of equal scores has no correlation; scores that are all equal have none in any.
    ends = np.full((2, every.shape[1]), np.nan)
    defined = ~np.isnan(every).all(axis=0)
    tails = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    ends[:, defined] = np.nanquantile(every[:, defined], tails, axis=0)
    low, high = (Agreement(len(scores), *map(float, end)) for end in ends)
    return Interval(low, high)


def _check(scores: np.ndarray, mos: np.ndarray) -> None:
    if scores.shape != mos.shape or scores.ndim != 1 or len(scores) < 2:
        raise ValueError(
            f"scores and mos must be two equally long vectors, got {scores.shape} and {mos.shape}"
        )


def _figures(scores: np.ndarray, mos: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Columns in the order of ``Agreement``'s attributes behind ``count``, for rows of scores (B, N)."""
    return np.stack(
        [
            _pearson(stats.rankdata(scores, axis=1), stats.rankdata(mos, axis=1)),
            _pearson(scores, mos),
            # Not vectorised: in O(N log N) each, where sums over all pairs would take O(N^2) in memory, too.
            np.array([_kendall(*pair) for pair in zip(scores, mos, strict=True)]),
            _rmse(scores, mos),
            _pearson(fitted, mos),
            _rmse(fitted, mos),
        ],
        axis=1,
    )


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlate along the last axis; NaN where one side is constant."""
    constant = (np.ptp(a, axis=-1) == 0) | (np.ptp(b, axis=-1) == 0)
    a = a - a.mean(axis=-1, keepdims=True)
    b = b - b.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(a * a, axis=-1) * np.sum(b * b, axis=-1))
    return np.where(constant, np.nan, np.sum(a * b, axis=-1) / np.where(constant, 1, spread))


def _kendall(scores: np.ndarray, mos: np.ndarray) -> float:
    return float(stats.kendalltau(scores, mos).statistic)


def _rmse(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    difference: np.ndarray = np.sqrt(np.mean((a - b) ** 2, axis=-1))
    return difference


def _misfit(scores: np.ndarray, mos: np.ndarray, parameters: _Parameters) -> float:
    return float(_rmse(_logistic(scores, *parameters), mos))


def _with_ends(scores: np.ndarray, mos: np.ndarray, middle: float, width: float) -> _Parameters:
    """Give the logistic of that middle and width which fits best: top and bottom enter linearly."""
    rise = special.expit((scores - middle) / width)
    (top, bottom), *_ = np.linalg.lstsq(np.stack([rise, 1 - rise], axis=1), mos, rcond=None)
    return float(top), float(bottom), float(middle), width


def _improved(scores: np.ndarray, mos: np.ndarray, start: _Parameters) -> _Parameters:
    if len(scores) < len(start):
        return start
    reach = 3 + float(np.abs(scores).max())
    lowest = (-np.inf, -np.inf, -reach, _WIDTHS[0])
    highest = (np.inf, np.inf, reach, _WIDTHS[1])
    try:
        with warnings.catch_warnings():
            # How sure the parameters are is not asked for, and often cannot be said.
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            found, _ = optimize.curve_fit(
                _logistic, scores, mos, p0=start, bounds=(lowest, highest), x_scale="jac", max_nfev=500
            )
    except RuntimeError:  # no convergence
        return start
    top, bottom, middle, width = map(float, found)
    return top, bottom, middle, width


def _logistic(scores: np.ndarray, top: float, bottom: float, middle: float, width: float) -> np.ndarray:
    rise: np.ndarray = special.expit((scores - middle) / width)
    return bottom + (top - bottom) * rise
