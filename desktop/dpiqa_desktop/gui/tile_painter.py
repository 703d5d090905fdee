"""Draws a photo's tile: picture, score, stars, flag, burst, name; and says what is wrong with it."""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette, QPen, QPixmap, QPolygonF

from dpiqa_desktop.gui.photo_item import PhotoItem

_MARGIN = 6
_RADIUS = 6.0
_ASPECT = 0.8  # of the place for the picture, height to width: landscapes fill it, portraits are not tiny

_MOST_SCALED = 150  # pictures, a screen full or three

PICKED = QColor("#2e9e5b")
REJECTED = QColor("#d64545")
GOLD = QColor("#e0a526")
_BADGE = QColor(20, 20, 20, 190)
_OUTDATED_OPACITY = 0.35  # of marks that do not count
_ON_BADGE = QColor("#ffffff")


def tile_size(side: int, metrics: QFontMetrics) -> QSize:
    """The size of a tile whose picture is at most ``side`` wide."""
    return QSize(side + 2 * _MARGIN, round(side * _ASPECT) + 2 * metrics.height() + 4 * _MARGIN)


class TilePainter:
    """Draws in the colours and the font of a widget; made anew when they change."""

    def __init__(self, palette: QPalette, font: QFont) -> None:
        self._palette = palette
        self._font = font
        self._small = QFont(font)
        self._small.setPointSizeF(font.pointSizeF() * 0.92)
        self._bold = QFont(self._small)
        self._bold.setBold(True)
        metrics = self._metrics = QFontMetrics(font)
        self._small_metrics = QFontMetrics(self._small)
        self._bold_metrics = QFontMetrics(self._bold)
        self._scaled: dict[tuple[int, int, int, float], QPixmap] = {}
        self._star = _star((metrics.height() - 4) / 2)

    def draw(
        self,
        painter: QPainter,
        tile: QRect,
        item: PhotoItem,
        picture: QPixmap | None,
        no_picture: bool,
        selected: bool,
        current: bool,
    ) -> None:
        """Draw one tile.

        Args:
            painter: left as it is found.
            tile: where to.
            item: what.
            picture: of the photo; None while there is none.
            no_picture: there will be none.
            selected, current: of the view's selection, and where the keyboard is.
        """
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        self._draw_ground(painter, QRectF(tile).adjusted(2, 2, -2, -2), selected, current)
        inner = tile.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        text_height = 2 * self._metrics.height() + _MARGIN
        place = inner.adjusted(0, 0, 0, -text_height)
        painter.setOpacity(0.35 if item.mark.in_force.flag == "rejected" else 1.0)
        if picture is not None:
            self._draw_picture(painter, place, picture)
        else:
            self._draw_no_picture(painter, place, item, no_picture)
        painter.setOpacity(1.0)
        self._draw_badges(painter, place, item)
        self._draw_lines(
            painter, inner.adjusted(2, inner.height() - text_height + _MARGIN, -2, 0), item, selected
        )
        painter.restore()

    def _draw_ground(self, painter: QPainter, ground: QRectF, selected: bool, current: bool) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        role = QPalette.ColorRole.Highlight if selected else QPalette.ColorRole.AlternateBase
        painter.setBrush(self._palette.color(role))
        painter.drawRoundedRect(ground, _RADIUS, _RADIUS)
        if current:
            pen = QPen(
                self._palette.color(QPalette.ColorRole.Text if selected else QPalette.ColorRole.Highlight)
            )
            pen.setWidthF(2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(ground.adjusted(1, 1, -1, -1), _RADIUS, _RADIUS)

    def _draw_picture(self, painter: QPainter, place: QRect, picture: QPixmap) -> None:
        size = picture.size().scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio)
        if max(picture.width(), picture.height()) < min(place.width(), place.height()) // 2:
            size = picture.size()  # a photo smaller than this is not blown up
        target = QRect(place.topLeft(), size)
        target.moveCenter(place.center())
        painter.drawPixmap(
            target.topLeft(), self._in_size(picture, size, painter.device().devicePixelRatio())
        )

    def _in_size(self, picture: QPixmap, size: QSize, ratio: float) -> QPixmap:
        """Scaled once, not each time that a tile is painted: that was most of what it took."""
        key = (picture.cacheKey(), size.width(), size.height(), ratio)
        scaled = self._scaled.get(key)
        if scaled is None:
            scaled = picture.scaled(
                size * ratio, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            scaled.setDevicePixelRatio(ratio)
            self._scaled[key] = scaled
            if len(self._scaled) > _MOST_SCALED:
                del self._scaled[next(iter(self._scaled))]
        return scaled

    def _draw_no_picture(self, painter: QPainter, place: QRect, item: PhotoItem, failed: bool) -> None:
        ground = QColor(self._palette.color(QPalette.ColorRole.Mid))
        ground.setAlpha(60)
        painter.fillRect(place, ground)
        if not failed and item.reason is None:
            return
        painter.setFont(self._small)
        painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        text = item.reason or QCoreApplication.translate("TilePainter", "no picture")
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(place.adjusted(8, 8, -8, -8), flags, text)

    def _draw_badges(self, painter: QPainter, place: QRect, item: PhotoItem) -> None:
        if item.score is not None:
            text = f"{item.score:.2f}" if abs(item.score) < 10 else f"{item.score:.1f}"
            self._draw_badge(painter, place, text, right=True, colour=_BADGE)
        elif item.reason is not None:
            text = QCoreApplication.translate("TilePainter", "failed")
            self._draw_badge(painter, place, text, right=True, colour=REJECTED)
        if item.burst is not None:
            text = QCoreApplication.translate("TilePainter", "burst {number}").format(number=item.burst)
            if item.best_of_burst:
                text = QCoreApplication.translate("TilePainter", "{burst}, best").format(burst=text)
            self._draw_badge(painter, place, text, right=False, colour=_BADGE)

    def _draw_badge(self, painter: QPainter, place: QRect, text: str, right: bool, colour: QColor) -> None:
        width = self._bold_metrics.horizontalAdvance(text) + 10
        height = self._bold_metrics.height() + 3
        if width > place.width():
            return
        left = place.right() - width - 3 if right else place.left() + 4
        badge = QRectF(left, place.top() + 4, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(badge, 4, 4)
        painter.setFont(self._bold)
        painter.setPen(_ON_BADGE)
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_lines(self, painter: QPainter, lines: QRect, item: PhotoItem, selected: bool) -> None:
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        painter.setPen(self._palette.color(role))
        painter.setFont(self._font)
        name = self._metrics.elidedText(
            item.name.replace("\n", " "), Qt.TextElideMode.ElideMiddle, lines.width()
        )
        first = QRect(lines.left(), lines.top(), lines.width(), self._metrics.height())
        painter.drawText(first, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        second = first.translated(0, self._metrics.height())
        painter.setOpacity(_OUTDATED_OPACITY if item.mark.outdated else 1.0)
        self._draw_stars(painter, second, item, selected)
        self._draw_flag(painter, second, item)
        painter.setOpacity(1.0)

    def _draw_stars(self, painter: QPainter, line: QRect, item: PhotoItem, selected: bool) -> None:
        """The photographer's are filled with gold, ours are outlined: who said it is seen at once."""
        stars = item.stars
        if not stars:
            return
        side = line.height() - 4
        own = item.mark.stars is not None
        ink = self._palette.color(QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text)
        ink.setAlphaF(0.75)
        for number in range(stars):
            centre = QPointF(line.left() + side * 0.55 + number * (side + 1), line.center().y() + 1)
            painter.setPen(QPen(GOLD if own else ink, 1))
            painter.setBrush(GOLD if own else Qt.BrushStyle.NoBrush)
            painter.drawPolygon(self._star.translated(centre))

    def _draw_flag(self, painter: QPainter, line: QRect, item: PhotoItem) -> None:
        if item.mark.flag is None:
            return
        side = line.height() - 3
        place = QRectF(line.right() - side, line.top() + 2, side, side)
        picked = item.mark.flag == "picked"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(PICKED if picked else REJECTED)
        painter.drawEllipse(place)
        pen = QPen(_ON_BADGE, max(1.5, side / 9))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        x, y, unit = place.x(), place.y(), side / 10
        if picked:
            points = [QPointF(x + 2.6 * unit, y + 5.3 * unit), QPointF(x + 4.3 * unit, y + 7 * unit)]
            painter.drawPolyline([*points, QPointF(x + 7.5 * unit, y + 3.3 * unit)])
        else:
            near, far = 3.2 * unit, 6.8 * unit
            painter.drawLine(QPointF(x + near, y + near), QPointF(x + far, y + far))
            painter.drawLine(QPointF(x + near, y + far), QPointF(x + far, y + near))


def _star(radius: float) -> QPolygonF:
    """A star of five points about the origin; drawn, not written: not every font has one."""
    points = []
    for number in range(10):
        angle = math.pi * number / 5 - math.pi / 2
        length = radius if number % 2 == 0 else radius * 0.42
        points.append(QPointF(length * math.cos(angle), length * math.sin(angle)))
    return QPolygonF(points)
