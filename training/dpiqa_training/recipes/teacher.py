"""Train DP-IQA's teacher from Stable Diffusion 1.5 (paper, sections 3 and 4.1).

All is trained but the VAE, whose latents are therefore computed once and kept on disk, and a few layers that
the published checkpoints hold and no forward runs. The scale of the text adapter starts near 0, so that the
U-Net first meets the prompts as CLIP embeds them (the paper does not say where it starts).

Memory: 0.98 billion parameters at 16 bytes each (weight, gradient and Adam's two means in float32) are
15.7 GB, their bfloat16 copies 2.0 GB; all in all 19.1 GB were measured with four photos at once, on a CPU
(``benchmarks/full_size_training.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.models.teacher import REDUCED, Teacher
from dpiqa_plugin.models.teacher import TeacherConfig as ModelConfig
from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings
from dpiqa_training.base_weights import STABLE_DIFFUSION, load_stable_diffusion
from dpiqa_training.config import TeacherConfig
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.fill_cache import fill_cache
from dpiqa_training.fitting import Batch, Task, fit, make_accelerator
from dpiqa_training.photo_views import PhotoViews
from dpiqa_training.teacher_cache import PhotoCache, identity_of

_GAMMA_START = 1e-4
# In the published checkpoints, but not on the way to the score: data-parallel training would wait for their
# gradients.
_NEVER_RUN = ("unet.conv_norm_out.", "unet.conv_out.", "QFD.bnc1.", "QFD.classifier_dist.")


def train_teacher(
    config: TeacherConfig,
    training: Sequence[LabelledPhoto],
    validation: Sequence[LabelledPhoto],
    out: Path,
    dataset: str,
    base: str = STABLE_DIFFUSION,
    prompts: Path | None = None,
    reduced: bool = False,
    workers: int = 0,
) -> Path:
    """Train from the checkpoint in ``out`` if there is one, else from ``base``.

    Args:
        config: the recipe.
        training, validation: photos with their opinions; the best epoch is chosen by the second.
        out: an existing folder for cache, checkpoint, log and weights.
        dataset: of the photos; the weights' file names it.
        base: see `load_stable_diffusion`.
        prompts: see `load_prompt_embeddings`.
        reduced: a tiny random model that needs neither of them: to try data and recipe out.
        workers: processes that decode photos.

    Returns:
        Path of the best epoch's weights, which ``weights=`` of the metric ``dpiqa`` takes.

    Raises:
        DPIQAError: something that is needed is not there, or the loss diverged.
    """
    accelerator = make_accelerator(config)
    teacher = _reduced_teacher(config) if reduced else _teacher_of(config, base, prompts)
    _choose_trained(teacher)
    if config.gradient_checkpointing:
        teacher.unet.enable_gradient_checkpointing()
    cache = _cached_latents(teacher, config, [*training, *validation], out, accelerator, workers)
    size = teacher.config.image_size
    task = Task(
        name="teacher",
        dataset=dataset,
        model=teacher,
        training=PhotoViews(training, size, cache),
        validation=PhotoViews(validation, size, cache),
        predict=_predict,
        loss=lambda _prediction, _batch: {},
        metadata={"model": "teacher", "vae_range": config.vae_range, "image_size": str(size)},
    )
    return fit(accelerator, config, task, out, workers)


def _teacher_of(config: TeacherConfig, base: str, prompts: Path | None) -> Teacher:
    embeddings = load_prompt_embeddings(prompts)  # first: what may be missing is asked for before gigabytes
    teacher = Teacher(ModelConfig(vae_range=config.vae_range))
    load_stable_diffusion(teacher, base)
    nn.init.constant_(teacher.gamma, _GAMMA_START)
    teacher.set_prompt_embeddings(embeddings)
    return teacher


def _reduced_teacher(config: TeacherConfig) -> Teacher:
    teacher = Teacher(replace(REDUCED, vae_range=config.vae_range))
    teacher.set_prompt_embeddings(torch.randn(REDUCED.prompt_shape))
    return teacher


def _choose_trained(teacher: Teacher) -> None:
    for name, parameter in teacher.named_parameters():
        parameter.requires_grad_(not name.startswith(("vae.", *_NEVER_RUN)))


def _cached_latents(
    teacher: Teacher,
    config: TeacherConfig,
    photos: Sequence[LabelledPhoto],
    out: Path,
    accelerator: Accelerator,
    workers: int,
) -> PhotoCache:
    size = teacher.config.image_size
    cache = PhotoCache(out / "latents", identity_of(teacher.vae.state_dict(), size, config.vae_range))
    teacher.vae.to(accelerator.device)

    # In float32 whatever the precision of the training: it is done once, and bfloat16 is coarse for it.
    def encode(image: Tensor) -> dict[str, Tensor]:
        return {"latent": teacher.encode(image)}

    fill_cache(cache, photos, config.flips, size, encode, accelerator, workers)
    return cache


def _predict(model: nn.Module, batch: Batch) -> QualityPrediction:
    prediction: QualityPrediction = model(batch["image"], latent=batch["latent"])
    return prediction
