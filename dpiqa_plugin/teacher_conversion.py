"""Convert a published teacher checkpoint once, to half its size, so that later starts take seconds.

The 4.3 GB torch file in float32 becomes a safetensors file of 2.0 GB beside it: matrices and convolutions in
float16, vectors (norms, biases, gamma) in float32, and no VAE decoder, which DP-IQA never runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dpiqa_plugin import fingerprint, weights_file
from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.checkpoint import load_state_dict
from dpiqa_plugin.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)

DECODER_PREFIXES = ("vae.decoder.", "vae.post_quant_conv.")
_TOLERATED = ("text_encoder.", *DECODER_PREFIXES)


def converted_path(original: Path) -> Path:
    """Where the converted copy lies: ``dpiqa_koniq.pth`` -> ``dpiqa_koniq.converted.safetensors``."""
    return original.with_name(f"{original.stem}.converted.safetensors")


def load_teacher(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read a teacher checkpoint, from its converted copy if that is up to date, else converting it now.

    The result is rounded to float16 on the first start, too, and where the copy cannot be written, so that
    every start gives the same scores. A safetensors file is read as it is and never converted.

    Args:
        path: of the checkpoint; torch or safetensors.
        expected: shape by key. Keys of the VAE's decoder are left out, whether expected or in the file.

    Returns:
        Tensors by key, float16 or float32; ``Module.load_state_dict`` copies them into the module's own type.

    Raises:
        WeightsError: as `load_state_dict`.
    """
    expected = {key: shape for key, shape in expected.items() if not key.startswith(DECODER_PREFIXES)}
    if weights_file.is_safetensors(path):
        return load_state_dict(path, expected, _TOLERATED)
    converted = converted_path(path)
    if _made_from(converted, path):
        try:
            return load_state_dict(converted, expected, _TOLERATED)
        except WeightsError as error:
            _log.warning("Converting %s again: %s", path, error)
    tensors = {key: _halved(tensor) for key, tensor in load_state_dict(path, expected, _TOLERATED).items()}
    _write(tensors, converted, path)
    return tensors


def _halved(tensor: Tensor) -> Tensor:
    import torch

    if tensor.dim() >= 2 and tensor.dtype == torch.float32:
        half = tensor.to(torch.float16).contiguous()
        if half.isfinite().all():  # above 65504 there is no float16
            return half
    return tensor.clone()  # or it would keep the whole original mapped


def _write(tensors: dict[str, Tensor], converted: Path, original: Path) -> None:
    """A copy that cannot be written only costs time at the next start: it never stops the load."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        with replacing(converted) as temporary:
            save_file(tensors, temporary, metadata=_identity(original))
    except (OSError, SafetensorError) as error:
        _log.warning("%s could not be written, so later starts will not be faster: %s", converted, error)
    else:
        fingerprint.record(converted)


def _made_from(converted: Path, original: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(converted, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError):
        return False
    return _identity(original).items() <= metadata.items()


def _identity(original: Path) -> dict[str, str]:
    """Size and time are enough: a damaged original is refused by its SHA-256 when it is read."""
    status = original.stat()
    return {"source_size": str(status.st_size), "source_mtime_ns": str(status.st_mtime_ns)}
