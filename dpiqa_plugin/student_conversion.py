"""Convert a student's weights once for OpenVINO, so that a CPU scores with them fast and without torch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dpiqa_plugin import fingerprint
from dpiqa_plugin.checkpoint import build_filled
from dpiqa_plugin.errors import MissingExtraError, WeightsError
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE


def student_ir(weights: Path) -> Path:
    """Path of the IR of a student's weights (see ``save_ir``), made beside them when they are first used.

    The weights' SHA-256 is part of its name: other weights get another.

    Raises:
        WeightsError: the weights do not fit, or the IR cannot be written.
        MissingExtraError: the IR must be made, and torch is not installed.
    """
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
        from dpiqa_plugin.models.student import Student
        from dpiqa_plugin.openvino_ir import save_ir
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"Converting {weights.name} for OpenVINO, once,", "pyiqa") from error
    student = build_filled(Student, weights)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        save_ir(student.eval(), DPIQA_INPUT_SIZE, made / "model.xml", fingerprint.of(weights))
        os.rename(made, folder)  # never onto another's that is in use: that fails
