"""Recipes as frozen dataclasses, read from TOML files."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from pathlib import Path

from dpiqa_plugin.errors import DPIQAError


@dataclass(frozen=True)
class LiteConfig:
    """How ``dpiqa_lite`` is trained.

    Attributes:
        subsets: parts of BIQ2021 to train on.
        epochs: passes over the training photos.
        batch_size: photos a step.
        trunk_lr, head_lr: peak learning rates of AdamW.
        weight_decay: AdamW's decoupled decay.
        warmup_fraction: part of all steps in which the rate rises linearly; half a cosine to 0 follows.
        frozen_stages: trunk stages that keep their ImageNet weights, as the stem does.
        plcc_weight: weight of (1 - PLCC of the batch) beside the mean squared error.
        seed: of order, flips, dropout and initial weights.
        checkpoint_seconds: how much work a kill may cost.
    """

    subsets: tuple[str, ...]
    epochs: int
    batch_size: int
    trunk_lr: float
    head_lr: float
    weight_decay: float
    warmup_fraction: float
    frozen_stages: int
    plcc_weight: float
    seed: int
    checkpoint_seconds: float


LITE_RECIPE = Path(__file__).parent / "recipes" / "lite.toml"


def read_lite_config(path: Path) -> LiteConfig:
    """Read a recipe; every key must be there, and no other.

    Raises:
        DPIQAError: the file cannot be read, is no TOML, or its keys are not those of ``LiteConfig``.
    """
    # Not at the top: the base of Python 3.10 has no reader of TOML, and --help has to work there.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DPIQAError(f"{path}: {error}") from error
    expected = {field.name for field in fields(LiteConfig)}
    if wrong := expected.symmetric_difference(table):
        raise DPIQAError(f"{path}: missing or unknown keys: {', '.join(sorted(wrong))}")
    return LiteConfig(**{**table, "subsets": tuple(table["subsets"])})
