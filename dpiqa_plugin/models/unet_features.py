"""Features of diffusers' U-Net for DP-IQA: its four up blocks' outputs, at timestep 1, without noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from dpiqa_plugin.models.sublayers import KeysValues, cross_attentions, take_over

TIMESTEP = 1


def build_unet(channels: Sequence[int], layers: int, norm_groups: int, prompt_width: int) -> Any:
    """Build Stable Diffusion 1.5's U-Net, whose block types and heads are diffusers' defaults.

    Returns:
        A ``UNet2DConditionModel``; diffusers declares its parts too loosely for a type checker.
    """
    unet = UNet2DConditionModel(
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        norm_num_groups=norm_groups,
        cross_attention_dim=prompt_width,
    )
    take_over(unet)
    return unet


def branches(unet: Any) -> list[Any]:
    """Layers whose rounding costs the score little: what they give is added to the stream of all features.

    Not those that the stream itself passes through: shortcuts, up- and downsampling. Nor the projections into
    and out of the transformers of larger maps: those of the second down block alone moved 22 photos by 0.0043
    at most instead of 0.0028 (see ``Teacher.compute_in``). Nor convolutions of larger maps, which `winograd`
    does in float32.
    """
    down, up = unet.down_blocks, unet.up_blocks
    small_maps = (*down[2:], unet.mid_block, *up[:2])
    resnets = [resnet for block in small_maps for resnet in block.resnets]
    convolutions = [
        *(conv for resnet in resnets for conv in (resnet.conv1, resnet.conv2)),
        *(conv for each in _transformers(small_maps) for conv in (each.proj_in, each.proj_out)),
    ]
    linear = [
        layer
        for transformer in _transformers((*down, unet.mid_block, *up))
        for layer in transformer.transformer_blocks.modules()
        if isinstance(layer, nn.Linear)
    ]
    return [*convolutions, *linear]


def _transformers(blocks: Sequence[Any]) -> list[Any]:
    return [transformer for block in blocks for transformer in getattr(block, "attentions", ())]


def keys_and_values(unet: Any, condition: Tensor) -> KeysValues:
    """Project adapted prompt embeddings (prompts, width) for each cross-attention, in its type."""
    condition = condition[None].to(stream_type(unet))
    return [(each.to_k(condition), each.to_v(condition)) for each in cross_attentions(unet)]


def stream_type(unet: Any) -> torch.dtype:
    """What the sums that run through the U-Net are in: the type of its norms."""
    dtype: torch.dtype = unet.conv_norm_out.weight.dtype
    return dtype


def up_block_features(
    unet: Any, latent: Tensor, prompts: KeysValues, residuals: Sequence[Tensor]
) -> list[Tensor]:
    """Walk the U-Net's blocks up to the last up block; its output convolution is not run.

    Args:
        unet: a ``UNet2DConditionModel`` with three cross-attention levels and one plain level.
        latent: (N, 4, S, S).
        prompts: from `keys_and_values`, the same for all photos.
        residuals: the image adapter's maps, one a down block, added as T2I-Adapter does.

    Returns:
        Outputs of up blocks 0, 1, 2, 3.
    """
    latent = latent.to(stream_type(unet))
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
    block: Any, sample: Tensor, time: Tensor, prompts: KeysValues, residual: Tensor
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
