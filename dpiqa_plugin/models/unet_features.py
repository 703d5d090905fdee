"""Features of diffusers' U-Net for DP-IQA: its four up blocks' outputs, at timestep 1, without noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from dpiqa_plugin.models.attention import attend

TIMESTEP = 1

KeysValues = list[tuple[Tensor, Tensor]]
"""Of each cross-attention in the U-Net's order: keys and values, each (1, prompts, C)."""


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
    for attention in _attentions(unet, ".attn1"):
        attention.set_processor(_SelfAttention())
    for index, attention in enumerate(cross_attentions(unet)):
        attention.set_processor(_PromptAttention(index))
    return unet


def attend_in_bfloat16(unet: Any, on: bool) -> None:
    """Let attention multiply in bfloat16 as `attend` does, or no longer."""
    for processor in unet.attn_processors.values():
        processor.in_bfloat16 = on


def branches(unet: Any) -> list[Any]:
    """Layers whose rounding costs the score little: what they give is added to the stream of all features.

    Not those that the stream itself passes through: shortcuts, up- and downsampling, the projections into and
    out of transformers. Rounding these in the up blocks alone moved the parity tests' score by 0.0017 in the
    mean square of 12 photos. Nor the first down block, which all others see: with its linear layers 22 photos
    moved by 0.0033 at most instead of 0.0020 (see ``Teacher.compute_in``). Nor convolutions of large maps,
    which `winograd` does in float32.
    """
    down, up = unet.down_blocks, unet.up_blocks
    small_maps = (*down[2:], unet.mid_block, *up[:2])
    resnets = [resnet for block in small_maps for resnet in block.resnets]
    all_but_first = (*down[1:], unet.mid_block, *up)
    transformers = [each for block in all_but_first for each in getattr(block, "attentions", ())]
    linear = [
        layer
        for transformer in transformers
        for layer in transformer.transformer_blocks.modules()
        if isinstance(layer, nn.Linear)
    ]
    return [*(conv for resnet in resnets for conv in (resnet.conv1, resnet.conv2)), *linear]


def cross_attentions(unet: Any) -> list[Any]:
    """The U-Net's attentions to the prompts."""
    return _attentions(unet, ".attn2")


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


class _SelfAttention:
    """Attention among the positions of a photo."""

    def __init__(self) -> None:
        self.in_bfloat16 = False

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend within hidden_states (N, positions, C)."""
        query, key, value = (project(hidden_states) for project in (attn.to_q, attn.to_k, attn.to_v))
        return _attended(attn, query, key, value, self.in_bfloat16)


class _PromptAttention:
    """Attention to prompts whose keys and values are there already, one set for all photos of a batch.

    diffusers hands them down to it in the place of the prompts.
    """

    def __init__(self, index: int) -> None:
        self._index = index
        self.in_bfloat16 = False

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: KeysValues,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend from hidden_states (N, positions, C) to this attention's of `keys_and_values`."""
        query = attn.to_q(hidden_states)
        key, value = encoder_hidden_states[self._index]
        shape = (len(query), -1, -1)  # expanded, not repeated: no copy a photo
        return _attended(attn, query, key.expand(shape), value.expand(shape), self.in_bfloat16)


def _attended(attn: Any, query: Tensor, key: Tensor, value: Tensor, in_bfloat16: bool) -> Tensor:
    """Attend and mix the heads: from (N, L, C) and twice (N, S, C) to (N, L, C)."""
    projection, dropout = attn.to_out
    mixed: Tensor = dropout(projection(attend(query, key, value, attn.heads, in_bfloat16)))
    return mixed


def _attentions(unet: Any, end: str) -> list[Any]:
    return [module for name, module in unet.named_modules() if name.endswith(end)]


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
