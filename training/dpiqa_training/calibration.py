"""Whether a model is as sure of its scores as it may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Calibration:
    """How predicted deviations fit the errors of scores.

    Attributes:
        within_one, within_two: shares of photos whose MOS lies within one and two deviations of the score;
            0.683 and 0.954 where errors are normal and the deviations right.
        mean_deviation: in the unit of MOS; compare with the RMSE.
        srcc: Spearman's coefficient of deviation and absolute error: 0 if it does not tell hard photos from
            easy ones.
    """

    within_one: float
    within_two: float
    mean_deviation: float
    srcc: float


def calibration(scores: np.ndarray, deviations: np.ndarray, mos: np.ndarray) -> Calibration:
    """Compare deviations with errors; all of shape (N,), N at least 2, in the units of MOS."""
    if not scores.shape == deviations.shape == mos.shape or scores.ndim != 1 or len(scores) < 2:
        shapes = f"{scores.shape}, {deviations.shape} and {mos.shape}"
        raise ValueError(f"scores, deviations and mos must be three equally long vectors, got {shapes}")
    errors = np.abs(scores - mos)
    return Calibration(
        within_one=float(np.mean(errors <= deviations)),
        within_two=float(np.mean(errors <= 2 * deviations)),
        mean_deviation=float(deviations.mean()),
        srcc=float(stats.spearmanr(deviations, errors).statistic),
    )
