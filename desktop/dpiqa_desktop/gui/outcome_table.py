"""Table of files and what becomes of each; failures first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QStyle, QTableView, QWidget

Index = QModelIndex | QPersistentModelIndex
Kind = Literal["change", "make", "same", "failed"]


@dataclass(frozen=True)
class Row:
    """A file.

    Attributes:
        kind: it is changed (moved, deleted), made, or left as it is: as all is well, or as it is not.
        path: of the file.
        text: what is done, or why not; for the user's eyes.
        kept: the photographer's rating stays.
        gone: it is not where it was any more.
    """

    kind: Kind
    path: str
    text: str
    kept: bool = False
    gone: bool = False


class OutcomeModel(QAbstractTableModel):
    """The rows; those that failed before all others, each in the order they came."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[Row] = []
        self._others: list[Row] = []

    def add(self, rows: Iterable[Row]) -> None:
        """Show these, too; what is left as it is because all is well is not worth a line."""
        rows = [row for row in rows if row.kind != "same"]
        for there, more in (
            (self._others, [row for row in rows if row.kind != "failed"]),
            (self._failed, [row for row in rows if row.kind == "failed"]),
        ):
            if more:
                first = len(self._failed) + (len(there) if there is self._others else 0)
                self.beginInsertRows(QModelIndex(), first, first + len(more) - 1)
                there += more
                self.endInsertRows()

    def clear(self) -> None:
        """Show nothing."""
        self.beginResetModel()
        self._failed, self._others = [], []
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """See Qt."""
        return 0 if parent.isValid() else len(self._failed) + len(self._others)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """See Qt."""
        return 0 if parent.isValid() else 2

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """See Qt."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("File"), self.tr("What"))[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """See Qt."""
        number = index.row()
        is_bad = number < len(self._failed)
        row = self._failed[number] if is_bad else self._others[number - len(self._failed)]
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(os.path.basename(row.path)) if index.column() == 0 else row.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{shown(row.path)}\n{row.text}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            name = shown(os.path.basename(row.path))
            return self.tr("{name}: failed: {text}").format(name=name, text=row.text) if is_bad else None
        if role == Qt.ItemDataRole.UserRole:
            return row
        return None


class OutcomeTable(QTableView):
    """Shows the rows of an ``OutcomeModel``.

    Args:
        parent: of the widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = OutcomeModel()
        self.rows.setParent(self)
        self.setModel(self.rows)
        self.setAccessibleName(self.tr("Files"))
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        vertical, horizontal = self.verticalHeader(), self.horizontalHeader()
        vertical.hide()
        vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        margin = self.style().pixelMetric(QStyle.PixelMetric.PM_FocusFrameVMargin)
        vertical.setDefaultSectionSize(self.fontMetrics().height() + 2 * margin + 6)
        horizontal.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        horizontal.setStretchLastSection(True)
        horizontal.setHighlightSections(False)
        horizontal.resizeSection(0, 220)


def shown(path: str) -> str:
    """A path as it can be shown: bytes that are not UTF-8 as question marks."""
    return path.encode("utf-8", "replace").decode()
