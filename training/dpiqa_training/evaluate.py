"""How well a model's scores follow opinion on labelled photos."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_training.correlation import Agreement, agreement
from dpiqa_training.datasets.labelled import LabelledPhoto, SquashedPhotos


@torch.no_grad()
def score_photos(model: nn.Module, photos: list[LabelledPhoto], device: str) -> np.ndarray:
    """Scores of shape (N,), in the order of ``photos``, by the model in eval mode."""
    model.eval()
    loader = DataLoader(SquashedPhotos(photos, LITE_INPUT_SIZE), batch_size=16)
    scores = [model(image.to(device).float().div(255)).score.squeeze(1).cpu() for image, _ in loader]
    return torch.cat(scores).numpy()


def evaluate_model(model: nn.Module, photos: list[LabelledPhoto], device: str) -> dict[str, Agreement]:
    """Agreement over all photos (key ``all``) and by subset."""
    return agreement_by_subset(score_photos(model, photos, device), photos)


def agreement_by_subset(scores: np.ndarray, photos: list[LabelledPhoto]) -> dict[str, Agreement]:
    """Compare scores (N,) of N photos with their MOS, as ``evaluate_model``."""
    mos = np.array([photo.mos for photo in photos])
    subsets = np.array([photo.subset for photo in photos])
    result = {"all": agreement(scores, mos)}
    for name in sorted(set(subsets.tolist())):
        result[name] = agreement(scores[subsets == name], mos[subsets == name])
    return result
