"""Any no-reference metric of pyiqa, ours included, on whatever torch runs on."""

from __future__ import annotations

import difflib
import hashlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from dpiqa_desktop.engine.backends import Judgement
from dpiqa_plugin import fingerprint, freed_memory
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import DPIQAError, MetricError, MissingExtraError, UsageError
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE, LITE_INPUT_SIZE

if TYPE_CHECKING:
    import torch

_INPUT_SIZES = {"teacher": DPIQA_INPUT_SIZE, "student": DPIQA_INPUT_SIZE, "lite": LITE_INPUT_SIZE}
_NOT_FOR_ONE_PHOTO = {  # no-reference by pyiqa's table, yet not a judgement of one photo
    "clipscore": "it compares photos with captions",
    "fid": "it compares folders",
    "fid_dinov2": "it compares folders",
    "inception_score": "it judges a folder as a whole",
    "sfid": "it compares folders",
}
_BATCH_ON_GPU = 8


class TorchBackend:
    """A pyiqa metric; see ``Backend``.

    Our own metrics get photos squashed to their input while decoding, which gives what they would do
    themselves; all others get whole photos.

    Args:
        metric: name in pyiqa.
        device: ``"auto"`` for CUDA, else MPS, else CPU; or any device that torch knows.

    Raises:
        MissingExtraError: torch or pyiqa is not installed.
        UsageError: no such metric or device here, or the metric cannot judge a photo on its own.
        DPIQAError: the metric could not be loaded.
    """

    def __init__(self, metric: str, device: str) -> None:
        # Threads of torch that wait by spinning take the cores from OpenVINO's, which a third of the teacher
        # runs on; torch alone is as fast so. Read when it is imported: in vain if it has been.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            import pyiqa
            import torch
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"the metric {metric} on {device}", "pyiqa") from error
        configuration = _configuration(metric)
        self._torch = torch
        self._device = usable_device(device)
        try:
            self._metric = pyiqa.create_metric(metric, device=self._device)
        except DPIQAError:
            raise
        except Exception as error:  # pyiqa's metrics fail in as many ways as they have authors
            raise MetricError(f"pyiqa could not load the metric {metric}: {error}") from error
        card = CARDS.get(metric)
        digest = fingerprint.of(find_weights(card)) if card else _weights_digest(self._metric)
        self.identity = f"{metric}-{digest[:12]}"
        self.input_size = _INPUT_SIZES[card.architecture] if card else None
        self.lower_better = bool(configuration.get("lower_better", False))
        self.score_range = _range(configuration.get("score_range"))
        # Whole photos are seldom of equal size. On a CPU the teacher is some per cent faster four at a time,
        # but then a photo's score depends on its neighbours, by up to a thousandth.
        self.batch_size = _BATCH_ON_GPU if card and self._device.type != "cpu" else 1
        self.description = f"{metric} on torch, {self._device}"
        self._ours = card is not None
        self._precision = (
            _fast_precision(self._device) if card and card.architecture != "teacher" else nullcontext()
        )
        self._most = sys.maxsize
        if self._ours:
            self._metric.to(memory_format=torch.channels_last)
            if self._device.type == "cpu":
                freed_memory.keep_freed_memory()

    def load(self) -> None:
        """See ``Backend.load``; the constructor has done it, to know whether the metric can be had."""

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """See ``Backend.judge``. Photos of equal size share a call of the metric.

        When the GPU's memory is full the batch is halved, and later ones are no larger.
        """
        places = defaultdict(list)
        for index, photo in enumerate(photos):
            places[photo.shape].append(index)
        scores = np.empty(len(photos), dtype=np.float32)
        uncertainties: np.ndarray | None = None
        found: list[np.ndarray] = [np.empty(0)] * len(photos)
        for indices in places.values():
            for some, judgement in self._in_batches(photos, indices, maps):
                scores[some] = judgement.scores
                if judgement.uncertainties is not None:
                    uncertainties = np.empty_like(scores) if uncertainties is None else uncertainties
                    uncertainties[some] = judgement.uncertainties
                for index, map_ in zip(some, () if judgement.maps is None else judgement.maps, strict=False):
                    found[index] = map_
        return Judgement(scores, np.stack(found) if maps and self._ours else None, uncertainties)

    def _in_batches(
        self, photos: list[np.ndarray], indices: list[int], maps: bool
    ) -> Iterator[tuple[list[int], Judgement]]:
        while indices:
            some = indices[: self._most]
            try:
                judgement = self._judge_stack(np.stack([photos[i] for i in some]), maps)
            except self._torch.cuda.OutOfMemoryError:
                if len(some) == 1:
                    raise
                self._most = len(some) // 2
                self._torch.cuda.empty_cache()
                continue
            yield some, judgement
            indices = indices[len(some) :]

    def _judge_stack(self, stack: np.ndarray, maps: bool) -> Judgement:
        # Some metrics judge random crops: the same crops each time, or a score would depend on what came
        # before.
        self._torch.manual_seed(0)
        np.random.seed(0)
        images = self._torch.from_numpy(stack).to(self._device).permute(0, 3, 1, 2).float().div(255)
        if self._ours:
            with self._torch.inference_mode(), self._precision:
                score, map_, deviation = self._metric.net.predict(images)
            return Judgement(
                _numbers(score),
                map_.float().cpu().numpy() if maps else None,
                None if deviation is None else _numbers(deviation),
            )
        output = self._metric(images)
        scores = _numbers(output[0] if isinstance(output, tuple) else output)
        if len(scores) != len(stack):
            raise ValueError(f"the metric gave {len(scores)} numbers for {len(stack)} photos")
        return Judgement(scores)


def _fast_precision(device: torch.device) -> AbstractContextManager[object]:
    """Choose what the lite model and the students compute in; the teacher has its own option for that.

    float16 moved no score of the lite model by more than 0.0006 on 40 photos, bfloat16 one by 0.015: where
    only that is fast, it stays float32. (Of students random weights were looked at; nothing on a GPU.)
    """
    import torch

    from dpiqa_plugin.models.precision import fast_type

    return torch.autocast(device.type, torch.float16) if fast_type(device) == torch.float16 else nullcontext()


def _numbers(score: torch.Tensor) -> np.ndarray:
    numbers: np.ndarray = score.detach().float().cpu().numpy().reshape(-1)
    return numbers


def _weights_digest(metric: Any) -> str:
    """Of all that a metric's network has learnt; of pyiqa's version where that is nothing."""
    import pyiqa
    import torch

    digest = hashlib.sha256(pyiqa.__version__.encode())
    for name, value in sorted(metric.net.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _configuration(metric: str) -> dict[str, Any]:
    """Look a metric up in pyiqa's table, which holds ours as well."""
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    if metric not in DEFAULT_CONFIGS:
        close = difflib.get_close_matches(metric, DEFAULT_CONFIGS, n=3)
        advice = f"did you mean {' or '.join(close)}?" if close else "'pyiqa -ls' lists all"
        raise UsageError(f"there is no metric {metric}; {advice}")
    configuration: dict[str, Any] = DEFAULT_CONFIGS[metric]
    if configuration.get("metric_mode") != "NR":
        raise UsageError(
            f"the metric {metric} needs a reference for every photo; choose a no-reference metric"
        )
    if metric in _NOT_FOR_ONE_PHOTO:
        raise UsageError(f"the metric {metric} cannot judge a single photo: {_NOT_FOR_ONE_PHOTO[metric]}")
    return configuration


def _range(text: str | None) -> tuple[float, float] | None:
    """Read pyiqa's notation, ``"~0, ~1"``, or ``"0, ~"`` for no end; not all of its metrics have one."""
    try:
        low, high = (end.strip().lstrip("~") for end in (text or "").split(","))
        return float(low or "-inf"), float(high or "inf")
    except ValueError:
        return None


def usable_device(name: str) -> torch.device:
    """Give a device of torch; ``auto`` is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: it is not here, or torch knows no such.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"the device {name} cannot be used here: {str(error).splitlines()[0]}") from error
    return device
