"""Grid, loupe and comparison in one place, and which photos the user means in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from dpiqa_desktop.gui.compare import Compare
from dpiqa_desktop.gui.empty_page import EmptyPage
from dpiqa_desktop.gui.grid import Grid
from dpiqa_desktop.gui.loupe import Loupe
from dpiqa_desktop.gui.photo_filter import PhotoFilter
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_loader import PhotoLoader
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.quality_map import QualityMaps
from dpiqa_desktop.gui.thumbnails import Thumbnails

View = Literal["grid", "loupe", "compare"]


class Views(QStackedWidget):
    """Shows the photos of a filter in one of three ways, or why there are none.

    Args:
        model: of all photos.
        photos: those that are shown.
        thumbnails, loader, maps: give the pictures.
        parent: of the widget.

    Signals:
        view_changed: ``View``.
        meant_changed: the user means other photos.
    """

    view_changed = Signal(str)
    meant_changed = Signal()

    def __init__(
        self,
        model: PhotoModel,
        photos: PhotoFilter,
        thumbnails: Thumbnails,
        loader: PhotoLoader,
        maps: QualityMaps,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._photos = photos
        self._shown: list[str] = []
        self.empty = EmptyPage()
        self.grid = Grid(photos, thumbnails)
        self.loupe = Loupe(loader, maps, model.item)
        self.compare = Compare(loader, maps, model.item)
        self._pages: dict[View, QWidget] = {
            "grid": self.grid,
            "loupe": self.loupe,
            "compare": self.compare,
        }
        for page in (self.empty, self.grid, self.loupe, self.compare):
            self.addWidget(page)
        self._view: View = "grid"
        self._paging = QTimer(self, singleShot=True, interval=0)
        self._paging.timeout.connect(self._show_page)
        self.grid.opened.connect(self.show_loupe)
        self.grid.selection_changed.connect(self.meant_changed)
        self.grid.current_changed.connect(lambda _: self.meant_changed.emit())
        self.loupe.photo_changed.connect(self._follow)
        self.loupe.left.connect(self.show_grid)
        self.compare.current_changed.connect(self._follow)
        self.compare.left.connect(self.show_grid)
        photos.shown_changed.connect(self._shown_changed)
        model.scores_changed.connect(self._refresh)
        model.marks_changed.connect(self._refresh)

    @property
    def view(self) -> View:
        """Which way the photos are shown, or would be if there were any."""
        return self._view

    def slots(self) -> dict[str, Callable[..., object]]:
        """By the names in the table of actions."""
        return {
            "grid": self.show_grid,
            "loupe": self.show_loupe,
            "compare": self.show_compare,
            "zoom": self.zoom,
            "quality_map": self.toggle_map,
            "select_all": self.select_all,
            "larger": lambda: self.grid.set_side(self.grid.side + 24),
            "smaller": lambda: self.grid.set_side(self.grid.side - 24),
        }

    def meant(self) -> list[PhotoItem]:
        """The photos that a key speaks of: the selected ones, or the one that is looked at."""
        if self._view == "grid":
            selected = self.grid.selected_items()
            if selected:
                return selected
            path: str | None = self.grid.current_path()
        else:
            path = self.loupe.path if self._view == "loupe" else self.compare.path
        item = self._model.item(path) if path else None
        return [] if item is None else [item]

    def show_grid(self, *_: object) -> None:
        """Show all tiles; the photo that was looked at is the current one."""
        path = self.loupe.path if self._view == "loupe" else self.compare.path
        came_from = self._view
        self._set_view("grid")
        if came_from != "grid" and path is not None and path != self.grid.current_path():
            self.grid.set_current(path)
        self.grid.scrollTo(self.grid.currentIndex())

    def show_loupe(self, path: str | bool | None = None) -> None:
        """Show a photo as large as it gets: this one, or the current one."""
        if not isinstance(path, str):
            meant = self.meant()
            path = meant[0].path if meant else None
            if self._view == "grid":
                path = self.grid.current_path() or path
        self._shown = [item.path for item in self._photos.items()]
        self.loupe.show_photos(self._shown, path)
        self._set_view("loupe")

    def show_compare(self, paths: list[str] | bool | None = None) -> None:
        """Compare these photos, or the selected ones; of a single one its burst, or the next one."""
        if not isinstance(paths, list):
            paths = self._to_compare()
        if len(paths) < 2:
            self.view_changed.emit(self._view)  # the button is up again
            return
        self.compare.show_photos(paths)
        self._set_view("compare")

    def zoom(self) -> None:
        """Fit or 100 %; from the grid, to the loupe."""
        if self._view == "grid":
            self.show_loupe()
        elif self._view == "loupe":
            self.loupe.toggle_zoom()
        else:
            self.compare.toggle_zoom()

    def toggle_map(self) -> None:
        """Lay the quality map over the photo, or take it away; from the grid, in the loupe."""
        if self._view == "compare":
            self.compare.set_map_shown(not self.compare.is_map_shown)
        elif self._view == "loupe":
            self.loupe.set_map_shown(not self.loupe.is_map_shown)
        else:
            self.show_loupe()
            self.loupe.set_map_shown(True)

    def take_keyboard(self) -> None:
        """Have keys go to what is shown."""
        page = self.currentWidget()
        assert page is not None
        page.setFocus()

    def select_all(self) -> None:
        """Select all that is shown, in the grid."""
        self.show_grid()
        self.grid.selectAll()

    def _to_compare(self) -> list[str]:
        meant = self.meant()
        if len(meant) != 1:
            return [item.path for item in meant]
        (item,) = meant
        if item.burst is not None:
            return [other.path for other in self._model.items() if other.burst == item.burst]
        row = self._photos.row_of(item.path)
        if row is None or self._photos.rowCount() < 2:
            return []
        first = min(row, self._photos.rowCount() - 2)
        return [self._photos.item_at(first).path, self._photos.item_at(first + 1).path]

    def _set_view(self, view: View) -> None:
        self._view = view
        self._show_page()
        self.take_keyboard()
        self.view_changed.emit(view)
        self.meant_changed.emit()

    def _show_page(self) -> None:
        page = self._pages[self._view] if self._photos.rowCount() else self.empty
        before, focus = self.currentWidget(), QApplication.focusWidget()
        if before is not None and page is not before:
            self.setCurrentWidget(page)
            # The keyboard stays in the search if what was typed there has changed the page.
            if focus is None or focus is before or before.isAncestorOf(focus):
                page.setFocus()

    def _shown_changed(self) -> None:
        paths = [item.path for item in self._photos.items()]
        if self._view == "loupe":
            self.loupe.show_photos(paths, self._nearest(paths))
        elif self._view == "compare" and not all(self._model.item(path) for path in self.compare.paths):
            self._view = "grid"  # another folder, or they went to the trash
            self.view_changed.emit("grid")
        if not paths:
            if self._model.items():
                self.empty.show_all_filtered()
            if self._view != "grid":
                self._view = "grid"
                self.view_changed.emit("grid")
        self._shown = paths
        # Later: to fill a model is one turn of the event loop's work, to lay out its tiles another's.
        self._paging.start()
        self.meant_changed.emit()

    def _nearest(self, paths: list[str]) -> str | None:
        """The photo in the loupe if it is still shown; else the first of those after it that is."""
        there = set(paths)
        at = self.loupe.path
        if at in there or at not in self._shown:
            return at
        place = self._shown.index(at)
        following = [*self._shown[place + 1 :], *reversed(self._shown[:place])]
        return next((path for path in following if path in there), None)

    def _follow(self, path: str) -> None:
        if self._view != "grid":
            self.meant_changed.emit()

    def _refresh(self, *_: object) -> None:
        if self._view == "loupe":
            self.loupe.refresh()
        elif self._view == "compare":
            self.compare.refresh()
