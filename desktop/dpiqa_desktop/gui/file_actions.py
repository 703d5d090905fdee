"""What is done with files: written into, exported, moved, thrown away; each asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from dpiqa_desktop.gui.main_window import MainWindow


class FileActions(QObject):
    """The slots of the file menu.

    Args:
        window: whose photos these are.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    def slots(self) -> dict[str, Callable[..., object]]:
        """By the names in the table of actions."""
        names = ("write", "undo_writing", "export_csv", "copy_picks", "move_rejects", "trash")
        return dict.fromkeys(names, lambda: None)
