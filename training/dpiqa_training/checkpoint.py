"""Training state on disk: replaced atomically, so that a kill leaves the old one or the new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dpiqa_plugin.atomic import replacing


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state``, tensors and plain values, beside ``path``, fsync, then replace it."""
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what ``save_checkpoint`` wrote, on the CPU."""
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return state
