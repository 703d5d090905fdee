"""Training state on disk: replaced atomically, so that a kill leaves the old one or the new one."""

from __future__ import annotations

import pickle
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.weights_file import fault
from dpiqa_training.errors import CheckpointError, ResumeError

_FAILURES = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)
"""What torch's readers raise of a file that is not what it seems, or that they cannot read now."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write ``state``, tensors and plain values, beside ``path``, fsync, then replace it.

    Raises:
        CheckpointError: it cannot be written; an earlier one is as it was.
    """
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        # After a write that failed torch cannot end its archive, and says only that.
        reason = error if isinstance(error, OSError) else error.__context__
        if not isinstance(reason, OSError):
            raise
        raise CheckpointError(
            f"the checkpoint {path} cannot be written ({reason}); make room there, and start the run again: "
            "it goes on from the last one"
        ) from error


def require_same(path: Path, state: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse the ``state`` that was read from ``path`` where it says otherwise than this run.

    Raises:
        ResumeError: names the file, what differs and how.
    """
    for name, value in now.items():
        if state.get(name) != value:
            raise ResumeError(
                f"{path} was made with other {name} ({_difference(state.get(name), value)}); "
                "go on as before, or choose another --out"
            )


def _difference(before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        return "; ".join(f"{key} {before.get(key)}, now {now.get(key)}" for key in keys)
    return f"{before}, now {now}"


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what ``save_checkpoint`` wrote, on the CPU.

    Raises:
        ResumeError: it cannot be read, is cut off or something else.
    """
    advice = "delete it to begin anew, or give another --out"
    try:
        if said := fault(path):
            raise ResumeError(f"the checkpoint {path} {said}; {advice}")
        state = torch.load(path, weights_only=True, map_location="cpu")
    except _FAILURES as error:
        if _may_pass(error):
            reason = str(error).strip() or type(error).__name__
            raise ResumeError(
                f"the checkpoint {path} cannot be read ({reason}); it is as it was: start again when it can"
            ) from error
        raise ResumeError(f"the checkpoint {path} is damaged; {advice}") from error
    if not isinstance(state, dict):
        raise ResumeError(f"{path} is no checkpoint; {advice}")
    return state


def _may_pass(error: Exception) -> bool:
    """Whether the file may be whole: the disk or the memory failed."""
    # torch has no type of its own for a CPU's lack of memory
    lacks_memory = isinstance(error, RuntimeError) and "memory" in str(error)
    return lacks_memory or isinstance(error, OSError | MemoryError)


def random_states() -> dict[str, Any]:
    """Where every generator of this process stands, in values that a checkpoint can hold."""
    name, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Put every generator back to where ``random_states`` found it."""
    name, keys, *rest = states["numpy"]
    random.setstate(states["python"])
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
