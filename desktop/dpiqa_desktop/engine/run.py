"""The engine's main path, and the one place where stages, workers and bounds are chosen.

caller's thread:  look up -> submit                       wait -> judge -> record -> events
decoder threads:              `-> read -> decode -> preprocess -'
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.machine import usable_cores
from dpiqa_desktop.engine.steps import Photo, Steps
from dpiqa_desktop.events import Event, Failed, Progress, Scored


@dataclass(frozen=True)
class Stages:
    """How the work is spread.

    Attributes:
        decoders: threads that read, decode and preprocess; they hold no lock while they do.
        window: photos in the pipeline at most, from the start of reading to their score: what bounds memory.
        batch: photos to a call of the back end at most.
    """

    decoders: int
    window: int
    batch: int


def choose_stages(backend: Backend, batch_size: int | None = None) -> Stages:
    """Choose for this machine; ``batch_size`` is the user's wish, if any."""
    batch = batch_size or backend.batch_size
    cores = usable_cores()
    if backend.input_size is None:
        # Whole photos, 72 MB each at 24 megapixels: no more than the model is working on, and the next ones.
        decoders = min(cores, 2)
        return Stages(decoders, batch + decoders, batch)
    # Squashed photos, 0.4 MB each: while one batch is being scored, the next is ready and another is being
    # decoded.
    return Stages(cores, 2 * batch + cores, batch)


def run(
    photos: Sequence[str], steps: Steps, stages: Stages, cancel: threading.Event | None = None
) -> Generator[Event, None, None]:
    """Score photos: one ``Scored`` or ``Failed`` each, in their order, and ``Progress`` after every batch.

    A batch is in the store before its events are told. No photo can end the run: what is wrong with it
    becomes its ``Failed``. To cancel, set ``cancel`` from any thread, or close the iterator: what is being
    decoded then is finished and dropped.

    Raises:
        DPIQAError: the model cannot be loaded, at the first photo that needs it.
    """
    waiting = iter(photos)
    window: deque[Photo | Future[Photo]] = deque()
    tally = _Tally(len(photos))
    pool = ThreadPoolExecutor(stages.decoders, thread_name_prefix="decode")
    try:
        while not (cancel and cancel.is_set()):
            for path in islice(waiting, stages.window - len(window)):
                window.append(steps.look_up(path) or pool.submit(steps.prepare, path))
            if not window:
                return
            batch = steps.judge(_take_batch(window, stages.batch))
            yield from steps.record(batch)
            for photo in batch:
                yield tally.counted(photo.event())
            yield tally.progress()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _take_batch(window: deque[Photo | Future[Photo]], most: int) -> list[Photo]:
    """Take the first photo, waiting for it, and those after it that are ready, so the model is never idle."""
    batch = [_result(window.popleft())]
    while window and len(batch) < most and _is_ready(window[0]):
        batch.append(_result(window.popleft()))
    return batch


def _is_ready(photo: Photo | Future[Photo]) -> bool:
    return isinstance(photo, Photo) or photo.done()


def _result(photo: Photo | Future[Photo]) -> Photo:
    return photo if isinstance(photo, Photo) else photo.result()


class _Tally:
    """Counts events into ``Progress``."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._failed = self._fresh = 0
        self._started = time.monotonic()

    def counted(self, event: Event) -> Event:
        self._done += 1
        if isinstance(event, Failed):
            self._failed += 1
        elif isinstance(event, Scored) and not event.known:
            self._fresh += 1
        return event

    def progress(self) -> Progress:
        rate = self._fresh / max(time.monotonic() - self._started, 1e-9)
        eta = (self._total - self._done) / rate if rate else None
        return Progress(self._done, self._failed, self._total, rate, eta)
