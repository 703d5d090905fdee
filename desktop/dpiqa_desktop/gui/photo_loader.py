"""Whole photos for the eye: decoded in a few threads, kept within a bound, the next ones before they are due.

The engine decodes, as for scoring; here it is put into the form that is painted quickly.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from dpiqa_desktop.engine.camera_settings import CameraSettings, camera_settings
from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.engine.machine import usable_cores
from dpiqa_desktop.engine.thumbnail import thumbnail
from dpiqa_plugin.errors import PhotoError

MOST_BYTES = 320 << 20
"""Of decoded photos: three of 24 megapixels, the one that is seen and those beside it. With what is being
decoded the window stays below 700 MB so; with four that are compared, too."""

# While a photo is decoded it takes so many times what it takes then: Pillow has its pixels, too.
_DECODING = 1.7

QUICK_SIDE = 750
"""Pixels of the picture that is seen until the photo is decoded. A JPEG 6000 pixels wide is decoded at a
quarter of its scale for it: 90 ms of CPU time, where the photo itself takes 380; for 1024 it would be 180."""

_BAND = 512  # rows; even

_log = logging.getLogger(__name__)

# A level is no smaller than this: painting it scaled down costs nothing any more.
_SMALLEST_LEVEL = 512


@dataclass(frozen=True, eq=False)
class FullPhoto:
    """A decoded photo, upright, RGB.

    Attributes:
        size: width and height in pixels.
        levels: the photo, then halved again and again, so that each zoom has one that is at most twice too
            large: scaling down by more in one step makes patterns of fine detail.
        settings: of the camera.
        pixels: what the first level's memory belongs to.
    """

    size: tuple[int, int]
    levels: tuple[QImage, ...]
    settings: CameraSettings
    pixels: np.ndarray

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return sum(level.sizeInBytes() for level in self.levels)

    def level(self, zoom: float) -> QImage:
        """The smallest level that is not enlarged at ``zoom``."""
        width = self.size[0] * zoom
        return next((level for level in reversed(self.levels) if level.width() >= width), self.levels[0])


def load_photo(path: str) -> FullPhoto:
    """Decode a photo and halve it. Peak memory: 7 bytes a pixel.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    pixels = decode(path, None).pixels
    height, width = pixels.shape[:2]
    levels = [QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)]
    smaller = pixels
    while min(smaller.shape[:2]) >= 2 * _SMALLEST_LEVEL:
        smaller = _halved(smaller)
        levels.append(_image(smaller))
    settings = CameraSettings()
    with contextlib.suppress(PhotoError):  # it was there a moment ago, and its pixels are
        settings = camera_settings(path)
    return FullPhoto((width, height), tuple(levels), settings, pixels)


def load_quickly(path: str) -> QImage:
    """A small picture of the photo, for the time until it is decoded.

    Raises:
        PhotoError: with the reason, whatever is wrong with the file.
    """
    return jpeg_image(thumbnail(path, QUICK_SIDE))


def jpeg_image(data: bytes) -> QImage:
    """Decode a small JPEG, in any thread.

    Raises:
        OSError: it is damaged, or none.
    """
    # Not by QImage.fromData: it holds Python's lock while it waits for one of Qt's, and whoever has that may
    # be waiting for Python to translate a text. That was seen to end in a deadlock.
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return _image(np.asarray(image.convert("RGB")))


