"""All bursts of the folder: to go through them one by one and keep the best of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from dpiqa_desktop.gui.counted import photos
from dpiqa_desktop.gui.photo_item import PhotoItem

_PATHS = Qt.ItemDataRole.UserRole


class BurstList(QWidget):
    """One line a burst.

    Args:
        parent: of the widget.

    Signals:
        chosen: the best photo's path, of the burst that the user has gone to.
        compare_wanted: the paths of a burst that was double-clicked, or Return pressed on; the best first.
    """

    chosen = Signal(str)
    compare_wanted = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: list[list[tuple[str, bool]]] = []
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Bursts"))
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setContentsMargins(8, 4, 8, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.words)
        layout.addWidget(self.list, 1)
        layout.addStretch(0)
        self.list.currentItemChanged.connect(self._gone_to)
        self.list.itemActivated.connect(lambda line: self.compare_wanted.emit(line.data(_PATHS)))
        self.show_bursts(())

    def show_bursts(self, items: Sequence[PhotoItem]) -> None:
        """Show the bursts that these photos are in; the same ones stay as they are."""
        members: defaultdict[int, list[PhotoItem]] = defaultdict(list)
        for item in items:
            if item.burst is not None:
                members[item.burst].append(item)
        bursts = [[(item.path, item.best_of_burst) for item in burst] for _, burst in sorted(members.items())]
        if bursts != self._shown or not bursts:
            self._shown = bursts
            self._fill(dict(sorted(members.items())))

    def _fill(self, bursts: dict[int, list[PhotoItem]]) -> None:
        self.list.clear()
        for number, burst in bursts.items():
            ordered = sorted(burst, key=lambda item: not item.best_of_burst)
            text = self.tr("{number}: {photos}, best {name}").format(
                number=number, photos=photos(len(burst)), name=ordered[0].name.replace("\n", " ")
            )
            line = QListWidgetItem(text)
            line.setData(_PATHS, [item.path for item in ordered])
            line.setToolTip("\n".join(item.name for item in ordered))
            self.list.addItem(line)
        self.list.setVisible(bool(bursts))
        self.words.setText(
            self.tr("Double-click one to compare its photos.")
            if bursts
            else self.tr("None yet. They are looked for when all photos have scores.")
        )

    def _gone_to(self, line: QListWidgetItem | None) -> None:
        if line is not None:
            self.chosen.emit(line.data(_PATHS)[0])
