"""What is seen where there are no photos: what can be done about it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget

_MOST_RECENT = 6


class EmptyPage(QWidget):
    """A sentence, a button, and folders that were open lately.

    Args:
        parent: of the widget.

    Signals:
        open_wanted: the button was pressed, to choose a folder.
        show_all_wanted: it was pressed, to take the filter away.
        folder_chosen: one of the recent ones.
    """

    open_wanted = Signal()
    show_all_wanted = Signal()
    folder_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.title = QLabel(self)
        font = self.title.font()
        font.setPointSizeF(font.pointSizeF() * 1.8)
        self.title.setFont(font)
        self.hint = QLabel(self)
        for label in (self.title, self.hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        self.button = QPushButton(self)
        self.button.setMinimumHeight(2 * self.fontMetrics().height() + 6)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 32, 32, 32)
        layout.setSpacing(14)
        layout.addStretch(2)
        layout.addWidget(self.title)
        layout.addWidget(self.hint)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(self._recent)
        layout.addStretch(3)
        self.button.clicked.connect(self._clicked)
        self._filtered = False
        self.show_start(())

    def show_start(self, recent: Sequence[str]) -> None:
        """Nothing is open."""
        self._say(
            self.tr("Find the good photos of a shoot"),
            self.tr(
                "Open a folder, or drop one here. Every photo gets a score, on this computer.\n"
                "No file is changed until you say so."
            ),
            self.tr("Open folder…"),
        )
        self._show_recent(recent)

    def show_opening(self, folder: str) -> None:
        """The folder is being listed."""
        self._say(self.tr("Looking for photos…"), _shown(folder), "")

    def show_no_photos(self, paths: Sequence[str], recursive: bool) -> None:
        """These folders have none."""
        hint = self.tr("There are no photos in {folder} or its subfolders.")
        if not recursive:
            hint = self.tr("There are no photos in {folder} itself. Its subfolders were not looked into.")
        self._say(
            self.tr("No photos here"),
            hint.format(folder=", ".join(map(_shown, paths))),
            self.tr("Open another folder…"),
        )

    def show_failure(self, reason: str) -> None:
        """The folder could not be opened."""
        self._say(self.tr("This did not open"), reason, self.tr("Open another folder…"))

    def show_all_filtered(self) -> None:
        """There are photos, but the filter lets none through."""
        self._say(
            self.tr("No photo passes the filter"),
            self.tr("There are photos here, but none of them is what the controls above ask for."),
            self.tr("Show all photos"),
        )
        self._filtered = True

    def _say(self, title: str, hint: str, button: str) -> None:
        self._filtered = False
        self.title.setText(title)
        self.hint.setText(hint)
        self.button.setText(button)
        focus = QApplication.focusWidget()
        if focus is not None and self.isAncestorOf(focus):
            self.setFocus()  # what has it may go; the keyboard stays on this page
        self.button.setVisible(bool(button))
        if self.hasFocus():
            self._hand_on()
        self._show_recent(())

    def _show_recent(self, folders: Sequence[str]) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if folders:
            heading = QLabel(self.tr("Open lately"), self)
            heading.setContentsMargins(0, 14, 0, 0)
            self._recent.addWidget(heading, 0, Qt.AlignmentFlag.AlignHCenter)
        for folder in folders[:_MOST_RECENT]:
            name = _shown(os.path.basename(folder.rstrip("/\\")) or folder)
            button = QPushButton(self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, 400), self)
            button.setFlat(True)
            button.setToolTip(_shown(folder))
            button.setAccessibleName(self.tr("Open {folder}").format(folder=_shown(folder)))
            button.clicked.connect(lambda _=False, folder=folder: self.folder_chosen.emit(folder))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """See Qt; the page has no use for keys, its button has."""
        super().focusInEvent(event)
        self._hand_on()

    def _hand_on(self) -> None:
        if self.button.text() and not self.button.isHidden():
            self.button.setFocus()

    def _clicked(self) -> None:
        if self._filtered:
            self.show_all_wanted.emit()
        else:
            self.open_wanted.emit()


def _shown(path: str) -> str:
    return path.encode("utf-8", "replace").decode()
