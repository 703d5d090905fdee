"""Train ``dpiqa_lite`` on BIQ2021: ImageNet trunk, opinion scores, no teacher.

Limits: one process, CPU or one GPU; the weights of the last step are kept, none is picked by validation.
On Linux, glibc returns big buffers to the system after every step; ``MALLOC_MMAP_THRESHOLD_=4294967296
MALLOC_TRIM_THRESHOLD_=8589934592`` in the environment makes a step on 2 cores about a third faster.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from dpiqa_plugin.errors import DPIQAError
from dpiqa_plugin.models.lite import Lite, pooled_statistics
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE
from dpiqa_training.checkpoint import load_checkpoint, save_checkpoint
from dpiqa_training.config import LiteConfig
from dpiqa_training.datasets.labelled import LabelledPhoto, SquashedPhotos
from dpiqa_training.evaluate import evaluate_model
from dpiqa_training.trunk_weights import imagenet_trunk

_CALIBRATION_PHOTOS = 512


def train_lite(
    config: LiteConfig,
    training: list[LabelledPhoto],
    validation: list[LabelledPhoto],
    checkpoint: Path,
    device: str,
) -> Lite:
    """Train from ``checkpoint`` if it exists, else from ImageNet weights; returns the model in eval mode.

    Raises:
        DPIQAError: the checkpoint belongs to another recipe or other photos.
    """
    torch.manual_seed(config.seed)
    data = SquashedPhotos(training, LITE_INPUT_SIZE)
    run = _Run(config, Lite().to(device).to(memory_format=torch.channels_last), _steps(config, len(data)))
    if checkpoint.exists():
        run.resume(load_checkpoint(checkpoint), len(data))
    else:
        run.start(data)
    batches = _batches(config, len(data))[run.step :]
    loader = DataLoader(data, batch_sampler=batches, num_workers=2)
    saved = time.monotonic()
    bar = tqdm(loader, desc="dpiqa_lite", total=len(run), initial=run.step, unit="step")
    for image, mos in bar:
        loss = run.train_step(image.to(device), mos.to(device))
        bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        epoch_ended = run.step % (len(run) // config.epochs) == 0
        if epoch_ended or time.monotonic() - saved > config.checkpoint_seconds:
            save_checkpoint(checkpoint, run.state(len(data)))
            saved = time.monotonic()
        if epoch_ended:
            tqdm.write(f"step {run.step}: {evaluate_model(run.model, validation, device)}")
    return run.model.eval()


class _Run:
    """Model, optimizer and position in the schedule."""

    def __init__(self, config: LiteConfig, model: Lite, total: int) -> None:
        self.config = config
        self.model = model
        self.total = total
        self.step = 0
        self._freeze()
        trunk = [p for p in model.trunk.parameters() if p.requires_grad]
        groups = [
            {"params": trunk, "lr": config.trunk_lr},
            {"params": list(model.head.parameters()), "lr": config.head_lr},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)

    def __len__(self) -> int:
        return self.total

    def start(self, data: SquashedPhotos) -> None:
        """Load the ImageNet trunk, measure the statistics' scale, start the score at the mean opinion."""
        self.model.trunk.load_state_dict(imagenet_trunk())
        _calibrate(self.model, data, self.config.seed)
        last = self.model.head.to_score[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias, sum(photo.mos for photo in data.photos) / len(data))

    def resume(self, state: dict[str, Any], photos: int) -> None:
        """Go on from ``state``."""
        if state["config"] != asdict(self.config) or state["photos"] != photos:
            raise DPIQAError(
                "the checkpoint was made by another recipe or from other photos; choose another --out"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]

    def state(self, photos: int) -> dict[str, Any]:
        """Everything ``resume`` needs, with what it checks."""
        return {
            "config": asdict(self.config),
            "photos": photos,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
        }

    def train_step(self, image: Tensor, mos: Tensor) -> float:
        """One update on uint8 photos (N, 3, S, S) and MOS (N,); returns the loss."""
        self._training_mode()
        # Each step seeds its own flips and dropout, so that a resumed run draws the same.
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        image = _flip(image).float().div(255).contiguous(memory_format=torch.channels_last)
        score = self.model(image).score.squeeze(1)
        loss = F.mse_loss(score, mos) + self.config.plcc_weight * (1 - _plcc(score, mos))
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return loss.item()

    def _rate(self, step: int) -> float:
        warmup = max(1, round(self.config.warmup_fraction * self.total))
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, self.total - warmup)))

    def _freeze(self) -> None:
        trunk = self.model.trunk
        stages = list(trunk.get_submodule("blocks").children())[: self.config.frozen_stages]
        for module in (trunk.get_submodule("conv_stem"), trunk.get_submodule("bn1"), *stages):
            module.requires_grad_(False)

    def _training_mode(self) -> None:
        # Batch statistics of 16 photos are too noisy; the trunk keeps ImageNet's running ones.
        self.model.train()
        for module in self.model.trunk.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _steps(config: LiteConfig, photos: int) -> int:
    return config.epochs * (photos // config.batch_size)


def _batches(config: LiteConfig, photos: int) -> list[list[int]]:
    """The photos of every step of the whole run, fixed by the seed: a resumed run sees the same ones."""
    generator = torch.Generator().manual_seed(config.seed)
    order = [torch.randperm(photos, generator=generator) for _ in range(config.epochs)]
    usable = photos // config.batch_size * config.batch_size
    batches: list[list[int]] = torch.cat([o[:usable] for o in order]).view(-1, config.batch_size).tolist()
    return batches


def _flip(image: Tensor) -> Tensor:
    flipped = torch.rand(len(image)).lt(0.5).to(image.device)
    return torch.where(flipped[:, None, None, None], image.flip(3), image)


def _plcc(score: Tensor, mos: Tensor) -> Tensor:
    score, mos = score - score.mean(), mos - mos.mean()
    # A batch of equal opinions has no correlation; the floor keeps its gradient finite.
    scale = torch.linalg.vector_norm(score) * torch.linalg.vector_norm(mos)
    correlation: Tensor = (score * mos).sum() / scale.clamp_min(1e-6)
    return correlation


@torch.no_grad()
def _calibrate(model: Lite, data: SquashedPhotos, seed: int) -> None:
    model.eval()
    device = next(model.parameters()).device
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    chosen = order[:_CALIBRATION_PHOTOS].tolist()
    loader = DataLoader(data, batch_sampler=[chosen[i : i + 16] for i in range(0, len(chosen), 16)])
    # The same input range as in Lite.forward.
    inputs = ((image.to(device) - 127.0) / 128 for image, _ in loader)
    pooled = torch.cat([pooled_statistics(model.trunk(x)) for x in inputs])
    model.head.statistics_mean.copy_(pooled.mean(dim=0))
    model.head.statistics_deviation.copy_(pooled.std(dim=0).clamp_min(1e-3))
