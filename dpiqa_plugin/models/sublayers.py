"""The sublayers of the U-Net's transformers: as torch computes them, or as one program each.

A program is run where the layers' weights are in bfloat16, on a CPU without gradients.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from diffusers.models.attention import FeedForward
from torch import Tensor, nn

from dpiqa_plugin.models.attention import attend
from dpiqa_plugin.models.programs import Node, Programs, attended, gated, projected

KeysValues = list[tuple[Tensor, Tensor]]
"""Of each cross-attention in the U-Net's order: keys and values, each (1, prompts, C)."""


class SelfAttention:
    """Attention among the positions of a photo."""

    def __init__(self) -> None:
        self._programs = Programs()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend within hidden_states (N, positions, C)."""
        layers = (attn.to_q, attn.to_k, attn.to_v, attn.to_out[0])
        if self._programs.may_run(layers, hidden_states):
            return self._programs.run(partial(_self_attention, attn.heads), layers, hidden_states)
        query, key, value = (layer(hidden_states) for layer in layers[:3])
        return _mixed(attn, attend(query, key, value, attn.heads))


class PromptAttention:
    """Attention to prompts whose keys and values are there already, one set for all photos of a batch.

    diffusers hands them down to it in the place of the prompts.
    """

    def __init__(self, index: int) -> None:
        self._index = index
        self._programs = Programs()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: KeysValues,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend from hidden_states (N, positions, C) to this attention's of ``keys_and_values``."""
        # Expanded, not repeated: no copy a photo.
        key, value = (
            each.expand(hidden_states.shape[0], -1, -1) for each in encoder_hidden_states[self._index]
        )
        layers = (attn.to_q, attn.to_out[0])
        inputs = (hidden_states, key, value)
        if self._programs.may_run(layers, *inputs):
            return self._programs.run(partial(_prompt_attention, attn.heads), layers, *inputs)
        return _mixed(attn, attend(attn.to_q(hidden_states), key, value, attn.heads))


class GatedFeedForward(FeedForward):  # type: ignore[misc]  # diffusers declares it too loosely
    """diffusers' own, of a gated linear unit and a layer."""

    programs: Programs

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Change each of the positions of hidden_states (N, positions, C)."""
        layers = (self.net[0].proj, self.net[2])
        if self.programs.may_run(layers, hidden_states):
            return self.programs.run(_feed_forward, layers, hidden_states)
        changed: Tensor = super().forward(hidden_states)
        return changed


def take_over(unet: nn.Module) -> None:
    """Let the sublayers of diffusers' transformers be these."""
    for attn in _ending(unet, ".attn1"):
        attn.set_processor(SelfAttention())
    for index, attn in enumerate(cross_attentions(unet)):
        attn.set_processor(PromptAttention(index))
    for each in unet.modules():
        if type(each) is FeedForward:
            each.__class__ = GatedFeedForward  # in place: parameters, names and hooks stay
            cast(GatedFeedForward, each).programs = Programs()


def cross_attentions(unet: nn.Module) -> list[Any]:
    """The U-Net's attentions to the prompts."""
    return _ending(unet, ".attn2")


def _mixed(attn: Any, attended_by_head: Tensor) -> Tensor:
    projection, dropout = attn.to_out
    mixed: Tensor = dropout(projection(attended_by_head))
    return mixed


def _ending(unet: nn.Module, end: str) -> list[Any]:
    return [module for name, module in unet.named_modules() if name.endswith(end)]


def _self_attention(
    heads: int, to_q: nn.Linear, to_k: nn.Linear, to_v: nn.Linear, out: nn.Linear, sample: Node
) -> Node:
    query, key, value = (projected(layer, sample) for layer in (to_q, to_k, to_v))
    return projected(out, attended(query, key, value, heads))


def _prompt_attention(
    heads: int, to_q: nn.Linear, out: nn.Linear, sample: Node, key: Node, value: Node
) -> Node:
    return projected(out, attended(projected(to_q, sample), key, value, heads))


def _feed_forward(into: nn.Linear, out: nn.Linear, sample: Node) -> Node:
    return projected(out, gated(projected(into, sample)))
