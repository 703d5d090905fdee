"""Histogram of scores with two thresholds, by score or by share of the photos, and what they catch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dpiqa_desktop.gui.score_bars import PICK_COLOUR, REJECT_COLOUR, Handle, ScoreBars


@dataclass(frozen=True)
class Caught:
    """How many photos are where."""

    rejected: int
    between: int
    picked: int


class Histogram(QWidget):
    """Shows how many photos have which score, and lets two thresholds be set: reject below, pick from.

    By score, a threshold stays where it is while scores come in; by percent, so many of the photos stay
    behind it. With a metric whose lower scores are better, "worse" is above.

    Signals:
        thresholds_changed(reject, pick): by the user, or because in percent the scores have moved them.
        apply_wanted(): photos are to be picked and rejected so.

    Args:
        parent: of the widget.
    """

    thresholds_changed = Signal(float, float)
    apply_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sorted = np.zeros(0)
        self._range: tuple[float, float] | None = (0.0, 1.0)
        self._lower_better = False
        self._reject, self._pick = 0.3, 0.7
        self._worst_percent, self._best_percent = 10.0, 10.0
        self.setAccessibleName(self.tr("Scores"))
        self.bars = ScoreBars(self)
        self.unit = QComboBox(self)
        self.unit.addItems([self.tr("By score"), self.tr("By percent")])
        self.unit.setAccessibleName(self.tr("Thresholds by score or by percent of the photos"))
        self.reject_box = self._box(self.tr("Reject threshold"))
        self.pick_box = self._box(self.tr("Pick threshold"))
        self._rejected, self._between, self._picked = QLabel(self), QLabel(self), QLabel(self)
        self.apply_button = QPushButton(self.tr("Pick and reject these"), self)
        self._reject_label = QLabel(self)
        self._pick_label = QLabel(self)
        self._reject_label.setBuddy(self.reject_box)
        self._pick_label.setBuddy(self.pick_box)
        self._lay_out()
        self.bars.moved.connect(self._dragged)
        self.unit.currentIndexChanged.connect(self._unit_changed)
        self.reject_box.valueChanged.connect(lambda value: self._typed("reject", value))
        self.pick_box.valueChanged.connect(lambda value: self._typed("pick", value))
        self.apply_button.clicked.connect(lambda: self.apply_wanted.emit())
        self._unit_changed()

    @property
    def by_percent(self) -> bool:
        """Whether thresholds are shares of the photos."""
        return self.unit.currentIndex() == 1

    @property
    def thresholds(self) -> tuple[float, float]:
        """Scores: worse than the first is rejected, at least as good as the second picked."""
        return self._reject, self._pick

    def set_scale(self, score_range: tuple[float, float] | None, lower_better: bool) -> None:
        """Say what scores can be: lowest and highest, None if unknown; and which way is better.

        Thresholds keep their place on the axis, as those of another scale make no sense.
        """
        before = self._range
        finite = score_range is not None and all(map(math.isfinite, score_range))
        self._range = score_range if finite else None
        if self._range is not None and before is not None and self._range != before:
            reject, pick = (_moved(score, before, self._range) for score in self.thresholds)
            self._reject, self._pick = reject, pick
        if lower_better != self._lower_better:
            self._lower_better = lower_better
            self._reject, self._pick = self._pick, self._reject
        self._unit_changed()

    def set_scores(self, scores: Sequence[float]) -> None:
        """Show these; in any order."""
        self._sorted = np.sort(np.asarray(scores, dtype=float))
        before = self.thresholds
        if self.by_percent:
            self._follow_percents()
        self._show()
        if self.thresholds != before:
            self.thresholds_changed.emit(*self.thresholds)

    def set_thresholds(self, reject: float, pick: float) -> None:
        """Put the thresholds there; nothing is told of it."""
        if (reject, pick) == self.thresholds:
            return  # or percents that few scores cannot meet yet would be forgotten
        self._reject, self._pick = reject, pick
        self._note_percents()
        self._show()

    def caught(self) -> Caught:
        """How many photos the thresholds catch."""
        scores, total = self._sorted, len(self._sorted)
        if self._lower_better:
            rejected = total - int(np.searchsorted(scores, self._reject, "right"))
            picked = int(np.searchsorted(scores, self._pick, "right"))
        else:
            rejected = int(np.searchsorted(scores, self._reject, "left"))
            picked = total - int(np.searchsorted(scores, self._pick, "left"))
        picked = min(picked, total - rejected)  # rejecting comes first
        return Caught(rejected, total - rejected - picked, picked)

    def _box(self, name: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox(self)
        box.setAccessibleName(name)
        box.setKeyboardTracking(False)  # "0.7" is not to be 0 first
        return box

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        for row, (label, box, count) in enumerate(
            (
                (self._reject_label, self.reject_box, self._rejected),
                (self._pick_label, self.pick_box, self._picked),
            )
        ):
            grid.addWidget(label, row, 0)
            grid.addWidget(box, row, 1)
            grid.addWidget(count, row, 2)
        grid.addWidget(self.unit, 2, 0, 1, 2)
        grid.addWidget(self._between, 2, 2)
        grid.addWidget(self.apply_button, 3, 0, 1, 3)
        grid.setColumnStretch(2, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.bars, 1)
        layout.addLayout(grid)
        for label, colour in ((self._reject_label, REJECT_COLOUR), (self._pick_label, PICK_COLOUR)):
            # A square of the bars' colour; the words stay in the text's own, which can be read.
            label.setProperty("colour", colour.name())
        QWidget.setTabOrder(self.bars, self.reject_box)
        QWidget.setTabOrder(self.reject_box, self.pick_box)
        QWidget.setTabOrder(self.pick_box, self.unit)
        QWidget.setTabOrder(self.unit, self.apply_button)

    def _unit_changed(self) -> None:
        """Ask in the other unit for what is set."""
        low, high = self._span()
        for box in (self.reject_box, self.pick_box):
            box.blockSignals(True)
            if self.by_percent:
                box.setRange(0, 100)
                box.setDecimals(1)
                box.setSingleStep(1)
                box.setSuffix("\N{NARROW NO-BREAK SPACE}%")
            else:
                box.setRange(min(low, self._reject, self._pick), max(high, self._reject, self._pick))
                box.setDecimals(3 if high - low <= 2 else 1)
                box.setSingleStep((high - low) / 100)
                box.setSuffix("")
            box.blockSignals(False)
        if self.by_percent:
            texts = self.tr("Reject the worst"), self.tr("Pick the best")
        elif self._lower_better:
            texts = self.tr("Reject above"), self.tr("Pick up to")
        else:
            texts = self.tr("Reject below"), self.tr("Pick from")
        for label, text in zip((self._reject_label, self._pick_label), texts, strict=True):
            colour = label.property("colour")
            label.setText(f'<span style="color:{colour}">\N{BLACK SQUARE}</span> {text}')
        self._note_percents()
        self._show()

    def _dragged(self, handle: Handle, score: float) -> None:
        """A threshold stops at the other one."""
        worst_first = self._lower_better
        reject, pick = self._reject, self._pick
        if handle == "reject":
            reject = max(score, pick) if worst_first else min(score, pick)
        else:
            pick = min(score, reject) if worst_first else max(score, reject)
        self._change(reject, pick)

    def _typed(self, handle: Handle, value: float) -> None:
        if not self.by_percent:
            self._dragged(handle, value)
            return
        if handle == "reject":
            self._worst_percent = min(value, 100 - self._best_percent)
        else:
            self._best_percent = min(value, 100 - self._worst_percent)
        self._follow_percents()
        self._show()
        self.thresholds_changed.emit(*self.thresholds)

    def _change(self, reject: float, pick: float) -> None:
        self._reject, self._pick = reject, pick
        self._note_percents()
        self._show()
        self.thresholds_changed.emit(reject, pick)

    def _note_percents(self) -> None:
        if len(self._sorted):
            caught = self.caught()
            self._worst_percent = 100 * caught.rejected / len(self._sorted)
            self._best_percent = 100 * caught.picked / len(self._sorted)

    def _follow_percents(self) -> None:
        """Move the thresholds to where so many of the photos are behind them."""
        total = len(self._sorted)
        if not total:
            return
        worst_first = self._sorted[::-1] if self._lower_better else self._sorted
        low, high = self._span()
        beyond = low if self._lower_better else high
        rejected = round(total * self._worst_percent / 100)
        picked = round(total * self._best_percent / 100)
        # The first photo that stays; past the last one, the end of the scale, or all would stay.
        self._reject = float(worst_first[rejected]) if rejected < total else _past(beyond, self._lower_better)
        self._pick = float(worst_first[total - picked]) if picked else _past(beyond, self._lower_better)

    def _span(self) -> tuple[float, float]:
        """Both ends of the axis."""
        there = (float(self._sorted[0]), float(self._sorted[-1])) if len(self._sorted) else None
        if self._range is not None:
            # Models overshoot a little: the axis follows.
            low, high = self._range
            return (min(low, there[0]), max(high, there[1])) if there else (low, high)
        low, high = there or (0.0, 1.0)
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def _show(self) -> None:
        low, high = self._span()
        self.bars.set_scores(self._sorted, low, high, self._lower_better)
        self.bars.set_thresholds(self._reject, self._pick)
        shown = (self._worst_percent, self._best_percent) if self.by_percent else self.thresholds
        for box, value in zip((self.reject_box, self.pick_box), shown, strict=True):
            if not box.hasFocus() or not math.isclose(box.value(), value, abs_tol=10 ** -box.decimals()):
                box.blockSignals(True)
                box.setRange(min(box.minimum(), value), max(box.maximum(), value))
                box.setValue(value)
                box.blockSignals(False)
        caught = self.caught()
        for label, count in (
            (self._rejected, caught.rejected),
            (self._picked, caught.picked),
            (self._between, caught.between),
        ):
            label.setText(self._count(count))
        self._between.setText(self.tr("{count} between").format(count=self._count(caught.between)))
        self._rejected.setAccessibleName(self.tr("%n photo(s) rejected", "", caught.rejected))
        self._picked.setAccessibleName(self.tr("%n photo(s) picked", "", caught.picked))
        self.apply_button.setEnabled(bool(caught.rejected or caught.picked))

    def _count(self, count: int) -> str:
        share = 100 * count / len(self._sorted) if len(self._sorted) else 0.0
        return self.tr("{count} ({percent}\N{NARROW NO-BREAK SPACE}%)").format(
            count=f"{count:,}", percent=f"{share:.0f}"
        )


def _moved(score: float, old: tuple[float, float], new: tuple[float, float]) -> float:
    """The score at the same place on another axis."""
    return new[0] + (score - old[0]) / (old[1] - old[0]) * (new[1] - new[0])


def _past(score: float, lower_better: bool) -> float:
    return math.nextafter(score, -math.inf if lower_better else math.inf)
