"""A torch model of ours as one ONNX file: uint8 photos in, score and feature map out.

ONNX and not OpenVINO's own format: any run time reads it. torch writes it with the packages ``onnx`` and
``onnxscript``, which only this file needs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxscript  # noqa: F401  torch needs it: missing, it must show now, and not when training has ended
import torch
from onnx import TensorProto
from onnx.helper import make_node, set_model_props
from onnx.numpy_helper import from_array, to_array
from torch import nn

from dpiqa_plugin.models.traced import PHOTO, traced
from dpiqa_plugin.openvino_ir import IDENTITY_KEY

_OPSET = 20  # the oldest OpenVINO that dpiqa installs beside, 2024.4, reads it; torch's default rises


def save_onnx(model: nn.Module, input_size: int, path: Path, sha256: str) -> None:
    """Write ``path``: the graph of ``traced``, matrices and filters in float16, computed with in float32.

    Args:
        model, input_size: see ``traced``.
        path: of the ``.onnx`` file.
        sha256: of the weights file that holds the same weights; kept in the metadata.
    """
    program, outputs = traced(model, input_size)
    written = torch.onnx.export(
        program, input_names=[PHOTO], output_names=outputs, opset_version=_OPSET, verbose=False
    )
    assert written is not None
    proto = written.model_proto
    _strip(proto.graph)
    _halve(proto.graph)
    set_model_props(proto, {IDENTITY_KEY: sha256})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def _strip(graph: onnx.GraphProto) -> None:
    """Drop what torch noted of the Python code: half a megabyte, with the paths of this machine."""
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
    graph.ClearField("value_info")


def _halve(graph: onnx.GraphProto) -> None:
    """Keep matrices and filters in float16, each with a cast to float32, which run times do on loading."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            name = f"{tensor.name}.float16"
            casts.append(make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
            tensor.CopyFrom(from_array(to_array(tensor).astype(np.float16), name))
    nodes = list(graph.node)
    graph.ClearField("node")
    graph.node.extend([*casts, *nodes])
