"""Deterministic weights by the rule that the parity numbers were made with; nothing about them is trained."""

import math
import zlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn


def fill(module: nn.Module) -> None:
    """Fill every entry of the state dict in place, each by a generator seeded with its name."""
    for key, tensor in module.state_dict().items():
        tensor.copy_(filling(key, tensor.shape) if tensor.is_floating_point() else torch.zeros(()))


def filling(key: str, shape: Iterable[int]) -> Tensor:
    """Values of one floating-point entry, float32."""
    shape = tuple(shape)
    z = torch.from_numpy(normal(key, shape))
    if key.endswith("running_var"):
        return 1 + 0.1 * z.abs()
    if len(shape) >= 2:
        gain = 1.48 if len(shape) == 4 and key.startswith("base_model.") else 1.0
        return z.mul_(gain / math.sqrt(math.prod(shape[1:])))
    return 1 + 0.02 * z if key.endswith("weight") else 0.02 * z


def prompt_embeddings(shape: tuple[int, int]) -> Tensor:
    """Stand in for CLIP's embeddings of the prompts."""
    return torch.from_numpy(normal("class_embeddings", shape)) * 0.05


def normal(key: str, shape: tuple[int, ...]) -> np.ndarray:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    return generator.standard_normal(shape, dtype=np.float32)
