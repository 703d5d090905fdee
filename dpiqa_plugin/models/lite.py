"""``dpiqa_lite``: the compact blind-IQA network that is bundled with the package.

In the spirit of the student of DP-IQA (Fu et al., "DP-IQA: Utilizing Diffusion Prior for Blind Image Quality
Assessment in the Wild", arXiv 2405.19996): a CNN trunk, a small feature map, a score. It is *not* the
paper's student: the trunk is EfficientNet-Lite0 (timm's ``tf_efficientnet_lite0``), not EfficientNet-B7; the
score also sees the mean and the deviation of every stage's channels and how the photo is exposed; it says how
sure it is; and it was trained on opinion scores, not distilled from the teacher.

Code: Apache-2.0. Weights: trained by ``dpiqa-train lite`` from ImageNet weights (Apache-2.0); see lite.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dpiqa_plugin.checkpoint import load_state_dict
from dpiqa_plugin.models.exposure import EXPOSURE_STATISTICS, exposure_statistics
from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.models.squash import squash
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE

TRUNK = "tf_efficientnet_lite0"
STAGE_CHANNELS = (16, 24, 40, 112, 320)
FROZEN_BLOCKS = 3
"""How many of the trunk's seven block groups, with the stem, keep their ImageNet weights in training."""
MAP_CHANNELS = 8
BUNDLED_WEIGHTS = Path(__file__).parents[1] / "data" / "lite.safetensors"
_STAGE_ENDS = (0, 1, 2, 4, 6)  # the block groups after which the resolution halves
_LATERAL_WIDTH = 48
_MAP_GRID = 4


class EarlyStages(NamedTuple):
    """What the frozen first stages make of N photos: all that the rest of the network needs of them.

    Attributes:
        map: (N, 40, S / 8, S / 8), the output of the last of them.
        statistics: (N, 304), `exposure_statistics`, then mean and deviation of every channel of all of them.
    """

    map: Tensor
    statistics: Tensor


class Lite(nn.Module):
    """EfficientNet-Lite0 trunk, feature map, score, deviation.

    Built with random weights; load a state dict afterwards. It is ``late`` after ``early``: training keeps
    what ``early`` gives on disk.
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
            score (N, 1), 0..1, higher is better; feature map (N, 8, 48, 48), 0 or more; deviation (N, 1).
        """
        return self.late(self.early(squash(image, LITE_INPUT_SIZE)))

    def early(self, image: Tensor) -> EarlyStages:
        """Run the frozen stages on photos (N, 3, S, S) in 0..1."""
        # EfficientNet-Lite's own input range: (x - 127) / 128 on 0..255.
        x = self.trunk.get_submodule("conv_stem")((image * 255 - 127) / 128)
        x = self.trunk.get_submodule("bn1")(x)
        stages = self._stages(x, range(FROZEN_BLOCKS))
        return EarlyStages(
            stages[-1], torch.cat([exposure_statistics(image), pooled_statistics(stages)], dim=1)
        )

    def late(self, early: EarlyStages) -> QualityPrediction:
        """Run the trained stages and the head."""
        statistics, quality_map = self.late_features(early)
        score, deviation = self.head.decode(statistics, pooled_map(quality_map))
        return QualityPrediction(score, quality_map, deviation)

    def late_features(self, early: EarlyStages) -> tuple[Tensor, Tensor]:
        """Give the statistics (N, 1168) of all stages and the feature map (N, 8, S / 8, S / 8)."""
        stages = self.late_stages(early.map)
        statistics = torch.cat([early.statistics, pooled_statistics(stages)], dim=1)
        return statistics, self.head.quality_map([early.map, *stages])

    def late_stages(self, x: Tensor) -> list[Tensor]:
        """Give the maps of the last two stages, of strides 16 and 32, from the one of stride 8."""
        return self._stages(x, range(FROZEN_BLOCKS, _STAGE_ENDS[-1] + 1))

    def _stages(self, x: Tensor, groups: range) -> list[Tensor]:
        ends = []
        for group in groups:
            x = self.trunk.get_submodule(f"blocks.{group}")(x)
            if group in _STAGE_ENDS:
                ends.append(x)
        return ends


