"""What every model of this package gives for a batch of photos."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class QualityPrediction(NamedTuple):
    """A score and a spatial feature map for each of N photos.

    Attributes:
        score: (N, 1), roughly 0..1, higher is better; MOS/100 of the data set that the weights learnt.
        map: (N, 8, H, W), 0 or more: the features that the score is decoded from; not itself a quality scale.
    """

    score: Tensor
    map: Tensor
