"""What is said of a photo below it: its name, score, stars and flag, and how it was taken."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from dpiqa_desktop.engine.camera_settings import CameraSettings
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.records import clock_time

_MOST_STARS = 5
# Below it an exposure is said as a fraction, as cameras do.
_FRACTION_SECONDS = 0.3


def verdict(item: PhotoItem) -> str:
    """Score, stars and flag in one line; what there is of them."""
    parts = []
    if item.score is not None:
        parts.append(f"{item.score:.2f}{_uncertainty(item)}")
    elif item.reason is not None:
        parts.append(_tr("no score"))
    if item.stars is not None:
        parts.append("★" * item.stars + "☆" * (_MOST_STARS - item.stars))
    if item.mark.flag == "picked":
        parts.append(_tr("⚑ picked"))
    elif item.mark.flag == "rejected":
        parts.append(_tr("✕ rejected"))
    if item.mark.outdated:
        parts.append(_tr("(marked before its file was changed)"))
    return "   ".join(parts)


def spoken_verdict(item: PhotoItem) -> str:
    """The same for a screen reader, which cannot make sense of drawn stars."""
    parts = []
    if item.score is not None:
        parts.append(_tr("score {score}").format(score=f"{item.score:.2f}{_uncertainty(item)}"))
    elif item.reason is not None:
        parts.append(_tr("no score: {reason}").format(reason=item.reason))
    if item.stars is not None:
        parts.append(_tr("{stars} of 5 stars").format(stars=item.stars))
    if item.mark.flag == "picked":
        parts.append(_tr("picked"))
    elif item.mark.flag == "rejected":
        parts.append(_tr("rejected"))
    if item.mark.outdated:
        parts.append(_tr("marked before its file was changed"))
    return ", ".join(parts)


def camera_line(settings: CameraSettings) -> str:
    """Camera, lens, exposure, sensitivity and time: what there is of them."""
    return _joined([settings.camera, settings.lens, *_exposure_parts(settings), _time(settings)])


def exposure_line(settings: CameraSettings) -> str:
    """The same with what differs between photos of one camera first, for where there is little room."""
    return _joined([*_exposure_parts(settings), _time(settings), settings.camera, settings.lens])


class ElidedLabel(QLabel):
    """A line that gives way: what does not fit is left out, and all of it is in the tool tip.

    Args:
        mode: where it is left out.
        parent: as in Qt.
    """

    def __init__(self, mode: Qt.TextElideMode, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def say(self, text: str) -> None:
        """Show a text."""
        self.setText(text)
        self.setToolTip(text)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As in Qt: any width will do."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """As in Qt."""
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self.text(), self._mode, self.width())
        painter.drawText(self.rect(), self.alignment() | Qt.TextFlag.TextSingleLine, shown)
        painter.end()


def _uncertainty(item: PhotoItem) -> str:
    return "" if item.uncertainty is None else f" ±{item.uncertainty:.2f}"


def _joined(parts: list[str | None]) -> str:
    return "  ·  ".join(part for part in parts if part)


def _time(settings: CameraSettings) -> str | None:
    if settings.captured_at is None:
        return None
    return f"{clock_time(settings.captured_at):%Y-%m-%d %H:%M:%S}"


def _exposure_parts(settings: CameraSettings) -> list[str]:
    parts = []
    if settings.focal_length is not None:
        parts.append(_tr("{length} mm").format(length=_number(settings.focal_length)))
    if settings.exposure is not None:
        parts.append(_exposure(settings.exposure))
    if settings.f_number is not None:
        parts.append(f"f/{_number(settings.f_number)}")
    if settings.iso is not None:
        parts.append(f"ISO {settings.iso}")
    return parts


def _exposure(seconds: float) -> str:
    if seconds < _FRACTION_SECONDS:
        return _tr("1/{part} s").format(part=round(1 / seconds))
    return _tr("{seconds} s").format(seconds=_number(seconds))


def _number(value: float) -> str:
    return f"{round(value, 1):g}"


def _tr(text: str) -> str:
    return QCoreApplication.translate("PhotoCaption", text)
