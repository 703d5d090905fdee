"""DP-IQA's quality feature decoder (paper, section 3.4): U-Net features to a map and a score."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dpiqa_plugin.models.prediction import QualityPrediction, score_of

_SE_REDUCTION = 16
_HIDDEN = 512


class SqueezeExcitation(nn.Module):
    """Channel attention (Hu et al., arXiv 1709.01507), without biases."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // _SE_REDUCTION
        self.fc = nn.Sequential(
            nn.Linear(channels, squeezed, bias=False),
            nn.ReLU(),
            nn.Linear(squeezed, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Scale each channel of (N, C, H, W) by a factor in 0..1."""
        scaled: Tensor = features * self.fc(features.mean(dim=(2, 3)))[:, :, None, None]
        return scaled


class QualityFeatureDecoder(nn.Module):
    """Bring each map to one size and width, fuse, squeeze to 8 channels, decode to a score.

    ``bnc1`` and ``classifier_dist`` are in the published checkpoints, but not used by their forward.
    """

    def __init__(self, unet_channels: Sequence[int], width: int, map_channels: int, map_size: int) -> None:
        super().__init__()
        self.map_size = map_size
        # Numbered from the last up block, the highest resolution, to the first.
        self.conv1 = nn.Conv2d(unet_channels[0], width, 3, padding=1)
        self.se1 = SqueezeExcitation(width)
        self.conv2 = nn.Conv2d(unet_channels[1], width, 3, padding=1)
        self.se2 = SqueezeExcitation(width)
        self.conv3 = nn.Conv2d(unet_channels[2], width, 3, padding=1)
        self.se3 = SqueezeExcitation(width)
        self.conv4 = nn.Conv2d(unet_channels[3], width, 3, padding=1)
        self.se4 = SqueezeExcitation(width)
        self.fuse_conv = nn.Conv2d(4 * width, width, 3, padding=1)
        self.se_fuse = SqueezeExcitation(width)
        self.bnc1 = nn.BatchNorm1d(width)
        self.conv_score1 = nn.Conv2d(width, width // 4, 1)
        self.conv_score2 = nn.Conv2d(width // 4, width // 16, 1)
        self.conv_score3 = nn.Conv2d(width // 16, map_channels, 1)
        self.fc1 = nn.Linear(map_channels * map_size**2, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.fc3 = nn.Linear(_HIDDEN, 1)
        self.classifier_dist = nn.Linear(_HIDDEN, 24)

    def forward(self, features: Sequence[Tensor]) -> QualityPrediction:
        """Decode up blocks 0 to 3 into score (N, 1) and map (N, 8, S, S), S the latent's side."""
        up0, up1, up2, up3 = features
        fused = torch.cat(
            [
                self.se1(_convolve_resized(self.conv1, up3, self.map_size)),
                self.se2(_convolve_resized(self.conv2, up2, self.map_size)),
                self.se3(_convolve_resized(self.conv3, up1, self.map_size)),
                self.se4(_convolve_resized(self.conv4, up0, self.map_size)),
            ],
            dim=1,
        )
        quality_map = self._to_map(self.se_fuse(self.fuse_conv(fused))).to(self.fc1.weight.dtype)
        hidden = F.relu(self.fc2(F.relu(self.fc1(quality_map.flatten(1)))))
        return QualityPrediction(score_of(hidden, self.fc3), quality_map)

    def of_small_maps(self) -> list[nn.Module]:
        """Convolutions of up blocks 0 and 1, whose results are resized."""
        return [self.conv3, self.conv4]

    def before_the_score(self) -> list[nn.Module]:
        """All that run up to the map; the three linear layers after it make a single number of it."""
        convolutions = [self.conv1, self.conv2, self.conv3, self.conv4, self.fuse_conv]
        excitations = [self.se1, self.se2, self.se3, self.se4, self.se_fuse]
        return [*convolutions, *excitations, *self._squeezing()]

    def _to_map(self, fused: Tensor) -> Tensor:
        for conv in self._squeezing():
            fused = F.relu(conv(fused))
        return fused

    def _squeezing(self) -> tuple[nn.Module, ...]:
        return self.conv_score1, self.conv_score2, self.conv_score3


def _convolve_resized(conv: nn.Conv2d, features: Tensor, size: int) -> Tensor:
    """``conv(F.interpolate(features, size, mode="bicubic"))`` of a 3 x 3 convolution with padding 1.

    A resize mixes positions and a tap of the convolution mixes channels, so either may come first. The taps
    are applied to the small map: of 16 x 16 positions to 64 x 64 that is a sixteenth of the multiplications.
    """
    result_type = torch.promote_types(features.dtype, conv.weight.dtype)
    features = features.to(conv.weight.dtype)
    if features.shape[-1] == size:
        convolved: Tensor = conv(features).to(result_type)
        return convolved
    taps = conv.weight.permute(0, 2, 3, 1).flatten(0, 2)[:, :, None, None]  # no copy in channels_last
    mixed = F.conv2d(features, taps).to(result_type)
    mixed = mixed.view(len(mixed), conv.out_channels, *conv.kernel_size, *mixed.shape[2:])
    resize = _resizes(features.shape[-1], size).to(mixed)
    assert conv.bias is not None
    resized = torch.einsum("nojist,jys,ixt->noyx", mixed, resize, resize)
    return resized + conv.bias.to(resized.dtype)[:, None, None]


def _resizes(small: int, size: int) -> Tensor:
    """Matrices (3, size, small) that resize a column and shift it by a tap's place: up, not, down."""
    resize = F.interpolate(torch.eye(small)[None, None], (size, small), mode="bicubic")[0, 0]
    padded = F.pad(resize, (0, 0, 1, 1))
    return torch.stack([padded[tap : tap + size] for tap in range(3)])
