"""What turns pixels into scores: the interface, and the choice of one by metric and device."""

from __future__ import annotations

from typing import Protocol

import numpy as np

_LITE = "dpiqa_lite"


class Backend(Protocol):
    """A metric, loaded and ready.

    Attributes:
        description: one line for the user, what runs where.
        input_size: side of the square that photos must be squashed to; None for photos of their own size.
        lower_better: a lower score is a better photo.
        batch_size: photos to a call that it works best with.
    """

    description: str
    input_size: int | None
    lower_better: bool
    batch_size: int

    def score(self, photos: list[np.ndarray]) -> np.ndarray:
        """Judge photos.

        Args:
            photos: uint8 RGB arrays (H, W, 3); all (input_size, input_size, 3) unless that is None.

        Returns:
            float32 array (N,), in the metric's own scale.

        Raises:
            Exception: whatever the runtime raises; the call may be repeated with fewer photos.
        """


def create_backend(metric: str, device: str) -> Backend:
    """Load ``metric`` for ``device`` (``"auto"``, ``"cpu"`` or a torch device).

    The bundled model runs on OpenVINO, without torch, unless a device other than the CPU is asked for.

    Raises:
        UsageError: there is no such metric or device, or the metric cannot judge a single photo.
        MissingExtraError: the metric needs packages that are not installed.
        DPIQAError: its weights cannot be had.
    """
    if metric == _LITE and device in ("auto", "cpu"):
        from dpiqa_desktop.engine.backends.openvino_backend import OpenVINOBackend

        return OpenVINOBackend()
    from dpiqa_desktop.engine.backends.torch_backend import TorchBackend

    return TorchBackend(metric, device)
