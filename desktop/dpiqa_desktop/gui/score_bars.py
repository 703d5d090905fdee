"""Bars of how many photos have which score, with two thresholds to drag."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

Handle = Literal["reject", "pick"]

_BARS = 50
_MARGIN = 9
"""Left and right of the bars: half a handle."""
_BELOW = 20
"""Height for the handles and the numbers at the axis."""
_REACH = 12
"""As near the mouse has to come to a line, in device-independent pixels."""
_FINE, _COARSE = 0.01, 0.1
"""Of the range, to a press of an arrow, and of a page key."""

REJECT_COLOUR = QColor(0xC8, 0x4B, 0x3C)
PICK_COLOUR = QColor(0x3E, 0x96, 0x51)
_BETWEEN_COLOUR = QColor(0x80, 0x88, 0x96)


class ScoreBars(QWidget):
    """Draws scores and both thresholds; knows nothing of how many they catch.

    The mouse drags a threshold; arrows, page keys, Home and End move the one at hand, Tab or up and down take
    the other one.

    Signals:
        moved: the user moved a threshold: which, and the score it is at.

    Args:
        parent: of the widget.
    """

    moved = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = 0.0, 1.0
        self._counts: tuple[int, ...] = (0,) * _BARS
        self._at: dict[Handle, float] = {"reject": 0.0, "pick": 1.0}
        self._lower_better = False
        self._hand: Handle = "reject"
        self._dragging = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._describe()

    @property
    def hand(self) -> Handle:
        """The threshold that keys move."""
        return self._hand

    def set_scores(self, scores: np.ndarray, low: float, high: float, lower_better: bool) -> None:
        """Show these scores on an axis from ``low`` to ``high``; those outside count at its ends."""
        self._low, self._high, self._lower_better = low, high, lower_better
        counts, _ = np.histogram(np.clip(scores, low, high), _BARS, (low, high))
        self._counts = tuple(map(int, counts))
        self._describe()
        self.update()

    def set_thresholds(self, reject: float, pick: float) -> None:
        """Show the thresholds there."""
        self._at = {"reject": reject, "pick": pick}
        self._describe()
        self.update()

    def place(self, score: float) -> float:
        """Where a score is, in pixels from the left."""
        share = (score - self._low) / (self._high - self._low)
        return _MARGIN + min(max(share, 0.0), 1.0) * self._width()

    def sizeHint(self) -> QSize:  # noqa: N802
        """See Qt."""
        return QSize(280, 130)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """See Qt."""
        return QSize(140, 80)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Take the nearest threshold, if one is near."""
        near = self._near(event.position().x())
        if event.button() != Qt.MouseButton.LeftButton or near is None:
            super().mousePressEvent(event)
            return
        self._take(near)
        self._dragging = True

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Move what was taken."""
        x = event.position().x()
        if self._dragging:
            share = min(max((x - _MARGIN) / self._width(), 0.0), 1.0)
            self.moved.emit(self._hand, self._low + share * (self._high - self._low))
        near = self._dragging or self._near(x) is not None
        self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Let go."""
        self._dragging = False
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move the threshold at hand, or take the other."""
        steps = {
            Qt.Key.Key_Left: -_FINE,
            Qt.Key.Key_Right: _FINE,
            Qt.Key.Key_PageDown: -_COARSE,
            Qt.Key.Key_PageUp: _COARSE,
            Qt.Key.Key_Home: -1.0,
            Qt.Key.Key_End: 1.0,
        }
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._take("pick" if self._hand == "reject" else "reject")
        elif key in steps:
            moved = self._at[self._hand] + steps[key] * (self._high - self._low)
            self.moved.emit(self._hand, min(max(moved, self._low), self._high))
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: N802
        """Tab goes through both thresholds before it leaves."""
        if self.hasFocus() and self._order(forward)[0] == self._hand:
            self._take(self._order(forward)[1])
            return True
        return super().focusNextPrevChild(forward)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Begin with the threshold that Tab comes to first."""
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._take(self._order(event.reason() == Qt.FocusReason.TabFocusReason)[0])
        super().focusInEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """See Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bars(painter)
        self._paint_axis(painter)
        for handle in ("reject", "pick"):
            self._paint_handle(painter, handle)

    def _paint_bars(self, painter: QPainter) -> None:
        tallest = max(self._counts)
        if not tallest:
            painter.setPen(self._soft(QPalette.ColorRole.WindowText, 150))
            rect = QRectF(0, 0, self.width(), self._height())
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self.tr("No scores yet"))
            return
        step = self._width() / _BARS
        for number, count in enumerate(self._counts):
            if not count:
                continue
            # At least two pixels, or a single photo among ten thousand would not be seen.
            height = max(2.0, (self._height() - 6) * count / tallest)
            left = _MARGIN + number * step
            bar = QRectF(left + 0.5, self._height() - height, max(step - 1.0, 1.0), height)
            middle = self._low + (number + 0.5) / _BARS * (self._high - self._low)
            painter.fillRect(bar, self._colour(middle))

    def _paint_axis(self, painter: QPainter) -> None:
        bottom = self._height()
        painter.setPen(self._soft(QPalette.ColorRole.WindowText, 110))
        painter.drawLine(QPointF(_MARGIN, bottom), QPointF(_MARGIN + self._width(), bottom))
        painter.setPen(self._soft(QPalette.ColorRole.WindowText, 190))
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.85)
        painter.setFont(font)
        taken = [self.place(score) for score in self._at.values()]
        room = painter.fontMetrics().horizontalAdvance("0.00")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            x = _MARGIN + share * self._width()
            text = f"{self._low + share * (self._high - self._low):.3g}"
            width = painter.fontMetrics().horizontalAdvance(text)
            left = min(max(x - width / 2, 0.0), self.width() - width)
            if all(abs(x - other) > room / 2 + 8 for other in taken):
                painter.drawText(QPointF(left, self.height() - 5.0), text)

    def _paint_handle(self, painter: QPainter, handle: Handle) -> None:
        x, bottom = self.place(self._at[handle]), float(self._height())
        colour = REJECT_COLOUR if handle == "reject" else PICK_COLOUR
        at_hand = self.hasFocus() and handle == self._hand
        painter.setPen(colour)
        painter.drawLine(QPointF(x, 0), QPointF(x, bottom))
        painter.setBrush(colour)
        if at_hand:
            pen = painter.pen()
            pen.setColor(self.palette().color(QPalette.ColorRole.Highlight))
            pen.setWidthF(2.5)
            painter.setPen(pen)
        side = 7.0
        painter.drawPolygon(
            QPolygonF(
                [
                    QPointF(x, bottom + 1),
                    QPointF(x + side, bottom + 8),
                    QPointF(x + side, bottom + 17),
                    QPointF(x - side, bottom + 17),
                    QPointF(x - side, bottom + 8),
                ]
            )
        )

    def _colour(self, score: float) -> QColor:
        sign = -1 if self._lower_better else 1
        if sign * score < sign * self._at["reject"]:
            return REJECT_COLOUR
        return PICK_COLOUR if sign * score >= sign * self._at["pick"] else _BETWEEN_COLOUR

    def _soft(self, role: QPalette.ColorRole, alpha: int) -> QColor:
        colour = self.palette().color(role)
        colour.setAlpha(alpha)
        return colour

    def _near(self, x: float) -> Handle | None:
        """The threshold that the mouse would take; of two at one place, the one that can go where it is."""
        distances = {handle: abs(x - self.place(score)) for handle, score in self._at.items()}
        left, right = self._order(True)
        if distances[left] == distances[right]:
            near = left if x < self.place(self._at[left]) else right
        else:
            near = min(distances, key=lambda handle: distances[handle])
        return near if distances[near] <= _REACH else None

    def _order(self, forward: bool) -> tuple[Handle, Handle]:
        """Both thresholds from left to right, or the other way round."""
        return ("reject", "pick") if forward != self._lower_better else ("pick", "reject")

    def _take(self, handle: Handle) -> None:
        self._hand = handle
        self._describe()
        self.update()

    def _describe(self) -> None:
        """Say the same to a screen reader, for which Tab goes from one handle to another."""
        names = {
            "reject": self.tr("Histogram of scores, reject handle"),
            "pick": self.tr("Histogram of scores, pick handle"),
        }
        self.setAccessibleName(names[self._hand])
        text = self.tr("Rejects worse than {reject}, picks from {pick}")
        self.setAccessibleDescription(
            text.format(reject=f"{self._at['reject']:.3g}", pick=f"{self._at['pick']:.3g}")
        )

    def _width(self) -> float:
        return max(1.0, self.width() - 2.0 * _MARGIN)

    def _height(self) -> int:
        return self.height() - _BELOW
