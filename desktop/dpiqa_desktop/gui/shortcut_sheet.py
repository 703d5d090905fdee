"""All keys on one sheet, from the table of actions."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from dpiqa_desktop.gui.actions import ACTIONS, MENUS, OTHER_KEYS, translated
from dpiqa_desktop.trash_can import CAN_GIVE_BACK

Rows = Iterable[tuple[str, tuple[str, ...]]]


class ShortcutSheet(QDialog):
    """Shows every shortcut; Escape or its button closes it.

    Args:
        parent: of the dialog.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        sections = [
            _section(
                translated(text), [(row.text, row.keys) for row in ACTIONS if row.menu == menu and row.keys]
            )
            for menu, text in MENUS.items()
        ]
        sections.append(_section(self.tr("In the views"), OTHER_KEYS))
        sheet = QWidget()
        columns = QHBoxLayout(sheet)
        columns.setSpacing(36)
        for part in (sections[:2] + sections[4:5], sections[2:3], sections[3:4] + sections[5:]):
            column = QVBoxLayout()
            column.setSpacing(18)
            for section in part:
                column.addWidget(section)
            column.addStretch(1)
            columns.addLayout(column)
        area = QScrollArea()
        area.setWidget(sheet)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setAccessibleName(self.windowTitle())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(area)
        if not CAN_GIVE_BACK:
            note = QLabel(
                self.tr("Undo does not reach into the trash: the system's trash gives photos back.")
            )
            note.setWordWrap(True)
            layout.addWidget(note)
        layout.addWidget(buttons)
        # With the bars' own room, so that none is shown where the screen has the room.
        wanted = sheet.sizeHint()
        self.resize(wanted.width() + 48, wanted.height() + 80)


def _section(title: str, rows: Rows) -> QWidget:
    section = QWidget()
    grid = QGridLayout(section)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(18)
    grid.setVerticalSpacing(5)
    heading = QLabel(_plain(title))
    font = QFont(heading.font())
    font.setBold(True)
    heading.setFont(font)
    grid.addWidget(heading, 0, 0, 1, 2)
    for number, (text, keys) in enumerate(rows, 1):
        grid.addWidget(QLabel(_plain(translated(text))), number, 0)
        shown = QLabel(" \N{MIDDLE DOT} ".join(_native(key) for key in keys))
        shown.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(shown, number, 1)
    grid.setColumnStretch(0, 1)
    return section


def _plain(text: str) -> str:
    return text.replace("&", "").rstrip("…")


def _native(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
