"""Paints one photo: all of it or magnified, moved by the mouse, with a picture laid over it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from dpiqa_desktop.gui.photo_loader import FullPhoto
from dpiqa_desktop.gui.viewpoint import FIT, STEP, Point, Size, Viewpoint, moved, placed, zoom_of, zoomed

# The same in light and dark themes: photos are judged against a neutral grey that is darker than they are.
SURROUND = QColor(38, 38, 38)
WORDS = QColor(225, 225, 225)

_NOTCH = 120  # Qt's eighths of a degree to a notch of a wheel
# From here on pixels are shown as squares: whoever magnifies this much wants to see them.
_PIXEL_ZOOM = 2.0


class PhotoCanvas(QWidget):
    """Shows a photo, a quick picture of it, or words.

    The wheel zooms at the cursor, dragging moves, a double click goes to 100 % there and back. Lengths are in
    pixels of the screen, which are smaller than Qt's where it scales: 100 % is one to one.

    Signals:
        viewpoint_changed(Viewpoint): by the photographer, not by ``set_viewpoint``.
        zoom_changed(): maybe, for whatever reason.
        pressed(): a mouse button, on whatever is shown.
    """

    viewpoint_changed = Signal(object)
    zoom_changed = Signal()
    pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._photo: FullPhoto | None = None
        self._quick: QImage | None = None
        self._overlay: QImage | None = None
        self._words = ""
        self._viewpoint = FIT
        self._cursor: Point | None = None
        self._dragged_from: QPointF | None = None
        self._is_dragging = False
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 90)

    @property
    def photo(self) -> FullPhoto | None:
        """The decoded photo, if it is what is shown."""
        return self._photo

    @property
    def quick(self) -> QImage | None:
        """The picture that stands in for it."""
        return self._quick

    @property
    def words(self) -> str:
        """What is said in place of the photo, or beside the picture that stands in for it."""
        return self._words

    @property
    def viewpoint(self) -> Viewpoint:
        """What is seen of the photo."""
        return self._viewpoint

    @property
    def overlay(self) -> QImage | None:
        """What is laid over the photo."""
        return self._overlay

    @property
    def has_cursor(self) -> bool:
        """Whether the mouse is on it."""
        return self._cursor is not None

    @property
    def zoom(self) -> float:
        """Pixels of the screen to a pixel of the photo; 1 where there is no photo."""
        return zoom_of(self._viewpoint, self._size(), self._view())

    def show_photo(self, photo: FullPhoto) -> None:
        """Show a decoded photo where the viewpoint is."""
        self._photo, self._quick, self._words = photo, None, ""
        self.update()
        self.zoom_changed.emit()

    def show_quick(self, image: QImage, words: str) -> None:
        """Show a small picture, all of it, until the photo is there."""
        self._photo, self._quick, self._words = None, image, words
        self.update()
        self.zoom_changed.emit()

    def show_words(self, words: str) -> None:
        """Say something in place of a photo."""
        self._photo, self._quick, self._words = None, None, words
        self.update()
        self.zoom_changed.emit()

    def set_overlay(self, image: QImage | None) -> None:
        """Lay a picture over the photo, stretched to its size; None takes it away."""
        self._overlay = image
        self.update()

    def set_viewpoint(self, viewpoint: Viewpoint) -> None:
        """See another part of the photo."""
        self._viewpoint = viewpoint
        self._show_hand()
        self.update()
        self.zoom_changed.emit()

    def toggle_zoom(self) -> None:
        """Go to 100 % at the cursor, or in the middle if it is elsewhere; from there back to all of it."""
        self._zoom_to(1.0 if self._viewpoint.zoom is None else None)

    def zoom_by(self, steps: float) -> None:
        """Magnify at the cursor by so many notches of the wheel; negative ones go back."""
        self._zoom_to(self.zoom * STEP**steps)

    def move_by(self, x: float, y: float) -> None:
        """Move on by so many views to the right and down."""
        width, height = self._view()
        self._drag((-x * width, -y * height))

    def sizeHint(self) -> QSize:  # noqa: N802
        """As in Qt."""
        return QSize(640, 480)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """As in Qt."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), SURROUND)
        painter.save()
        painter.scale(1 / self.devicePixelRatioF(), 1 / self.devicePixelRatioF())
        if self._photo is not None:
            self._paint_photo(painter, self._photo)
        elif self._quick is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(_all_of(self._quick, self._view()), self._quick)
        painter.restore()
        if self._words:
            self._paint_words(painter)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """As in Qt."""
        super().resizeEvent(event)
        self.zoom_changed.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """As in Qt."""
        self._cursor = self._screen(event.position())
        self.zoom_by(event.angleDelta().y() / _NOTCH)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """As in Qt."""
        self.pressed.emit()
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """As in Qt."""
        self._cursor = self._screen(event.position())
        if self._dragged_from is None or self._viewpoint.zoom is None:
            return
        way = event.position() - self._dragged_from
        if self._is_dragging or way.manhattanLength() >= QApplication.startDragDistance():
            self._is_dragging = True
            self._dragged_from = event.position()
            self._drag(self._screen(way))
            self._show_hand()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """As in Qt."""
        self._dragged_from, self._is_dragging = None, False
        self._show_hand()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """As in Qt."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._cursor = self._screen(event.position())
            self.toggle_zoom()

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802
        """As in Qt: the view may come to the mouse, too, which then does not move."""
        self._cursor = self._screen(event.position())

    def leaveEvent(self, event: object) -> None:  # noqa: N802
        """As in Qt: with the mouse elsewhere keys zoom in the middle."""
        self._cursor = None

    def _zoom_to(self, zoom: float | None) -> None:
        width, height = self._view()
        at = self._cursor or (width / 2, height / 2)
        self._change(zoomed(self._viewpoint, zoom, at, self._size(), self._view()))

    def _drag(self, way: Point) -> None:
        if self._viewpoint.zoom is not None:
            self._change(moved(self._viewpoint, way, self._size(), self._view()))

    def _change(self, viewpoint: Viewpoint) -> None:
        if self._photo is not None and viewpoint != self._viewpoint:
            self.set_viewpoint(viewpoint)
            self.viewpoint_changed.emit(viewpoint)

    def _show_hand(self) -> None:
        """Tell by the cursor that the photo can be moved, or is."""
        if self._is_dragging:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._viewpoint.zoom is not None:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.unsetCursor()

    def _paint_photo(self, painter: QPainter, photo: FullPhoto) -> None:
        corner, size = placed(self._viewpoint, photo.size, self._view())
        # On whole pixels: half of one would blur what is looked at for its sharpness.
        place = QRectF(round(corner[0]), round(corner[1]), size[0], size[1])
        zoom = self.zoom
        is_smooth = self._viewpoint.zoom is None or zoom < _PIXEL_ZOOM
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth)
        if zoom == 1:
            painter.drawImage(place.topLeft(), photo.levels[0])
        else:
            painter.drawImage(place, photo.level(zoom))
        if self._overlay is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(place, self._overlay)

    def _paint_words(self, painter: QPainter) -> None:
        """In the middle; in the lower left corner where there is a picture."""
        flags = Qt.TextFlag.TextWordWrap | (
            Qt.AlignmentFlag.AlignCenter
            if self._quick is None
            else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        )
        room = self.rect().adjusted(16, 16, -16, -16)
        place = painter.boundingRect(room, flags, self._words)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150 if self._quick is not None else 0))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(place.adjusted(-8, -4, 8, 4), 4, 4)
        painter.setPen(WORDS)
        painter.drawText(room, flags, self._words)

    def _size(self) -> Size:
        return self._photo.size if self._photo is not None else (1, 1)

    def _view(self) -> Size:
        ratio = self.devicePixelRatioF()
        return max(self.width() * ratio, 1), max(self.height() * ratio, 1)

    def _screen(self, point: QPointF) -> Point:
        ratio = self.devicePixelRatioF()
        return point.x() * ratio, point.y() * ratio


def _all_of(image: QImage, view: Size) -> QRectF:
    """Enlarged as well: the photo that it stands in for is larger."""
    scale = min(view[0] / image.width(), view[1] / image.height())
    width, height = image.width() * scale, image.height() * scale
    return QRectF((view[0] - width) / 2, (view[1] - height) / 2, width, height)
