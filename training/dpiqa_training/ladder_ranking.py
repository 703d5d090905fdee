"""Whether a model scores a photo lower the worse it is distorted."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_training.datasets.ladders import RUNGS, LadderPhotos
from dpiqa_training.distortions import KINDS

_SEED = 1_000_000  # other noise and directions than in training, whose seeds are small


@torch.no_grad()
def ranked_rightly(model: nn.Module, clean: list[Path], device: str) -> dict[str, float]:
    """Share of neighbouring rungs, the clean photo being the first, of which the worse one scores lower.

    Args:
        model: in eval mode.
        clean: photos without faults, none of which it was trained on.
        device: where to compute.

    Returns:
        0..1 by kind of distortion; five pairs for each photo.
    """
    model.eval()
    photos = LadderPhotos([(path, kind) for kind in KINDS for path in clean], LITE_INPUT_SIZE, _SEED)
    loader = DataLoader(photos, batch_size=2 * RUNGS)
    scores = torch.cat([model(image.to(device).float().div(255)).score.squeeze(1).cpu() for image in loader])
    ladders = scores.view(len(KINDS), -1, RUNGS)
    shares = (ladders[..., :-1] > ladders[..., 1:]).float().mean(dim=(1, 2))
    return dict(zip(KINDS, shares.tolist(), strict=True))
