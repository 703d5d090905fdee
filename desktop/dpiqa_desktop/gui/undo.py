"""What can be undone in the window: every change of marks is one command."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtGui import QUndoCommand

from dpiqa_desktop.gui.photo_item import Mark
from dpiqa_desktop.gui.photo_model import PhotoModel


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
