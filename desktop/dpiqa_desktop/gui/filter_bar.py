"""The row of controls above the photos: which are shown, in which order, how large."""

from __future__ import annotations

import itertools
import math

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)

from dpiqa_desktop.gui.counted import photos, stars
from dpiqa_desktop.gui.grid import LARGEST, MEDIUM, SMALLEST
from dpiqa_desktop.gui.photo_filter import ALL, FlagWanted, Sort, SortBy, StateWanted, Wanted

_TYPING_MS = 200  # after the last letter


class FilterBar(QWidget):
    """Says what is wanted; knows no photos.

    Args:
        parent: of the widget.

    Signals:
        wanted_changed: the ``Wanted`` that the controls say.
        sort_changed: the ``Sort``.
        side_changed: width of the pictures in a tile.
        chosen_by_mouse: in a box: the keyboard's place is with the photos again.
    """

    wanted_changed = Signal(object)
    sort_changed = Signal(object)
    side_changed = Signal(int)
    chosen_by_mouse = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._burst: int | None = None
        self._range = (0.0, 1.0)
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._tell)
        self._make_order()
        self._make_filters()
        self._make_size()
        self._lay_out()

    def wanted(self) -> Wanted:
        """What the controls say."""
        low, high = self.low.value(), self.high.value()
        flag: FlagWanted = self.flag.currentData()
        state: StateWanted = self.state.currentData()
        return Wanted(
            score_from=low if low > self.low.minimum() else None,
            score_to=high if high < self.high.maximum() else None,
            least_stars=self.stars.currentData(),
            flag=flag,
            state=state,
            text=self.text.text().strip(),
            burst=self._burst,
            best_of_bursts=self.best.isChecked(),
        )

    def set_wanted(self, wanted: Wanted) -> None:
        """Have the controls say this."""
        with QSignalBlocker(self):
            self.low.setValue(self.low.minimum() if wanted.score_from is None else wanted.score_from)
            self.high.setValue(self.high.maximum() if wanted.score_to is None else wanted.score_to)
            for box, value in (
                (self.stars, wanted.least_stars),
                (self.flag, wanted.flag),
                (self.state, wanted.state),
            ):
                box.setCurrentIndex(box.findData(value))
            self.text.setText(wanted.text)
            self._burst = wanted.burst
            self.best.setChecked(wanted.best_of_bursts)
        self._tell()

    def clear(self) -> None:
        """Want all photos."""
        self.set_wanted(ALL)

    def set_score_range(self, low: float, high: float) -> None:
        """Scores are between these: the ends of what can be asked for, which stand for no limit."""
        if (low, high) == self._range or not (math.isfinite(low) and math.isfinite(high)):
            return
        self._range = (low, high)
        for box in (self.low, self.high):
            box.setRange(low, high)
            box.setSingleStep((high - low) / 20)
        self.low.setValue(low)
        self.high.setValue(high)

    def set_sort(self, sort: Sort) -> None:
        """Have the controls say this order."""
        with QSignalBlocker(self):
            self.sort.setCurrentIndex(self.sort.findData(sort.by))
            self.turned.setChecked(sort.turned)
        self._tell_sort()

    def say_count(self, shown: int, of: int) -> None:
        """Say how many photos the controls let through."""
        if shown == of:
            self.count.setText(photos(of) if of else "")
        else:
            self.count.setText(self.tr("{shown} of {all}").format(shown=f"{shown:,}", all=f"{of:,}"))
        self.reset.setEnabled(self.wanted() != ALL)

    def _make_order(self) -> None:
        names: tuple[tuple[SortBy, str], ...] = (
            ("folder", self.tr("Folder")),
            ("score", self.tr("Score")),
            ("name", self.tr("Name")),
            ("captured", self.tr("Capture time")),
        )
        self.sort = self._box(self.tr("Sort by"), names)
        self.turned = QToolButton(self)
        self.turned.setText("⇅")
        self.turned.setCheckable(True)
        self.turned.setAutoRaise(True)
        self.turned.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.turned.setAccessibleName(self.tr("The other way round"))
        self.turned.setToolTip(self.tr("The other way round"))
        self.sort.currentIndexChanged.connect(self._tell_sort)
        self.turned.toggled.connect(self._tell_sort)

    def _make_filters(self) -> None:
        least = tuple((n, self.tr("{stars} or more").format(stars=stars(n))) for n in range(1, 6))
        self.stars = self._box(self.tr("Stars"), ((0, self.tr("Any stars")), *least))
        flags: tuple[tuple[FlagWanted, str], ...] = (
            ("any", self.tr("Any flag")),
            ("picked", self.tr("Picked")),
            ("rejected", self.tr("Rejected")),
            ("unflagged", self.tr("Neither")),
        )
        self.flag = self._box(self.tr("Flag"), flags)
        states: tuple[tuple[StateWanted, str], ...] = (
            ("any", self.tr("Scored or not")),
            ("scored", self.tr("Scored")),
            ("unscored", self.tr("Not scored yet")),
            ("failed", self.tr("Failed")),
        )
        self.state = self._box(self.tr("State"), states)
        self.low = self._score_box(self.tr("Lowest score"), 0.0)
        self.high = self._score_box(self.tr("Highest score"), 1.0)
        self.best = QCheckBox(self.tr("Best of bursts"), self)
        self.best.setToolTip(self.tr("Of each burst only its best photo"))
        self.best.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.text = QLineEdit(self)
        self.text.setPlaceholderText(self.tr("Find by name"))
        self.text.setAccessibleName(self.tr("Find by name"))
        self.text.setClearButtonEnabled(True)
        self.text.setMaximumWidth(220)
        self.count = QLabel(self)
        self.count.setAccessibleName(self.tr("How many photos are shown"))
        self.reset = QToolButton(self)
        self.reset.setText(self.tr("Show all"))
        self.reset.setEnabled(False)
        self.reset.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reset.clicked.connect(self.clear)
        for box in (self.stars, self.flag, self.state):
            box.currentIndexChanged.connect(self._tell)
        for spin in (self.low, self.high):
            spin.valueChanged.connect(self._typing.start)
        self.best.toggled.connect(self._tell)
        self.text.textChanged.connect(self._typing.start)

    def _make_size(self) -> None:
        self.size_slider = QSlider(Qt.Orientation.Horizontal, self)
        self.size_slider.setRange(SMALLEST, LARGEST)
        self.size_slider.setSingleStep(16)
        self.size_slider.setPageStep(48)
        self.size_slider.setValue(MEDIUM)
        self.size_slider.setFixedWidth(110)
        self.size_slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.size_slider.setAccessibleName(self.tr("Size of the tiles"))
        self.size_slider.setToolTip(self.tr("Size of the tiles"))
        self.size_slider.valueChanged.connect(self.side_changed)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(6)
        dash = QLabel("\N{EN DASH}", self)
        controls = (self.sort, self.turned, self.text, self.low, self.high, self.stars)
        more = (self.flag, self.state, self.best, self.reset)
        for widget in (*controls, *more):
            layout.addWidget(widget)
        layout.insertWidget(layout.indexOf(self.high), dash)
        layout.addStretch(1)
        layout.addWidget(self.count)
        layout.addWidget(self.size_slider)
        # Tab goes as the eye does, and not in the order in which they were made.
        for one, next_one in itertools.pairwise((*controls, *more, self.size_slider)):
            QWidget.setTabOrder(one, next_one)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def _box(self, name: str, values: tuple[tuple[object, str], ...]) -> QComboBox:
        box = _Box()
        for value, text in values:
            box.addItem(text, value)
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.chosen_by_mouse.connect(self.chosen_by_mouse)
        return box

    def _score_box(self, name: str, value: float) -> QDoubleSpinBox:
        box = QDoubleSpinBox(self)
        box.setRange(0, 1)
        box.setSingleStep(0.05)
        box.setValue(value)
        box.setAccessibleName(name)
        box.setToolTip(name)
        return box

    def _tell(self) -> None:
        self._typing.stop()
        self.wanted_changed.emit(self.wanted())

    def _tell_sort(self) -> None:
        self.sort_changed.emit(Sort(self.sort.currentData(), self.turned.isChecked()))


class _Box(QComboBox):
    """Tells apart who chooses: with the mouse, the next arrow is meant for the photos."""

    chosen_by_mouse = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._pressed = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.activated.connect(self._tell)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """As in Qt."""
        self._pressed = True
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """As in Qt."""
        self._pressed = False
        super().keyPressEvent(event)

    def _tell(self) -> None:
        if self._pressed:
            self.chosen_by_mouse.emit()
