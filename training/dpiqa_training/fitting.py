"""The loop that the paper's two recipes share: steps, log, checkpoints, the best epoch's weights.

A run that was killed goes on from its last checkpoint with the losses that it would have had. On a CPU they
are equal to the last bit. On a GPU some gradients are summed in no fixed order (bicubic resizing is one), so
two runs of one recipe differ in the last bits there, interrupted or not.

With several processes, the photos of a step are divided among them and gradients averaged: losses are those
of one process. What looks at a whole micro-batch is not: the ranking loss and the student's batch norm.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, gather_object
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from dpiqa_plugin.atomic import replacing
from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.weights_file import ABOUT_KEY
from dpiqa_training.batches import Batches, View
from dpiqa_training.checkpoint import (
    load_checkpoint,
    random_states,
    require_same,
    save_checkpoint,
    set_random_states,
)
from dpiqa_training.config import PaperConfig
from dpiqa_training.correlation import agreement
from dpiqa_training.errors import DivergedError, RecipeError
from dpiqa_training.losses import margin_ranking, squared_error
from dpiqa_training.photo_views import PhotoViews
from dpiqa_training.training_log import TrainingLog
from dpiqa_training.usage import require_precision

_ALIKE = 1e-6
"""Scores of a dead map differ by less: by where in a batch a photo was summed, in float32."""

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Task:
    """What is trained, and on what.

    Attributes:
        name: of the model; ``NAME.safetensors`` will hold the best epoch's weights.
        dataset: of the photos, for a reader of the weights.
        model: in float32; parameters that need no gradient are not trained.
        training, validation: photos; opinions are the target.
        predict: runs the model on a batch of views, ``image`` float32 in 0..1.
        loss: weighted parts of the loss of a prediction, by name, beside those of the score.
        metadata: what a reader of the weights must know, kept in their file.
    """

    name: str
    dataset: str
    model: nn.Module
    training: PhotoViews
    validation: PhotoViews
    predict: Callable[[nn.Module, Batch], QualityPrediction]
    loss: Callable[[QualityPrediction, Batch], dict[str, Tensor]]
    metadata: dict[str, str]


def make_accelerator(config: PaperConfig) -> Accelerator:
    """Set precision and accumulation up for this process, and seed what the model is initialised by.

    Raises:
        RecipeError: this machine or this number of processes cannot do what the recipe asks for.
    """
    # The view saves a second copy of all gradients, 4 GB of the teacher's.
    views = DistributedDataParallelKwargs(gradient_as_bucket_view=True)
    require_precision(config.precision)
    accelerator = Accelerator(mixed_precision=config.precision, kwargs_handlers=[views])
    at_once = config.micro_batch * accelerator.num_processes
    if config.batch_size % at_once:
        raise RecipeError(
            f"batch_size {config.batch_size} is no multiple of {accelerator.num_processes} processes "
            f"with micro_batch {config.micro_batch} each; change one of them in the recipe"
        )
    accelerator.gradient_accumulation_steps = config.batch_size // at_once
    torch.manual_seed(config.seed)
    return accelerator


def fit(accelerator: Accelerator, config: PaperConfig, task: Task, out: Path, workers: int) -> Path:
    """Train to the end of the recipe, from the checkpoint in ``out`` if there is one.

    Args:
        accelerator: of `make_accelerator`.
        config: the recipe.
        task: the model and its photos.
        out: folder for ``checkpoint.pt``, ``tensorboard/`` and the best epoch's weights.
        workers: processes that decode photos.

    Returns:
        Path of the best epoch's weights.

    Raises:
        RecipeError: fewer photos than one step takes, or more at once than the GPU's memory holds.
        ResumeError: the checkpoint is of another recipe, other photos or another number of processes.
        DivergedError: the loss became infinite or not a number, or all photos score alike.
    """
    run = _Run(accelerator, config, task, out)
    run.resume()
    loader = DataLoader(
        task.training,
        batch_sampler=run.batches(),
        num_workers=workers,
        # Of its own, since a loader draws a number when it starts, which a resumed run does once more.
        generator=torch.Generator(),
    )
    bar = tqdm(
        total=run.plan.steps,
        initial=run.step,
        desc=task.name,
        unit="step",
        disable=not accelerator.is_main_process,
    )
    with contextlib.closing(run), bar:
        for batch in loader:
            try:
                losses = run.train_on(batch)
            except torch.cuda.OutOfMemoryError as error:
                raise RecipeError(
                    f"micro_batch = {config.micro_batch} is too much for this GPU's memory ({error}); "
                    "set a smaller one in a recipe of your own (--config FILE), and begin in another --out"
                ) from error
            if losses is None:
                continue
            bar.set_postfix(loss=f"{losses['loss']:.4f}", refresh=False)
            bar.update()
            epoch_ended = run.step % run.plan.steps_per_epoch == 0
            if epoch_ended:
                run.judge_epoch(workers)
            if epoch_ended or run.step % config.checkpoint_steps == 0:
                run.save()
    return run.best_weights


class _Run:
    """Model, optimiser, schedule and position of one run."""

    def __init__(self, accelerator: Accelerator, config: PaperConfig, task: Task, out: Path) -> None:
        self.accelerator = accelerator
        self.config = config
        self.task = task
        self.checkpoint = out / "checkpoint.pt"
        self.best_weights = out / f"{task.name}.safetensors"
        self.plan = Batches(
            photos=len(task.training),
            epochs=config.epochs,
            batch_size=config.batch_size,
            micro_batch=config.micro_batch,
            flips=config.flips,
            seed=config.seed,
            process=accelerator.process_index,
            processes=accelerator.num_processes,
        )
        if not self.plan.steps_per_epoch:
            raise RecipeError(
                f"{len(task.training)} photos to train on are fewer than batch_size, {config.batch_size}"
            )
        trained = [p for p in task.model.parameters() if p.requires_grad]
        # Fused: the plain one makes temporary copies of all gradients on a GPU.
        optimizer = torch.optim.Adam(trained, lr=config.lr, fused=accelerator.device.type == "cuda")
        self.schedule = torch.optim.lr_scheduler.StepLR(
            optimizer, config.decay_epochs * self.plan.steps_per_epoch, config.decay_factor
        )
        self.model, self.optimizer = accelerator.prepare(task.model, optimizer)
        self.step = 0
        self.best_srcc = -math.inf
        self.log: TrainingLog | None = None
        self._sums: dict[str, Tensor] = {}
        # Paths dropped from the student differ between the processes.
        torch.manual_seed(config.seed * 1_000_003 + accelerator.process_index)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one, and open the log."""
        if self.checkpoint.exists():
            self._restore(load_checkpoint(self.checkpoint))
        if self.accelerator.is_main_process:
            # What was logged after the checkpoint will be logged again.
            self.log = TrainingLog(self.checkpoint.with_name("tensorboard"), self.step + 1)
        self.model.train()

    def batches(self) -> Batches:
        """Give the micro-batches of this process from here to the end."""
        return replace(self.plan, first_step=self.step)

    def train_on(self, batch: Batch) -> dict[str, float] | None:
        """Add one micro-batch's gradients; with the last one of a step, update and return its losses.

        Returns:
            The step's mean losses over all processes, ``loss`` being their sum; None within a step.
        """
        with self.accelerator.accumulate(self.model):
            batch = _on_device(self.accelerator, batch)
            prediction = self.task.predict(self.model, batch)
            parts = self._losses(prediction, batch)
            loss = torch.stack(list(parts.values())).sum()
            self.accelerator.backward(loss)
            self.optimizer.step()
            self.optimizer.zero_grad()
        rounds = self.accelerator.gradient_accumulation_steps
        for name, value in {"loss": loss, **parts}.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value.detach() / rounds
        if not self.accelerator.sync_gradients:
            return None
        return self._end_step()

    def judge_epoch(self, workers: int) -> None:
        """Measure SRCC on the validation photos, and keep the weights if it is the best so far."""
        scores = score_views(self.accelerator, self.model, self.task, self.config.micro_batch, workers)
        self.model.train()
        if np.ptp(scores) < _ALIKE:
            raise DivergedError(
                f"all {len(scores)} validation photos score {scores[0]:.4f} at step {self.step}: the feature "
                "map died, and no gradient gets past it; try a lower lr, or another seed"
            )
        mos = np.array([photo.mos for photo in self.task.validation.photos])
        found = agreement(scores, mos)
        self._write_log({"validation/srcc": found.srcc, "validation/plcc": found.plcc})
        if self.accelerator.is_main_process:
            tqdm.write(
                f"step {self.step}: SRCC {found.srcc:.4f}, PLCC {found.plcc:.4f} on {self.config.select_on}"
            )
        if found.srcc > self.best_srcc:
            self.best_srcc = found.srcc
            self._keep_weights()

    def save(self) -> None:
        """Replace the checkpoint by one of now."""
        states = gather_object([random_states()])
        if self.accelerator.is_main_process:
            save_checkpoint(
                self.checkpoint,
                {
                    **self._identity(),
                    "model": self.accelerator.unwrap_model(self.model).state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                    "step": self.step,
                    "best_srcc": self.best_srcc,
                    "random": states,
                },
            )
        self.accelerator.wait_for_everyone()

    def close(self) -> None:
        """End the log."""
        if self.log:
            self.log.close()

    def _restore(self, state: dict[str, Any]) -> None:
        require_same(self.checkpoint, state, self._identity())
        self.accelerator.unwrap_model(self.model).load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        self.best_srcc = state["best_srcc"]
        set_random_states(state["random"][self.accelerator.process_index])

    def _identity(self) -> dict[str, Any]:
        photos = "\n".join(f"{photo.path.name} {photo.mos:.6f}" for photo in self.task.training.photos)
        return {
            "recipe": asdict(self.config) | self.task.metadata,
            "photos": hashlib.sha256(photos.encode()).hexdigest()[:12],
            "processes": self.accelerator.num_processes,
        }

    def _losses(self, prediction: QualityPrediction, batch: Batch) -> dict[str, Tensor]:
        score = prediction.score.squeeze(1)
        parts = {"score": squared_error(score, batch["mos"]), **self.task.loss(prediction, batch)}
        if self.config.ranking_weight:
            ranking = margin_ranking(score, batch["mos"], self.config.ranking_margin)
            parts["ranking"] = self.config.ranking_weight * ranking
        return parts

    def _end_step(self) -> dict[str, float]:
        self.schedule.step()
        self.step += 1
        losses = {name: self.accelerator.reduce(value, "mean").item() for name, value in self._sums.items()}
        self._sums = {}
        if not math.isfinite(losses["loss"]):
            raise DivergedError(
                f'the loss is {losses["loss"]} at step {self.step}; try a lower lr, or precision = "no"'
            )
        self._write_log({f"training/{name}": value for name, value in losses.items()})
        self._write_log({"training/lr": float(self.schedule.get_last_lr()[0])})
        return losses

    def _write_log(self, values: dict[str, float]) -> None:
        if self.log:
            self.log.write(values, self.step)

    def _keep_weights(self) -> None:
        if self.accelerator.is_main_process:
            state = self.accelerator.unwrap_model(self.model).state_dict()
            weights = {name: value.cpu().contiguous() for name, value in state.items()}
            about = {**self.task.metadata, "dataset": self.task.dataset, "recipe": asdict(self.config)}
            with replacing(self.best_weights) as temporary:
                # In one entry: safetensors writes several in a random order, and the file's hash is its name.
                save_file(weights, temporary, metadata={ABOUT_KEY: json.dumps(about, sort_keys=True)})


@torch.no_grad()
def score_views(
    accelerator: Accelerator, model: nn.Module, task: Task, batch_size: int, workers: int
) -> np.ndarray:
    """Scores (N,) of the validation photos, not mirrored, in their order; each process judges a share.

    The model is left in eval mode.
    """
    model.eval()
    judge = accelerator.unwrap_model(model)
    views = [View(i, False) for i in range(len(task.validation))]
    own = views[accelerator.process_index :: accelerator.num_processes]
    loader = DataLoader(
        task.validation,
        batch_size=batch_size,
        sampler=own,
        num_workers=workers,
        generator=torch.Generator(),  # as in `fit`
    )
    scores: list[float] = []
    for batch in loader:
        scores += task.predict(judge, _on_device(accelerator, batch)).score.squeeze(1).tolist()
    pairs = gather_object([(view.photo, score) for view, score in zip(own, scores, strict=True)])
    return np.array([score for _, score in sorted(pairs)])


def _on_device(accelerator: Accelerator, batch: Batch) -> Batch:
    moved = {name: value.to(accelerator.device, non_blocking=True) for name, value in batch.items()}
    return {**moved, "image": moved["image"].float() / 255}
