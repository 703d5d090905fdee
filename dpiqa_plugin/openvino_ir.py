"""A torch model of ours as OpenVINO's IR: uint8 photos in, score and feature map out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


IDENTITY_KEY = "dpiqa_weights_sha256"
"""Under which a model's metadata, those of ONNX too, say which weights it was made of."""
IDENTITY = ["framework", IDENTITY_KEY]
"""Where OpenVINO finds that; under ``framework`` are an ONNX file's metadata."""


def save_ir(model: nn.Module, input_size: int, path: Path, sha256: str) -> None:
    """Write ``path`` (``.xml``) and its weights beside it (``.bin``), float16, half the size of float32.

    Args:
        model, input_size: see ``traced``, which also names input and outputs.
        path: of the ``.xml`` file.
        sha256: of the weights file that holds the same weights; kept under ``IDENTITY``.
    """
    from dpiqa_plugin.models.traced import PHOTO, traced
    from dpiqa_plugin.unwatched_openvino import openvino

    program, outputs = traced(model, input_size)
    converted = openvino.convert_model(program)
    converted.inputs[0].get_tensor().set_names({PHOTO})
    for output, name in zip(converted.outputs, outputs, strict=True):
        output.get_tensor().set_names({name})
    converted.set_rt_info(sha256, IDENTITY)
    openvino.save_model(converted, path, compress_to_fp16=True)
