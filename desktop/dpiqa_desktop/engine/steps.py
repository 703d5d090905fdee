"""What happens to one photo on its way: look up, read and decode, judge, record."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.engine.likeness import likeness
from dpiqa_desktop.engine.photo_file import MAX_PIXELS
from dpiqa_desktop.engine.store import FileState, Judged, Record, Store, content_hash, file_state
from dpiqa_desktop.events import Failed, Notice, Scored
from dpiqa_plugin.errors import PhotoError, StoreError


@dataclass(frozen=True)
class Photo:
    """A photo on its way; every step gives a new one that knows more.

    Attributes:
        path: as found.
        state: of the file before it was read; None if it was not read.
        content: hash of the file's content.
        pixels: uint8 RGB for the back end, from decoding to judging.
        captured_at, likeness: see ``Scored``.
        score, uncertainty: None until there is one; see ``Scored``.
        known: the score came from the store.
        scored_at: when it got it, in seconds since 1970, UTC.
        reason: why there will be no score.
    """

    path: str
    state: FileState | None = None
    content: bytes = b""
    pixels: np.ndarray | None = None
    captured_at: float | None = None
    likeness: int | None = None
    score: float | None = None
    uncertainty: float | None = None
    known: bool = False
    scored_at: float | None = None
    reason: str | None = None

    def found(self, judged: Judged) -> Photo:
        """With what the store says."""
        return replace(
            self,
            captured_at=judged.captured_at,
            likeness=judged.likeness,
            score=judged.score,
            uncertainty=judged.uncertainty,
            known=True,
            scored_at=judged.scored_at,
        )

    def event(self) -> Scored | Failed:
        """What became of it, in the end."""
        if self.score is None:
            return Failed(self.path, self.reason or "the model gave no score for it")
        return Scored(
            self.path,
            self.score,
            self.captured_at,
            self.likeness,
            self.known,
            self.scored_at or 0.0,
            self.uncertainty,
        )


class _Score(NamedTuple):
    """What the model says of one photo."""

    value: float
    uncertainty: float | None


class Steps:
    """The steps, over one back end and one store.

    Args:
        backend: not loaded until a photo needs it.
        store: of the scores there are.
        max_pixels: larger photos are refused.
        force: judge what the store knows, too.
    """

    def __init__(
        self, backend: Backend, store: Store, max_pixels: int = MAX_PIXELS, force: bool = False
    ) -> None:
        self._backend = backend
        self._store = store
        self._max_pixels = max_pixels
        self._force = force
        self._loaded = False
        self._recording = True

    def look_up(self, path: str) -> Photo | None:
        """Take it from the store by path, size and time: the file is not opened. None if it is not there."""
        if self._force:
            return None
        try:
            judged = self._store.find(path, file_state(path), self._backend.identity)
        except (OSError, PhotoError):
            return None  # reading it will tell what is wrong
        return Photo(path).found(judged) if judged else None

    def prepare(self, path: str) -> Photo:
        """Read and decode it, unless the store knows its content: what the decoder threads do."""
        try:
            state = file_state(path)
            photo = Photo(path, state, content_hash(path))
            judged = None if self._force else self._store.find_content(photo.content, self._backend.identity)
            if judged:
                return photo.found(judged)
            decoded = decode(path, self._backend.input_size, self._max_pixels)
            if file_state(path) != state:  # or its score would be kept for the content it had before
                return Photo(path, reason="was changed while it was read; run again to score it")
            return replace(
                photo,
                pixels=decoded.pixels,
                captured_at=decoded.captured_at,
                likeness=likeness(decoded.pixels),
            )
        except PhotoError as error:
            return Photo(path, reason=str(error))
        except OSError as error:
            return Photo(path, reason=error.strerror or str(error))
        except Exception as error:  # one photo never ends a run, whatever a decoder comes up with
            return Photo(path, reason=f"unexpected {type(error).__name__}: {error}")

    def judge(self, photos: list[Photo]) -> list[Photo]:
        """Let the model see those that have pixels.

        Raises:
            DPIQAError: the model cannot be loaded.
        """
        seen = [photo.pixels for photo in photos if photo.pixels is not None]
        if seen and not self._loaded:
            self._backend.load()
            self._loaded = True
        outcomes = iter(self._infer(seen))
        return [photo if photo.pixels is None else _judged(photo, next(outcomes)) for photo in photos]

    def record(self, photos: list[Photo]) -> Iterator[Notice]:
        """Keep what is new in the store; a store that fails is left alone from then on, and said so once."""
        records = [
            Record(
                photo.path,
                photo.state,
                photo.content,
                Judged(photo.score, photo.captured_at, photo.likeness, photo.scored_at, photo.uncertainty),
            )
            for photo in photos
            if photo.score is not None and photo.state is not None
        ]
        if not records or not self._recording:
            return
        try:
            self._store.record(records, self._backend.identity)
        except StoreError as error:
            self._recording = False
            yield Notice(str(error))

    def _infer(self, pixels: list[np.ndarray]) -> list[_Score | str]:
        """One score or reason a photo. If a batch fails, its photos are tried singly: one may be to blame."""
        if not pixels:
            return []
        try:
            judgement = self._backend.judge(pixels)
            scores, uncertainties = judgement.scores.tolist(), [None] * len(pixels)
            if judgement.uncertainties is not None:
                uncertainties = judgement.uncertainties.tolist()
            return [_checked(_Score(*both)) for both in zip(scores, uncertainties, strict=True)]
        except Exception as error:  # the runtimes' errors have no common base
            if len(pixels) == 1:
                return [f"the model could not score it: {error}"]
            return [outcome for photo in pixels for outcome in self._infer([photo])]


def _judged(photo: Photo, outcome: _Score | str) -> Photo:
    if isinstance(outcome, str):
        return replace(photo, pixels=None, reason=outcome)
    return replace(
        photo, pixels=None, score=outcome.value, uncertainty=outcome.uncertainty, scored_at=time.time()
    )


def _checked(score: _Score) -> _Score | str:
    return score if math.isfinite(score.value) else f"the model gave no score for it ({score.value})"
