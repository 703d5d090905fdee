"""What training minimises: scalar tensors, the lower the better, and all but the last 0 or more."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def squared_error(score: Tensor, mos: Tensor) -> Tensor:
    """Mean squared difference of scores and opinions, both (N,)."""
    _require_equal_shapes(score, mos)
    return F.mse_loss(score, mos)


def map_error(quality_map: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two feature maps (N, 8, S, S): the student's and the teacher's."""
    _require_equal_shapes(quality_map, target)
    return F.mse_loss(quality_map, target)


def margin_ranking(score: Tensor, mos: Tensor, margin: float) -> Tensor:
    """Mean over all pairs of unequal MOS of max(0, margin - how far the better photo is scored above).

    Args:
        score, mos: (N,).
        margin: by how much the better photo must be scored above the other, in the unit of MOS.

    Returns:
        0 if there is no such pair.
    """
    _require_equal_shapes(score, mos)
    # Entry (i, j) is about photo i above photo j; of each pair one of the two entries is used.
    better = mos[:, None] > mos[None, :]
    above = (score[:, None] - score[None, :])[better]
    return F.relu(margin - above).sum() / max(1, above.numel())


def one_minus_plcc(score: Tensor, mos: Tensor) -> Tensor:
    """1 minus Pearson's correlation of scores and MOS, both (N,); 1 where all photos are alike."""
    _require_equal_shapes(score, mos)
    score, mos = score - score.mean(), mos - mos.mean()
    # A batch of equal opinions has no correlation; the floor keeps its gradient finite.
    scale = (score.norm() * mos.norm()).clamp_min(1e-6)
    loss: Tensor = 1 - (score * mos).sum() / scale
    return loss


def ladder_ranking(ladders: Tensor, margin: float) -> Tensor:
    """Mean over all neighbouring rungs of how far the worse is from scoring ``margin`` below the better.

    Args:
        ladders: scores (L, R), from the clean photo to the most distorted.
        margin: in the unit of the scores.
    """
    return F.relu(margin - (ladders[:, :-1] - ladders[:, 1:])).mean()


def negative_log_likelihood(score: Tensor, deviation: Tensor, mos: Tensor) -> Tensor:
    """Of MOS under a normal distribution, less a constant; teaches the deviation, not the score. All (N,)."""
    _require_equal_shapes(score, mos)
    _require_equal_shapes(deviation, mos)
    error = (score.detach() - mos) ** 2
    return (deviation.log() + error / (2 * deviation**2)).mean()


def _require_equal_shapes(ours: Tensor, target: Tensor) -> None:
    # (N, 1) against (N,) would be broadcast to all pairs: training runs, and learns the mean.
    if ours.shape != target.shape:
        raise ValueError(
            f"prediction and target must have one shape, got {tuple(ours.shape)} and {tuple(target.shape)}"
        )
