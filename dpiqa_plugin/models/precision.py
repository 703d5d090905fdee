"""Which parts of a network compute in which type: as fast as a device allows, and exact enough.

Rounding to bfloat16 is eight times coarser than to float16, and on the teacher its errors add up to some
thousandths of a score. So float16 is used wherever it is fast, which is on GPUs, for all that a part holds;
and where only bfloat16 is, on CPUs, it is what attention multiplies in, and those layers that measurement
found to cost little of the score, while sums and norms stay in float32.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dpiqa_plugin.models.winograd import WinogradConv2d

_TENSOR_CORES = (7, 0)  # compute capability; before it float16 is slow


def fast_type(device: torch.device) -> torch.dtype:
    """Choose what to compute in: float16, bfloat16, or float32 where neither is faster.

    Apple's GPUs have both, too; nobody has measured the teacher there yet.
    """
    if device.type == "cuda":
        return _gpu_type(torch.cuda.get_device_capability(device))
    if device.type == "cpu":
        capabilities = getattr(torch.cpu, "get_capabilities", dict)  # not in older versions
        return _cpu_type(capabilities())
    return torch.float32


def _gpu_type(capability: tuple[int, int]) -> torch.dtype:
    return torch.float16 if capability >= _TENSOR_CORES else torch.float32


def _cpu_type(capabilities: Mapping[str, Any]) -> torch.dtype:
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32


def multiply_in_bfloat16(layers: Iterable[nn.Module]) -> None:
    """Let convolutions and linear layers take float32, multiply in bfloat16 and give float32."""
    for layer in layers:
        layer.to(torch.bfloat16)
        converts_itself = isinstance(layer, WinogradConv2d)
        if not converts_itself and _to_bfloat16 not in layer._forward_pre_hooks.values():
            layer.register_forward_pre_hook(_to_bfloat16)
            layer.register_forward_hook(_to_float32)


def _to_bfloat16(layer: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor]:
    return (arguments[0].to(_weight_type(layer)),)


def _to_float32(layer: nn.Module, arguments: tuple[Tensor], product: Tensor) -> Tensor:
    return product.float() if _weight_type(layer) == torch.bfloat16 else product


def _weight_type(layer: nn.Module) -> torch.dtype:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight.dtype
