"""Back ends that compute a known number from the pixels, to evaluate without weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dpiqa_desktop.engine.backends import Judgement
from dpiqa_training.scorers import Scorer


class ScriptedBackend:
    """Judges each photo by a function of its pixels."""

    description = "scripted"

    def __init__(
        self,
        judge_one: Callable[[np.ndarray], float],
        input_size: int | None = None,
        lower_better: bool = False,
        score_range: tuple[float, float] | None = (0.0, 1.0),
    ) -> None:
        self._judge_one = judge_one
        self.identity = "scripted-0"
        self.input_size = input_size
        self.lower_better = lower_better
        self.score_range = score_range
        self.batch_size = 3

    def load(self) -> None:
        pass

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        return Judgement(np.array([self._judge_one(photo) for photo in photos], np.float32))


def scripted(name: str, judge_one: Callable[[np.ndarray], float], **options: object) -> Scorer:
    return Scorer(name, ScriptedBackend(judge_one, **options))


def brightness(photo: np.ndarray) -> float:
    return float(photo.mean()) / 255


def detail(photo: np.ndarray) -> float:
    """Fall with blur; noise raises it, as it does for many a metric."""
    return float(np.abs(np.diff(photo.astype(float), axis=1)).mean())
