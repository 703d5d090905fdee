"""What can be undone in the window: every change of marks is one step, and all that was done with files.

Marks change at once. What was done with files takes time and may fail, so a dialog asks and does it, and the
stack only follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoCommand, QUndoStack

from dpiqa_desktop.gui.photo_item import Mark
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.work_dialog import Task, WorkDialog


class SetMarks(QUndoCommand):
    """Gives photos other marks.

    Args:
        model: of the photos.
        before, after: marks by path, of the same photos; not to be changed any more.
        text: what was done, for the menu.
    """

    def __init__(
        self, model: PhotoModel, before: Mapping[str, Mark], after: Mapping[str, Mark], text: str
    ) -> None:
        super().__init__(text)
        self._model = model
        self._before = before
        self._after = after

    def redo(self) -> None:
        """See Qt."""
        self._model.set_marks(self._after)

    def undo(self) -> None:
        """See Qt."""
        self._model.set_marks(self._before)


class FileStep(QUndoCommand):
    """A task that was carried out on files; undone and done again by dialogs.

    Args:
        task: that was carried out.
        paths: of the files that it has changed.
    """

    def __init__(self, task: Task, paths: Sequence[str]) -> None:
        super().__init__(task.title)
        self.task = task
        self.paths = paths


class History(QObject):
    """Goes back and forth on a stack whose steps may need a dialog.

    Args:
        stack: of ``SetMarks`` and ``FileStep``.
        open_dialog: shows a dialog of a task, given its arguments, and returns it.
        parent: of the object.
    """

    def __init__(self, stack: QUndoStack, open_dialog: Callable[..., WorkDialog], parent: QObject) -> None:
        super().__init__(parent)
        self._stack = stack
        self._open = open_dialog

    def undo(self) -> None:
        """Take the last step back."""
        step = self._stack.command(self._stack.index() - 1) if self._stack.canUndo() else None
        if isinstance(step, FileStep):
            self._open(step.task, back=step.paths).taken_back.connect(self._stack.undo)
        else:
            self._stack.undo()

    def redo(self) -> None:
        """Do the step again that was taken back last."""
        step = self._stack.command(self._stack.index()) if self._stack.canRedo() else None
        if isinstance(step, FileStep):
            dialog = self._open(step.task)
            dialog.carried_out.connect(lambda paths: self._done_again(step, paths))
            dialog.taken_back.connect(self._stack.undo)
        else:
            self._stack.redo()

    def _done_again(self, step: FileStep, paths: Sequence[str]) -> None:
        step.paths = paths
        self._stack.redo()
