"""The encoder half of Stable Diffusion's VAE: photo to latent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from dpiqa_plugin.models.attention import attend

LATENT_CHANNELS = 4
_SCALING = 0.18215  # of Stable Diffusion 1.5: brings the latent to unit deviation
_IN_CACHE = 1 << 20  # numbers to normalise at a time


class LatentEncoder(nn.Module):
    """``encoder`` and ``quant_conv`` of diffusers' ``AutoencoderKL``, under the same parameter names.

    diffusers' blocks are walked here, not called: their forwards write every sum, norm and activation to
    memory of its own, and at 512 x 512 fresh memory costs a CPU more than the arithmetic does: a norm of 128
    channels took 0.07 CPU seconds, 0.02 of them with large pages.
    """

    def __init__(self, encoder: nn.Module, quant_conv: nn.Module) -> None:
        super().__init__()
        self.encoder: Any = encoder  # diffusers declares its parts too loosely for a type checker
        self.quant_conv = quant_conv
        self.attends_in_bfloat16 = False

    def forward(self, image: Tensor) -> Tensor:
        """Mean of the posterior, scaled: (N, 3, H, W) to (N, 4, H/8, W/8)."""
        encoder = self.encoder
        sample = _convolve_in_layout(encoder.conv_in, image.to(encoder.conv_in.weight.dtype))
        saves = sample.is_contiguous() and sample.device.type == "cpu" and not torch.is_grad_enabled()
        # `build_latent_encoder` sees to it that no later map is larger.
        spare = sample.new_empty(sample.numel()) if saves else None
        for block in encoder.down_blocks:
            for resnet in block.resnets:
                sample = _residual(resnet, sample, spare)
            for downsampler in block.downsamplers or ():
                # One row and column more at the end only, as Stable Diffusion pads.
                sample = _convolve_in_layout(downsampler.conv, F.pad(sample, (0, 1, 0, 1)))
        before, after = encoder.mid_block.resnets
        sample = _residual(before, sample, spare)
        sample = _attended(encoder.mid_block.attentions[0], sample, self.attends_in_bfloat16)
        sample = _residual(after, sample, spare)
        sample = encoder.conv_out(_activated(encoder.conv_norm_out, sample, spare))
        mean, _log_variance = self.quant_conv(sample).chunk(2, dim=1)
        scaled: Tensor = mean * _SCALING
        return scaled


def _residual(resnet: Any, sample: Tensor, spare: Tensor | None) -> Tensor:
    """A residual block on ``sample``, which no one else may need: where no gradient is, it is overwritten."""
    branch = resnet.conv1(_activated(resnet.norm1, sample, spare))
    branch = resnet.conv2(_activated(resnet.norm2, branch, spare))
    if resnet.conv_shortcut is not None:
        sample = _convolve_in_layout(resnet.conv_shortcut, sample)
    summed: Tensor = sample + branch if torch.is_grad_enabled() else sample.add_(branch)
    return summed


def _attended(attention: Any, sample: Tensor, in_bfloat16: bool) -> Tensor:
    """Add attention among all positions, by a single head."""
    positions = attention.group_norm(sample).flatten(2).transpose(1, 2)
    query, key, value = (project(positions) for project in (attention.to_q, attention.to_k, attention.to_v))
    mixed: Tensor = attention.to_out[0](attend(query, key, value, attention.heads, in_bfloat16))
    return sample + mixed.transpose(1, 2).view(sample.shape)


def _convolve_in_layout(layer: nn.Conv2d, sample: Tensor) -> Tensor:
    """Give what ``layer`` would, in the layout in which `winograd` leaves large maps to NNPACK.

    torch gives it in the weights' layout or the sample's, and to copy a large map costs as much as to
    convolve it.
    """
    if sample.device.type != "cpu" or not torch._nnpack_available():
        result: Tensor = layer(sample)
        return result
    # Not contiguous(): weights of 1 x 1 are in both layouts, and stay in that which torch takes them for.
    weight = layer.weight.clone(memory_format=torch.contiguous_format)
    return F.conv2d(sample.contiguous(), weight, layer.bias, layer.stride, layer.padding)


def _activated(norm: Any, sample: Tensor, spare: Tensor | None) -> Tensor:
    """Norm and SiLU: into ``spare``, if given, by as many groups as fit a CPU's cache."""
    if spare is None:
        return F.silu(norm(sample), inplace=not torch.is_grad_enabled())
    activated = spare[: sample.numel()].view(sample.shape)
    width = norm.num_channels // norm.num_groups
    step = width * max(1, _IN_CACHE * norm.num_groups // sample.numel())
    for first in range(0, norm.num_channels, step):
        part = slice(first, first + step)
        weight, bias = norm.weight[part], norm.bias[part]
        normed = F.group_norm(sample[:, part], len(weight) // width, weight, bias, norm.eps)
        torch.ops.aten.silu.out(normed, out=activated[:, part])  # F.silu takes no ``out``
    return activated


def build_latent_encoder(channels: Sequence[int], layers: int, norm_groups: int) -> LatentEncoder:
    """Take the encoder half out of an ``AutoencoderKL`` of these channels a level.

    Raises:
        ValueError: a level's map would be larger than the one before, whose positions are four times as many.
    """
    if any(after > 4 * before for before, after in pairwise(channels)):
        raise ValueError(f"channels must not grow more than fourfold from level to level, got {channels}")
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
