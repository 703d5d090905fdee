"""How well metrics follow opinion on labelled photos."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dpiqa_plugin.errors import DPIQAError
from dpiqa_training.calibration import Calibration, calibration
from dpiqa_training.correlation import Agreement, Interval, agreement, bootstrap
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.scorers import Scorer
from dpiqa_training.severity_ladders import LadderResult

ALL = "all"
"""The subset that every photo belongs to."""

_SMALLEST_SUBSET = 10  # of fewer photos a correlation says nothing


@dataclass(frozen=True)
class Comparison:
    """One metric on one data set, or on a subset of it.

    Attributes:
        subset: ``ALL``, or its name.
        agreement, interval: with scores turned over where lower is better, so that higher figures are better
            but for ``rmse``.
        on_mos_scale: whether ``rmse`` without a fit means anything.
        trained_on_it: the metric learnt from this data set, so that other metrics may do better elsewhere.
        calibration: how its uncertainties fit its errors; None if it gives none.
    """

    dataset: str
    subset: str
    metric: str
    agreement: Agreement
    interval: Interval
    on_mos_scale: bool
    trained_on_it: bool
    calibration: Calibration | None


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class ScoredPhotos:
    """The photos of a data set for which every metric gave a number.

    Attributes:
        scores: by metric, (N,), in its own scale.
        uncertainties: by metric, (N,), of those that say how sure they are.
        left_out: photos that some metric gave no number for; left out for all, so that all are compared on
            the same ones.
    """

    dataset: str
    photos: list[LabelledPhoto]
    scores: dict[str, np.ndarray]
    uncertainties: dict[str, np.ndarray]
    left_out: list[LabelledPhoto]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured.

    Attributes:
        identities: by metric, name and weights.
        ladders: how metrics rank synthetic distortions.
    """

    comparisons: list[Comparison]
    scored: list[ScoredPhotos]
    identities: dict[str, str]
    ladders: list[LadderResult] = field(default_factory=list)


def evaluate(scorers: list[Scorer], datasets: dict[str, list[LabelledPhoto]]) -> Evaluation:
    """Score every photo with every metric and compare with opinion, by data set and subset.

    Raises:
        DPIQAError: fewer than two photos of a data set are left, a photo cannot be read, or a metric failed.
    """
    scored = [score_dataset(scorers, name, photos) for name, photos in datasets.items()]
    comparisons = [
        comparison
        for some in scored
        for subset in (ALL, *_subsets(some.photos))
        for comparison in _compare(scorers, some, subset)
    ]
    return Evaluation(comparisons, scored, {scorer.name: scorer.backend.identity for scorer in scorers})


def score_dataset(scorers: list[Scorer], name: str, photos: list[LabelledPhoto]) -> ScoredPhotos:
    """Score the photos of one data set; see ``evaluate``."""
    paths = [photo.path for photo in photos]
    judged = {scorer.name: scorer.judge_files(paths) for scorer in scorers}
    kept = np.isfinite(np.stack([judgement.scores for judgement in judged.values()])).all(axis=0)
    if kept.sum() < 2:
        raise DPIQAError(
            f"{name}: {len(photos)} photos, {kept.sum()} with a score; two are needed to compare"
        )
    return ScoredPhotos(
        name,
        [photo for photo, keep in zip(photos, kept, strict=True) if keep],
        {metric: judgement.scores[kept] for metric, judgement in judged.items()},
        {
            metric: judgement.uncertainties[kept]
            for metric, judgement in judged.items()
            if judgement.uncertainties is not None
        },
        [photo for photo, keep in zip(photos, kept, strict=True) if not keep],
    )


def _subsets(photos: list[LabelledPhoto]) -> list[str]:
    names = [photo.subset for photo in photos]
    large = sorted({name for name in names if name and names.count(name) >= _SMALLEST_SUBSET})
    return large if len(set(names)) > 1 else []


def _compare(scorers: list[Scorer], scored: ScoredPhotos, subset: str) -> list[Comparison]:
    chosen = np.array([subset in (ALL, photo.subset) for photo in scored.photos])
    return [_comparison(scorer, scored, subset, chosen) for scorer in scorers]


def _comparison(scorer: Scorer, scored: ScoredPhotos, subset: str, chosen: np.ndarray) -> Comparison:
    mos = np.array([photo.mos for photo in scored.photos])[chosen]
    scores = scored.scores[scorer.name][chosen]
    uncertainties = scored.uncertainties.get(scorer.name)
    upward = -scores if scorer.backend.lower_better else scores
    return Comparison(
        scored.dataset,
        subset,
        scorer.name,
        agreement(upward, mos),
        bootstrap(upward, mos),
        scorer.on_mos_scale,
        scorer.trained_on == scored.dataset,
        None if uncertainties is None else calibration(scores, uncertainties[chosen], mos),
    )
