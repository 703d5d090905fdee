"""File > Open recent: the folders that were open lately."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu

from dpiqa_desktop.gui.recent_folders import recent_folders


class RecentMenu(QMenu):
    """Asks the disk which of them are still there whenever it is opened.

    Args:
        menu: that it is put into, below its first action.

    Signals:
        folder_chosen: its path.
    """

    folder_chosen = Signal(str)

    def __init__(self, menu: QMenu) -> None:
        super().__init__(menu)
        self.setTitle(self.tr("Open &Recent"))
        menu.insertMenu(menu.actions()[1], self)
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for folder in recent_folders():
            # An ampersand would make a mnemonic of the letter after it.
            action = self.addAction(folder.replace("&", "&&"))
            action.triggered.connect(lambda _=False, folder=folder: self.folder_chosen.emit(folder))
        if self.isEmpty():
            self.addAction(self.tr("None yet")).setEnabled(False)
