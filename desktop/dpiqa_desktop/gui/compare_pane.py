"""One of the photos that are compared, with its caption and frame."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from dpiqa_desktop.gui.photo_canvas import PhotoCanvas
from dpiqa_desktop.gui.photo_caption import ElidedLabel, exposure_line, spoken_verdict, verdict
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_loader import FullPhoto

_BORDER = 3


class Pane(QFrame):
    """A photo with what is known of it, and a frame that tells whether it is the current one."""

    def __init__(self, number: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = number
        self._is_current = False
        self.canvas = PhotoCanvas(self)
        self._name = ElidedLabel(Qt.TextElideMode.ElideMiddle, self)
        self._verdict = QLabel(self)
        self._camera = ElidedLabel(Qt.TextElideMode.ElideRight, self)
        self._proposal = QLabel(self.tr("Proposed"), self)
        self._proposal.setToolTip(self.tr("The best score of these photos"))
        caption = QGridLayout()
        caption.setContentsMargins(6, 2, 6, 2)
        caption.setHorizontalSpacing(8)
        caption.setVerticalSpacing(0)
        caption.addWidget(self._name, 0, 0)
        caption.addWidget(self._proposal, 0, 1)
        caption.addWidget(self._verdict, 0, 2)
        caption.addWidget(self._camera, 1, 0, 1, 3)
        caption.setColumnStretch(0, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_BORDER, _BORDER, _BORDER, _BORDER)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 1)
        layout.addLayout(caption)
        self.setAutoFillBackground(True)

    @property
    def is_current(self) -> bool:
        """Whether its frame is shown."""
        return self._is_current

    @property
    def is_proposed(self) -> bool:
        """Whether it says so."""
        return not self._proposal.isHidden()

    def clear(self, words: str) -> None:
        """Show no photo but words; what ``describe`` said stays."""
        self.canvas.set_overlay(None)
        self.canvas.show_words(words)
        self._camera.say("")

    def show_nothing(self, words: str) -> None:
        """Show words only."""
        self.clear(words)
        self._name.say("")
        self._verdict.clear()
        self._proposal.hide()
        self.setAccessibleName(words)
        self.set_current(False)

    def show_photo(self, photo: FullPhoto) -> None:
        """Show the photo, and how it was taken."""
        self.canvas.show_photo(photo)
        self._camera.say(exposure_line(photo.settings))

    @property
    def tells_camera(self) -> bool:
        """Whether the photo says how it was taken."""
        return bool(self._camera.text())

    def show_camera(self, shown: bool) -> None:
        """Leave room for a line on how it was taken, or none."""
        self._camera.setVisible(shown)

    def describe(self, item: PhotoItem, proposed: bool) -> None:
        """Say what is known of the photo."""
        self._name.say(item.name)
        self._verdict.setText(verdict(item))
        self._proposal.setVisible(proposed)
        spoken = [item.name, self.tr("proposed") if proposed else "", spoken_verdict(item)]
        self.setAccessibleName(", ".join(part for part in spoken if part))
        self.canvas.setAccessibleName(self.accessibleName())

    def set_current(self, current: bool) -> None:
        """Show the frame, or not: the theme's colour of what is selected, around and behind the caption."""
        self._is_current = current
        self.setBackgroundRole(QPalette.ColorRole.Highlight if current else QPalette.ColorRole.Window)
        role = QPalette.ColorRole.HighlightedText if current else QPalette.ColorRole.WindowText
        for label in (self._name, self._verdict, self._camera, self._proposal):
            label.setForegroundRole(role)
