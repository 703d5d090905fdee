"""Metrics under test: the batch tool's own back ends, so that what is measured is what its users get.

Weights that have no name in pyiqa, such as those of a training run, run in torch as their metric does there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from dpiqa_desktop.engine.backends import Backend, Judgement, create_backend
from dpiqa_desktop.engine.backends.torch_backend import usable_device
from dpiqa_desktop.engine.decode import decode
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import MetricError, PhotoError, WeightsError
from dpiqa_plugin.models.lite import Lite
from dpiqa_plugin.models.prediction import QualityPrediction
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE, LITE_INPUT_SIZE, squash
from dpiqa_plugin.weights_file import about, is_safetensors

_INPUT_SIZES = {"teacher": DPIQA_INPUT_SIZE, "student": DPIQA_INPUT_SIZE, "lite": LITE_INPUT_SIZE}


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

    def judge_files(self, paths: list[Path]) -> Judgement:
        """Judge photos in their order; a score is in the metric's own scale, NaN where it gave no number.

        Raises:
            DPIQAError: a photo cannot be read, or the metric failed on it.
        """
        size = self.backend.input_size
        bar = tqdm(paths, self.name, unit="photo", leave=False, disable=None)
        return self._judge((read_pixels(path, size) for path in bar), lambda index: str(paths[index]))

    def judge_pixels(self, photos: Iterable[np.ndarray]) -> Judgement:
        """Judge decoded photos, uint8 RGB (H, W, 3); see ``judge_files``."""
        return self._judge(map(self._fitted, photos), lambda index: f"photo {index + 1}")

    def _fitted(self, photo: np.ndarray) -> np.ndarray:
        size = self.backend.input_size
        return photo if size is None else squash(Image.fromarray(photo), size)

    def _judge(self, photos: Iterable[np.ndarray], name: Callable[[int], str]) -> Judgement:
        waiting, done = iter(photos), 0
        scores: list[np.ndarray] = []
        uncertainties: list[np.ndarray] = []
        while batch := list(islice(waiting, self.backend.batch_size)):
            try:
                judged = self.backend.judge(batch)
            except Exception as error:  # pyiqa's metrics fail in as many ways as they have authors
                first, last = name(done), name(done + len(batch) - 1)
                where = first if first == last else f"{first} or one of those up to {last}"
                raise MetricError(f"the metric {self.name} failed on {where}: {error}") from error
            done += len(batch)
            scores.append(judged.scores)
            if judged.uncertainties is not None:
                uncertainties.append(judged.uncertainties)
        return Judgement(
            np.concatenate(scores) if scores else np.empty(0, np.float32),
            uncertainties=np.concatenate(uncertainties) if uncertainties else None,
        )


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
    """Make weights of ours ready, such as those of a training run: a teacher's, a student's or dpiqa_lite's.

    Args:
        weights: what ``dpiqa-train`` wrote.
        device: ``auto`` for CUDA, else MPS, else the CPU; or a torch device.

    Raises:
        DPIQAError: they are none of those, or the teacher's prompts were not embedded.
    """
    from dpiqa_plugin import fingerprint, metrics

    said = about(weights) if weights.is_file() and is_safetensors(weights) else {}
    kind = said.get("model", "lite")
    builders = {"teacher": metrics.DPIQA, "student": metrics.DPIQAStudent, "lite": metrics.DPIQALite}
    if not (build := builders.get(str(kind))):
        raise WeightsError(f"{weights} is of an unknown model, {kind!r}; update dpiqa")
    identity = f"{kind}-{fingerprint.sha256(weights)[:12]}" if weights.is_file() else kind
    metric = build(weights=weights)
    backend = _OnTorch(metric, metric.predict, _INPUT_SIZES[kind], usable_device(device), identity)
    return Scorer(weights.name, backend, "biq2021" if kind == "lite" else said.get("dataset", ""))


def lite_scorer(model: Lite, device: str) -> Scorer:
    """Make a ``dpiqa_lite`` ready that is being trained."""
    backend = _OnTorch(model, model, LITE_INPUT_SIZE, torch.device(device), "dpiqa_lite-in-training")
    return Scorer("dpiqa_lite", backend, "biq2021")


class _OnTorch:
    """A back end for weights of ours that have no name in pyiqa; see ``Backend``.

    Args:
        module: is moved to the device.
        predict: what of it judges images (N, 3, S, S) in 0..1.
        input_size: S.
        device: where to judge.
        identity: of the weights.
    """

    lower_better = False
    score_range: tuple[float, float] | None = (0.0, 1.0)

    def __init__(
        self,
        module: nn.Module,
        predict: Callable[[Tensor], QualityPrediction],
        input_size: int,
        device: torch.device,
        identity: str,
    ) -> None:
        module.to(device).to(memory_format=torch.channels_last).eval()  # a fifth less time
        self._predict = predict
        self._device = device
        # On a CPU a teacher's score depends on its neighbours, by up to a thousandth.
        self.batch_size = 1 if device.type == "cpu" else 8
        self.input_size: int | None = input_size
        self.identity = identity
        self.description = f"{identity} on torch, {device}"

    def load(self) -> None:
        """See ``Backend.load``; the constructor has done it."""

    @torch.inference_mode()
    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """See ``Backend.judge``; never gives maps."""
        images = torch.from_numpy(np.stack(photos)).to(self._device).permute(0, 3, 1, 2).float().div(255)
        score, _, deviation = self._predict(images)
        uncertainties = None if deviation is None else deviation.squeeze(1).float().cpu().numpy()
        return Judgement(score.squeeze(1).float().cpu().numpy(), uncertainties=uncertainties)