class LiteHead(nn.Module):
    """From the trunk's stages to the feature map, the score and the deviation.

    ``statistics_mean`` and ``statistics_deviation`` standardise the statistics; training measures them
    once on the training photos: the channels of a ReLU6 trunk differ in scale by two orders of magnitude.
    ``deviation_scale`` is set on the validation photos, at the end of training.
    """

    statistics_mean: Tensor
    statistics_deviation: Tensor
    deviation_scale: Tensor
    map_width = MAP_CHANNELS * _MAP_GRID**2

    def __init__(self) -> None:
        super().__init__()
        statistics = EXPOSURE_STATISTICS + 2 * sum(STAGE_CHANNELS)
        self.register_buffer("statistics_mean", torch.zeros(statistics))
        self.register_buffer("statistics_deviation", torch.ones(statistics))
        self.register_buffer("deviation_scale", torch.ones(1))
        self.lateral = nn.ModuleList(nn.Conv2d(width, _LATERAL_WIDTH, 1) for width in STAGE_CHANNELS[2:])
        self.to_map = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(_LATERAL_WIDTH, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, MAP_CHANNELS, 1),
            nn.ReLU(),
        )
        first = nn.Linear(statistics + self.map_width, 512)
        # Training starts with the statistics alone; the map is let in from nothing.
        nn.init.zeros_(first.weight[:, statistics:])
        self.hidden = nn.Sequential(
            nn.Dropout(0.1),
            first,
            nn.ReLU(),
            nn.Dropout(0.4),
            nn.Linear(512, 64),
            nn.ReLU(),
            nn.Dropout(0.2),
        )
        self.to_score = nn.Linear(64, 1)
        # Of its own, so that what it learns of exposure holds for any scene.
        self.exposure = nn.Sequential(
            nn.Linear(EXPOSURE_STATISTICS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        self.to_deviation = nn.Linear(64, 1)

    def quality_map(self, stages: list[Tensor]) -> Tensor:
        """Give the feature map from the last three stages, of strides 8, 16, 32."""
        quality_map: Tensor = self.to_map(self._fuse(stages))
        return quality_map

    def decode(self, statistics: Tensor, map_means: Tensor) -> tuple[Tensor, Tensor]:
        """Give score and deviation, (N, 1) each, from statistics (N, 1168) and ``pooled_map`` (N, 128)."""
        # A photo unlike any in training, all black say, must not lie hundreds of deviations out.
        standardised = ((statistics - self.statistics_mean) / self.statistics_deviation).clamp(-6, 6)
        hidden = self.hidden(torch.cat([standardised, map_means], dim=1))
        # How sure it is must not change what it says: the deviation's loss stops here.
        deviation = F.softplus(self.to_deviation(hidden.detach())) + 0.01
        logit = self.to_score(hidden) + self.exposure(standardised[:, :EXPOSURE_STATISTICS])
        return torch.sigmoid(logit), self.deviation_scale * deviation

    def _fuse(self, stages: list[Tensor]) -> Tensor:
        size = stages[0].shape[-2:]
        laterals = (conv(stage) for conv, stage in zip(self.lateral, stages, strict=True))
        resized = [F.interpolate(x, size, mode="bilinear", align_corners=False) for x in laterals]
        return torch.stack(resized).sum(dim=0)


def pooled_map(quality_map: Tensor) -> Tensor:
    """Means of a feature map (N, 8, H, W) over a grid of 4 x 4: (N, 128)."""
    return F.adaptive_avg_pool2d(quality_map, _MAP_GRID).flatten(1)


def pooled_statistics(stages: list[Tensor]) -> Tensor:
    """Mean and standard deviation over space of every channel of every stage: (N, 2 * sum of channels)."""
    # In float32 also where the stages are in bfloat16, whose 8 bits would spoil the small deviations.
    flat = [stage.flatten(2).float() for stage in stages]
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
