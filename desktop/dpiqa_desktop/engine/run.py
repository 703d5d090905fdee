"""The engine's main path, and the one place where stages, workers and bounds are chosen."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.decode import Decoded, decode
from dpiqa_desktop.engine.scan import Found
from dpiqa_desktop.events import Event, Failed, Scored
from dpiqa_plugin.errors import PhotoError


@dataclass(frozen=True)
class Stages:
    """How the work is spread.

    Attributes:
        decoders: threads that decode; Pillow releases the GIL while it does.
        window: photos in the pipeline at most, from the start of decoding to their score: what bounds memory.
        batch: photos to a call of the back end at most.
    """

    decoders: int
    window: int
    batch: int


def choose_stages(backend: Backend, batch_size: int | None) -> Stages:
    """Choose for this machine; ``batch_size`` is the user's wish, if any."""
    batch = batch_size or backend.batch_size
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if backend.input_size is None:
        # Whole photos, 72 MB each at 24 megapixels: no more than the model is working on, and the next ones.
        decoders = min(cores, 2)
        return Stages(decoders, batch + decoders, batch)
    # Squashed photos, 0.4 MB each: while one batch is being scored, the next is ready and another is being
    # decoded.
    return Stages(cores, 2 * batch + cores, batch)


def run(found: Found, backend: Backend, batch_size: int | None = None) -> Generator[Event, None, None]:
    """Score photos: decode in threads, infer in the caller's thread, one event a photo, in the order found.

    Close the iterator to cancel; what is being decoded then is finished and dropped. No photo can end the
    run: what is wrong with it becomes its ``Failed``.
    """
    stages = choose_stages(backend, batch_size)
    yield from found.unreadable
    photos = iter(found.photos)
    pool = ThreadPoolExecutor(stages.decoders, thread_name_prefix="decode")
    window: deque[Decoding] = deque()
    try:
        while True:
            for path in islice(photos, stages.window - len(window)):
                window.append(Decoding(path, pool.submit(decode, path, backend.input_size)))
            if not window:
                return
            yield from _score(_take_batch(window, stages.batch), backend)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class Decoding:
    """A photo on its way through the pipeline."""

    path: str
    pixels: Future[Decoded]


def _take_batch(window: deque[Decoding], most: int) -> list[Decoding]:
    """Take the first photo, waiting for it, and those after it that are ready, so the model is never idle."""
    batch = [window.popleft()]
    batch[0].pixels.exception()
    while window and len(batch) < most and window[0].pixels.done():
        batch.append(window.popleft())
    return batch


def _score(batch: list[Decoding], backend: Backend) -> Iterator[Event]:
    """Turn a batch into its events, in its order."""
    good = [photo for photo in batch if photo.pixels.exception() is None]
    scores = iter(_infer([photo.pixels.result().pixels for photo in good], backend))
    for photo in batch:
        problem = photo.pixels.exception()
        outcome = _decoding_reason(problem) if problem else next(scores)
        yield Failed(photo.path, outcome) if isinstance(outcome, str) else Scored(photo.path, outcome)


def _infer(photos: list[np.ndarray], backend: Backend) -> list[float | str]:
    """One score or reason a photo. If a batch fails, its photos are tried singly: one may be to blame."""
    if not photos:
        return []
    try:
        return [_checked(score) for score in backend.score(photos).tolist()]
    except Exception as error:  # the runtimes' errors have no common base
        if len(photos) == 1:
            return [f"the model could not score it: {error}"]
        return [outcome for photo in photos for outcome in _infer([photo], backend)]


def _checked(score: float) -> float | str:
    return score if math.isfinite(score) else f"the model gave no score for it ({score})"


def _decoding_reason(problem: BaseException) -> str:
    return (
        str(problem) if isinstance(problem, PhotoError) else f"unexpected {type(problem).__name__}: {problem}"
    )
