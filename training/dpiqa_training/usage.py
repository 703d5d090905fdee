"""Whether what the command line names is there, or can be made: asked before any work begins."""

from __future__ import annotations

from pathlib import Path

from dpiqa_plugin.errors import UsageError, WeightsError
from dpiqa_training.errors import RecipeError


def require_file(option: str, path: Path | None) -> None:
    """Refuse a file that is not there; None is none that was asked for.

    Raises:
        UsageError: names option and path.
    """
    if path is not None and not path.is_file():
        raise UsageError(f"{option}: there is no file {path}")


def require_folder(path: Path, dataset: str) -> None:
    """Refuse a folder of a data set that is not there.

    Raises:
        UsageError: names it.
    """
    if not path.is_dir():
        raise UsageError(f"there is no folder {path}; give the one that {dataset} was unpacked to")


def make_out_folder(path: Path) -> None:
    """Make the folder that results will be written to, if it is not there.

    Raises:
        UsageError: that cannot be; names it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: {path} cannot be made a folder ({error.strerror}); give another") from error


def require_teacher(weights: str) -> None:
    """Refuse a teacher's weights that cannot be found; fetches none.

    Raises:
        UsageError: says what may be given.
    """
    from dpiqa_plugin.cards import CARDS
    from dpiqa_plugin.locate import check_weights

    try:
        check_weights(CARDS["dpiqa"], weights)
    except WeightsError as error:
        raise UsageError(f"--teacher: {error}") from error


def require_precision(precision: str) -> None:
    """Refuse a recipe's precision that this machine has not.

    Raises:
        RecipeError: says what to set instead.
    """
    import torch
    from accelerate.utils import is_bf16_available

    # Emulated it would be slower than float32.
    has = (
        torch.cuda.is_bf16_supported(including_emulation=False)
        if torch.cuda.is_available()
        else is_bf16_available()
    )
    if precision == "bf16" and not has:
        raise RecipeError('this machine has no fast bfloat16; set precision = "no" in the recipe')
