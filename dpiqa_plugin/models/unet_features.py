"""Features of diffusers' U-Net for DP-IQA: its four up blocks' outputs, at timestep 1, without noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

TIMESTEP = 1


def build_unet(channels: Sequence[int], layers: int, norm_groups: int, prompt_width: int) -> Any:
    """Build Stable Diffusion 1.5's U-Net, whose block types and heads are diffusers' defaults.

    Returns:
        A ``UNet2DConditionModel``; diffusers declares its parts too loosely for a type checker.
    """
    return UNet2DConditionModel(
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        norm_num_groups=norm_groups,
        cross_attention_dim=prompt_width,
    )


def up_block_features(
    unet: Any, latent: Tensor, condition: Tensor, residuals: Sequence[Tensor]
) -> list[Tensor]:
    """Walk the U-Net's blocks up to the last up block; its output convolution is not run.

    Args:
        unet: a ``UNet2DConditionModel`` with three cross-attention levels and one plain level.
        latent: (N, 4, S, S).
        condition: adapted prompt embeddings (prompts, width), the same for all photos.
        residuals: the image adapter's maps, one a down block, added as T2I-Adapter does.

    Returns:
        Outputs of up blocks 0, 1, 2, 3.
    """
    prompts = condition.expand(len(latent), *condition.shape)
    time = _time_embedding(unet, latent)
    sample = unet.conv_in(latent)
    skips = [sample]
    for block, residual in zip(unet.down_blocks, residuals, strict=True):
        sample, outputs = _down(block, sample, time, prompts, residual)
        skips += outputs
    sample = unet.mid_block(sample, time, encoder_hidden_states=prompts)
    features = []
    for block in unet.up_blocks:
        taken = tuple(skips[-len(block.resnets) :])
        del skips[-len(block.resnets) :]
        attention = {"encoder_hidden_states": prompts} if _attends(block) else {}
        sample = block(hidden_states=sample, temb=time, res_hidden_states_tuple=taken, **attention)
        features.append(sample)
    return features


def _time_embedding(unet: Any, latent: Tensor) -> Tensor:
    timestep = torch.full((len(latent),), TIMESTEP, device=latent.device)
    embedding: Tensor = unet.time_embedding(unet.time_proj(timestep).to(latent.dtype))
    return embedding


def _down(
    block: Any, sample: Tensor, time: Tensor, prompts: Tensor, residual: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    if _attends(block):
        result: tuple[Tensor, tuple[Tensor, ...]] = block(
            hidden_states=sample, temb=time, encoder_hidden_states=prompts, additional_residuals=residual
        )
        return result
    sample, outputs = block(hidden_states=sample, temb=time)
    # diffusers adds in place, so the last skip connection, the same tensor, gets the residual too.
    sample = sample + residual
    return sample, (*outputs[:-1], sample)


def _attends(block: Any) -> bool:
    return bool(getattr(block, "has_cross_attention", False))
