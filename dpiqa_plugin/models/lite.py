"""``dpiqa_lite``: the compact blind-IQA network that is bundled with the package.

In the spirit of the student of DP-IQA (Fu et al., "DP-IQA: Utilizing Diffusion Prior for Blind Image Quality
Assessment in the Wild", arXiv 2405.19996): a CNN trunk, a small feature map, a score. It is *not* the
paper's student: the trunk is EfficientNet-Lite0 (timm's ``tf_efficientnet_lite0``), not EfficientNet-B7; the
score also sees the mean and the deviation of every stage's channels; and it was trained on opinion scores,
not distilled from the teacher.

Code: Apache-2.0. Weights: trained by ``dpiqa-train lite`` from ImageNet weights (Apache-2.0); see lite.md.
"""

from __future__ import annotations

from pathlib import Path

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dpiqa_plugin.checkpoint import load_state_dict
from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.models.squash import squash
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE

TRUNK = "tf_efficientnet_lite0"
STAGE_CHANNELS = (16, 24, 40, 112, 320)
MAP_CHANNELS = 8
BUNDLED_WEIGHTS = Path(__file__).parents[1] / "data" / "lite.safetensors"
_LATERAL_STAGES = (2, 3, 4)
_LATERAL_WIDTH = 48
_MAP_GRID = 4


class Lite(nn.Module):
    """EfficientNet-Lite0 trunk, 8x48x48 feature map, score.

    Built with random weights; load a state dict afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = timm.create_model(TRUNK, pretrained=False, features_only=True)
        self.head = LiteHead()

    def forward(self, image: Tensor) -> QualityPrediction:
        """Judge a batch of photos.

        Args:
            image: RGB, shape (N, 3, H, W), range 0..1, any size; squashed to 384 x 384 here.

        Returns:
            score (N, 1), roughly 0..1, higher is better; feature map (N, 8, 48, 48), 0 or more.
        """
        image = squash(image, LITE_INPUT_SIZE)
        # EfficientNet-Lite's own input range: (x - 127) / 128 on 0..255.
        prediction: QualityPrediction = self.head(self.trunk((image * 255 - 127) / 128))
        return prediction


class LiteHead(nn.Module):
    """From the trunk's five stages to the feature map and the score.

    ``statistics_mean`` and ``statistics_deviation`` standardise the pooled statistics; training measures them
    once on the training photos: the channels of a ReLU6 trunk differ in scale by two orders of magnitude.
    """

    statistics_mean: Tensor
    statistics_deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        statistics = 2 * sum(STAGE_CHANNELS)
        self.register_buffer("statistics_mean", torch.zeros(statistics))
        self.register_buffer("statistics_deviation", torch.ones(statistics))
        self.lateral = nn.ModuleList(nn.Conv2d(STAGE_CHANNELS[i], _LATERAL_WIDTH, 1) for i in _LATERAL_STAGES)
        self.to_map = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(_LATERAL_WIDTH, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, MAP_CHANNELS, 1),
            nn.ReLU(),
        )
        self.to_score = nn.Sequential(
            nn.Linear(statistics + MAP_CHANNELS * _MAP_GRID**2, 256),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(256, 64),
            nn.ReLU(),
            nn.Linear(64, 1),
        )

    def forward(self, stages: list[Tensor]) -> QualityPrediction:
        """Decode maps of ``STAGE_CHANNELS`` channels, strides 2..32, into a map at stride 8 and a score."""
        quality_map = self.to_map(self._fuse(stages))
        standardised = (pooled_statistics(stages) - self.statistics_mean) / self.statistics_deviation
        pooled_map = F.adaptive_avg_pool2d(quality_map, _MAP_GRID).flatten(1)
        return QualityPrediction(self.to_score(torch.cat([standardised, pooled_map], dim=1)), quality_map)

    def _fuse(self, stages: list[Tensor]) -> Tensor:
        size = stages[_LATERAL_STAGES[0]].shape[-2:]
        laterals = (conv(stages[i]) for conv, i in zip(self.lateral, _LATERAL_STAGES, strict=True))
        resized = [F.interpolate(x, size, mode="bilinear", align_corners=False) for x in laterals]
        return torch.stack(resized).sum(dim=0)


def pooled_statistics(stages: list[Tensor]) -> Tensor:
    """Mean and standard deviation over space of every channel of every stage: (N, 2 * sum of channels)."""
    flat = [stage.flatten(2) for stage in stages]
    means = [x.mean(dim=2) for x in flat]
    # The floor keeps the gradient of the root finite where a channel is constant (a blank photo).
    deviations = [x.var(dim=2, correction=0).clamp_min(1e-8).sqrt() for x in flat]
    return torch.cat(means + deviations, dim=1)


def load_lite(weights: Path = BUNDLED_WEIGHTS) -> Lite:
    """Build the model with ``weights``, a safetensors file as ``dpiqa-train lite`` writes it, in eval mode.

    Raises:
        WeightsError: the file cannot be read or does not fit.
    """
    model = Lite()
    model.load_state_dict(
        load_state_dict(weights, {name: tuple(x.shape) for name, x in model.state_dict().items()})
    )
    return model.eval()
