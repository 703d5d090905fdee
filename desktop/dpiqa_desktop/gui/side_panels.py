"""The panels at the side of the grid; loupe and comparison have the window for themselves."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QMenu, QMenuBar, QWidget


class SidePanels(QObject):
    """Docks, each with an entry in a menu.

    Args:
        window: that has them at its right.
        panels: name, title and widget, from above.
        menus: in its menu for the view they are shown and hidden.
    """

    def __init__(
        self, window: QMainWindow, panels: Sequence[tuple[str, str, QWidget]], menus: QMenuBar
    ) -> None:
        super().__init__(window)
        self._hidden: list[QDockWidget] = []
        self._docks = []
        menu = menus.findChild(QMenu, "view")
        assert menu is not None
        menu.addSeparator()
        for name, title, widget in panels:
            dock = QDockWidget(title, window)
            dock.setObjectName(name)
            dock.setWidget(widget)
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            menu.addAction(dock.toggleViewAction())
            self._docks.append(dock)
        window.resizeDocks(self._docks, [400, 300], Qt.Orientation.Vertical)  # pixels, about

    def make_way(self, way: bool) -> None:
        """Hide them for now, or show those again that were there."""
        if way and not self._hidden:
            self._hidden = [dock for dock in self._docks if not dock.isHidden()]
        for dock in self._hidden:
            dock.setVisible(not way)
        if not way:
            self._hidden = []
