"""The metrics that abstract suites run over: one of each architecture, with weights if it is not bundled."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from makers.reference_filling import fill, prompt_embeddings

from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.models.lite import load_lite
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import REDUCED, Teacher
from dpiqa_plugin.prompt_embeddings import SHAPE

METRICS = tuple(name for name, card in CARDS.items() if card.metric.partition("-")[2] == "")


@dataclass(frozen=True)
class Subject:
    """A metric and how to create it without a network.

    Attributes:
        metric: name in pyiqa.
        checkpoint: a torch file with its weights as the authors publish theirs: tensors by key.
        options: keyword options for ``pyiqa.create_metric``.
    """

    metric: str
    checkpoint: Path
    options: dict[str, Any] = field(default_factory=dict)


def make_subject(metric: str, folder: Path) -> Subject:
    """Write the files that ``metric`` needs into ``folder``: student at full size, teacher reduced."""
    return {"teacher": _teacher, "student": _student, "lite": _lite}[CARDS[metric].architecture](
        metric, folder
    )


def _lite(metric: str, folder: Path) -> Subject:
    checkpoint = folder / "lite.pth"
    torch.save(load_lite().state_dict(), checkpoint)
    return Subject(metric, checkpoint)


def _student(metric: str, folder: Path) -> Subject:
    checkpoint = folder / "student.pth"
    with torch.device("meta"):
        student = Student()
    fill(student.to_empty(device="cpu"))
    torch.save(student.state_dict(), checkpoint)
    return Subject(metric, checkpoint, {"weights": checkpoint})


def _teacher(metric: str, folder: Path) -> Subject:
    checkpoint, embeddings = folder / "teacher.pth", folder / "prompts.pt"
    config = dataclasses.replace(REDUCED, prompt_shape=SHAPE)
    teacher = Teacher(config)
    fill(teacher)
    never_run = {"vae.decoder.conv_in.weight": torch.ones(2, 2), "text_encoder.position": torch.ones(3)}
    torch.save({**teacher.state_dict(), **never_run}, checkpoint)
    torch.save(prompt_embeddings(SHAPE), embeddings)
    return Subject(
        metric, checkpoint, {"weights": checkpoint, "prompt_embeddings": embeddings, "config": config}
    )
