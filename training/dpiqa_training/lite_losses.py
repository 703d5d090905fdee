"""What ``dpiqa_lite`` minimises: opinion, and the order of severities."""

from __future__ import annotations

from torch import Tensor

from dpiqa_training.config import LiteConfig
from dpiqa_training.datasets.ladders import RUNGS
from dpiqa_training.losses import ladder_ranking, negative_log_likelihood, one_minus_plcc

_DEVIATION_WEIGHT = 0.01  # its loss is large and meets no other: it must not steer the common rate


def lite_losses(
    score: Tensor, deviation: Tensor, mos: Tensor, weight: Tensor, config: LiteConfig
) -> dict[str, Tensor]:
    """Compare scores with opinions, and within each ladder with each other.

    Args:
        score, deviation: (N + L * RUNGS,): of N labelled photos, then of L whole ladders.
        mos: (N,), 0..1.
        weight: (N,), of each squared error, 0 or more.
        config: the weights of the parts, and the ladders' margin.

    Returns:
        The weighted parts of the loss, which is their sum.
    """
    labelled, rungs = score[: len(mos)], score[len(mos) :].view(-1, RUNGS)
    return {
        "score": (weight * (labelled - mos) ** 2).mean(),
        "plcc": config.plcc_weight * one_minus_plcc(labelled, mos),
        "deviation": _DEVIATION_WEIGHT * negative_log_likelihood(labelled, deviation[: len(mos)], mos),
        "ladders": config.ladder_weight * ladder_ranking(rungs, config.ladder_margin),
    }
