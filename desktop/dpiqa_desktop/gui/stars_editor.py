"""Control for the rule that gives stars: the model's own, or four thresholds by score or by percent."""

from __future__ import annotations

import itertools

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from dpiqa_desktop.engine.stars import Percentiles, StarRule, Thresholds, parse_stars

_DEFAULT, _SCORES, _PERCENTS = range(3)
_LARGEST = 1e6


class StarsEditor(QWidget):
    """Edits what ``parse_stars`` takes.

    Args:
        parent: of the widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = QComboBox()
        self.kind.addItems(
            [self.tr("As the model suggests"), self.tr("By score"), self.tr("By rank among the photos")]
        )
        self.kind.setAccessibleName(self.tr("What gives stars"))
        self.boxes = tuple(self._box(stars) for stars in range(2, 6))
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        for stars, box in enumerate(self.boxes, 2):
            column = QGridLayout()
            column.setVerticalSpacing(0)
            label = QLabel("★" * stars)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setBuddy(box)
            column.addWidget(label, 0, 0)
            column.addWidget(box, 1, 0)
            row.addLayout(column)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.kind, 0, 0)
        layout.addWidget(self._row, 1, 0)
        self._row.setMinimumHeight(self._row.sizeHint().height())
        self.kind.currentIndexChanged.connect(self._kind_changed)
        self.setFocusProxy(self.kind)
        self._kind_changed()

    def text(self) -> str:
        """The rule as ``parse_stars`` takes it; "" for the model's own."""
        if self.kind.currentIndex() == _DEFAULT:
            return ""
        first, second, third, fourth = (box.value() for box in self.boxes)
        rule = Thresholds if self.kind.currentIndex() == _SCORES else Percentiles
        return str(rule((first, second, third, fourth)))

    def set_text(self, text: str) -> None:
        """Show a rule."""
        rule = parse_stars(text) if text else None
        self.kind.setCurrentIndex(_DEFAULT if rule is None else _kind_of(rule))
        if rule is not None:
            self._fill(rule)

    def problem(self) -> str:
        """Why this is no rule; "" if it is one."""
        values = [box.value() for box in self.boxes]
        if self.kind.currentIndex() == _DEFAULT or all(a < b for a, b in itertools.pairwise(values)):
            return ""
        return self.tr("Each star needs more than the one before it.")

    def _box(self, stars: int) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setAccessibleName(self.tr("%n star(s) from", "", stars))
        return box

    def _kind_changed(self) -> None:
        kind = self.kind.currentIndex()
        self._row.setEnabled(kind != _DEFAULT)
        percents = kind == _PERCENTS
        for box in self.boxes:
            box.setRange(0 if percents else -_LARGEST, 100 if percents else _LARGEST)
            box.setDecimals(0 if percents else 2)
            box.setSingleStep(5 if percents else 0.05)
            box.setSuffix("\N{NARROW NO-BREAK SPACE}%" if percents else "")
            box.setMinimumWidth(78)
        self._fill(Percentiles() if percents else Thresholds())

    def _fill(self, rule: StarRule) -> None:
        values = rule.scores if isinstance(rule, Thresholds) else rule.percents
        for box, value in zip(self.boxes, values, strict=True):
            box.setValue(value)


def _kind_of(rule: StarRule) -> int:
    return _SCORES if isinstance(rule, Thresholds) else _PERCENTS
