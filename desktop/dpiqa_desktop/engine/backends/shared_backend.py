"""One model in memory for several threads: they take turns."""

from __future__ import annotations

import threading

import numpy as np

from dpiqa_desktop.engine.backends import Backend, Judgement


class SharedBackend:
    """A back end that may be loaded and asked from any thread; see ``Backend``.

    The back ends themselves may not: OpenVINO's queue of requests has one callback at a time. A copy for each
    thread would cost memory: the teacher's would not fit beside the first.

    Args:
        backend: used through this only from now on.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._loaded = False
        self.description = backend.description
        self.identity = backend.identity
        self.input_size = backend.input_size
        self.lower_better = backend.lower_better
        self.score_range = backend.score_range
        self.batch_size = backend.batch_size

    def load(self) -> None:
        """See ``Backend.load``; a second call does nothing, unless the first failed."""
        with self._lock:
            if not self._loaded:
                self._backend.load()
                self._loaded = True

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """See ``Backend.judge``; waits for the call of another thread."""
        with self._lock:
            return self._backend.judge(photos, maps)
