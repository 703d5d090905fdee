"""A dialog for work on many files: look what would be done, ask, do it, say how it went, take it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Literal, Protocol

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from dpiqa_desktop.gui.counted import files
from dpiqa_desktop.gui.file_work import FileWork, Stopped
from dpiqa_desktop.gui.outcome_table import OutcomeTable, Row

Steps = Generator[list[Row], None, None]
"""The files of one photo after the other."""

Counts = Mapping[str, int]
"""Files by the kind of their rows; also ``"kept"``, ratings that stay."""

Phase = Literal["planning", "planned", "working", "done", "taking back", "taken back"]


class Task(Protocol):
    """What is to be done; ``plan``, ``carry_out`` and ``take_back`` are run in a thread, one at a time.

    Attributes:
        title: of the dialog.
        total: photos, for the progress; 0 if unknown.
        can_take_back: what was done can be undone from here.
    """

    @property
    def title(self) -> str:
        """See above."""

    @property
    def total(self) -> int:
        """See above."""

    @property
    def can_take_back(self) -> bool:
        """See above."""

    def plan(self, stopped: Stopped) -> Steps:
        """Yield what would be done; touches nothing."""

    def carry_out(self, stopped: Stopped) -> Steps:
        """Do it; yield what was done."""

    def take_back(self, stopped: Stopped) -> Steps:
        """Undo it; yield what was undone."""

    def question(self, counts: Counts) -> str:
        """What would be done, in a sentence or three."""

    def button(self, counts: Counts) -> str:
        """What the button says that does it."""

    def result(self, counts: Counts) -> str:
        """What was done."""

    def result_of_taking_back(self, counts: Counts) -> str:
        """What was undone."""


class WorkDialog(QDialog):
    """Plans a task as soon as it is shown, and does nothing before the user says so.

    Closing it while it works stops the work after the photo at hand, and closes then.

    Signals:
        files_gone: paths of files that are not where they were any more.
        files_returned: paths of files that are there again.
        files_changed: paths of files whose content was changed, or that were made.
        carried_out: paths of all of these, when the task is done as far as it can be and can be taken back.
        taken_back: it was, as far as it can be. If the user has stopped that, it is not told.

    Args:
        task: to be done.
        parent: of the dialog.
        options: a widget above the table that changes the task; ``plan_again`` is to be called then.
        back: the task was carried out, on these paths, and is to be taken back instead.
    """

    files_gone = Signal(list)
    files_returned = Signal(list)
    files_changed = Signal(list)
    carried_out = Signal(list)
    taken_back = Signal()

    def __init__(
        self,
        task: Task,
        parent: QWidget | None = None,
        options: QWidget | None = None,
        back: Sequence[str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._task = task
        self._back = back
        self._done: list[str] = []
        self._options = options
        self._phase: Phase = "planning"
        self._counts: Counter[str] = Counter()
        self._photos = 0
        self._closing = False
        self._stopped = False
        self._again = False
        self._work = FileWork(self)
        self._work.told.connect(self._take)
        self._work.ended.connect(self._ended)
        undoing = self.tr("Undo: {what}").format(what=task.title)
        self.setWindowTitle(task.title if back is None else undoing)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.trouble.hide()
        self.table = OutcomeTable()
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress"))
        self.do_button, self.back_button, self.close_button = QPushButton(), QPushButton(), QPushButton()
        self.back_button.setText(self.tr("Take it &back"))
        self.do_button.clicked.connect(self._do)
        self.back_button.clicked.connect(self._take_back)
        self.close_button.clicked.connect(self.reject)
        self._lay_out()
        self.plan_again()

    @property
    def task(self) -> Task:
        """What it does, or takes back."""
        return self._task

    @property
    def phase(self) -> Phase:
        """How far it is."""
        return self._phase

    def plan_again(self) -> None:
        """Work out anew what would be done."""
        self._begin("planning")
        if self._work.running:
            self._again = True  # as soon as what is under way has ended
            self._work.cancel()
        else:
            self._work.start(self._plan)

    def reject(self) -> None:
        """Close; while it works, stop first."""
        if self._work.running:
            self._closing = self._phase == "planning" or self._closing
            self._stopped = True
            self._work.cancel()
            self.close_button.setEnabled(False)
            self.close_button.setText(self.tr("Stopping…"))
        else:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """As ``reject``, and the dialog goes when the work has ended."""
        if self._work.running:
            self._closing = True
            event.ignore()
            self.reject()
        else:
            super().closeEvent(event)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.back_button)
        buttons.addStretch(1)
        buttons.addWidget(self.do_button)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        if self._options is not None:
            layout.addWidget(self._options)
        layout.addWidget(self.text)
        layout.addWidget(self.trouble)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.progress)
        layout.addLayout(buttons)
        self.resize(760, 520)

    def _begin(self, phase: Phase) -> None:
        self._phase = phase
        self._stopped = False
        self._counts.clear()
        self._photos = 0
        self.trouble.hide()
        self.table.rows.clear()
        self.progress.setRange(0, self._task.total if self._back is None else len(self._back))
        self.progress.setValue(0)
        self._show()

    def _plan(self, stopped: Stopped) -> Steps:
        if self._back is None:
            yield from self._task.plan(stopped)
        else:
            yield from ([Row("change", path, self.tr("would be as it was"))] for path in self._back)

    def _do(self) -> None:
        if self._back is not None:
            self._take_back()
            return
        self._begin("working")
        self._work.start(self._task.carry_out)

    def _take_back(self) -> None:
        self._begin("taking back")
        self._work.start(self._task.take_back)

    def _take(self, steps: list[list[Row]]) -> None:
        if self._again:  # of a plan that is no longer asked for
            return
        rows = [row for step in steps for row in step]
        self._photos += len(steps)
        self._counts.update(row.kind for row in rows)
        self._counts["kept"] += sum(row.kept for row in rows)
        self.table.rows.add(rows)
        self.progress.setValue(min(self._photos, self.progress.maximum()))
        if self._phase != "planning":
            self._tell(rows)

    def _tell(self, rows: list[Row]) -> None:
        done = [row for row in rows if row.kind in ("change", "make")]
        gone = [row.path for row in done if row.gone]
        others = [row.path for row in done if not row.gone]
        self._done += gone + others
        if gone:
            self.files_gone.emit(gone)
        if others:
            (self.files_returned if self._phase == "taking back" else self.files_changed).emit(others)

    def _ended(self, why: str | None) -> None:
        if self._closing:
            self._say_what_can_be_undone(stopped=True)
            super().reject()
            return
        if self._again:
            self._again = False
            self._work.start(self._plan)
            return
        if why is not None:
            self.trouble.setText(why)
            self.trouble.show()
        after: dict[Phase, Phase] = {"planning": "planned", "working": "done", "taking back": "taken back"}
        self._say_what_can_be_undone(stopped=self._stopped or why is not None)
        self._phase = after[self._phase]
        self._show()
        if self._phase == "planned" and why is not None:
            self.do_button.setEnabled(False)

    def _say_what_can_be_undone(self, stopped: bool) -> None:
        if self._phase == "working" and self._done and self._task.can_take_back:
            self.carried_out.emit(self._done)
        elif self._phase == "taking back" and not stopped:  # else the rest can be tried again
            self.taken_back.emit()

    def _show(self) -> None:
        """Say where it is, and offer what can be done now."""
        phase, counts, task = self._phase, self._counts, self._task
        texts: dict[Phase, Callable[[], str]] = {
            "planning": lambda: self.tr("Looking at what would change…"),
            "planned": lambda: task.question(counts) if self._back is None else self._question_back(),
            "working": lambda: self.tr("Working…"),
            "done": lambda: task.result(counts),
            "taking back": lambda: self.tr("Taking it back…"),
            "taken back": lambda: task.result_of_taking_back(counts),
        }
        self.text.setText(texts[phase]())
        working = phase in ("planning", "working", "taking back")
        changes = counts["change"] + counts["make"]
        self.progress.setVisible(working)
        self.do_button.setVisible(phase in ("planning", "planned"))
        self.do_button.setEnabled(phase == "planned" and changes > 0)
        do = self.tr("Take it &back") if self._back is not None else task.button(counts)
        self.do_button.setText(do if phase == "planned" else self.tr("Please wait"))
        self.back_button.setVisible(phase == "done" and task.can_take_back)
        self.close_button.setEnabled(True)
        stop = self.tr("&Stop") if phase in ("working", "taking back") else self.tr("Cancel")
        self.close_button.setText(stop if working or phase == "planned" else self.tr("Close"))
        if self._options is not None:
            self._options.setEnabled(phase in ("planning", "planned"))
        if phase == "planned" and self.do_button.isEnabled():
            self.do_button.setDefault(True)
            self.do_button.setFocus()
        elif phase in ("done", "taken back"):
            self.close_button.setDefault(True)
            self.close_button.setFocus()

    def _question_back(self) -> str:
        said = self.tr("{files} would be as before, as far as nobody has changed them since.")
        return said.format(files=files(len(self._back or ())))
