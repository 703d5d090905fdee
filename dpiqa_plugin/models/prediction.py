"""What every model of this package gives for a batch of photos."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class QualityPrediction(NamedTuple):
    """A score, a spatial feature map and perhaps an uncertainty for each of N photos.

    Attributes:
        score: (N, 1), roughly 0..1, higher is better; MOS/100 of the data set that the weights learnt.
        map: (N, 8, H, W), 0 or more: the features that the score is decoded from; not itself a quality scale.
        deviation: (N, 1), above 0: the standard deviation, in units of the score, that raters' mean opinion
            is expected to have around it; None from a model that does not say.
    """

    score: Tensor
    map: Tensor
    deviation: Tensor | None = None


def score_of(hidden: Tensor, last: nn.Linear) -> Tensor:
    """Apply the last layer to (N, width), in the type of its weights: scores (N, 1).

    Written out, since autocast would compute ``last(hidden)`` in bfloat16, whose steps are 1/256 below 1:
    photos would tie, and smaller errors would teach nothing.
    """
    return (hidden.to(last.weight.dtype) * last.weight).sum(dim=1, keepdim=True) + last.bias
