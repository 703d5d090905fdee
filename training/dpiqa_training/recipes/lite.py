"""Train ``dpiqa_lite`` on BIQ2021: ImageNet trunk, opinion scores, ladders of synthetic distortions.

The first three block groups of the trunk are frozen and their output is read from disk (``stage_cache``);
the depthwise filters of the others are frozen, too: on a CPU their gradient takes 40 % of a step, and they
are 2 % of the weights. What is kept is the running mean of the weights; no step is picked by validation.

Limits: of several processes (`SharedStages`) the first alone looks at the photos with the frozen stages, and
all must see its ``--out``.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from dpiqa_plugin.errors import UsageError
from dpiqa_plugin.models.lite import FROZEN_BLOCKS, EarlyStages, Lite
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_training.checkpoint import load_checkpoint, require_same, save_checkpoint
from dpiqa_training.config import LiteConfig
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.datasets.decoding import read_squashed
from dpiqa_training.datasets.ladders import RUNGS, LadderPhotos
from dpiqa_training.errors import DivergedError
from dpiqa_training.head_warm_up import warm_up_head
from dpiqa_training.ladder_choice import choose_ladders
from dpiqa_training.lite_losses import lite_losses
from dpiqa_training.scorers import lite_scorer
from dpiqa_training.shared_stages import SharedStages
from dpiqa_training.stage_cache import all_statistics, cached_stages
from dpiqa_training.training_log import TrainingLog
from dpiqa_training.trunk_weights import imagenet_trunk
from dpiqa_training.usage import require_precision

_WITHIN_ONE = 0.683  # of normal errors, within one standard deviation


def train_lite(
    config: LiteConfig,
    training: list[LabelledPhoto],
    validation: list[LabelledPhoto],
    folder: Path,
    clean: Sequence[Path] = (),
) -> Lite:
    """Train from the checkpoint in ``folder`` if there is one, else from ImageNet weights.

    Args:
        config: the recipe.
        training: the labelled photos; the best of them are distorted, too.
        validation: at the end the deviation is calibrated on them.
        folder: for the checkpoint, the log and the outputs of the frozen stages, 8.7 GB for the bundled
            weights.
        clean: more photos without faults, to be distorted.

    Returns:
        The model with the running mean of the weights, in eval mode. Only the first process calibrates its
        deviation.

    Raises:
        CacheError, CheckpointError, LogError: ``folder`` is full.
        DivergedError: the loss is no longer a number; the checkpoint is of before.
        PhotoError: a photo cannot be read.
        ResumeError: the checkpoint belongs to another recipe or other photos.
        UsageError: there are fewer photos than a step takes, or none to distort; or this machine has not the
            recipe's precision.
    """
    if len(training) < config.batch_size:
        raise UsageError(f"{len(training)} photos are too few for a batch_size of {config.batch_size}")
    ladders = choose_ladders(config, training, clean)
    accelerator = _make_accelerator(config.precision)
    torch.manual_seed(config.seed)
    first = accelerator.is_main_process
    checkpoint = folder / "checkpoint.pt"
    identity = _identity(config, training, ladders)
    state = load_checkpoint(checkpoint) if checkpoint.exists() else None
    if state is not None:
        require_same(checkpoint, state, identity)
    run = _Run(config, training, ladders, folder, accelerator)
    if state is not None:
        run.resume(state)
        del state  # a second copy of all weights
    else:
        run.start()
        if first:
            save_checkpoint(checkpoint, identity | run.state())
    run.share()
    steps = tqdm(_steps(config, len(training))[run.step :], desc="dpiqa_lite", unit="step", disable=not first)
    if not first:
        for photos in steps:
            run.train_step(photos)
        return run.average.eval()
    saved = time.monotonic()
    with contextlib.closing(TrainingLog(folder / "tensorboard", run.step + 1)) as log:
        for photos in steps:
            losses = run.train_step(photos)
            log.write({f"training/{name}": value for name, value in losses.items()}, run.step)
            steps.set_postfix(loss=f"{losses['loss']:.4f}", refresh=False)
            if run.step == run.total or time.monotonic() - saved > config.checkpoint_seconds:
                save_checkpoint(checkpoint, identity | run.state())
                saved = time.monotonic()
    calibrate_deviation(run.average, validation, str(accelerator.device))
    return run.average.eval()


def _make_accelerator(precision: str) -> Accelerator:
    require_precision(precision)
    # The others wait while the first process looks at all photos.
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=6))
    return Accelerator(mixed_precision=precision, kwargs_handlers=[patience])


class _Run:
    """Model, running mean of its weights, optimizer and position in the schedule."""

    def __init__(
        self,
        config: LiteConfig,
        training: list[LabelledPhoto],
        ladders: list[tuple[Path, str]],
        folder: Path,
        accelerator: Accelerator,
    ) -> None:
        self.config = config
        self.accelerator = accelerator
        self.device = device = str(accelerator.device)
        self.total = config.steps
        self.step = 0
        self.folder = folder
        self.model = Lite().to(device).to(memory_format=torch.channels_last)
        self.model.trunk.load_state_dict(imagenet_trunk())
        _freeze(self.model, config.trunk_lr)
        self.average = copy.deepcopy(self.model)
        pixels, names = _Pixels(training), _names(training)
        with accelerator.main_process_first():
            self.photos = cached_stages(self.model, pixels, names, folder / "photos.npy", device)
        distorted = LadderPhotos(ladders, LITE_INPUT_SIZE, config.seed)
        names = _ladder_names(ladders, config.seed)
        with accelerator.main_process_first():
            self.ladders = cached_stages(self.model, distorted, names, folder / "ladders.npy", device)
        self.mos = torch.tensor([photo.mos for photo in training]).to(device)
        self.weight = torch.tensor(
            [config.ss02_weight if photo.subset == "ss02" else 1.0 for photo in training]
        ).to(device)
        trunk = [p for p in self.model.trunk.parameters() if p.requires_grad]
        groups = [
            {"params": trunk, "lr": config.trunk_lr},
            {"params": list(self.model.head.parameters()), "lr": config.head_lr},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)

    def start(self) -> None:
        """Measure the statistics' scale and train the head before the trunk."""
        torch.manual_seed(self.config.seed)  # whether the caches were there already must not matter
        with self.accelerator.main_process_first():
            statistics = all_statistics(self.model, self.photos, self.folder / "photos.npy", self.device)
            ladders = all_statistics(self.model, self.ladders, self.folder / "ladders.npy", self.device)
        head = self.model.head
        head.statistics_mean.copy_(statistics.mean(dim=0))
        # A channel that hardly varies tells nothing of quality; the floor keeps its noise small.
        head.statistics_deviation.copy_(statistics.std(dim=0).clamp_min(1e-3))
        mean = float(self.mos.mean())
        nn.init.constant_(head.to_score.bias, math.log(mean / (1 - mean)))
        warm_up_head(
            head, statistics, self.mos, self.weight, ladders.view(-1, RUNGS, ladders.shape[1]), self.config
        )
        self.average.load_state_dict(self.model.state_dict())

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint of the same recipe and photos."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]

    def share(self) -> None:
        """Give all processes the weights of the first, and let them work together from here."""
        self.shared = self.accelerator.prepare(SharedStages(self.model, self.accelerator))

    def state(self) -> dict[str, Any]:
        """Everything ``resume`` needs."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
        }

    def train_step(self, photos: list[int]) -> dict[str, float]:
        """One update on the labelled photos of these indices and on some ladders.

        Returns:
            ``loss``, its weighted parts, and the rates of this step.
        """
        _training_mode(self.model)
        # Each step seeds its own ladders, flips and dropout, so that a resumed run draws the same.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        early = self._draw(photos)
        score, deviation = (x.squeeze(1).float() for x in self.shared(early))
        parts = lite_losses(score, deviation, self.mos[photos], self.weight[photos], self.config)
        loss = functools.reduce(torch.add, parts.values())
        if not loss.isfinite():
            raise DivergedError(
                f'the loss is {loss.item()} at step {self.step + 1}; try lower rates, or precision = "no"'
            )
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.optimizer.step()
        rates = dict(zip(("trunk_lr", "head_lr"), map(float, self.schedule.get_last_lr()), strict=True))
        self.schedule.step()
        self._follow()
        self.step += 1
        return {"loss": loss.item(), **{name: value.item() for name, value in parts.items()}, **rates}

    def _draw(self, photos: list[int]) -> EarlyStages:
        """Stages of the labelled photos, then of the ladders, rung by rung; flipped and cropped at random."""
        ladders = torch.randint(len(self.ladders) // RUNGS, (self.config.ladders_per_step,)).tolist()
        rungs = [index for ladder in ladders for index in range(ladder * RUNGS, (ladder + 1) * RUNGS)]
        labelled, distorted = self.photos.stages(photos), self.ladders.stages(rungs)
        # A ladder is flipped as a whole: what tells its rungs apart must be the distortion.
        flip = torch.cat([torch.rand(len(photos)), torch.rand(len(ladders)).repeat_interleave(RUNGS)]) < 0.5
        maps = _cropped(torch.cat([labelled.map, distorted.map]), self.config.crop)
        maps = torch.where(flip[:, None, None, None], maps.flip(3), maps).to(self.device)
        statistics = torch.cat([labelled.statistics, distorted.statistics]).to(self.device)
        return EarlyStages(maps.contiguous(memory_format=torch.channels_last), statistics)

    @torch.no_grad()
    def _follow(self) -> None:
        # Early on the mean would be of the initial weights: it starts short and grows.
        decay = min(self.config.ema_decay, (self.step + 1) / (self.step + 10))
        for mean, value in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    def _rate(self, step: int) -> float:
        warmup = max(1, round(self.config.warmup_fraction * self.total))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, self.total - warmup)))


def _identity(
    config: LiteConfig, training: list[LabelledPhoto], ladders: list[tuple[Path, str]]
) -> dict[str, Any]:
    """What a checkpoint must have in common with a run that goes on from it."""
    mos = [str(photo.mos) for photo in training]
    photos = "\n".join([*_names(training), *mos, *_ladder_names(ladders, config.seed)])
    return {"config": asdict(config), "photos": hashlib.sha256(photos.encode()).hexdigest()}


def _names(photos: list[LabelledPhoto]) -> list[str]:
    return [f"{photo.path.name} {photo.path.stat().st_size}" for photo in photos]


def _ladder_names(ladders: list[tuple[Path, str]], seed: int) -> list[str]:
    return [str(seed), *(f"{path.name} {path.stat().st_size} {kind}" for path, kind in ladders)]


def calibrate_deviation(model: Lite, photos: list[LabelledPhoto], device: str) -> None:
    """Scale the deviation so that MOS lies within one of it as often as with normal errors.

    On the photos that it has learnt by heart a model errs less than on others; these must not be among them.
    The share counts, and not the mean square, which a few wild errors would rule.
    """
    judged = lite_scorer(model, device).judge_files([photo.path for photo in photos])
    assert judged.uncertainties is not None
    errors = np.abs(judged.scores - np.array([photo.mos for photo in photos]))
    scale = np.quantile(errors / judged.uncertainties, _WITHIN_ONE)
    model.head.deviation_scale.mul_(float(scale))


class _Pixels(Dataset[Tensor]):
    """Photos as uint8 tensors (3, S, S); PhotoError as `read_squashed` raises it."""

    def __init__(self, photos: list[LabelledPhoto]) -> None:
        self._photos = photos

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> Tensor:
        pixels = read_squashed(self._photos[index].path, LITE_INPUT_SIZE)
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def _steps(config: LiteConfig, photos: int) -> list[list[int]]:
    """The photos of every step of the whole run, fixed by the seed: a resumed run sees the same ones."""
    generator = torch.Generator().manual_seed(config.seed)
    per_epoch = photos // config.batch_size
    epochs = math.ceil(config.steps / per_epoch)
    order = [
        torch.randperm(photos, generator=generator)[: per_epoch * config.batch_size] for _ in range(epochs)
    ]
    batches: list[list[int]] = torch.cat(order).view(-1, config.batch_size).tolist()
    return batches[: config.steps]


def _freeze(model: Lite, trunk_lr: float) -> None:
    early = ["conv_stem", "bn1", *(f"blocks.{group}" for group in range(FROZEN_BLOCKS))]
    frozen = [*map(model.trunk.get_submodule, early), *_depthwise(model.trunk)]
    for module in frozen if trunk_lr else [model.trunk]:
        module.requires_grad_(False)


def _depthwise(trunk: nn.Module) -> Iterator[nn.Module]:
    return (m for m in trunk.modules() if isinstance(m, nn.Conv2d) and m.groups > 1)


def _training_mode(model: Lite) -> None:
    # Batch statistics of 24 photos are too noisy; the trunk keeps ImageNet's running ones.
    model.train()
    for module in model.trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _cropped(maps: Tensor, share: float) -> Tensor:
    """Cut one window at random out of all maps (N, C, H, W), ``share`` of their sides."""
    height, width = (round(share * side) for side in maps.shape[-2:])
    top = int(torch.randint(maps.shape[-2] - height + 1, ()))
    left = int(torch.randint(maps.shape[-1] - width + 1, ()))
    return maps[..., top : top + height, left : left + width]
