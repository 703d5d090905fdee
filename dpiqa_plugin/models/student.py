"""DP-IQA's student: EfficientNet-B7, distilled from the teacher's score and feature map.

Paper: Fu et al., "DP-IQA: Utilizing Diffusion Prior for Blind Image Quality Assessment in the Wild", arXiv
2405.19996, section 3.5. Written afresh on torchvision's EfficientNet after the published checkpoints'
parameter names; none of the authors' code is used.

Code: Apache-2.0. Published weights: the authors', CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import efficientnet_b7

from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.models.squash import squash
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE

MAP_CHANNELS = 8
MAP_SIZE = 64
_TRUNK_CHANNELS = 2560
_HIDDEN = 512


class Student(nn.Module):
    """EfficientNet-B7 trunk, transposed convolution to the 8x64x64 feature map, three linear layers.

    Built with random weights; load a state dict afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.base_model = nn.Module()
        self.base_model.features = efficientnet_b7().features
        self.conv_transpose = nn.ConvTranspose2d(
            _TRUNK_CHANNELS, MAP_CHANNELS, 3, stride=2, padding=1, output_padding=1
        )
        self.fc1 = nn.Linear(MAP_CHANNELS * MAP_SIZE**2, _HIDDEN)
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
        features = self.base_model.get_submodule("features")(squash(image, DPIQA_INPUT_SIZE))
        quality_map = F.interpolate(
            F.relu(self.conv_transpose(features)), (MAP_SIZE, MAP_SIZE), mode="nearest"
        )
        hidden = F.relu(self.fc2(F.relu(self.fc1(quality_map.flatten(1)))))
        return QualityPrediction(self.fc3(hidden), quality_map)