class PhotoLoader(QObject):
    """Loads photos in the order of wishes; to be used from the window's thread only.

    Signals:
        loaded(path, FullPhoto): a wish came true.
        quick(path, QImage): a small picture of one that is looked at now, before the photo is there.
        failed(path, reason): it could not be read. It is tried again when it becomes urgent, or was not
            wished for in between.

    Args:
        most_bytes: of decoded photos that are kept, and will be when they are decoded; what is urgent is kept
            however large it is.
        parent: as in Qt.
    """

    loaded = Signal(str, object)
    quick = Signal(str, QImage)
    failed = Signal(str, str)
    # From the threads to the window's: Qt queues them.
    _done = Signal(object, object)

    def __init__(self, most_bytes: int = MOST_BYTES, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._most_bytes = most_bytes
        self._photos: OrderedDict[str, FullPhoto] = OrderedDict()
        self._wishes: tuple[str, ...] = ()
        self._urgent: tuple[str, ...] = ()
        self._failed: set[str] = set()
        self._waiting: list[_Job] = []
        self._running: set[_Job] = set()
        self._threads = min(2, usable_cores())
        # One more for quick pictures: they must not wait for a photo that was wished for before.
        self._pool = ThreadPoolExecutor(self._threads + 1, thread_name_prefix="photo")
        self._closed = False
        self._generation = 0
        self._done.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def get(self, path: str) -> FullPhoto | None:
        """The photo, if it is there."""
        photo = self._photos.get(path)
        if photo is not None:
            self._photos.move_to_end(path)
        return photo

    def want(self, paths: Sequence[str], urgent: int = 1) -> None:
        """Say which photos will be looked at, the most urgent first; earlier wishes are forgotten.

        Args:
            paths: each is loaded unless it is there; those that do not fit into memory are not.
            urgent: how many of them are looked at now: they get a quick picture first, and are loaded and
                kept however large they are.
        """
        urgent_before = self._urgent
        self._wishes = tuple(dict.fromkeys(paths))
        self._urgent = self._wishes[:urgent]
        forgiven = set(self._urgent).difference(urgent_before)
        self._failed = self._failed.intersection(self._wishes) - forgiven
        missing = [path for path in self._wishes if path not in self._photos and path not in self._failed]
        now = [path for path in missing if path in self._urgent]
        jobs = [self._job(path, quick=True) for path in now if self._job(path) not in self._running]
        jobs += [self._job(path) for path in missing]
        self._waiting = [job for job in jobs if job not in self._running]
        self._start_waiting()

    @property
    def is_busy(self) -> bool:
        """Whether anything is being decoded."""
        return bool(self._running)

    def clear(self) -> None:
        """Forget all photos: another folder is opened, or files have changed."""
        self._generation += 1
        self._photos.clear()
        self._failed.clear()
        self._wishes, self._urgent, self._waiting = (), (), []

    def close(self) -> None:
        """End the threads; what is being decoded is finished first."""
        self.clear()
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _job(self, path: str, quick: bool = False) -> _Job:
        return _Job(path, quick, self._generation)

    def _start_waiting(self) -> None:
        for job in () if self._closed else tuple(self._waiting):
            if self._has_room(job):
                if not job.quick:
                    self._let_go(self._largest())
                self._waiting.remove(job)
                self._running.add(job)
                self._pool.submit(self._work, job)

    def _has_room(self, job: _Job) -> bool:
        alike = sum(running.quick == job.quick for running in self._running)
        if job.quick:
            return alike < 1
        fits = self._held() + (alike + 1) * _DECODING * self._largest() <= self._most_bytes
        # Large ones one after the other, as what decoding takes comes on top.
        return (alike == 0 or (alike < self._threads and fits)) and (
            job.path in self._urgent or self._has_memory(alike + 1)
        )

    def _has_memory(self, more: int) -> bool:
        """Whether so many more photos fit beside those wished for, if they are like the largest of them."""
        wished = [self._photos[path].bytes for path in self._wishes if path in self._photos]
        return sum(wished) + more * max(wished, default=0) <= self._most_bytes

    def _held(self) -> int:
        return sum(photo.bytes for photo in self._photos.values())

    def _largest(self) -> int:
        return max((photo.bytes for photo in self._photos.values()), default=0)

    def _work(self, job: _Job) -> None:
        """In a thread: do the job and hand over what came of it."""
        outcome: FullPhoto | QImage | str
        try:
            outcome = load_quickly(job.path) if job.quick else load_photo(job.path)
        except PhotoError as error:
            outcome = str(error)
        except Exception as error:  # one photo never ends the program, whatever a decoder comes up with
            outcome = f"unexpected {type(error).__name__}: {error}"
            _log.exception("%s was not decoded", job.path)
        _release_memory()
        with contextlib.suppress(RuntimeError):  # the window is gone, and this object with it
            self._done.emit(job, outcome)

    def _take(self, job: _Job, outcome: FullPhoto | QImage | str | None) -> None:
        self._running.discard(job)
        if job.generation != self._generation:
            outcome = None  # of files as they were before
        if isinstance(outcome, FullPhoto):
            self._keep(job.path, outcome)
            self.loaded.emit(job.path, outcome)
        elif isinstance(outcome, QImage):
            if job.path not in self._photos:
                self.quick.emit(job.path, outcome)
        elif outcome is not None and not job.quick:  # the photo itself will tell
            self._failed.add(job.path)
            self.failed.emit(job.path, outcome)
        self._start_waiting()

    def _keep(self, path: str, photo: FullPhoto) -> None:
        self._photos[path] = photo
        self._let_go(0)
        wishes = [wish for wish in reversed(self._wishes) if wish in self._photos]
        self._drop((wish for wish in wishes if wish not in self._urgent), self._most_bytes)

    def _let_go(self, coming: int) -> None:
        """Make room for so many bytes: let go of what nobody wishes for, what was seen longest ago first."""
        spare = [known for known in self._photos if known not in self._wishes]
        self._drop(spare, self._most_bytes - coming)

    def _drop(self, paths: Iterable[str], most: int) -> None:
        for path in paths:
            if self._held() <= most:
                return
            del self._photos[path]


@dataclass(frozen=True)
class _Job:
    path: str
    quick: bool
    generation: int


def _release_memory() -> None:
    """Have the C library give back what it keeps for later: 100 MB and more of what decoding takes."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # one without, such as musl
            ctypes.CDLL(None).malloc_trim(0)


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Each 2 x 2 pixels to one. In bands, because Pillow wants a copy of what it reduces."""
    bands = (Image.fromarray(pixels[top : top + _BAND]) for top in range(0, len(pixels), _BAND))
    return np.concatenate([np.asarray(band.reduce(2)) for band in bands])


def _image(pixels: np.ndarray) -> QImage:
    """RGB32 with memory of its own: painted three times as fast as RGB888 when it is scaled."""
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).convertToFormat(
        QImage.Format.Format_RGB32
    )
