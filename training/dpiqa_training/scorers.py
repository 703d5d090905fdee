"""Metrics under test: the batch tool's own back ends, so that what is measured is what its users get."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from dpiqa_desktop.engine.backends import Backend, Judgement, create_backend
from dpiqa_desktop.engine.decode import decode
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import MetricError, PhotoError
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE, squash


@dataclass(frozen=True)
class Scorer:
    """A metric that is ready to score.

    Attributes:
        name: in tables.
        backend: what computes it.
        trained_on: name of the data set that it learnt from, where that is known; or empty.
    """

    name: str
    backend: Backend
    trained_on: str = ""

    @property
    def on_mos_scale(self) -> bool:
        """Whether its scores are meant to equal MOS, 0..1."""
        return self.backend.score_range == (0.0, 1.0) and not self.backend.lower_better

    def score_files(self, paths: list[Path]) -> np.ndarray:
        """Give scores (N,) in the metric's own scale; NaN where it gave no number.

        Raises:
            DPIQAError: a photo cannot be read, or the metric failed on it.
        """
        size = self.backend.input_size
        bar = tqdm(paths, self.name, unit="photo", leave=False, disable=None)
        return self._score((read_pixels(path, size) for path in bar), lambda index: str(paths[index]))

    def score_pixels(self, photos: Iterable[np.ndarray]) -> np.ndarray:
        """Give scores of decoded photos, uint8 RGB (H, W, 3); see ``score_files``."""
        return self._score(map(self._fitted, photos), lambda index: f"photo {index + 1}")

    def _fitted(self, photo: np.ndarray) -> np.ndarray:
        size = self.backend.input_size
        return photo if size is None else squash(Image.fromarray(photo), size)

    def _score(self, photos: Iterable[np.ndarray], name: Callable[[int], str]) -> np.ndarray:
        waiting, scores = iter(photos), np.empty(0, np.float32)
        while batch := list(islice(waiting, self.backend.batch_size)):
            try:
                judged = self.backend.judge(batch).scores
            except Exception as error:  # pyiqa's metrics fail in as many ways as they have authors
                first, last = name(len(scores)), name(len(scores) + len(batch) - 1)
                where = first if first == last else f"{first} or one of those up to {last}"
                raise MetricError(f"the metric {self.name} failed on {where}: {error}") from error
            scores = np.concatenate([scores, judged])
        return scores


def read_pixels(path: Path, size: int | None) -> np.ndarray:
    """Decode a photo as the batch tool does, squashed to a square of ``size`` if that is given.

    Raises:
        PhotoError: it cannot be read; names it.
    """
    try:
        return decode(str(path), size).pixels
    except PhotoError as error:
        raise PhotoError(f"{path}: {error}") from error


def metric_scorer(metric: str, device: str) -> Scorer:
    """Make a metric of pyiqa or of ours ready.

    Raises:
        DPIQAError: there is no such metric or device, or its weights cannot be had.
    """
    backend = create_backend(metric, device)
    backend.load()
    return Scorer(metric, backend, CARDS[metric].dataset if metric in CARDS else "")


def weights_scorer(weights: Path, device: str) -> Scorer:
    """Make ``dpiqa_lite`` with other weights ready, such as those of a training run.

    Raises:
        DPIQAError: they are no weights of ``dpiqa_lite``.
    """
    return Scorer(weights.name, _LiteOnTorch(weights, device), "biq2021")


class _LiteOnTorch:
    """A back end for a file of weights; see ``Backend``."""

    lower_better = False
    score_range: tuple[float, float] | None = (0.0, 1.0)
    input_size: int | None = LITE_INPUT_SIZE
    batch_size = 16

    def __init__(self, weights: Path, device: str) -> None:
        from dpiqa_plugin import fingerprint
        from dpiqa_plugin.models.lite import load_lite

        self._device = "cpu" if device == "auto" else device
        self._model = load_lite(weights).to(self._device)
        self.identity = f"dpiqa_lite-{fingerprint.sha256(weights)[:12]}"
        self.description = f"{weights} on torch, {self._device}"

    def load(self) -> None:
        """See ``Backend.load``; the constructor has done it."""

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """See ``Backend.judge``; never gives maps."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(np.stack(photos)).to(self._device).permute(0, 3, 1, 2).float().div(255)
            return Judgement(self._model(images).score.squeeze(1).float().cpu().numpy())
