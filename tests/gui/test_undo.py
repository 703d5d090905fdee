"""Marks are undone and redone as they were given, also in what is kept."""

from __future__ import annotations

from contextlib import closing

from PySide6.QtGui import QUndoStack

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.undo import SetMarks


def test_marks_go_back_and_forth(qapp, tmp_path):
    first, second = str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")
    before = {first: Mark(), second: Mark(3, "picked")}
    after = {first: Mark(flag="rejected"), second: Mark(3, "rejected")}
    with closing(Marks(default_database())) as kept:
        kept.set({second: before[second]})
        model, stack = PhotoModel(kept), QUndoStack()
        model.open([first, second], kept.all_below(str(tmp_path)))
        stack.push(SetMarks(model, before, after, "reject"))
        assert stack.undoText() == "reject"
        assert {item.path: item.mark for item in model.items()} == after == kept.all_below(str(tmp_path))
        stack.undo()
        assert {item.path: item.mark for item in model.items()} == before
        assert kept.all_below(str(tmp_path)) == {second: before[second]}
        stack.redo()
        assert {item.path: item.mark for item in model.items()} == after == kept.all_below(str(tmp_path))
