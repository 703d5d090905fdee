"""What is done with files: written into, exported, moved, thrown away; each dialog asks before it does so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QWidget

from dpiqa_desktop.gui.export import (
    CsvExport,
    ask_for_csv,
    ask_for_folder,
    copy_picks_dialog,
    move_rejects_dialog,
)
from dpiqa_desktop.gui.message_bar import MessageBar
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.scoring import Scoring
from dpiqa_desktop.gui.settings import Settings
from dpiqa_desktop.gui.trash import trash_dialog
from dpiqa_desktop.gui.undo import FileStep, History
from dpiqa_desktop.gui.work_dialog import Task, WorkDialog
from dpiqa_desktop.gui.write_dialog import WriteDialog, take_back_dialog


class FileActions(QObject):
    """The slots of the file menu, for all photos that are open.

    Args:
        model: of the photos.
        scoring: knows the folder and the model.
        settings: how files are written.
        messages: tell how an export went.
        stack: takes what was done and can be undone.
        reload: looks for photos that are there again.
        window: parent of the dialogs.
    """

    def __init__(
        self,
        model: PhotoModel,
        scoring: Scoring,
        settings: Settings,
        messages: MessageBar,
        stack: QUndoStack,
        reload: Callable[[], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._model, self._scoring, self._settings = model, scoring, settings
        self._reload, self._messages, self._window = reload, messages, window
        self._stack = stack
        self._csv = CsvExport(messages.say, self)
        self._history = History(stack, self._open_task, self)

    def slots(self) -> dict[str, Callable[..., object]]:
        """By the names in the table of actions."""
        return {
            "undo": self._history.undo,
            "redo": self._history.redo,
            "write": self.write,
            "undo_writing": lambda: self._open(take_back_dialog(self._window)),
            "export_csv": self.export_csv,
            "copy_picks": self.copy_picks,
            "move_rejects": self.move_rejects,
            "trash": lambda: self._do(trash_dialog(self._model.items(), self._window)),
        }

    def write(self) -> None:
        """Show what would be written into files, and write it if the user says so."""
        self._do(WriteDialog(self._model.items(), self._scoring.ready, self._settings, self._window))

    def export_csv(self) -> None:
        """Ask where to, and write a table of all scores."""
        ready, folder = self._scoring.ready, self._scoring.folder
        if ready is None or folder is None:
            self._messages.say(self.tr("There are no scores yet to be exported."))
            return
        path = ask_for_csv(folder, self._window)
        if path is not None:
            self._csv.start(path, self._model.items(), ready, self._settings.star_rule(ready.score_range))

    def copy_picks(self) -> None:
        """Ask where to, then show what would be copied."""
        self._relocate(copy_picks_dialog)

    def move_rejects(self) -> None:
        """Ask where to, then show what would be moved."""
        self._relocate(move_rejects_dialog)

    def _relocate(self, dialog: Callable[..., WorkDialog]) -> None:
        folder = self._scoring.folder
        if folder is None:
            return
        to = ask_for_folder(folder, self._window)
        if to is not None:
            self._do(dialog(self._model.items(), folder, to, self._window))

    def _do(self, dialog: WorkDialog) -> None:
        """Open a dialog whose task is a step that can be undone."""
        dialog.carried_out.connect(lambda paths: self._stack.push(FileStep(dialog.task, paths)))
        dialog.taken_back.connect(self._stack.undo)
        self._open(dialog)

    def _open_task(self, task: Task, back: Sequence[str] | None = None) -> WorkDialog:
        dialog = WorkDialog(task, self._window, back=back)
        self._open(dialog)
        return dialog

    def _open(self, dialog: WorkDialog) -> None:
        dialog.files_gone.connect(self._model.forget)
        dialog.files_returned.connect(lambda _: self._reload())
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
