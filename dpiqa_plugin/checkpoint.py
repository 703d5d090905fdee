"""Read a checkpoint without running anything in it, and refuse one that does not fit the model."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpiqa_plugin import fingerprint, weights_file
from dpiqa_plugin.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("params", "state_dict")
_TOLERATED = ("text_encoder.",)  # CLIP's text tower: some checkpoints carry it, no model of ours contains it
_CURE = "If it was downloaded, delete it to have it fetched again; otherwise give another file"


def load_state_dict(
    path: Path, expected: Mapping[str, tuple[int, ...]], tolerated: tuple[str, ...] = _TOLERATED
) -> dict[str, Tensor]:
    """Read the tensors a model expects, on the CPU and mapped from the file where its format allows.

    Takes torch files and safetensors; ``{"params": ...}`` and ``{"state_dict": ...}`` are unwrapped, and the
    prefix ``module.`` of data-parallel training is taken off.

    Args:
        path: of the file. If its SHA-256 is recorded beside it, it is checked.
        expected: shape by key, as in the model's own ``state_dict``.
        tolerated: prefixes of keys that are left out without complaint if the model does not expect them.

    Returns:
        Exactly the expected keys, in that order; in the file's own data type.

    Raises:
        WeightsError: damaged, changed, holding more than tensors, or made for another model.
    """
    fingerprint.check(path)
    found = _without_module(_unwrapped(path, read_file(path)))
    found = {key: value for key, value in found.items() if key in expected or not key.startswith(tolerated)}
    _refuse_misfits(path, found, expected)
    return {key: found[key] for key in expected}


def build_filled(
    build: Callable[[], Any],
    path: Path,
    read: Callable[[Path, Mapping[str, tuple[int, ...]]], dict[str, Tensor]] = load_state_dict,
) -> Any:
    """Build a model with a file's weights and no random ones before them, which take longer than the file.

    Args:
        build: makes the module.
        path: of the weights.
        read: gives them, from the path and the shapes by key.

    Raises:
        WeightsError: as ``read``.
    """
    import torch

    with torch.device("meta"):
        model = build()
    tensors = read(path, {key: tuple(value.shape) for key, value in model.state_dict().items()})
    model.to_empty(device="cpu").load_state_dict(tensors)
    return model


def read_file(path: Path) -> Any:
    """The tensors a torch or safetensors file holds, alone or in containers, without running anything in it.

    Raises:
        WeightsError: no such file, not such a file, damaged, or holding more than tensors.
    """
    import torch

    if not path.is_file():
        raise WeightsError(f"there is no file {path}")
    if fault := weights_file.fault(path):
        raise WeightsError(f"{path} {fault}. {_CURE}")
    if weights_file.is_safetensors(path):
        from safetensors.torch import load_file

        return load_file(path)
    try:
        # Only archives can be mapped; what torch wrote before 1.6 is read into memory.
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=weights_file.is_torch_archive(path)
        )
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors and is not opened, since that could run any program. "
            "Save its state dict alone, best as safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"{path} is cut off or damaged ({error}). {_CURE}") from error


def _unwrapped(path: Path, content: Any) -> dict[str, Any]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise WeightsError(
            f"{path} is not a state dict: it holds {type(content).__name__}, not tensors by name"
        )
    return dict(content)


def _without_module(tensors: dict[str, Any]) -> dict[str, Any]:
    if all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def _refuse_misfits(path: Path, found: Mapping[str, Any], expected: Mapping[str, tuple[int, ...]]) -> None:
    import torch

    shapes = {
        key: tuple(value.shape) if isinstance(value, torch.Tensor) else None for key, value in found.items()
    }
    wrong = [
        f"{key} {type(found[key]).__name__ if shapes[key] is None else shapes[key]} instead of {shape}"
        for key, shape in expected.items()
        if key in shapes and shapes[key] != tuple(shape)
    ]
    complaints = [
        f"{len(names)} {what} ({_first(names)})"
        for what, names in (
            ("missing", [key for key in expected if key not in found]),
            ("unknown", [key for key in found if key not in expected]),
            ("of another shape", wrong),
        )
        if names
    ]
    if complaints:
        raise WeightsError(f"{path} was made for another model: {'; '.join(complaints)}")


def _first(names: Iterable[str], count: int = 3) -> str:
    names = list(names)
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
