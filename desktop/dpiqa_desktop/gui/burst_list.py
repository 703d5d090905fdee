"""All bursts of the folder: to go through them one by one and keep the best of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtWidgets import QLabel, QListView, QVBoxLayout, QWidget

from dpiqa_desktop.gui.counted import photos
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_model import Index

_MOST_NAMED = 30  # in a tool tip

_Burst = tuple[str, ...]


class BurstList(QWidget):
    """One line a burst.

    Args:
        parent: of the widget.

    Signals:
        chosen: the best photo's path, of the burst that the user has gone to.
        compare_wanted: the paths of a burst that was double-clicked, or Return pressed on; the best first.
    """

    chosen = Signal(str)
    compare_wanted = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = _Bursts(self)
        self.list = QListView(self)
        self.list.setModel(self.model)
        self.list.setAccessibleName(self.tr("Bursts"))
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setContentsMargins(8, 4, 8, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.words)
        layout.addWidget(self.list, 1)
        layout.addStretch(0)
        self.list.selectionModel().currentChanged.connect(self._gone_to)
        self.list.activated.connect(lambda at: self.compare_wanted.emit(list(self.model.burst(at))))
        self.show_bursts(())

    def show_bursts(self, bursts: Sequence[_Burst]) -> None:
        """Show these, each the paths of its photos, the best first; the same ones stay as they are."""
        self.model.show(bursts)
        self.list.setVisible(bool(bursts))
        self.words.setText(
            self.tr("Double-click one to compare its photos.")
            if bursts
            else self.tr("None yet. They are looked for among photos that have scores.")
        )

    def _gone_to(self, at: QModelIndex) -> None:
        if at.isValid():
            self.chosen.emit(self.model.burst(at)[0])


class _Bursts(QAbstractListModel):
    """Makes the text of a line when it is seen: there may be thousands."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._bursts: list[_Burst] = []

    def show(self, bursts: Sequence[_Burst]) -> None:
        """Show others; the one that the user is at stays current if its best photo is the best of one."""
        if list(bursts) == self._bursts:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        best = [self._bursts[index.row()][0] for index in before]
        self._bursts = list(bursts)
        row_of = {burst[0]: row for row, burst in enumerate(bursts)}
        self.changePersistentIndexList(
            before, [self.index(row_of[path]) if path in row_of else QModelIndex() for path in best]
        )
        self.layoutChanged.emit()

    def burst(self, at: Index) -> _Burst:
        """The paths of a line's burst."""
        return self._bursts[at.row()]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """See Qt."""
        return 0 if parent.isValid() else len(self._bursts)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """See Qt."""
        burst = self.burst(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr("{number}: {photos}, best {name}").format(
                number=index.row() + 1, photos=photos(len(burst)), name=_name(burst[0])
            )
        if role == Qt.ItemDataRole.ToolTipRole:
            names = [_name(path) for path in burst[:_MOST_NAMED]]
            return "\n".join(names + ["…"] * (len(burst) > _MOST_NAMED))
        return None


def _name(path: str) -> str:
    return PhotoItem(path).name.replace("\n", " ")
