"""A torch model of ours as OpenVINO's IR: uint8 photos in, score and feature map out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


IDENTITY = ["dpiqa", "weights_sha256"]
"""Where an IR says which weights file it was made of."""


def save_ir(model: nn.Module, input_size: int, path: Path, sha256: str) -> None:
    """Write ``path`` (``.xml``) and its weights beside it (``.bin``), float16, half the size of float32.

    The IR takes ``photo``, uint8 (N, S, S, 3) RGB with S = ``input_size``, and gives what the model does:
    ``score`` (N, 1), ``map`` (N, C, H, W) and, of a model that says how sure it is, ``deviation`` (N, 1).

    Args:
        model: on the CPU, in eval mode; takes (N, 3, S, S) in 0..1 and gives a ``QualityPrediction``.
        input_size: S, in pixels.
        path: of the ``.xml`` file.
        sha256: of the weights file that holds the same weights; kept under ``IDENTITY``.
    """
    import openvino
    import torch
    from openvino.preprocess import PrePostProcessor

    from dpiqa_plugin.models.prediction import QualityPrediction

    shape = (3, input_size, input_size)
    # Traced with two photos: torch.export takes a size of one for a constant.
    batch = torch.export.Dim("batch", min=1)
    exported = torch.export.export(model, (torch.zeros(2, *shape),), dynamic_shapes=({0: batch},))
    converted = openvino.convert_model(exported)
    converted.reshape([-1, *shape])
    given = QualityPrediction._fields[: len(converted.outputs)]
    for output, name in zip(converted.outputs, given, strict=True):
        output.get_tensor().set_names({name})
    converted.inputs[0].get_tensor().set_names({"photo"})
    steps = PrePostProcessor(converted)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    built = steps.build()
    built.set_rt_info(sha256, IDENTITY)
    openvino.save_model(built, path, compress_to_fp16=True)
