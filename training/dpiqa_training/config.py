"""Recipes as frozen dataclasses, read from TOML files."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from dpiqa_training.errors import RecipeError

RECIPES = Path(__file__).parent / "recipes"
LITE_RECIPE = RECIPES / "lite.toml"
TEACHER_RECIPE = RECIPES / "teacher.toml"
STUDENT_RECIPE = RECIPES / "student.toml"

PRECISIONS = ("no", "bf16")
SELECTIONS = ("validation", "test")

_HIGHEST_SEED = 2**32 - 1  # torch takes 64 bits, and a million seeds are made of each
_SMALLEST_CROP = 0.02  # a pixel of the 48 of a side


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
        ladder_sources: photos of BIQ2021 that are distorted, each in one way.
        clean_ladders: in how many ways each of the other clean photos is distorted.
        exposure_sources: further photos of BIQ2021 whose exposure alone is distorted, beside all dark ones.
        camera_sources: photos of ``ss01`` and ``ss02``, from cameras, whose exposure alone is distorted.
        ladders_per_step: ladders of one clean photo and five severities beside the labelled photos of a step.
        ladder_weight: weight of their ranking loss.
        ladder_margin: by how much each rung must score below the one before.
        seed: of order, flips, dropout, initial weights and distortions.
        precision: ``no`` is float32, ``bf16`` computes in bfloat16 and keeps weights in float32.
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
    clean_ladders: int
    exposure_sources: int
    camera_sources: int
    ladders_per_step: int
    ladder_weight: float
    ladder_margin: float
    seed: int
    precision: str
    checkpoint_seconds: float

    def __post_init__(self) -> None:
        _require_at_least(self, 1, "steps", "batch_size", "ladders_per_step")
        _require_at_least(self, 1, "ladder_sources", "clean_ladders")
        _require_at_least(self, 0, "exposure_sources", "camera_sources", "warm_up_epochs")
        _require_at_least(self, 0, "checkpoint_seconds", "trunk_lr", "weight_decay")
        _require_at_least(self, 0, "ss02_weight", "plcc_weight", "ladder_weight", "ladder_margin")
        _require_above_0(self, "head_lr", "warm_up_lr")
        _require_within(self, 0, 1, "warmup_fraction", "ema_decay")
        _require_within(self, _SMALLEST_CROP, 1, "crop")
        _require("precision", self.precision, PRECISIONS)
        _require_within(self, 0, _HIGHEST_SEED, "seed")


@dataclass(frozen=True)
class PaperConfig:
    """What the recipes of the paper's two models share.

    Attributes:
        epochs: passes over the training photos.
        batch_size: photos a step, over all GPUs and micro-batches.
        micro_batch: photos that one GPU takes at once; what memory allows. Their gradients are summed up to
            ``batch_size``.
        lr: of Adam.
        decay_epochs, decay_factor: the rate is multiplied by the factor after every so many epochs.
        flips: mirror half of the photos left to right: an opinion holds for the mirror image, too.
        ranking_weight, ranking_margin: of the paper's margin ranking loss beside the squared error of the
            score. It ranks the photos of one micro-batch; the authors' code leaves it out.
        select_on: ``validation`` keeps the epoch that is best on photos which are neither trained on nor
            measured with; ``test`` keeps the one that is best on the test photos, as the authors' code does,
            which makes the figures on them look better than they are.
        validation_share: part of the training photos held out for that where the data set fixes none, 0..1.
        precision: ``no`` is float32, ``bf16`` computes in bfloat16 and keeps weights in float32.
        seed: of initial weights, order, flips, dropped paths and the held-out photos.
        checkpoint_steps: how many steps a kill may cost.
    """

    epochs: int
    batch_size: int
    micro_batch: int
    lr: float
    decay_epochs: int
    decay_factor: float
    flips: bool
    ranking_weight: float
    ranking_margin: float
    select_on: str
    validation_share: float
    precision: str
    seed: int
    checkpoint_steps: int

    def __post_init__(self) -> None:
        _require_at_least(self, 1, "epochs", "batch_size", "micro_batch", "decay_epochs", "checkpoint_steps")
        _require_at_least(self, 0, "ranking_weight", "ranking_margin")
        _require_above_0(self, "lr", "decay_factor")
        _require_within(self, 0, _HIGHEST_SEED, "seed")
        if self.batch_size % self.micro_batch:
            raise ValueError(f"batch_size must be a multiple of micro_batch, {self.micro_batch}")
        if not 0 < self.validation_share < 1:
            raise ValueError(f"validation_share must lie between 0 and 1, got {self.validation_share}")
        _require("select_on", self.select_on, SELECTIONS)
        _require("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class TeacherConfig(PaperConfig):
    """How DP-IQA's teacher is trained.

    Attributes:
        vae_range: what the frozen VAE is fed. The published weights were trained on 0..1 (``unit``), perhaps
            by oversight: Stable Diffusion's VAE was trained on -1..1 (``signed``).
        gradient_checkpointing: compute the U-Net's activations a second time instead of keeping them.
    """

    vae_range: str
    gradient_checkpointing: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        _require("vae_range", self.vae_range, ("unit", "signed"))


@dataclass(frozen=True)
class StudentConfig(PaperConfig):
    """How DP-IQA's student is distilled.

    Attributes:
        map_weight: of the squared error against the teacher's feature map, beside the loss of the score.
    """

    map_weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_at_least(self, 0, "map_weight")


Config = TypeVar("Config", LiteConfig, TeacherConfig, StudentConfig)


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read a recipe; every key must be there, and no other.

    Raises:
        RecipeError: the file cannot be read, is no TOML, its keys are not those of ``kind``, or a value is
            out of its range.
    """
    # Not at the top: the base of Python 3.10 has no reader of TOML, and --help has to work there.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{path}: {error}") from error
    expected = {field.name: str(field.type) for field in fields(kind)}
    if wrong := expected.keys() ^ table.keys():
        raise RecipeError(f"{path}: missing or unknown keys: {', '.join(sorted(wrong))}")
    try:
        return kind(**{name: _value(name, table[name], type_) for name, type_ in expected.items()})
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error


def _value(name: str, value: Any, type_: str) -> Any:
    """Give a value of TOML in the type of its field, which is written as text in this file."""
    if type_ == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != type_:
        raise ValueError(f"{name} must be of type {type_}, got {value!r}")
    return value


def _require(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(valid)}, got {value!r}")


# TOML knows nan and inf, which no setting may be; nan fails every comparison, so each asks for what is right.


def _require_at_least(config: object, low: float, *names: str) -> None:
    for name in names:
        if not low <= getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be {low} or more, got {getattr(config, name)}")


def _require_above_0(config: object, *names: str) -> None:
    for name in names:
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"{name} must be above 0, got {getattr(config, name)}")


def _require_within(config: object, low: float, high: float, *names: str) -> None:
    for name in names:
        if not low <= getattr(config, name) <= high:
            raise ValueError(f"{name} must lie in {low}..{high}, got {getattr(config, name)}")
