"""What loupe and comparison have in common: whole photos, their keys, and quality maps laid over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QImage, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QToolButton, QWidget

from dpiqa_desktop.gui.photo_canvas import PhotoCanvas
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_loader import FullPhoto, PhotoLoader
from dpiqa_desktop.gui.quality_map import QualityMap, QualityMapLegend, QualityMaps
from dpiqa_desktop.gui.view_keys import KeyTable, act_on


class PhotoView(QWidget):
    """Shows whole photos; which, and where, is a subclass's.

    Signals:
        left(): the photographer wants back to where they came from.

    Args:
        loader: of photos; the same may serve another view, of which one at a time is visible.
        maps: of quality; likewise.
        item_of: what is known of a photo; None if it is not there any more.
        name: of the view, for screen readers.
        parent: as in Qt.
    """

    left = Signal()

    def __init__(
        self,
        loader: PhotoLoader,
        maps: QualityMaps,
        item_of: Callable[[str], PhotoItem | None],
        name: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._loader, self._maps, self._item_of = loader, maps, item_of
        self._keys: KeyTable = {}
        self.legend = QualityMapLegend(self)
        self.legend.hide()
        self.map_button = self._button(
            self.tr("Quality map"), self.tr("Quality map"), self.tr("Where the model looks (M)"), None
        )
        self.map_button.setCheckable(True)
        self.map_button.toggled.connect(self._show_maps)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        loader.loaded.connect(self._take_photo)
        loader.quick.connect(self._take_quick)
        loader.failed.connect(self._take_failure)
        maps.ready.connect(self._take_map)
        maps.failed.connect(self._take_map_failure)
        maps.model_changed.connect(self._renew_maps)

    @property
    def is_map_shown(self) -> bool:
        """Whether quality maps are laid over the photos, as soon as there are any."""
        return self.map_button.isChecked()

    def set_map_shown(self, shown: bool) -> None:
        """Lay quality maps over the photos, or take them away."""
        self.map_button.setChecked(shown)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """As in Qt."""
        if not act_on(event, self._keys):
            super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """As in Qt; nothing is loaded for nobody."""
        super().hideEvent(event)
        self._loader.want(())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """As in Qt."""
        super().showEvent(event)
        self._wish()
        if any(canvas.overlay is None for canvas in self._seen().values()):
            self._renew_maps()

    def _seen(self) -> Mapping[str, PhotoCanvas]:
        """Which photos are shown, and on what, by path."""
        raise NotImplementedError

    def _wish(self) -> None:
        """Have those loaded that are shown and will be."""
        raise NotImplementedError

    def _take_photo(self, path: str, photo: FullPhoto) -> None:
        raise NotImplementedError

    def _take_quick(self, path: str, image: QImage) -> None:
        canvas = self._seen().get(path)
        if canvas is not None and canvas.photo is None:
            canvas.show_quick(image, self.tr("Loading…"))

    def _take_failure(self, path: str, reason: str) -> None:
        canvas = self._seen().get(path)
        if canvas is not None:
            canvas.show_words(
                self.tr("{name} cannot be shown:\n{reason}").format(name=PhotoItem(path).name, reason=reason)
            )

    def _button(self, text: str, name: str, tip: str, slot: Callable[[], None] | None) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setAccessibleName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the photo
        if slot is not None:
            button.clicked.connect(slot)
        return button

    def _show_maps(self, shown: bool) -> None:
        self.legend.setVisible(shown)
        for canvas in self._seen().values():
            canvas.set_overlay(None)
        if shown and self._seen():
            self.legend.say(self.tr("Asking the model where it looks…"))
            self._maps.ask(*self._seen())

    def _renew_maps(self) -> None:
        for canvas in self._seen().values():
            canvas.set_overlay(None)  # now: the photo before must not be taken for its own
        if self.isVisible() and self.is_map_shown:
            self._show_maps(True)

    def _take_map(self, path: str, map_: QualityMap) -> None:
        canvas = self._seen().get(path)
        if canvas is not None and self.is_map_shown:
            canvas.set_overlay(map_.image)
            self.legend.explain(map_)

    def _take_map_failure(self, path: str, reason: str) -> None:
        if path in self._seen() and self.is_map_shown:
            self.legend.say(self.tr("No map: {reason}").format(reason=reason))
