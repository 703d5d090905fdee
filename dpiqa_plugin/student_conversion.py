"""Convert a student's weights once for OpenVINO, so that a CPU scores with them fast and without torch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dpiqa_plugin import fingerprint
from dpiqa_plugin.cards import ModelCard
from dpiqa_plugin.checkpoint import load_state_dict
from dpiqa_plugin.errors import MissingExtraError, WeightsError
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE


def student_ir(card: ModelCard) -> Path:
    """Path of the IR of a student's weights (see ``save_ir``), made beside them when they are first used.

    The weights' SHA-256 is part of its name: other weights get another.

    Raises:
        WeightsError: the weights cannot be found, fetched or do not fit, or the IR cannot be written.
        MissingExtraError: the IR must be made, and torch is not installed.
    """
    weights = find_weights(card)
    folder = weights.with_name(f"{weights.stem}-{fingerprint.of(weights)[:12]}.openvino")
    ir = folder / "model.xml"
    if not ir.is_file():
        try:
            _convert(weights, folder)
        except OSError as error:
            if not ir.is_file():  # else another process was faster
                raise WeightsError(f"{folder} cannot be written ({error}); make room there") from error
    return ir


def _convert(weights: Path, folder: Path) -> None:
    try:
        import torch

        from dpiqa_plugin.models.student import Student
        from dpiqa_plugin.openvino_ir import save_ir
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"Converting {weights.name} for OpenVINO, once,", "pyiqa") from error
    with torch.device("meta"):
        student = Student()
    tensors = load_state_dict(weights, {key: tuple(x.shape) for key, x in student.state_dict().items()})
    student.to_empty(device="cpu").load_state_dict(tensors)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        save_ir(student.eval(), DPIQA_INPUT_SIZE, made / "model.xml")
        os.rename(made, folder)  # never onto another's that is in use: that fails
