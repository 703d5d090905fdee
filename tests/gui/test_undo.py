"""Marks are undone and redone as they were given, also in what is kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from makers.photos import save_photo
from PySide6.QtGui import QUndoStack

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.marking import Marking
from dpiqa_desktop.gui.marks_keeper import MarksKeeper
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


def test_ctrl_z_rejects_no_photo_that_took_the_place_of_a_rejected_one(qtbot, make_photos):
    (path,) = make_photos(1)
    keeper, stack, told = MarksKeeper(Marks(default_database())), QUndoStack(), []
    keeper.failed.connect(told.append)
    model = PhotoModel(keeper)
    keeper.corrected.connect(model.show_marks)
    model.open([path])
    marking = Marking(model, stack, model.items)
    marking.flag("rejected")
    marking.flag(None)
    stack.undo()
    assert keeper.all_below(path) == {path: Mark(flag="rejected")}
    stack.redo()
    assert keeper.all_below(path) == {}
    save_photo(Path(path), 9)
    stack.undo()
    assert keeper.all_below(path) == {}
    qtbot.waitUntil(lambda: bool(told))
    assert model.items()[0].mark == Mark()
    assert told == ["Changed by other programs: 1 photo. Earlier marks do not count."]
    keeper.close()
