"""What turns pixels into scores: the interface, and the choice of one by metric, device and wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dpiqa_desktop.engine.machine import has_gpu
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import UsageError

_ON_OPENVINO = ("lite", "student")


@dataclass(frozen=True)
class Judgement:
    """What a model says of N photos.

    Attributes:
        scores: float32 (N,), in the metric's own scale.
        maps: float32 (N, C, H, W), the features that the score is decoded from; None if the metric has none.
        uncertainties: float32 (N,), the standard deviation, in units of the score, that raters' mean opinion
            is expected to have around it; None if the metric does not say.
    """

    scores: np.ndarray
    maps: np.ndarray | None = None
    uncertainties: np.ndarray | None = None


class Backend(Protocol):
    """A metric on a device.

    Attributes:
        description: one line for the user, what runs where.
        identity: name and weights: scores of equal identity may be compared, and kept.
        input_size: side of the square that photos must be squashed to; None for photos of their own size.
        lower_better: a lower score is a better photo.
        score_range: lowest and highest score, about, infinite where there is no end; None if not known.
        batch_size: photos to a call that it works best with.
    """

    description: str
    identity: str
    input_size: int | None
    lower_better: bool
    score_range: tuple[float, float] | None
    batch_size: int

    def load(self) -> None:
        """Make it ready to judge; costs time only where there is something to judge.

        Raises:
            DPIQAError: the model is damaged or does not run here.
        """

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """Judge photos.

        Args:
            photos: uint8 RGB arrays (H, W, 3); all (input_size, input_size, 3) unless that is None.
            maps: give feature maps, too.

        Raises:
            Exception: whatever the runtime raises; the call may be repeated with fewer photos.
        """


def create_backend(
    metric: str, device: str = "auto", backend: str = "auto", cores: int | None = None
) -> Backend:
    """Choose what ``metric`` runs on.

    OpenVINO, which needs no torch, runs ``dpiqa_lite`` and the students on the CPU. ``dpiqa_lite`` goes there
    even where there is a GPU, unless a device is asked for: it waits for the decoders anyway. All else runs
    on torch.

    Args:
        metric: name in pyiqa.
        device: ``"auto"``, ``"cpu"`` or a torch device.
        backend: ``"auto"``, ``"openvino"`` or ``"torch"``.
        cores: of this machine that OpenVINO may use, where others are at work; None for all.

    Raises:
        UsageError: there is no such metric or device, the metric cannot judge a single photo, or the back end
            cannot run it there.
        MissingExtraError: the metric needs packages that are not installed.
        DPIQAError: its weights cannot be had.
    """
    architecture = CARDS[metric].architecture if metric in CARDS else None
    possible = architecture in _ON_OPENVINO and device in ("auto", "cpu")
    if backend == "openvino" and not possible:
        raise UsageError(
            f"--backend openvino runs dpiqa_lite and dpiqa_student on the CPU, not {metric} on {device}"
        )
    better_on_gpu = architecture == "student" and device == "auto" and has_gpu()
    if backend == "openvino" or (backend == "auto" and possible and not better_on_gpu):
        from dpiqa_desktop.engine.backends.openvino_backend import OpenVINOBackend

        return OpenVINOBackend(CARDS[metric], cores)
    from dpiqa_desktop.engine.backends.torch_backend import TorchBackend

    return TorchBackend(metric, device)
