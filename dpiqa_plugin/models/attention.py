"""Attention of projected positions: torch's, or on a CPU OpenVINO's, which takes half the time in bfloat16.

Milliseconds on two cores with AVX-512 BF16, the flash attention of torch 2.14 beside OpenVINO 2026.4:

    heads   queries   keys   width   torch, float32   torch, bfloat16   OpenVINO, bfloat16
    8        4096     4096     40         192              209                 100
    8        4096     1485     40          72               71                  36
    1        4096     4096    512         185              180                  90

Of the U-Net's it is part of their `sublayers`; the last row is the VAE's.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dpiqa_plugin.models.inference import is_plain_inference
from dpiqa_plugin.models.programs import attended, compile_program, run_program


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, in_bfloat16: bool = False) -> Tensor:
    """Attend by each head on its own.

    Args:
        query: (N, L, C), where the first C / heads channels are the first head's.
        key: (N, S, C), likewise.
        value: as ``key``.
        heads: how many share the channels.
        in_bfloat16: multiply in bfloat16 what is float32 on a CPU, if it has bfloat16 and no gradient is
            wanted.

    Returns:
        (N, L, C), of their type.
    """
    if in_bfloat16 and is_plain_inference(query, key, value):
        return _attend_by_openvino(query, key, value, heads)
    by_head = [each.view(*each.shape[:2], heads, -1).transpose(1, 2) for each in (query, key, value)]
    result = F.scaled_dot_product_attention(by_head[0], by_head[1], by_head[2])
    return result.transpose(1, 2).flatten(2)


def _attend_by_openvino(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    shapes = tuple(each.shape[1:] for each in (query, key, value))
    return run_program(_program(heads, shapes, torch.get_num_threads()), query, key, value)


@cache
def _program(heads: int, shapes: tuple[tuple[int, ...], ...], threads: int) -> Any:
    return compile_program(partial(attended, heads=heads), shapes, threads)
