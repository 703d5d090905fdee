"""One photo as large as the window, and the next ones ready behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from dpiqa_desktop.gui.photo_canvas import PhotoCanvas
from dpiqa_desktop.gui.photo_caption import ElidedLabel, camera_line, spoken_verdict, verdict
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_loader import FullPhoto, PhotoLoader
from dpiqa_desktop.gui.photo_view import PhotoView
from dpiqa_desktop.gui.quality_map import QualityMaps
from dpiqa_desktop.gui.view_keys import zooming_keys
from dpiqa_desktop.gui.viewpoint import FIT

_WISHES = (0, 1, -1, 2)  # places from the photo that is seen, in the direction of travel


class Loupe(PhotoView):
    """Shows a photo of a sequence, and others of it on request.

    The zoom and the place stay from photo to photo, so that faces and eyes can be compared. Keys: arrows left
    and right, Home and End for other photos; Z or space for 100 %; + and -; Shift with arrows moves; M for
    the quality map; Escape leaves.

    Signals:
        photo_changed(path): another one is shown, by key or button; or by ``show_photos``.

    Args:
        loader, maps, item_of, parent: see ``PhotoView``.
    """

    photo_changed = Signal(str)

    def __init__(
        self,
        loader: PhotoLoader,
        maps: QualityMaps,
        item_of: Callable[[str], PhotoItem | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(loader, maps, item_of, self.tr("Loupe"), parent)
        self._paths: Sequence[str] = ()
        self._at = 0
        self._direction = 1
        self.canvas = PhotoCanvas(self)
        self._name = ElidedLabel(Qt.TextElideMode.ElideMiddle, self)
        self._verdict = QLabel(self)
        self._camera = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        self._position = QLabel(self)
        self._make_buttons()
        self._lay_out()
        self.canvas.zoom_changed.connect(self._say_zoom)
        self._show()

    @property
    def path(self) -> str | None:
        """Of the photo that is shown."""
        return self._paths[self._at] if self._paths else None

    def show_photos(self, paths: Sequence[str], path: str | None = None) -> None:
        """Go through these photos from now on, beginning with ``path``, or the first.

        The same photo stays as it is seen, so that a new order or a filter does not disturb.
        """
        before = self.path
        self._paths = tuple(paths)
        self._at = self._paths.index(path) if path in self._paths else 0
        if self.path != before:
            self._show()
        else:
            self._wish()
            self.refresh()

    def refresh(self) -> None:
        """Say anew what is known of the photo: it was scored or marked."""
        path = self.path
        item = self._item_of(path) if path is not None else None
        self._verdict.setText("" if item is None else verdict(item))
        self._verdict.setAccessibleName(self.tr("What is known of it"))
        spoken = "" if item is None else spoken_verdict(item)
        self._verdict.setAccessibleDescription(spoken)
        self.setAccessibleDescription("" if path is None else f"{PhotoItem(path).name}, {spoken}")
        self._name.say("" if path is None else PhotoItem(path).name)
        self._position.setText(
            self.tr("{number} of {count}").format(number=self._at + 1, count=f"{len(self._paths):,}")
            if path is not None
            else ""
        )

    def show_next(self) -> None:
        """Show the next photo; the last one stays."""
        self._go(self._at + 1)

    def show_previous(self) -> None:
        """Show the photo before; the first one stays."""
        self._go(self._at - 1)

    def toggle_zoom(self) -> None:
        """Go to 100 % at the cursor, or back to all of the photo."""
        self.canvas.toggle_zoom()

    def _make_buttons(self) -> None:
        self.previous_button = self._button(
            "◀", self.tr("Previous photo"), self.tr("Previous photo (Left)"), self.show_previous
        )
        self.next_button = self._button(
            "▶", self.tr("Next photo"), self.tr("Next photo (Right)"), self.show_next
        )
        self.zoom_button = self._button(
            self.tr("Fit"), self.tr("Zoom"), self.tr("Fit or 100 % (Z)"), self.toggle_zoom
        )
        self._keys = zooming_keys(lambda: self.canvas) | {
            (Qt.Key.Key_Left, False): self.show_previous,
            (Qt.Key.Key_Right, False): self.show_next,
            (Qt.Key.Key_Home, False): lambda: self._go(0),
            (Qt.Key.Key_End, False): lambda: self._go(len(self._paths) - 1),
            (Qt.Key.Key_M, False): self.map_button.toggle,
            (Qt.Key.Key_Escape, False): self.left.emit,
        }

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (self.map_button, self.zoom_button, self.previous_button, self.next_button):
            buttons.addWidget(button)
        caption = QGridLayout()
        caption.setContentsMargins(8, 4, 8, 4)
        caption.setHorizontalSpacing(16)
        caption.addWidget(self._name, 0, 0)
        caption.addWidget(self._verdict, 0, 1, Qt.AlignmentFlag.AlignRight)
        caption.addWidget(self._position, 0, 2, Qt.AlignmentFlag.AlignRight)
        caption.addWidget(self._camera, 1, 0, 1, 2)
        caption.addLayout(buttons, 1, 2)
        caption.setColumnStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self.legend)
        layout.addLayout(caption)

    def _go(self, index: int) -> None:
        index = min(max(index, 0), len(self._paths) - 1)
        if self._paths and index != self._at:
            self._direction = 1 if index > self._at else -1
            self._at = index
            self._show()

    def _show(self) -> None:
        path = self.path
        self.canvas.set_overlay(None)  # now: the photo before must not be taken for its own
        self.refresh()
        self.previous_button.setEnabled(self._at > 0)
        self.next_button.setEnabled(self._at + 1 < len(self._paths))
        for button in (self.zoom_button, self.map_button):
            button.setEnabled(path is not None)
        if path is None:
            self.canvas.set_viewpoint(FIT)
            self.canvas.show_words(self.tr("No photo to show"))
            self._camera.say("")
            return
        photo = self._loader.get(path)
        if photo is not None:
            self._take_photo(path, photo)
        else:
            self.canvas.show_words(self.tr("Loading…"))
            self._camera.say("")
        self._wish()
        self._renew_maps()
        self.photo_changed.emit(path)

    def _seen(self) -> Mapping[str, PhotoCanvas]:
        return {} if self.path is None else {self.path: self.canvas}

    def _wish(self) -> None:
        """Load this photo, the next one in the direction of travel, the one behind, then one more."""
        if not self.isVisible() or not self._paths:
            return
        places = [self._at + self._direction * step for step in _WISHES]
        self._loader.want([self._paths[i] for i in places if 0 <= i < len(self._paths)])

    def _take_photo(self, path: str, photo: FullPhoto) -> None:
        if path == self.path:
            self.canvas.show_photo(photo)
            self._camera.say(camera_line(photo.settings))

    def _say_zoom(self) -> None:
        if self.canvas.photo is None:
            self.zoom_button.setText(self.tr("Fit"))
            return
        percent = self.tr("{percent} %").format(percent=max(1, round(100 * self.canvas.zoom)))
        fit = self.canvas.viewpoint.zoom is None
        self.zoom_button.setText(self.tr("Fit ({percent})").format(percent=percent) if fit else percent)
