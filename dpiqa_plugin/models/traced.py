"""A model of ours as a graph for other run times: what both of its file formats are written from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from dpiqa_plugin.models.prediction import QualityPrediction

PHOTO = "photo"


def traced(model: nn.Module, input_size: int) -> tuple[ExportedProgram, tuple[str, ...]]:
    """Trace ``model`` from 8-bit photos to predictions.

    Args:
        model: on the CPU, in eval mode; takes (N, 3, S, S) in 0..1 and gives a ``QualityPrediction``.
        input_size: S, in pixels.

    Returns:
        The graph and its outputs' names. It takes ``photo``, uint8 (N, S, S, 3) RGB for any N from 1, and
        gives what the model does: ``score`` (N, 1), ``map`` (N, C, H, W) and, of a model that says how sure
        it is, ``deviation`` (N, 1).
    """
    # With two photos: torch.export takes a size of one for a constant.
    photos = torch.zeros(2, input_size, input_size, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(_OfBytes(model).eval(), (photos,), dynamic_shapes=({0: batch},))
    return program, QualityPrediction._fields[: len(program.graph_signature.user_outputs)]


class _OfBytes(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, photo: Tensor) -> tuple[Tensor, ...]:
        prediction: QualityPrediction = self.model(photo.permute(0, 3, 1, 2).float() / 255)
        return tuple(x for x in prediction if x is not None)
