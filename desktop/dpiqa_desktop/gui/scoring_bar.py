"""The row at the bottom: how far scoring is, pause and stop, and which model scores on which device."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from dpiqa_desktop.events import Progress


class ScoringBar(QWidget):
    """Shows progress, and asks for what the user wants of it.

    Args:
        metrics: names of models to choose from; another can be typed.
        devices: likewise.
        parent: of the widget.

    Signals:
        pause_wanted, cancel_wanted: a button was pressed; the first one stands for going on, too.
        model_chosen: metric and device; they may be the ones before.
    """

    pause_wanted = Signal()
    cancel_wanted = Signal()
    model_chosen = Signal(str, str)

    def __init__(
        self, metrics: tuple[str, ...], devices: tuple[str, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.words = QLabel(self)
        self.words.setAccessibleName(self.tr("State of scoring"))
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.progress = QProgressBar(self)
        self.progress.setFixedWidth(180)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Photos scored"))
        self.pause = QPushButton(self.tr("Pause"), self)
        self.cancel = QPushButton(self.tr("Stop"), self)
        self.pause.clicked.connect(self.pause_wanted)
        self.cancel.clicked.connect(self.cancel_wanted)
        self.metric_box = self._box(self.tr("Model"), metrics)
        self.device_box = self._box(self.tr("Device"), devices)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 2, 8, 2)
        layout.addWidget(self.progress)
        layout.addWidget(self.pause)
        layout.addWidget(self.cancel)
        layout.addWidget(self.words, 1)
        for label, box in ((self.tr("&Model:"), self.metric_box), (self.tr("&Device:"), self.device_box)):
            buddy = QLabel(label, self)
            buddy.setBuddy(box)
            layout.addWidget(buddy)
            layout.addWidget(box)
        self.show_idle("")

    def chosen(self) -> tuple[str, str]:
        """Metric and device."""
        return self.metric_box.currentText().strip(), self.device_box.currentText().strip()

    def choose(self, metric: str, device: str) -> None:
        """Show these as chosen; nothing is told."""
        for box, value in ((self.metric_box, metric), (self.device_box, device)):
            box.blockSignals(True)
            box.setCurrentText(value)
            box.blockSignals(False)

    def show_idle(self, words: str) -> None:
        """Nothing is under way."""
        self.words.setText(words)
        for widget in (self.progress, self.pause, self.cancel):
            widget.hide()

    def show_busy(self, words: str) -> None:
        """Something is under way that nobody knows the length of."""
        self.words.setText(words)
        self.progress.setRange(0, 0)
        self._show_controls(paused=False)

    def show_progress(self, progress: Progress, paused: bool) -> None:
        """Scoring is that far."""
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        words = self.tr("{done} of {total}").format(done=f"{progress.done:,}", total=f"{progress.total:,}")
        if progress.failed:
            words += ", " + self.tr("%n failed", "", progress.failed)
        if paused:
            words += " · " + self.tr("paused")
        elif progress.rate:
            words += " · " + self.tr("{rate:.1f} photos/s").format(rate=progress.rate)
            if progress.eta is not None and progress.done < progress.total:
                words += " · " + self.tr("{time} left").format(time=self._duration(progress.eta))
        self.words.setText(words)
        self._show_controls(paused)

    def show_paused(self, paused: bool) -> None:
        """It was paused, or goes on; how far it is stays as it is."""
        self.pause.setText(self.tr("Go on") if paused else self.tr("Pause"))

    def _show_controls(self, paused: bool) -> None:
        self.show_paused(paused)
        for widget in (self.progress, self.pause, self.cancel):
            widget.show()

    def _duration(self, seconds: float) -> str:
        if seconds < 90:
            return self.tr("{n} s").format(n=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self.tr("{n} min").format(n=round(seconds / 60))
        return self.tr("{n:.1f} h").format(n=seconds / 3600)

    def _box(self, name: str, values: tuple[str, ...]) -> QComboBox:
        box = QComboBox(self)
        box.setEditable(True)
        box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        box.addItems(values)
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.activated.connect(self._tell)
        editor = box.lineEdit()
        assert editor is not None
        editor.returnPressed.connect(self._tell)
        return box

    def _tell(self) -> None:
        self.model_chosen.emit(*self.chosen())
