"""DP-IQA's student: EfficientNet-B7, distilled from the teacher's score and feature map.

Paper: Fu et al., "DP-IQA: Utilizing Diffusion Prior for Blind Image Quality Assessment in the Wild", arXiv
2405.19996, section 3.5. Written afresh on torchvision's EfficientNet after the published checkpoints'
parameter names; none of the authors' code is used.

Code: Apache-2.0. Published weights: the authors', CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import get_model

from dpiqa_plugin.models.prediction import QualityPrediction, score_of
from dpiqa_plugin.models.squash import squash
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE

MAP_CHANNELS = 8
_MAP_STRIDE = 8  # the teacher's, whose map is the target
_HIDDEN = 512


@dataclass(frozen=True)
class StudentConfig:
    """What the student is made of; the defaults are the paper's.

    Attributes:
        image_size: side in pixels of the square that photos are squashed to; a multiple of 64.
        trunk: name of the EfficientNet in torchvision.
        trunk_channels: of its last stage.
    """

    image_size: int = DPIQA_INPUT_SIZE
    trunk: str = "efficientnet_b7"
    trunk_channels: int = 2560

    @property
    def map_size(self) -> int:
        """Side of the feature map."""
        return self.image_size // _MAP_STRIDE


REDUCED = StudentConfig(image_size=64, trunk="efficientnet_b0", trunk_channels=1280)
"""The same code at a size that a CPU runs in milliseconds."""


class Student(nn.Module):
    """EfficientNet-B7 trunk, transposed convolution to the 8x64x64 feature map, three linear layers.

    Built with random weights; load a state dict afterwards.
    """

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StudentConfig()
        self.base_model = nn.Module()
        self.base_model.features = get_model(config.trunk).features
        self.conv_transpose = nn.ConvTranspose2d(
            config.trunk_channels, MAP_CHANNELS, 3, stride=2, padding=1, output_padding=1
        )
        self.fc1 = nn.Linear(MAP_CHANNELS * config.map_size**2, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.fc3 = nn.Linear(_HIDDEN, 1)

    def forward(self, image: Tensor) -> QualityPrediction:
        """Judge a batch of photos.

        Args:
            image: RGB, shape (N, 3, H, W), range 0..1, any size; squashed to 512 x 512 here and not
                normalised: the published weights were trained so.

        Returns:
            score (N, 1), MOS/100 of the training data, about 0..1, higher is better; map (N, 8, 64, 64).
        """
        features = self.base_model.get_submodule("features")(squash(image, self.config.image_size))
        size = (self.config.map_size, self.config.map_size)
        quality_map = F.interpolate(F.relu(self.conv_transpose(features)), size, mode="nearest")
        hidden = F.relu(self.fc2(F.relu(self.fc1(quality_map.flatten(1)))))
        return QualityPrediction(score_of(hidden, self.fc3), quality_map)
