"""Enter our architectures and metrics into pyiqa's registries."""

from __future__ import annotations

import threading

from dpiqa_plugin.cards import CARDS, ModelCard

_ARCHITECTURES = {"teacher": "DPIQA", "student": "DPIQAStudent", "lite": "DPIQALite"}
_LOCK = threading.Lock()


def register() -> None:
    """Make ``pyiqa.create_metric`` know every metric of `CARDS`. Doing it again is harmless.

    Raises:
        ImportError: pyiqa is missing, or too different from the versions we know.
        AssertionError: another package has registered an architecture of the same name.
    """
    # Outside the lock: another thread may be importing pyiqa and come here before it is done.
    from pyiqa.default_model_configs import DEFAULT_CONFIGS
    from pyiqa.utils.registry import ARCH_REGISTRY

    from dpiqa_plugin import metrics

    with _LOCK:
        if CARDS.keys() <= DEFAULT_CONFIGS.keys():
            return
        for architecture in _ARCHITECTURES.values():
            ARCH_REGISTRY.register(getattr(metrics, architecture))
        DEFAULT_CONFIGS.update({name: _config(card) for name, card in CARDS.items()})


def _config(card: ModelCard) -> dict[str, object]:
    low, high = card.score_range
    return {
        "metric_opts": {"type": _ARCHITECTURES[card.architecture], "weights": card.dataset},
        "metric_mode": "NR",
        "lower_better": card.lower_better,
        "score_range": f"~{low:g}, ~{high:g}",
    }
