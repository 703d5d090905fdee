"""Agreement of scores with opinion: SRCC, PLCC, KRCC and RMSE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Agreement:
    """How well scores follow opinion over ``count`` photos.

    Attributes:
        srcc, plcc, krcc: Spearman's, Pearson's and Kendall's coefficients, -1..1; no logistic fit.
        rmse: root of the mean squared difference, in the unit of MOS (0..1).
    """

    count: int
    srcc: float
    plcc: float
    krcc: float
    rmse: float


def agreement(scores: np.ndarray, mos: np.ndarray) -> Agreement:
    """Compare scores with MOS, both of shape (N,), N at least 2."""
    if scores.shape != mos.shape or scores.ndim != 1 or len(scores) < 2:
        raise ValueError(
            f"scores and mos must be two equally long vectors, got {scores.shape} and {mos.shape}"
        )
    return Agreement(
        count=len(scores),
        srcc=float(stats.spearmanr(scores, mos).statistic),
        plcc=float(stats.pearsonr(scores, mos).statistic),
        krcc=float(stats.kendalltau(scores, mos).statistic),
        rmse=float(np.sqrt(np.mean((scores - mos) ** 2))),
    )
