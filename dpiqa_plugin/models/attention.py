"""Attention of projected positions: torch's, or on a CPU OpenVINO's, which takes half the time in bfloat16.

Milliseconds on two cores with AVX-512 BF16, the flash attention of torch 2.14 beside OpenVINO 2026.4:

    heads   queries   keys   width   torch, float32   torch, bfloat16   OpenVINO, bfloat16
    8        4096     4096     40         192              209                 100
    8        4096     1485     40          72               71                  36
    8        1024     1485     80          30               31                  15
    8        1024     1024     80          17               17                   9
    1        4096     4096    512         185              180                  90
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dpiqa_plugin.models.inference import is_plain_inference


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, in_bfloat16: bool) -> Tensor:
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
    attended = F.scaled_dot_product_attention(by_head[0], by_head[1], by_head[2])
    return attended.transpose(1, 2).flatten(2)


def _attend_by_openvino(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    from dpiqa_plugin.unwatched_openvino import openvino

    photos, queries, channels = query.shape
    model = _model(heads, queries, key.shape[1], channels, torch.get_num_threads())
    request = model.create_infer_request()  # of its own: calls may come from several threads
    results = query.new_empty(photos, queries, channels)
    for of_photo in zip(query, key, value, results, strict=True):
        *inputs, output = (
            openvino.Tensor(each[None].contiguous().numpy(), shared_memory=True) for each in of_photo
        )
        request.set_output_tensor(output)
        request.infer(inputs)
    return results


@functools.cache
def _model(heads: int, queries: int, keys: int, channels: int, threads: int) -> Any:
    """Compile attention for one shape: a teacher has nine, and a fixed one costs less than any."""
    from dpiqa_plugin.unwatched_openvino import openvino

    # In OpenVINO 2024 it has but the second name, in 2026 but the first.
    ops = openvino.opset13 if hasattr(openvino, "opset13") else openvino.runtime.opset13
    inputs = [ops.parameter([1, length, channels], openvino.Type.f32) for length in (queries, keys, keys)]
    # 0: as it is; -1: what is left.
    by_head = [ops.transpose(ops.reshape(each, [0, 0, heads, -1], True), [0, 2, 1, 3]) for each in inputs]
    attended = ops.transpose(ops.scaled_dot_product_attention(*by_head, causal=False), [0, 2, 1, 3])
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # they share the cores with torch's
    }
    return openvino.Core().compile_model(
        openvino.Model([ops.reshape(attended, [0, 0, -1], True)], inputs), "CPU", settings
    )
