"""Distil DP-IQA's student from a teacher (paper, section 3.5): EfficientNet-B7 from ImageNet's weights.

The loss is the squared error of the score against the raters' opinion, and of the feature map against the
teacher's. The teacher looks at every view once; its maps and scores are kept on disk.

Limit: batch norm sees the photos of one micro-batch on one GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.checkpoint import build_filled
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.models import student as student_model
from dpiqa_plugin.models import teacher as teacher_model
from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import Teacher
from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings
from dpiqa_plugin.teacher_conversion import load_teacher
from dpiqa_training.base_weights import load_imagenet_trunk
from dpiqa_training.config import StudentConfig
from dpiqa_training.correlation import agreement
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.fill_cache import fill_cache
from dpiqa_training.fitting import Task, fit, make_accelerator
from dpiqa_training.losses import map_error
from dpiqa_training.photo_views import PhotoViews
from dpiqa_training.teacher_cache import PhotoCache, identity_of


def train_student(
    config: StudentConfig,
    training: Sequence[LabelledPhoto],
    validation: Sequence[LabelledPhoto],
    out: Path,
    dataset: str,
    teacher: str | None = None,
    prompts: Path | None = None,
    trunk: Path | None = None,
    reduced: bool = False,
    workers: int = 0,
) -> Path:
    """Train from the checkpoint in ``out`` if there is one, else from ImageNet's weights.

    Args:
        config: the recipe.
        training, validation: photos with their opinions; the best epoch is chosen by the second.
        out: an existing folder for cache, checkpoint, log and weights.
        dataset: of the photos; the weights' file names it.
        teacher: its weights: the path of what `train_teacher` wrote, or see `find_weights`.
        prompts: see `load_prompt_embeddings`.
        trunk: see `load_imagenet_trunk`.
        reduced: tiny random models that need none of them: to try data and recipe out.
        workers: processes that decode photos.

    Returns:
        Path of the best epoch's weights, which ``weights=`` of the metric ``dpiqa_student`` takes.

    Raises:
        DPIQAError: something that is needed is not there, or the loss diverged.
    """
    accelerator = make_accelerator(config)
    cache = _cached_predictions(
        # Held by no name: its 4 GB are free again when the student trains.
        _reduced_teacher() if reduced else _teacher_of(teacher, prompts),
        config,
        training,
        out,
        accelerator,
        workers,
    )
    if accelerator.is_main_process:
        _tell_agreement(cache, training)
    student = _reduced_student() if reduced else Student()
    if not reduced:
        load_imagenet_trunk(student, trunk)
    size = student.config.image_size
    task = Task(
        name="student",
        dataset=dataset,
        model=student,
        training=PhotoViews(training, size, cache),
        validation=PhotoViews(validation, size),
        predict=lambda model, batch: model(batch["image"]),
        loss=lambda prediction, batch: {
            "map": config.map_weight * map_error(prediction.map, batch["teacher_map"])
        },
        metadata={"model": "student", "image_size": str(size)},
    )
    return fit(accelerator, config, task, out, workers)


def _teacher_of(teacher: str | None, prompts: Path | None) -> Teacher:
    if teacher is None:
        raise ValueError("a student of full size needs the weights of a teacher")
    weights = find_weights(CARDS["dpiqa"], teacher)
    embeddings = load_prompt_embeddings(prompts)
    config = teacher_model.config_of(weights)
    model: Teacher = build_filled(lambda: Teacher(config), weights, load_teacher)
    model.set_prompt_embeddings(embeddings)
    return model.eval().requires_grad_(False)


def _reduced_student() -> Student:
    student = Student(student_model.REDUCED)
    for layer in student.modules():
        if isinstance(layer, nn.BatchNorm2d):
            # Means over all batches. Random weights shrink what they pass on: with statistics that begin at 0
            # and 1 and follow slowly, all photos would score alike after the few steps of a trial.
            layer.momentum = None
    return student


def _reduced_teacher() -> Teacher:
    teacher = Teacher(teacher_model.REDUCED)
    teacher.set_prompt_embeddings(torch.randn(teacher_model.REDUCED.prompt_shape))
    return teacher.eval().requires_grad_(False)


def _cached_predictions(
    teacher: Teacher,
    config: StudentConfig,
    training: Sequence[LabelledPhoto],
    out: Path,
    accelerator: Accelerator,
    workers: int,
) -> PhotoCache:
    """Ask the teacher for every view to train on that it was not asked for before."""
    size = teacher.config.image_size
    assert teacher.prompt_embeddings is not None
    weights = {**teacher.state_dict(), "prompts": teacher.prompt_embeddings}
    facts = (size, teacher.config.vae_range, config.precision)
    cache = PhotoCache(out / "teacher", identity_of(weights, *facts))
    teacher.to(accelerator.device)

    def judge(image: Tensor) -> dict[str, Tensor]:
        with accelerator.autocast():
            prediction: QualityPrediction = teacher(image)
        return {"teacher_score": prediction.score.float(), "teacher_map": prediction.map.float()}

    fill_cache(cache, training, config.flips, size, judge, accelerator, workers)
    return cache


def _tell_agreement(cache: PhotoCache, photos: Sequence[LabelledPhoto]) -> None:
    """A teacher of other photos, prompts or input range shows here, before hours are spent on it."""
    cached = [cache.read(photo.path.read_bytes(), False, photo.path) for photo in photos]
    scores = np.array([entry["teacher_score"].item() for entry in cached])
    found = agreement(scores, np.array([photo.mos for photo in photos]))
    tqdm.write(f"the teacher on the photos to train on: SRCC {found.srcc:.4f}, PLCC {found.plcc:.4f}")
