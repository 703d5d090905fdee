"""The encoder half of Stable Diffusion's VAE: photo to latent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

LATENT_CHANNELS = 4
_SCALING = 0.18215  # of Stable Diffusion 1.5: brings the latent to unit deviation


class LatentEncoder(nn.Module):
    """``encoder`` and ``quant_conv`` of diffusers' ``AutoencoderKL``, under the same parameter names.

    diffusers' blocks are walked here, not called: their forwards write every sum, norm and activation to
    memory of its own, which at 512 x 512 costs a CPU as much as a tenth of the convolutions.
    """

    def __init__(self, encoder: nn.Module, quant_conv: nn.Module) -> None:
        super().__init__()
        self.encoder: Any = encoder  # diffusers declares its parts too loosely for a type checker
        self.quant_conv = quant_conv

    def forward(self, image: Tensor) -> Tensor:
        """Mean of the posterior, scaled: (N, 3, H, W) to (N, 4, H/8, W/8)."""
        encoder = self.encoder
        sample = encoder.conv_in(image.to(encoder.conv_in.weight.dtype))
        for block in encoder.down_blocks:
            for resnet in block.resnets:
                sample = _residual(resnet, sample)
            for downsampler in block.downsamplers or ():
                # One row and column more at the end only, as Stable Diffusion pads.
                sample = downsampler.conv(F.pad(sample, (0, 1, 0, 1)))
        before, after = encoder.mid_block.resnets
        sample = encoder.mid_block.attentions[0](_residual(before, sample))
        sample = _residual(after, sample)
        sample = encoder.conv_out(_activated(encoder.conv_norm_out, sample))
        mean, _log_variance = self.quant_conv(sample).chunk(2, dim=1)
        scaled: Tensor = mean * _SCALING
        return scaled


def _residual(resnet: Any, sample: Tensor) -> Tensor:
    """A residual block on ``sample``, which no one else may need: where no gradient is, it is overwritten."""
    branch = resnet.conv1(_activated(resnet.norm1, sample))
    branch = resnet.conv2(_activated(resnet.norm2, branch))
    if resnet.conv_shortcut is not None:
        sample = resnet.conv_shortcut(sample)
    summed: Tensor = sample + branch if torch.is_grad_enabled() else sample.add_(branch)
    return summed


def _activated(norm: nn.Module, sample: Tensor) -> Tensor:
    return F.silu(norm(sample), inplace=not torch.is_grad_enabled())


def build_latent_encoder(channels: Sequence[int], layers: int, norm_groups: int) -> LatentEncoder:
    """Take the encoder half out of an ``AutoencoderKL`` of these channels a level."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        # The other half is dropped at once: the cheapest that diffusers can build.
        up_block_types=("UpDecoderBlock2D",),
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=norm_groups,
    )
    return LatentEncoder(vae.encoder, vae.quant_conv)
