"""The photos as tiles."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QRegion, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from dpiqa_desktop.gui.photo_filter import PhotoFilter
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_model import runs
from dpiqa_desktop.gui.thumbnails import Thumbnails
from dpiqa_desktop.gui.tile_painter import TilePainter, tile_size

SMALLEST, LARGEST, MEDIUM = 96, 384, 200
"""Width of the pictures in a tile."""


class Grid(QListView):
    """Tiles of the photos that a filter shows; arrows, Shift, Ctrl and Ctrl+A as in every list.

    Args:
        photos: what is shown.
        thumbnails: gives the pictures.
        parent: of the widget.

    Signals:
        opened: the path of a photo that was double-clicked, or Return pressed on.
        current_changed: the path where the keyboard is, or "" if there is none.
        selection_changed: other photos are selected.
        side_changed: width of the pictures, after Ctrl and wheel.
    """

    opened = Signal(str)
    current_changed = Signal(str)
    selection_changed = Signal()
    side_changed = Signal(int)

    def __init__(self, photos: PhotoFilter, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._photos = photos
        self._thumbnails = thumbnails
        self._side = MEDIUM
        self._all_selected: set[str] = set()
        self.setAccessibleName(self.tr("Photos"))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        # Always there: or Qt keeps its width free at the right of the tiles.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragEnabled(False)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setItemDelegate(_TileDelegate(thumbnails, self))
        self.setModel(photos)
        self.set_side(MEDIUM)
        self.activated.connect(lambda index: self.opened.emit(self._photos.item_at(index.row()).path))
        thumbnails.ready.connect(self._repaint)
        photos.layoutAboutToBeChanged.connect(self._remember_selection)
        photos.layoutChanged.connect(self._restore_selection)
        selection = self.selectionModel()
        selection.selectionChanged.connect(lambda *_: self.selection_changed.emit())
        selection.currentChanged.connect(lambda *_: self.current_changed.emit(self.current_path()))

    @property
    def side(self) -> int:
        """Width of the pictures."""
        return self._side

    def set_side(self, side: int) -> None:
        """Make tiles larger or smaller; what is in the middle stays near it."""
        side = min(max(side, SMALLEST), LARGEST)
        middle = self.indexAt(self.viewport().rect().center())
        self._side = side
        self._thumbnails.set_side(round(side * self.devicePixelRatioF()))
        self._fit_tiles()
        if middle.isValid():
            self.scrollTo(middle, QAbstractItemView.ScrollHint.PositionAtCenter)
        self.side_changed.emit(side)

    def tile(self) -> QSize:
        """The size of a tile without the room between tiles."""
        return tile_size(self._side, self.fontMetrics())

    def current_path(self) -> str:
        """Where the keyboard is; "" if nowhere."""
        index = self.currentIndex()
        return self._photos.item_at(index.row()).path if index.isValid() else ""

    def current_item(self) -> PhotoItem | None:
        """The photo where the keyboard is."""
        index = self.currentIndex()
        return self._photos.item_at(index.row()) if index.isValid() else None

    def set_current(self, path: str) -> None:
        """Go to a photo and select it alone."""
        row = self._photos.row_of(path)
        if row is not None:
            self.setCurrentIndex(self._photos.index(row))

    def selected_items(self) -> list[PhotoItem]:
        """The selected photos in the order they are shown."""
        items = self._photos.items()
        parts = sorted((part.top(), part.bottom() + 1) for part in self._selected_parts())
        return [item for first, end in parts for item in items[first:end]]

    def selectAll(self) -> None:  # noqa: N802
        """See Qt; from nothing, because to add to thousands of single ones takes ten times as long."""
        self.clearSelection()
        super().selectAll()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Spread the room that is left over a row between its tiles."""
        super().resizeEvent(event)
        self._fit_tiles()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Space shows the photo large, as Return does; Qt would select it."""
        if event.key() == Qt.Key.Key_Space and not event.modifiers() and self.currentIndex().isValid():
            self.opened.emit(self.current_path())
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """With Ctrl, make tiles larger or smaller."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_side(self._side + round(event.angleDelta().y() / 120 * 16))
            event.accept()
        else:
            super().wheelEvent(event)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:  # noqa: N802
        """All that is seen: to ask 10,000 selected tiles where they are took 80 ms."""
        return QRegion(self.viewport().rect())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Take up another font or other colours."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.StyleChange):
            delegate = self.itemDelegate()
            if isinstance(delegate, _TileDelegate):
                delegate.renew()
                self._fit_tiles()

    def _fit_tiles(self) -> None:
        tile = self.tile()
        room = self.viewport().width() - 1
        columns = max(1, room // (tile.width() + 4))
        cell = QSize(max(tile.width() + 4, room // columns), tile.height() + 4)
        if cell != self.gridSize():
            self.setGridSize(cell)
        self.verticalScrollBar().setSingleStep(cell.height() // 4)

    def _repaint(self, paths: list[str]) -> None:
        for path in paths:
            row = self._photos.row_of(path)
            if row is not None:
                self.update(self._photos.index(row))

    def _selected_parts(self) -> list[QItemSelectionRange]:
        selection = self.selectionModel().selection()
        return [selection.at(number) for number in range(selection.size())]

    def _remember_selection(self) -> None:
        selected = sum(part.height() for part in self._selected_parts())
        shown = self._photos.items() if selected == self._photos.rowCount() else ()
        self._all_selected = {item.path for item in shown}

    def _restore_selection(self) -> None:
        """Qt forgets a selection of all if not all stay; and the keyboard, if its photo goes."""
        kept = [self._photos.row_of(path) for path in self._all_selected]
        rows = sorted(row for row in kept if row is not None)
        self._all_selected = set()
        if rows:
            self.clearSelection()  # see selectAll
            selection = QItemSelection()
            for first, last in runs(rows):
                selection.append(QItemSelectionRange(self._photos.index(first), self._photos.index(last)))
            self.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.Select)
        if not self.currentIndex().isValid() and self._photos.rowCount():
            # Later: while a layout changes the selection is being put together anew.
            QTimer.singleShot(0, self._take_first)

    def _take_first(self) -> None:
        if not self.currentIndex().isValid() and self._photos.rowCount():
            self.selectionModel().setCurrentIndex(
                self._photos.index(0), QItemSelectionModel.SelectionFlag.NoUpdate
            )


class _TileDelegate(QStyledItemDelegate):
    """Draws tiles by a ``TilePainter``."""

    def __init__(self, thumbnails: Thumbnails, grid: Grid) -> None:
        super().__init__(grid)
        self._grid = grid
        self._thumbnails = thumbnails
        self._painter: TilePainter | None = None

    def renew(self) -> None:
        """Colours or font have changed."""
        self._painter = None

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """See Qt."""
        if self._painter is None:
            self._painter = TilePainter(self._grid.palette(), self._grid.font())
        photos = self._grid.model()
        assert isinstance(photos, PhotoFilter)
        item = photos.item_at(index.row())
        tile = option.rect
        size = self._grid.tile()
        tile.setX(tile.x() + (tile.width() - size.width()) // 2)
        tile.setSize(size)
        state = option.state
        self._painter.draw(
            painter,
            tile,
            item,
            self._thumbnails.picture(item.path),
            self._thumbnails.has_failed(item.path),
            bool(state & QStyle.StateFlag.State_Selected),
            index.row() == self._grid.currentIndex().row() and self._grid.hasFocus(),
        )

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: N802
        """See Qt: all tiles are of one size."""
        return self._grid.gridSize()
