"""How the window looked when it was closed: size, panels, tiles, order; and whether subfolders are opened."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow

from dpiqa_desktop.gui.filter_bar import FilterBar
from dpiqa_desktop.gui.grid import MEDIUM
from dpiqa_desktop.gui.photo_filter import Sort, SortBy

_ORDERS: dict[str, SortBy] = {"folder": "folder", "score": "score", "name": "name", "captured": "captured"}


def save_state(window: QMainWindow, bar: FilterBar, sort: Sort, recursive: QAction) -> None:
    """Keep it."""
    settings = QSettings()
    settings.setValue("window/geometry", window.saveGeometry())
    settings.setValue("window/state", window.saveState())
    settings.setValue("window/side", bar.size_slider.value())
    settings.setValue("window/sort", sort.by)
    settings.setValue("window/turned", sort.turned)
    settings.setValue("window/recursive", recursive.isChecked())


def restore_state(window: QMainWindow, bar: FilterBar, recursive: QAction) -> None:
    """Have it as it was; what is kept and makes no sense is passed over."""
    settings = QSettings()
    window.restoreGeometry(_bytes(settings.value("window/geometry")))
    window.restoreState(_bytes(settings.value("window/state")))
    side = str(settings.value("window/side", MEDIUM))
    bar.size_slider.setValue(int(side) if side.isdecimal() else MEDIUM)
    by = _ORDERS.get(str(settings.value("window/sort")), "folder")
    bar.set_sort(Sort(by, str(settings.value("window/turned")).lower() == "true"))
    recursive.setChecked(str(settings.value("window/recursive", True)).lower() != "false")


def _bytes(value: object) -> QByteArray:
    return value if isinstance(value, QByteArray) else QByteArray()
