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
        steps: of the network with its feature map, after the warm-up.
        batch_size: labelled photos a step.
        trunk_lr, head_lr: peak learning rates of AdamW; a trunk at 0 keeps all its ImageNet weights.
        weight_decay: AdamW's decoupled decay.
        warm_up_epochs, warm_up_lr: passes of the head alone over the statistics of the ImageNet trunk, before
            all else, and their peak learning rate.
        warmup_fraction: part of all steps in which the rate rises linearly; half a cosine to 0 follows.
        ema_decay: the weights that are kept are a running mean of those of all steps; how much of it a step
            leaves.
        crop: share of the sides of the frozen stages' maps that a step sees.
        ss02_weight: weight of BIQ2021's ``ss02`` in the squared error; the other photos have 1.
        plcc_weight: weight of (1 - PLCC of the batch) beside the mean squared error.
        ladder_sources: clean photos that are distorted, each in one way.
        ladders_per_step: ladders of one clean photo and five severities beside the labelled photos of a step.
        ladder_weight: weight of their ranking loss.
        ladder_margin: by how much each rung must score below the one before.
        seed: of order, flips, dropout, initial weights and distortions.
        checkpoint_seconds: how much work a kill may cost.
    """

    steps: int
    batch_size: int
    trunk_lr: float
    head_lr: float
    weight_decay: float
    warm_up_epochs: int
    warm_up_lr: float
    warmup_fraction: float
    ema_decay: float
    crop: float
    ss02_weight: float
    plcc_weight: float
    ladder_sources: int
    ladders_per_step: int
    ladder_weight: float
    ladder_margin: float
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
    return LiteConfig(**table)
