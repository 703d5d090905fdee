"""When a layer may go a way of its own that torch knows nothing of."""

from __future__ import annotations

import torch
from torch import Tensor


def is_plain_inference(*tensors: Tensor) -> bool:
    """Whether all are float32 on the CPU, no gradient is wanted, and nothing converts or traces the call."""
    return (
        all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
        and not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors))
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )
