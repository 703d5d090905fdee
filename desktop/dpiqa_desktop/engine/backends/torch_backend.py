"""Any no-reference metric of pyiqa, ours included, on whatever torch runs on."""

from __future__ import annotations

import difflib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import DPIQAError, MetricError, MissingExtraError, UsageError
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
        try:
            import pyiqa
            import torch
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"--metric {metric} on --device {device}", "pyiqa") from error
        configuration = _configuration(metric)
        self._torch = torch
        self._device = _usable_device(device)
        try:
            self._metric = pyiqa.create_metric(metric, device=self._device)
        except DPIQAError:
            raise
        except Exception as error:  # pyiqa's metrics fail in as many ways as they have authors
            raise MetricError(f"pyiqa could not load the metric {metric}: {error}") from error
        card = CARDS.get(metric)
        self.input_size = _INPUT_SIZES[card.architecture] if card else None
        self.lower_better = bool(configuration.get("lower_better", False))
        # Whole photos are seldom of equal size, and a CPU gains nothing from batches of a large model.
        self.batch_size = _BATCH_ON_GPU if card and self._device.type != "cpu" else 1
        self.description = f"{metric} on torch, {self._device}"

    def score(self, photos: list[np.ndarray]) -> np.ndarray:
        """See ``Backend.score``. Photos of equal size share a call of the metric."""
        places = defaultdict(list)
        for index, photo in enumerate(photos):
            places[photo.shape].append(index)
        scores = np.empty(len(photos), dtype=np.float32)
        for indices in places.values():
            scores[indices] = self._score_stack(np.stack([photos[i] for i in indices]))
        return scores

    def _score_stack(self, stack: np.ndarray) -> np.ndarray:
        # Some metrics judge random crops: the same crops each time, or a score would depend on what came
        # before.
        self._torch.manual_seed(0)
        np.random.seed(0)
        images = self._torch.from_numpy(stack).to(self._device).permute(0, 3, 1, 2).float().div(255)
        output = self._metric(images)
        first = output[0] if isinstance(output, tuple) else output
        scores: np.ndarray = first.detach().float().cpu().numpy().reshape(-1)
        if len(scores) != len(stack):
            raise ValueError(f"the metric gave {len(scores)} numbers for {len(stack)} photos")
        return scores


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


def _usable_device(name: str) -> torch.device:
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from error
    return device
