"""Two to four photos side by side, zoomed and moved together: to keep one and reject the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from dpiqa_desktop.gui.compare_pane import Pane
from dpiqa_desktop.gui.photo_canvas import PhotoCanvas
from dpiqa_desktop.gui.photo_caption import ElidedLabel
from dpiqa_desktop.gui.photo_item import Flag, PhotoItem
from dpiqa_desktop.gui.photo_loader import FullPhoto, PhotoLoader
from dpiqa_desktop.gui.photo_view import PhotoView
from dpiqa_desktop.gui.quality_map import QualityMaps
from dpiqa_desktop.gui.view_keys import zooming_keys
from dpiqa_desktop.gui.viewpoint import FIT, Viewpoint

MOST_PANES = 4


class Compare(PhotoView):
    """Shows photos beside each other, four at a time.

    One is the current one; where a best is proposed, that one to begin with. Keys: arrows left and right
    choose another, Page Up and Page Down show others of more than four; K keeps the current one and rejects
    all others; Z or space for 100 %; + and -; Shift with arrows moves; L locks and unlocks the views; M for
    quality maps; Escape leaves.

    Signals:
        marks_chosen(dict): path -> ``Mark``, of all photos, when one is kept.
        current_changed(path): another one is the current one.

    Args:
        loader, maps, item_of, parent: see ``PhotoView``.
    """

    marks_chosen = Signal(dict)
    current_changed = Signal(str)

    def __init__(
        self,
        loader: PhotoLoader,
        maps: QualityMaps,
        item_of: Callable[[str], PhotoItem | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(loader, maps, item_of, self.tr("Compare"), parent)
        self._paths: tuple[str, ...] = ()
        self._best: str | None = None
        self._at = 0
        self.panes = [Pane(number, self) for number in range(MOST_PANES)]
        self._words = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        self._make_buttons()
        self._lay_out()
        for pane in self.panes:
            pane.canvas.viewpoint_changed.connect(self._follow)
            pane.canvas.pressed.connect(self._choose_pressed)
        self._show_page()

    @property
    def path(self) -> str | None:
        """Of the current photo."""
        return self._paths[self._at] if self._paths else None

    @property
    def paths(self) -> tuple[str, ...]:
        """Of all photos that are compared, those of other pages, too."""
        return self._paths

    def show_photos(self, paths: Sequence[str], best: str | None = None) -> None:
        """Compare these photos.

        Args:
            paths: two or more; four are seen at a time, the first ones first.
            best: is proposed, comes first and is the current one; if not given, the best of a burst.
        """
        best = best or next((path for path in paths if self._is_best(path)), None)
        self._best = best if best in paths else None
        others = [path for path in dict.fromkeys(paths) if path != self._best]
        self._paths = tuple(([self._best] if self._best is not None else []) + others)
        self._at = 0
        for pane in self.panes:
            pane.canvas.set_viewpoint(FIT)
        self._show_page()
        if self.path is not None:
            self.current_changed.emit(self.path)

    def refresh(self) -> None:
        """Say anew what is known of the photos: they were scored or marked."""
        for pane, path in zip(self.panes, self._page(), strict=False):
            pane.describe(self._item_of(path) or PhotoItem(path), path == self._best)
            pane.set_current(path == self.path)
        self.setAccessibleDescription("" if self.path is None else PhotoItem(self.path).name)
        count = len(self._paths)
        self.keep_button.setText(
            self.tr("Keep this, reject the other %n (K)", "", count - 1)
            if count > 2
            else self.tr("Keep this, reject the other (K)")
        )
        self.keep_button.setEnabled(count > 1)
        first = self._first()
        seen = self.tr("{first} to {last} of {count}").format(
            first=first + 1, last=min(first + MOST_PANES, count), count=count
        )
        self._words.say(seen if count > MOST_PANES else "")
        for button, there_is in (
            (self.previous_button, first > 0),
            (self.next_button, first + MOST_PANES < count),
        ):
            button.setVisible(count > MOST_PANES)
            button.setEnabled(there_is)

    def keep(self) -> None:
        """Pick the current photo and reject all others; the stars stay."""
        if len(self._paths) < 2:
            return
        marks, now = {}, time.time_ns()
        for path in self._paths:
            mark = (self._item_of(path) or PhotoItem(path)).mark.in_force
            flag: Flag = "picked" if path == self.path else "rejected"
            marks[path] = replace(mark, flag=flag, flag_at=now)
        self.marks_chosen.emit(marks)

    def choose(self, path: str) -> None:
        """Make a photo the current one."""
        if path in self._paths and path != self.path:
            page = self._first()
            self._at = self._paths.index(path)
            if self._first() == page:
                self.refresh()
            else:
                self._show_page()
            self.current_changed.emit(path)

    def toggle_zoom(self) -> None:
        """Go to 100 % at the cursor, in the current photo if the mouse is on none; or back to all of them."""
        self._pointed().toggle_zoom()

    def show_next_page(self) -> None:
        """Show the next four."""
        self._turn(MOST_PANES)

    def show_previous_page(self) -> None:
        """Show the four before."""
        self._turn(-MOST_PANES)

    def _make_buttons(self) -> None:
        self.keep_button = self._button(
            "",
            self.tr("Keep the current photo"),
            self.tr("Pick this photo and reject all others (K)"),
            self.keep,
        )
        self.lock_button = self._button(
            self.tr("Locked"),
            self.tr("Zoom and move together"),
            self.tr("Zoom and move all photos together (L)"),
            None,
        )
        self.lock_button.setCheckable(True)
        self.lock_button.setChecked(True)
        self.lock_button.toggled.connect(self._lock)
        self.zoom_button = self._button(
            self.tr("Fit / 100 %"), self.tr("Zoom"), self.tr("Fit or 100 % (Z)"), self.toggle_zoom
        )
        self.previous_button = self._button(
            "◀",
            self.tr("Previous photos"),
            self.tr("Previous photos (Page Up)"),
            self.show_previous_page,
        )
        self.next_button = self._button(
            "▶", self.tr("Next photos"), self.tr("Next photos (Page Down)"), self.show_next_page
        )
        self._keys = zooming_keys(self._pointed) | {
            (Qt.Key.Key_Left, False): lambda: self._step(-1),
            (Qt.Key.Key_Right, False): lambda: self._step(1),
            (Qt.Key.Key_PageUp, False): self.show_previous_page,
            (Qt.Key.Key_PageDown, False): self.show_next_page,
            (Qt.Key.Key_K, False): self.keep,
            (Qt.Key.Key_L, False): self.lock_button.toggle,
            (Qt.Key.Key_M, False): self.map_button.toggle,
            (Qt.Key.Key_Escape, False): self.left.emit,
        }

    def _lay_out(self) -> None:
        self._grid = QGridLayout()
        self._grid.setSpacing(2)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(8, 4, 8, 4)
        buttons.setSpacing(4)
        buttons.addWidget(self.keep_button)
        buttons.addWidget(self._words, 1)
        for button in (
            self.previous_button,
            self.next_button,
            self.map_button,
            self.lock_button,
            self.zoom_button,
        ):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._grid, 1)
        layout.addWidget(self.legend)
        layout.addLayout(buttons)

    def _first(self) -> int:
        """Of the photos on the page of the current one."""
        return self._at - self._at % MOST_PANES

    def _page(self) -> tuple[str, ...]:
        return self._paths[self._first() : self._first() + MOST_PANES]

    def _show_page(self) -> None:
        page = self._page()
        columns = 2 if len(page) == MOST_PANES else max(len(page), 1)
        for number, pane in enumerate(self.panes):
            self._grid.removeWidget(pane)
            pane.setVisible(number < len(page) or (not page and number == 0))
            self._grid.addWidget(pane, number // columns, number % columns)
        for line in range(MOST_PANES):
            self._grid.setColumnStretch(line, int(line < columns))
            self._grid.setRowStretch(line, int(line * columns < len(page)))
        self.refresh()
        if not page:
            self.panes[0].show_nothing(self.tr("Choose two or more photos to compare them"))
        for pane, path in zip(self.panes, page, strict=False):
            pane.clear(self.tr("Loading…"))
            photo = self._loader.get(path)
            if photo is not None:
                pane.show_photo(photo)
        self._align_captions()
        self._wish()
        self._renew_maps()

    def _seen(self) -> Mapping[str, PhotoCanvas]:
        return {path: pane.canvas for pane, path in zip(self.panes, self._page(), strict=False)}

    def _wish(self) -> None:
        if self.isVisible() and self._paths:
            page, first = self._page(), self._first()
            following = self._paths[first + MOST_PANES : first + 2 * MOST_PANES]
            self._loader.want([*page, *following], urgent=len(page))

    def _step(self, by: int) -> None:
        if 0 <= self._at + by < len(self._paths):
            self.choose(self._paths[self._at + by])

    def _turn(self, by: int) -> None:
        if 0 <= self._first() + by < len(self._paths):
            self.choose(self._paths[self._first() + by])

    def _pane_of(self, path: str) -> Pane | None:
        page = self._page()
        return self.panes[page.index(path)] if path in page else None

    def _pointed(self) -> PhotoCanvas:
        """The photo that the mouse is on; the current one if it is on none."""
        canvases = [pane.canvas for pane in self.panes if not pane.isHidden()]
        current = canvases[self._at - self._first()]
        return next((canvas for canvas in canvases if canvas.has_cursor), current)

    def _choose_pressed(self) -> None:
        for pane, path in zip(self.panes, self._page(), strict=False):
            if pane.canvas is self.sender():
                self.choose(path)

    def _follow(self, viewpoint: Viewpoint) -> None:
        if self.lock_button.isChecked():
            for pane in self.panes:
                if pane.canvas is not self.sender():
                    pane.canvas.set_viewpoint(viewpoint)

    def _lock(self, locked: bool) -> None:
        self.lock_button.setText(self.tr("Locked") if locked else self.tr("Unlocked"))
        if locked:
            viewpoint = self._pointed().viewpoint
            for pane in self.panes:
                pane.canvas.set_viewpoint(viewpoint)

    def _is_best(self, path: str) -> bool:
        item = self._item_of(path)
        return item is not None and item.best_of_burst

    def _take_photo(self, path: str, photo: FullPhoto) -> None:
        pane = self._pane_of(path)
        if pane is not None:
            pane.show_photo(photo)
            self._align_captions()

    def _align_captions(self) -> None:
        """A line for the camera below all photos or none: they are seen at one size."""
        there = any(pane.tells_camera for pane in self.panes if not pane.isHidden())
        for pane in self.panes:
            pane.show_camera(there)
