"""The model card of every metric: which weights it takes, where they come from and under which licence."""

from __future__ import annotations

from dataclasses import dataclass

_PAPER = "DP-IQA: Utilizing Diffusion Prior for Blind Image Quality Assessment in the Wild, arXiv 2405.19996"
_PUBLISHED_LICENCE = "CC BY-NC-SA 4.0 (the authors' published weights: no commercial use)"

_DATASETS = {
    "koniq": "KonIQ-10k",
    "clive": "CLIVE (LIVE Challenge)",
    "flive": "FLIVE (LIVE-FB)",
    "spaq": "SPAQ",
}
_TEACHER_DRIVE_IDS = {
    "koniq": "18G9bcCogpTGXy1VZnBKOxQT8aXnhHNKB",
    "clive": "19EimoPFyV5lUIMCnafmw0ZQXq_Ck_-Y8",
    "flive": "1-dYKKIavLky_CELMahEhbcuNdR6dYO46",
    "spaq": "1-k-UdTp4343tiAlJB-NMQNVnXL8WC-Rk",
}
_STUDENT_DRIVE_IDS = {
    "koniq": "1j8P0eoJDLWbQgjZ4jIat8ZScgDaT1O11",
    "clive": "1OpeTcuzAnvY3Xq1JncAITvK08VhVJoZQ",
    "flive": "1jxByr3HFOlf3OplcdgTTZSOI14WsuCF1",
    "spaq": "18CK__MCTmFPr9US1Idne1mZxHLh8uNYA",
}


@dataclass(frozen=True)
class ModelCard:
    """One metric and the weights that belong to it.

    Attributes:
        metric: name in pyiqa, e.g. ``"dpiqa-clive"``.
        architecture: ``"teacher"``, ``"student"`` or ``"lite"``.
        dataset: key of the training data, as in ``weights="clive"``.
        trained_on: name of the training data.
        filename: name in the cache directory; for ``"lite"``, in this package's ``data`` directory.
        drive_id: Google Drive id of the published file; None if the weights ship with this package.
        size: of the published file in bytes, about.
        min_size: a file of fewer bytes cannot hold all parameters, even in half precision.
        licence: of the weights.
        paper: that describes the model.
        score_range: lowest and highest score to expect; a model may go a little beyond.
        lower_better: False, for all of ours a higher score is better.
    """

    metric: str
    architecture: str
    dataset: str
    trained_on: str
    filename: str
    drive_id: str | None
    size: int
    min_size: int
    licence: str
    paper: str = _PAPER
    score_range: tuple[float, float] = (0.0, 1.0)
    lower_better: bool = False


def _metric_name(base: str, dataset: str) -> str:
    return base if dataset == "koniq" else f"{base}-{dataset}"


def _teacher(dataset: str) -> ModelCard:
    return ModelCard(
        metric=_metric_name("dpiqa", dataset),
        architecture="teacher",
        dataset=dataset,
        trained_on=_DATASETS[dataset],
        filename=f"dpiqa_{dataset}.pth",
        drive_id=_TEACHER_DRIVE_IDS[dataset],
        size=4_259_000_000,  # 1,064,675,117 numbers in float32
        min_size=2_030_000_000,  # 1,015,184,918 without the VAE's decoder, in float16
        licence=_PUBLISHED_LICENCE,
    )


def _student(dataset: str) -> ModelCard:
    return ModelCard(
        metric=_metric_name("dpiqa_student", dataset),
        architecture="student",
        dataset=dataset,
        trained_on=_DATASETS[dataset],
        filename=f"dpiqa_student_{dataset}.pth",
        drive_id=_STUDENT_DRIVE_IDS[dataset],
        size=325_600_000,  # 81,323,068 numbers in float32
        min_size=162_000_000,
        licence=_PUBLISHED_LICENCE,
    )


_LITE = ModelCard(
    metric="dpiqa_lite",
    architecture="lite",
    dataset="biq2021",
    trained_on="BIQ2021",
    filename="lite.safetensors",
    drive_id=None,
    size=7_526_648,
    min_size=1_000_000,
    licence="Apache-2.0",
    paper="none: a compact model of this project's own, in the spirit of the DP-IQA student",
)

CARDS: dict[str, ModelCard] = {
    card.metric: card for card in (*map(_teacher, _DATASETS), *map(_student, _DATASETS), _LITE)
}
"""Every metric this package adds to pyiqa, by its name there."""
