"""Trained weights in the form that is handed on.

``dpiqa_lite`` as it is bundled: safetensors and ONNX, in float16. The teacher at half its size, the student
with its OpenVINO IR, and beside each its SHA-256.
"""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dpiqa_plugin import fingerprint
from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.models.lite import Lite
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_plugin.student_conversion import student_ir
from dpiqa_plugin.weights_file import ABOUT_KEY, about, is_safetensors
from dpiqa_training.onnx_file import save_onnx


def export_lite(model: Lite, folder: Path) -> None:
    """Write ``lite.safetensors`` and ``lite.onnx`` from the same float16-rounded weights.

    Both are made before the first is put in place, and each replaces an earlier one as a whole, but not both
    at once. The ``.onnx`` names the weights that it was made of and comes last: a kill before that leaves an
    old one, which the batch tool refuses beside new weights.

    A kill may leave a folder ``.lite-*`` beside them, which may be deleted.

    Args:
        model: stays as it is.
        folder: is made if need be.

    Raises:
        WeightsError: it cannot be written to.
    """
    model = copy.deepcopy(model).cpu().eval()
    # The ONNX file has batch norm folded into the convolutions, and the product rounded: so it is done here,
    # before the one rounding that both share. Otherwise scores differ by up to 0.005. Its counters stay.
    _fold_batch_norm(model.trunk)
    rounded = {name: x.half() if x.is_floating_point() else x for name, x in model.state_dict().items()}
    model.load_state_dict(rounded)
    with _into(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".lite-") as temporary:
        weights = Path(temporary) / "lite.safetensors"
        save_file({name: x.contiguous() for name, x in rounded.items()}, weights)
        graph = weights.with_suffix(".onnx")
        save_onnx(model, LITE_INPUT_SIZE, graph, fingerprint.sha256(weights))
        for made in (weights, graph):
            with replacing(folder / made.name) as beside:
                made.replace(beside)


def export_teacher(weights: Path, folder: Path) -> Path:
    """Write ``dpiqa_teacher.safetensors``: matrices and convolutions in float16, half of ``weights``.

    Raises:
        WeightsError: ``weights`` is not what ``dpiqa-train teacher`` wrote.
    """
    tensors, said = _read(weights, "teacher")
    return _write(
        {name: _halved(x) for name, x in tensors.items()}, said, folder / "dpiqa_teacher.safetensors"
    )


def export_student(weights: Path, folder: Path) -> Path:
    """Write ``dpiqa_student.safetensors``, in float32, and the OpenVINO IR that the batch tool makes of it.

    Raises:
        WeightsError: ``weights`` is not what ``dpiqa-train student`` wrote.
    """
    path = _write(*_read(weights, "student"), folder / "dpiqa_student.safetensors")
    student_ir(path)
    return path


@torch.no_grad()
def _fold_batch_norm(trunk: nn.Module) -> None:
    """Give each convolution the scale of the batch norm after it, which only shifts from then on."""
    convolution: nn.Conv2d | None = None
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            convolution = module
        elif isinstance(module, nn.BatchNorm2d):
            assert convolution is not None
            assert module.running_mean is not None
            assert module.running_var is not None
            scale = module.weight / torch.sqrt(module.running_var + module.eps)
            convolution.weight.mul_(scale[:, None, None, None])
            module.bias.sub_(module.running_mean * scale)
            module.weight.fill_(1)
            module.running_mean.zero_()
            module.running_var.fill_(1 - module.eps)


@contextlib.contextmanager
def _into(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{folder} cannot be written to ({error}); make room there or give another"
        ) from error


def _read(weights: Path, model: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not weights.is_file():
        raise WeightsError(f"there is no file {weights}; train first: dpiqa-train {model}")
    if not is_safetensors(weights):
        raise WeightsError(f"{weights} is no safetensors file, as dpiqa-train {model} writes it")
    said = about(weights)
    if said.get("model") != model:
        raise WeightsError(f"{weights} is not what dpiqa-train {model} wrote")
    return load_file(weights), said


def _halved(tensor: Tensor) -> Tensor:
    """As the metric ``dpiqa`` converts published checkpoints."""
    half = tensor.half()
    return half if tensor.dim() >= 2 and bool(torch.isfinite(half).all()) else tensor


def _write(tensors: dict[str, Tensor], said: dict[str, Any], path: Path) -> Path:
    with _into(path.parent), replacing(path) as temporary:
        save_file(tensors, temporary, metadata={ABOUT_KEY: json.dumps(said, sort_keys=True)})
        # A kill must not leave it to the new weights: damaged, they would be called, or given the old IR.
        fingerprint.record_path(path).unlink(missing_ok=True)
    fingerprint.record(path)
    return path
