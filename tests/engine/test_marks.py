"""What the photographer said of photos outlives the program, and is found by folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest

from dpiqa_desktop.engine.marks import UNMARKED, Mark, Marks, Moved, changed_at, take_along
from dpiqa_desktop.engine.store import Store, file_state
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


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "shoot" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"first photo")
    return path


def _only(marks, photo):
    return marks.all_below(str(photo.parent)).get(str(photo))


def test_a_mark_of_a_file_that_others_have_changed_is_shown_and_does_not_count(database, photo):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(2, "rejected")})
        photo.write_bytes(b"another photo")
        outdated = Mark(2, "rejected", outdated=True)
        assert _only(marks, photo) == outdated
        assert outdated.in_force == UNMARKED
        # Also for those who have known it since before.
        assert marks.as_they_stand({str(photo): Mark(2, "rejected")}) == {str(photo): outdated}
        for anew in (Mark(2, "rejected", 1), Mark(2, "rejected", flag_at=1)):  # about to be kept
            assert marks.as_they_stand({str(photo): anew}) == {str(photo): anew}
        marks.set({str(photo): outdated})  # as undoing does
        assert _only(marks, photo) == outdated
        marks.set({str(photo): Mark(2, "rejected", 1, 1)})
        assert _only(marks, photo) == Mark(2, "rejected")


def test_what_was_taken_away_and_is_not_kept_yet_is_not_in_force(database, photo):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(3, "rejected", stars_at=1, flag_at=2)})
        shown = Mark(3, None, stars_at=1)
        assert marks.as_they_stand({str(photo): shown}) == {str(photo): shown}
        photo.write_bytes(b"another photo")
        assert marks.as_they_stand({str(photo): shown})[str(photo)].outdated


def test_an_earlier_mark_that_comes_back_does_not_count_for_another_photo(database, photo):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(3, stars_at=1)})
        marks.set({str(photo): Mark(5, stars_at=2)})
        photo.write_bytes(b"another photo")
        assert marks.set({str(photo): Mark(3, stars_at=1)}) == {str(photo): Mark()}


REJECT, STARS = Mark(flag="rejected", flag_at=1), Mark(3, stars_at=2)


@pytest.mark.parametrize(
    ("steps", "counts"),
    [
        # What Ctrl+Z and Ctrl+Y bring back; None is another program's turn.
        ([REJECT, UNMARKED, REJECT], REJECT),
        ([REJECT, UNMARKED, None, REJECT], UNMARKED),
        ([REJECT, None, UNMARKED, REJECT], UNMARKED),
        ([REJECT, Mark(flag="picked", flag_at=2), REJECT], REJECT),
        ([STARS, Mark(5, stars_at=4), STARS, None, Mark(5, stars_at=4)], UNMARKED),
        ([REJECT, None, Mark(3, "rejected", 2, 1), REJECT], UNMARKED),
        ([REJECT, None, Mark(3, "rejected", 2, 1), REJECT, Mark(3, "rejected", 2, 1)], STARS),
        ([REJECT, None, replace(REJECT, outdated=True), UNMARKED, REJECT], UNMARKED),
        ([REJECT, UNMARKED, None, REJECT, Mark(flag="rejected", flag_at=3)], REJECT),
        ([STARS, None, Mark(5, stars_at=4), replace(STARS, outdated=True), Mark(5, stars_at=4)], Mark(5)),
    ],
)
def test_a_mark_comes_back_for_the_photo_only_that_it_was_given_to(database, photo, steps, counts):
    with closing(Marks(database)) as marks:
        for number, mark in enumerate(steps):
            if mark is None:
                photo.write_bytes(b"another photo" * number)
            else:
                corrected = marks.set({str(photo): mark})
        assert _only(marks, photo) == (None if counts == UNMARKED else counts)
        assert corrected == ({} if mark == counts else {str(photo): counts})
        assert marks.as_they_stand({str(photo): mark}) == {str(photo): counts}


def test_a_mark_that_was_taken_away_comes_back_after_our_own_changes_and_moves(database, photo, tmp_path):
    there = tmp_path / "there.jpg"
    with closing(Store(database)) as store, closing(Marks(database)) as marks:
        marks.set({str(photo): REJECT})
        marks.set({str(photo): UNMARKED})
        was = file_state(str(photo))
        photo.write_bytes(b"photo with score")
        now = file_state(str(photo))
        store.carry_over(str(photo), was, now, b"before", b"after")
        photo.rename(there)
        take_along(store.connection, [Moved(str(photo), str(there), now, now)])
        assert marks.set({str(there): REJECT}) == {}
        photo.write_bytes(b"another photo")
        assert marks.set({str(photo): REJECT}) == {str(photo): UNMARKED}
        assert marks.all_below(str(tmp_path)) == {str(there): REJECT}


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_still_says_what_was_written_after_a_move_but_maybe_not_after_other_writing(
    database, photo, tmp_path, moved
):
    with closing(Store(database)) as store, closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(2)})
        marks.set_written({str(photo): Mark(2)}, True)
        was, there = file_state(str(photo)), photo
        if moved:
            there = photo.rename(tmp_path / "there.jpg")
            os.utime(there, ns=(0, was.mtime_ns // 10**9 * 10**9))  # as some file systems keep it
            take_along(store.connection, [Moved(str(photo), str(there), was, file_state(str(there)))])
        else:
            photo.write_bytes(b"photo with score")
            store.carry_over(str(photo), was, file_state(str(photo)), b"before", b"after")
        assert marks.all_below(str(there)) == {str(there): Mark(2)}
        there.write_bytes(b"changed by another program")
        assert marks.all_below(str(there)) == ({} if moved else {str(there): Mark(2, outdated=True)})


@pytest.mark.parametrize("at_work", [False, True])
def test_marks_of_the_version_before_are_of_their_file_only(database, photo, at_work):
    state = file_state(str(photo))
    row = os.fsencode(photo), 3, state.size, state.mtime_ns, STARS.stars_at
    with closing(Store(database)) as store:
        if not at_work:
            store.connection.execute("ALTER TABLE marks DROP COLUMN said_at")
            store.connection.execute("ALTER TABLE marks DROP COLUMN void_until")
            store.connection.execute("PRAGMA user_version = 3")
        store.connection.execute(
            "INSERT INTO marks (path, stars, size, mtime_ns, stars_at) VALUES (?, ?, ?, ?, ?)", row
        )
    with closing(Marks(database)) as marks:
        assert _only(marks, photo) == STARS
        photo.write_bytes(b"another photo")
        assert marks.as_they_stand({str(photo): STARS}) == {str(photo): replace(STARS, outdated=True)}
        assert marks.set({str(photo): UNMARKED}) == {}
        assert marks.set({str(photo): STARS}) == {str(photo): UNMARKED}


def test_a_mark_that_was_taken_away_while_its_card_was_out_comes_back(database, photo, tmp_path):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): REJECT})
        photo.rename(tmp_path / "card")
        marks.set({str(photo): UNMARKED})
        (tmp_path / "card").rename(photo)
        assert marks.set({str(photo): REJECT}) == {}
        assert _only(marks, photo) == REJECT


def test_marks_of_a_clock_that_was_ahead_keep_no_later_ones_out(database, photo):
    with closing(Marks(database)) as marks:
        ahead = Mark(3, stars_at=time.time_ns() + 10**18)
        marks.set({str(photo): ahead})
        photo.write_bytes(b"another photo")
        assert marks.set({str(photo): Mark(5, stars_at=1)}) == {str(photo): UNMARKED}
        assert marks.set({str(photo): Mark(5, stars_at=time.time_ns())}) == {}
        assert _only(marks, photo) == Mark(5)


def test_what_took_the_place_of_a_photo_in_the_trash_is_not_rejected_by_its_mark(database, photo, tmp_path):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): REJECT})
        photo.rename(tmp_path / "trash.jpg")
        assert marks.forget([str(photo)]) == {str(photo): REJECT}
        photo.write_bytes(b"another photo")
        assert marks.set({str(photo): REJECT}) == {str(photo): UNMARKED}
        (tmp_path / "trash.jpg").replace(photo)
        assert marks.forget([str(photo)]) == {}


def test_only_the_time_of_a_file_tells_that_another_has_its_name(database, photo):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(flag="rejected")})
        size, modified = file_state(str(photo)).size, file_state(str(photo)).mtime_ns
        photo.write_bytes(b"other photo")
        assert file_state(str(photo)).size == size
        os.utime(photo, ns=(modified + 1, modified + 1))
        assert _only(marks, photo).outdated


def test_of_what_a_changed_file_says_itself_only_the_pick_is_shown(database, photo):
    with closing(Marks(database)) as marks:
        for mark, left in (
            (Mark(2, stars_at=1), None),
            (Mark(flag="rejected", flag_at=2), None),
            (Mark(2, "picked", stars_at=3, flag_at=3), Mark(flag="picked", outdated=True)),
        ):
            marks.set({str(photo): mark})
            marks.set_written({str(photo): mark}, True)
            assert _only(marks, photo) == mark
            with photo.open("ab") as file:
                file.write(b"rated by another program")
            assert _only(marks, photo) == left


def test_a_mark_given_since_is_not_taken_for_written(database, photo):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(2)})
        marks.set({str(photo): Mark(3)})
        marks.set_written({str(photo): Mark(2)}, True)
        photo.write_bytes(b"changed by another program")
        assert _only(marks, photo) == Mark(3, outdated=True)


def test_a_mark_goes_along_with_our_own_changes_of_its_file_only(database, photo):
    with closing(Store(database)) as store, closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(2)})
        for content, ours in ((b"photo with score", True), (b"changed by others", False), (b"score", True)):
            was = file_state(str(photo))
            photo.write_bytes(content)
            if ours:
                store.carry_over(str(photo), was, file_state(str(photo)), b"before", b"after")
            assert _only(marks, photo) == Mark(2, outdated=content != b"photo with score")


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (Mark(3, "rejected", 2, 1), Mark(3)),  # stars, on a photo that seems to be rejected
        (Mark(2, "rejected", 2, 1), Mark(2)),  # the same again
        (Mark(None, "rejected", None, 1), UNMARKED),
        (Mark(2, "picked", 1, 2), Mark(flag="picked")),
        (Mark(2, "rejected", 1, 2), Mark(flag="rejected")),
        (Mark(None, "rejected", None, 2), Mark(flag="rejected")),
        (Mark(2, None, 1, None), UNMARKED),
    ],
)
def test_what_is_said_of_another_photo_meanwhile_confirms_nothing_else(database, photo, given, counts):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(2, "rejected", 1, 1)})
        photo.write_bytes(b"another photo")
        assert marks.set({str(photo): given}) == ({} if given == counts else {str(photo): counts})
        assert marks.as_they_stand({str(photo): given}) == {str(photo): counts}
        assert marks.all_below(str(photo)) == ({} if counts == UNMARKED else {str(photo): counts})


def test_marks_of_earlier_versions_are_shown_and_do_not_count(database, photo):
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        # As they were made before they knew their file.
        connection.execute(
            "CREATE TABLE marks (path BLOB PRIMARY KEY, stars INTEGER, flag TEXT) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO marks VALUES (?, 2, 'rejected')", (os.fsencode(photo),))
        connection.commit()
    Store(database).close()
    with closing(Marks(database)) as marks:
        assert _only(marks, photo) == Mark(2, "rejected", outdated=True)


def test_what_is_forgotten_is_told(database, photo):
    with closing(Marks(database)) as marks:
        marks.set({str(photo): Mark(2)})
        assert marks.forget([str(photo), "b.jpg"]) == {str(photo): Mark(2)}
        assert _only(marks, photo) is None


def test_a_change_is_seen_although_its_time_was_set_back(photo, tmp_path):
    before = time.time_ns()
    assert changed_at(str(tmp_path / "gone.xmp")) is None
    time.sleep(0.02)  # file systems take the time from a clock that moves every few milliseconds
    state = file_state(str(photo))
    photo.write_bytes(b"other photo")
    os.utime(photo, ns=(state.mtime_ns, state.mtime_ns))
    if os.name != "nt":
        assert changed_at(str(photo)) > before
    shutil.copyfile(photo, tmp_path / "a.xmp")
    assert before < changed_at(str(tmp_path / "a.xmp")) <= time.time_ns()
