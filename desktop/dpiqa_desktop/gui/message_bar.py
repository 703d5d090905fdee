"""What the window has to tell, in the window: it does not stop anybody, and stays until it is read."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

_MOST = 5  # texts shown together; of more, how many
_REMARK_MS = 6000


class MessageBar(QFrame):
    """A bar that is there while there is something to be read.

    Args:
        parent: of the widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts: list[str] = []
        self.setObjectName("messages")
        self.setAccessibleName(self.tr("Messages"))
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self._label = QLabel(self)
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = QPushButton(self)
        self.button.hide()
        close = QToolButton(self)
        close.setText("✕")
        close.setAutoRaise(True)
        close.setAccessibleName(self.tr("Close the message"))
        close.setToolTip(self.tr("Close"))
        close.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 6, 6)
        layout.addWidget(self._label, 1)
        layout.addWidget(self.button)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._going = QTimer(self, singleShot=True, interval=_REMARK_MS)
        self._going.timeout.connect(self.clear)
        self._do: Callable[[], object] | None = None
        self.button.clicked.connect(self._clicked)
        self.hide()

    @property
    def text(self) -> str:
        """What is being said; "" if nothing is."""
        return "" if self.isHidden() else self._label.text()

    def say(self, text: str, button: str = "", do: Callable[[], object] | None = None) -> None:
        """Add a text, once; ``button`` is the name of what can be done about it, ``do`` does it."""
        self._going.stop()
        if text not in self._texts:
            self._texts.append(text)
        shown = self._texts[-_MOST:]
        more = len(self._texts) - len(shown)
        self._label.setText("\n".join([*shown, *([self.tr("… and %n more", "", more)] if more else [])]))
        self._label.setAccessibleName(self._label.text())
        self._do = do
        self.button.setText(button)
        self.button.setVisible(do is not None)
        self.show()

    def remark(self, text: str) -> None:
        """Say something that may be missed; it goes by itself."""
        if self.isHidden():
            self.say(text)
            self._going.start()

    def clear(self) -> None:
        """Say nothing more."""
        self._texts.clear()
        self.hide()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """A long word, such as a path, does not make the window wider."""
        return QSize(0, super().minimumSizeHint().height())

    def _clicked(self) -> None:
        do = self._do
        self.clear()
        if do is not None:
            do()
