"""Where the model responds: the feature map that a score is decoded from, as a picture over the photo."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PySide6.QtCore import QCoreApplication, QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.decode import decode
from dpiqa_plugin.errors import DPIQAError

# Dark violet, red, yellow: from dark to bright, so that weak and strong differ without colours, too.
_STOPS = ((0.0, (13, 8, 60)), (0.35, (125, 20, 110)), (0.65, (229, 75, 60)), (1.0, (255, 235, 110)))
_OPACITY = 0.6
_SIDE = 384
_MOST_KEPT = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class QualityMap:
    """Where a model responded to a photo.

    Attributes:
        strength: float32 (H, W), 0 where it responded least in this photo, 1 where most.
        channels: of the feature map, over which the norm was taken.
        image: the same in colours, to be stretched over the photo.
    """

    strength: np.ndarray
    channels: int
    image: QImage


def make_map(features: np.ndarray) -> QualityMap:
    """Turn features (C, H, W) into a picture: the norm over the channels, from its least to its most."""
    norm = np.sqrt(np.square(features, dtype=np.float32).sum(axis=0))
    low, high = float(norm.min()), float(norm.max())
    strength = (norm - low) / (high - low) if high > low else np.zeros_like(norm)
    return QualityMap(strength, len(features), _coloured(strength))


class QualityMaps(QObject):
    """Makes quality maps in a thread, one at a time, and keeps the last ones.

    Signals:
        ready(path, QualityMap)
        failed(path, reason)
        model_changed(): maps that are shown are another model's.

    Args:
        make_backend: called in the thread, when the first map is asked for. If the back end also scores in
            another thread, it must be a ``SharedBackend``.
        parent: as in Qt.
    """

    ready = Signal(str, object)
    failed = Signal(str, str)
    model_changed = Signal()
    _done = Signal(object, str, object)

    def __init__(self, make_backend: Callable[[], Backend], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_backend = make_backend
        self._model = _Model(make_backend)
        self._maps: OrderedDict[str, QualityMap] = OrderedDict()
        self._wanted: list[str] = []
        self._working = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="quality-map")
        self._done.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def set_backend(self, make_backend: Callable[[], Backend]) -> None:
        """Another model is chosen: the maps of the one before are forgotten."""
        self._make_backend = make_backend
        self.clear()
        self.model_changed.emit()

    def clear(self) -> None:
        """Forget all maps, and the one that is being made: another folder is opened, or files changed."""
        self._model = _Model(self._make_backend)
        self._maps.clear()
        self._wanted = []

    def get(self, path: str) -> QualityMap | None:
        """The map, if it is there."""
        return self._maps.get(path)

    def ask(self, *paths: str) -> None:
        """Have maps made of photos, of these next; what was asked for before is not made any more."""
        self._wanted = [path for path in paths if path not in self._maps]
        for path in paths:
            if path in self._maps:
                self.ready.emit(path, self._maps[path])
        self._start()

    def close(self) -> None:
        """End the thread; the map that is being made is finished first."""
        self.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        if self._wanted and not self._working:
            self._working = True
            self._pool.submit(self._work, self._model, self._wanted.pop(0))

    def _work(self, model: _Model, path: str) -> None:
        """In the thread."""
        outcome: QualityMap | str
        try:
            outcome = model.map_of(path)
        except DPIQAError as error:
            outcome = str(error)
        except Exception as error:  # the runtimes' errors have no common base
            outcome = f"the model could not look at it: {error}"
            _log.exception("%s has no quality map", path)
        with contextlib.suppress(RuntimeError):  # the window is gone, and this object with it
            self._done.emit(model, path, outcome)

    def _take(self, model: _Model, path: str, outcome: QualityMap | str) -> None:
        self._working = False
        if model is self._model:
            if isinstance(outcome, QualityMap):
                self._maps[path] = outcome
                if len(self._maps) > _MOST_KEPT:
                    self._maps.popitem(last=False)
                self.ready.emit(path, outcome)
            else:
                self.failed.emit(path, outcome)
        self._start()


class QualityMapLegend(QWidget):
    """Says what the colours mean, and what they do not."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        weak, strong = QLabel(self.tr("weak"), self), QLabel(self.tr("strong"), self)
        layout = QGridLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.addWidget(weak, 0, 0)
        layout.addWidget(_Ramp(self), 0, 1)
        layout.addWidget(strong, 0, 2)
        layout.addWidget(self._words, 0, 3)
        layout.setColumnStretch(3, 1)
        layout.setHorizontalSpacing(8)
        self.say(self.tr("Making the map…"))

    @property
    def words(self) -> str:
        """What it says."""
        return self._words.text()

    def say(self, words: str) -> None:
        """Say something else, of a map that is not there."""
        self._words.setText(words)
        self.setAccessibleName(self.tr("Legend of the quality map"))
        self.setAccessibleDescription(words)

    def explain(self, map_: QualityMap) -> None:
        """Say what a map shows."""
        height, width = map_.strength.shape
        self.say(
            self.tr(
                "Where the model looks: bright where the feature map that the score is read from responds "
                "more than elsewhere in this photo (norm over {channels} channels, {width} by {height} "
                "places). It does not show where the photo is bad or good, and the colours of two photos "
                "cannot be compared."
            ).format(width=width, height=height, channels=map_.channels)
        )


class _Ramp(QWidget):
    """The colours from weak to strong."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFixedSize(QSize(120, 12))
        colours = _colours(np.linspace(0, 1, 120, dtype=np.float32))
        # A copy, because the array does not outlive this method.
        self._image = QImage(colours.data, 120, 1, 360, QImage.Format.Format_RGB888).copy()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """As in Qt."""
        painter = QPainter(self)
        painter.drawImage(self.rect(), self._image)
        painter.setPen(self.palette().mid().color())
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()


class _Model:
    """A back end that is made when it is needed."""

    def __init__(self, make_backend: Callable[[], Backend]) -> None:
        self._make_backend = make_backend
        self._backend: Backend | None = None

    def map_of(self, path: str) -> QualityMap:
        """Decode a photo as for scoring, and let the model look at it.

        Raises:
            DPIQAError: the photo cannot be read, the model cannot be had, or it has no maps.
        """
        if self._backend is None:
            backend = self._make_backend()
            backend.load()
            self._backend = backend
        pixels = decode(path, self._backend.input_size).pixels
        maps = self._backend.judge([pixels], maps=True).maps
        if maps is None:
            raise DPIQAError(
                QCoreApplication.translate("QualityMaps", "{model} has no map to show").format(
                    model=self._backend.description
                )
            )
        return make_map(maps[0])


def _coloured(strength: np.ndarray) -> QImage:
    """Smoothly enlarged, because stretching over a photo is linear and would show diamonds."""
    large = Image.fromarray(strength).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(large), 0, 1)
    pixels = np.empty((_SIDE, _SIDE, 4), np.uint8)
    pixels[..., :3] = _colours(values)
    pixels[..., 3] = round(255 * _OPACITY)
    return QImage(pixels.data, _SIDE, _SIDE, 4 * _SIDE, QImage.Format.Format_RGBA8888).convertToFormat(
        QImage.Format.Format_ARGB32_Premultiplied
    )


def _colours(strength: np.ndarray) -> np.ndarray:
    """RGB, uint8, of strengths 0..1."""
    at = [stop for stop, _ in _STOPS]
    channels = [np.interp(strength, at, [colour[channel] for _, colour in _STOPS]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
