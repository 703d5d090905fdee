"""Trained ``dpiqa_lite`` weights in the form that is bundled: float16 safetensors and OpenVINO IR."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from dpiqa_plugin.models.lite import Lite
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE


def export_lite(model: Lite, folder: Path) -> None:
    """Write ``lite.safetensors``, ``lite.xml`` and ``lite.bin``, all from the same float16-rounded weights.

    The IR takes ``photo``, uint8 (N, 384, 384, 3) RGB, and gives ``score`` (N, 1) and ``map`` (N, 8, 48, 48).
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Rounded once, so that torch and OpenVINO compute with equal weights; batch norm's counters stay.
    rounded = {name: x.half() if x.is_floating_point() else x for name, x in model.state_dict().items()}
    model.load_state_dict(rounded)
    save_file({name: x.cpu().contiguous() for name, x in rounded.items()}, folder / "lite.safetensors")
    _save_openvino(model.cpu().eval(), folder / "lite.xml")


def _save_openvino(model: Lite, path: Path) -> None:
    import openvino
    from openvino.preprocess import PrePostProcessor

    shape = (3, LITE_INPUT_SIZE, LITE_INPUT_SIZE)
    # Traced with two photos: torch.export takes a size of one for a constant.
    batch = torch.export.Dim("batch", min=1)
    exported = torch.export.export(model, (torch.zeros(2, *shape),), dynamic_shapes=({0: batch},))
    converted = openvino.convert_model(exported)
    converted.reshape([-1, *shape])
    for output, name in zip(converted.outputs, ("score", "map"), strict=True):
        output.get_tensor().set_names({name})
    converted.inputs[0].get_tensor().set_names({"photo"})
    steps = PrePostProcessor(converted)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    openvino.save_model(steps.build(), path, compress_to_fp16=True)
