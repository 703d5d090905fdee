"""What the photographer said of photos outlives the program, and is found by folder."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.engine.store import Store
from dpiqa_plugin.errors import StoreError


@pytest.fixture
def database(tmp_path):
    return tmp_path / "cache" / "scores.sqlite3"


def test_marks_outlive_the_program(database, tmp_path):
    photo = str(tmp_path / "a.jpg")
    with closing(Marks(database)) as marks:
        marks.set({photo: Mark(0, "picked")})
        # A crash closes nothing: another connection sees it while this one is open.
        with closing(Marks(database)) as others:
            assert others.all_below(str(tmp_path)) == {photo: Mark(0, "picked")}


def test_a_mark_that_says_nothing_is_forgotten(database, tmp_path):
    photo = str(tmp_path / "a.jpg")
    with closing(Marks(database)) as marks:
        marks.set({photo: Mark(5)})
        marks.set({photo: Mark()})
        assert marks.all_below(str(tmp_path)) == {}


def test_a_folder_has_the_marks_below_it_and_no_others(database, tmp_path, monkeypatch):
    inside = [str(tmp_path / "shoot" / "a.jpg"), str(tmp_path / "shoot" / "day 2" / "ü.jpg")]
    outside = [str(tmp_path / "shoot 2" / "a.jpg"), str(tmp_path / "shoo.jpg"), str(tmp_path / "shoot.jpg")]
    monkeypatch.chdir(tmp_path)
    with closing(Marks(database)) as marks:
        marks.set({path: Mark(3) for path in inside + outside})
        assert set(marks.all_below(str(tmp_path / "shoot"))) == set(inside)
        assert set(marks.all_below("shoot")) == {"shoot/a.jpg", "shoot/day 2/ü.jpg"}
        assert set(marks.all_below("shoot" + os.sep)) == {"shoot/a.jpg", "shoot/day 2/ü.jpg"}
        assert set(marks.all_below(os.sep)) == set(inside + outside)
        assert marks.all_below("shoot.jpg") == {"shoot.jpg": Mark(3)}


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text(database, tmp_path):
    photo = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    with closing(Marks(database)) as marks:
        marks.set({photo: Mark(flag="rejected")})
        assert marks.all_below(str(tmp_path)) == {photo: Mark(flag="rejected")}


@pytest.mark.parametrize("first", [Marks, Store])
def test_marks_and_scores_share_a_database_whoever_makes_it(database, first, tmp_path):
    with closing(first(database)) as made:
        if first is Marks:
            made.set({str(tmp_path / "b.jpg"): Mark(1)})
    with closing(Store(database)), closing(Marks(database)) as marks:
        marks.set({str(tmp_path / "a.jpg"): Mark(1)})
    Store(database).close()


def test_a_database_that_cannot_be_opened_is_told(tmp_path):
    (tmp_path / "cache").write_text("no folder")
    marks = Marks(tmp_path / "cache" / "scores.sqlite3")
    with pytest.raises(StoreError, match="not kept"):
        marks.set({str(tmp_path / "a.jpg"): Mark(1)})
    (tmp_path / "cache").unlink()
    with closing(marks):  # and again later, when that has been seen to
        marks.set({str(tmp_path / "a.jpg"): Mark(1)})


def test_all_marks_are_kept_or_none(database, tmp_path):
    good, bad = str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")
    with closing(Marks(database)) as marks:
        with pytest.raises(StoreError):
            marks.set({good: Mark(1), bad: Mark(object())})
        assert marks.all_below(str(tmp_path)) == {}
        marks.set({good: Mark(2)})
        assert marks.all_below(str(tmp_path)) == {good: Mark(2)}
