"""Nothing is written before the user says so; then all of it, file by file, and taken back byte for byte."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import piexif
import pytest
from makers.outcome_rows import rows
from makers.photos import save_photo
from PySide6.QtCore import QSettings, Qt

from dpiqa_desktop.engine.marks import Mark, Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.bridge import Ready
from dpiqa_desktop.gui.outcome_table import Row
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.settings import Settings
from dpiqa_desktop.gui.work_dialog import WorkDialog
from dpiqa_desktop.gui.write_dialog import WriteDialog, take_back_dialog
from dpiqa_desktop.metadata import properties as prop
from dpiqa_desktop.metadata import xmp
from dpiqa_desktop.metadata.read import said_by_photo, said_by_sidecar

READY = Ready("dpiqa_lite", "on the processor", "dpiqa_lite-6f6364567c73", False, (0.0, 1.0))


@pytest.fixture
def settings(qapp):
    QSettings().clear()
    return Settings()


def wait_for(qtbot, dialog, phase):
    qtbot.waitUntil(lambda: dialog.phase == phase, timeout=20_000)


def click(qtbot, button):
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def items_of(paths, **more):
    return [PhotoItem(path, 0.5 + number / 100, 3, **more) for number, path in enumerate(paths)]


def test_it_shows_what_would_change_and_touches_nothing(qtbot, make_photos, settings, shown):
    paths = make_photos(3)
    before = contents(os.path.dirname(paths[0]))
    dialog = shown(WriteDialog([*items_of(paths), PhotoItem("not scored.jpg")], READY, settings))
    assert [os.path.basename(row.path) for row in rows(dialog)] == [os.path.basename(p) for p in paths]
    assert rows(dialog)[0].text == "score 0.5000 (was none), stars 3 (was none)"
    assert "3 files" in dialog.text.text()
    assert "neither scored nor rated: 1 photo." in dialog.text.text()
    assert contents(os.path.dirname(paths[0])) == before
    assert dialog.do_button.text() == "&Write 3 files"
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert contents(os.path.dirname(paths[0])) == before
    assert not default_database().exists()


def test_it_writes_at_the_press_of_return_and_takes_back(qtbot, make_photos, settings, shown):
    paths = make_photos(3)
    before = contents(os.path.dirname(paths[0]))
    dialog = shown(WriteDialog(items_of(paths, uncertainty=0.0625), READY, settings))
    changed = []
    dialog.files_changed.connect(changed.extend)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    wait_for(qtbot, dialog, "done")
    assert sorted(changed) == sorted(paths)
    assert dialog.text.text() == "3 files written."
    said = said_by_photo(paths[1])
    assert (said.text(prop.SCORE), said.text(prop.UNCERTAINTY)) == ("0.5100", "0.0625")
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert contents(os.path.dirname(paths[0])) == before
    assert "3 files" in dialog.text.text()
    assert not dialog.back_button.isVisible()


def test_what_is_up_to_date_is_not_written_again(qtbot, make_photos, settings, shown):
    items = items_of(make_photos(2))
    dialog = shown(WriteDialog(items, READY, settings))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    again = shown(WriteDialog(items, READY, settings))
    assert rows(again) == []
    assert "2 up to date" in again.text.text()
    assert not again.do_button.isEnabled()


def test_ratings_in_files_stay_and_those_of_the_window_are_written(qtbot, make_photos, settings, shown):
    paths = make_photos(5)
    for rated in (paths[0], paths[1], paths[4]):
        piexif.insert(piexif.dump({"0th": {piexif.ImageIFD.Rating: 5}}), rated)
    given = Mark(2, stars_at=time.time_ns())
    marks = [Mark(), given, Mark(4, "rejected"), Mark(None, "picked"), Mark(None, "rejected")]
    items = [PhotoItem(path, 0.5, 3, mark=mark) for path, mark in zip(paths, marks, strict=True)]
    dialog = shown(WriteDialog(items, READY, settings))
    assert "in 2 your own rating stays" in dialog.text.text()
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    said = [said_by_photo(path) for path in paths]
    assert [one.text(prop.RATING) for one in said] == [None, "2", "-1", "3", None]
    assert [one.exif.rating for one in said] == [5, 2, 0, 3, 5]
    assert [one.text(prop.OUR_RATING) for one in said] == [None, None, None, "3", None]


def test_a_reject_leaves_stars_of_yours_that_are_written(qtbot, make_photos, settings, shown):
    (path,) = make_photos(1)
    item = PhotoItem(path, 0.5, 3, mark=Mark(5, stars_at=time.time_ns()))
    first = shown(WriteDialog([item], READY, settings))
    click(qtbot, first.do_button)
    wait_for(qtbot, first, "done")
    again = shown(WriteDialog([item.but(mark=replace(item.mark, flag="rejected"))], READY, settings))
    assert "in 1 your own rating stays" in again.text.text()
    assert not again.do_button.isEnabled()
    said = said_by_photo(path)
    assert (said.text(prop.RATING), said.exif.rating) == ("5", 5)


@pytest.fixture
def kept():
    """The marks that the window keeps."""
    with closing(Marks(default_database())) as marks:
        yield marks


def kept_items(kept, *paths):
    marks = kept.all_below(os.path.dirname(paths[0]))
    return [PhotoItem(path, 0.5, 3, mark=marks.get(path, Mark())) for path in paths]


def write_all(qtbot, shown, items, settings):
    dialog = shown(WriteDialog(items, READY, settings))
    if dialog.do_button.isEnabled():
        click(qtbot, dialog.do_button)
        wait_for(qtbot, dialog, "done")
    return dialog


def rate_elsewhere(path, stars):
    piexif.insert(piexif.dump({"0th": {piexif.ImageIFD.Rating: stars}}), path)


def ratings_of(path):
    said = said_by_photo(path)
    return said.text(prop.RATING), said.exif.rating


def given(stars):
    return Mark(stars, stars_at=time.time_ns())


def test_a_rating_given_elsewhere_since_ours_was_written_stays(qtbot, make_photos, settings, shown, kept):
    (path,) = make_photos(1)
    kept.set({path: given(2)})
    known_before = kept_items(kept, path)
    write_all(qtbot, shown, known_before, settings)
    assert ratings_of(path) == ("2", 2)
    assert kept_items(kept, path)[0].mark == Mark(2), "our own change takes the mark along"
    rate_elsewhere(path, 5)
    for items in (known_before, kept_items(kept, path)):
        write_all(qtbot, shown, items, settings)
        assert ratings_of(path)[1] == 5
    assert kept_items(kept, path)[0].mark == Mark(), "the file says more than it does"
    kept.set({path: given(2)})
    write_all(qtbot, shown, kept_items(kept, path), settings)
    assert ratings_of(path) == ("2", 2)


def test_stars_that_were_not_written_are_shown_and_replace_no_rating_given_since(
    qtbot, make_photos, settings, shown, kept
):
    path, other = make_photos(2)
    kept.set({path: given(2), other: given(1)})
    known_before = kept_items(kept, path, other)
    os.remove(path)
    save_photo(path, 9)  # another photo, of another card
    rate_elsewhere(path, 5)
    before = Path(path).read_bytes()
    for items in (known_before, kept_items(kept, path, other)):
        dialog = write_all(qtbot, shown, items, settings)
        assert [row.path for row in rows(dialog) if row.kind == "failed"] == [path]
        assert "again" in rows(dialog)[0].text
        assert Path(path).read_bytes() == before
    assert ratings_of(other) == ("1", 1)
    assert kept_items(kept, path)[0].mark == Mark(2, outdated=True)


@pytest.mark.parametrize("touched", [None, "photo", "sidecar"])
def test_stars_that_were_taken_back_can_be_written_again_unless_others_came_between(
    qtbot, make_photos, settings, shown, kept, touched
):
    (path,) = make_photos(1)
    rate_elsewhere(path, 5)
    kept.set({path: given(2)})
    dialog = write_all(qtbot, shown, kept_items(kept, path), settings)
    assert ratings_of(path) == ("2", 2)
    if touched == "photo":
        rate_elsewhere(path, 4)
    elif touched == "sidecar":
        Path(path).with_suffix(".xmp").write_bytes(xmp_packet(4))
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    again = shown(WorkDialog(dialog.task))  # as the window does it again
    if again.do_button.isEnabled():
        click(qtbot, again.do_button)
        wait_for(qtbot, again, "done")
    assert ratings_of(path)[1] == {None: 2, "photo": 4, "sidecar": 5}[touched]
    if touched == "sidecar":
        assert said_by_sidecar(str(Path(path).with_suffix(".xmp"))).text(prop.RATING) == "4"


def test_stars_replace_no_rating_that_a_sidecar_got_since(qtbot, tmp_path, settings, shown, kept):
    raw = tmp_path / "a.CR2"
    raw.write_bytes(b"raw")
    rated = xmp_packet(5)
    (tmp_path / "a.xmp").write_bytes(xmp_packet(4))
    kept.set({str(raw): given(2)})
    time.sleep(0.02)  # file systems take the time from a clock that moves every few milliseconds
    (tmp_path / "a.xmp").write_bytes(rated)
    dialog = write_all(qtbot, shown, kept_items(kept, str(raw)), settings)
    assert "your own rating stays" in rows(dialog)[0].text
    assert said_by_sidecar(str(tmp_path / "a.xmp")).text(prop.RATING) == "5"
    kept.set({str(raw): given(2)})
    write_all(qtbot, shown, kept_items(kept, str(raw)), settings)
    assert said_by_sidecar(str(tmp_path / "a.xmp")).text(prop.RATING) == "2"


@pytest.mark.parametrize(
    "changed",
    [
        "sidecar",
        "photo",
        pytest.param(
            "photo, as long and as old as before",
            marks=pytest.mark.skipif(os.name != "posix", reason="Windows does not tell of such a change"),
        ),
    ],
)
def test_a_rating_given_elsewhere_while_others_are_written_stays(
    qtbot, make_photos, settings, shown, kept, changed
):
    *others, path = make_photos(20, size=(16, 16))  # more than are begun at once
    rate_elsewhere(path, 3)
    kept.set({path: given(2)})
    time.sleep(0.02)  # file systems take the time from a clock that moves every few milliseconds
    task = shown(WriteDialog(kept_items(kept, *others, path), READY, settings)).task
    steps = task.carry_out(lambda: False)
    next(steps)
    before = os.stat(path)
    if changed == "sidecar":
        Path(path).with_suffix(".xmp").write_bytes(xmp_packet(4))
    else:
        rate_elsewhere(path, 4)
        Path(path).write_bytes(Path(path).read_bytes() + b"0" * (changed == "photo"))
    if changed.endswith("before"):
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = [row for step in steps for row in step if path in (row.path, row.path.replace(".xmp", ".jpg"))]
    if changed == "sidecar":
        assert said_by_sidecar(str(Path(path).with_suffix(".xmp"))).text(prop.RATING) == "4"
    else:
        assert ratings_of(path) == (None, 4)
    assert [(row.kind, row.kept) for row in told] == [
        ("failed", False) if changed == "photo" else ("change", True)
    ]
    assert changed != "photo" or "rate it again" in told[0].text
    assert said_by_photo(others[-1]).text(prop.SCORE), "the others are written"


def test_what_it_writes_itself_keeps_no_stars_out(qtbot, tmp_path, settings, shown, kept):
    raw, jpeg = tmp_path / "a.CR2", save_photo(tmp_path / "a.jpg")
    raw.write_bytes(b"raw")
    (tmp_path / "a.xmp").write_bytes(xmp_packet(4))  # of both
    rate_elsewhere(str(jpeg), 5)
    kept.set({str(raw): given(3), str(jpeg): given(2)})
    write_all(qtbot, shown, kept_items(kept, str(raw), str(jpeg)), settings)
    assert ratings_of(str(jpeg)) == ("2", 2)


def xmp_packet(rating):
    return xmp.edit(xmp.EMPTY_SIDECAR, {prop.RATING: str(rating)})


def test_every_failure_comes_first_with_its_reason(qtbot, make_photos, settings, shown):
    paths = make_photos(3)
    os.remove(paths[2])
    settings.set_value("files/where", "embed")
    with open(paths[1], "wb") as file:
        file.write(b"no photo")
    dialog = shown(WriteDialog(items_of(paths), READY, settings))
    assert [row.kind for row in rows(dialog)] == ["failed", "failed", "change"]
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert [row.kind for row in rows(dialog)] == ["failed", "failed", "change"]
    assert {row.path for row in rows(dialog)[:2]} == set(paths[1:])
    assert all(row.text for row in rows(dialog))
    assert "2 cannot be written" in dialog.text.text()


def test_a_raw_file_says_which_choice_of_the_window_gives_it_a_sidecar(qtbot, tmp_path, settings, shown):
    raw = tmp_path / "a.CR2"
    raw.write_bytes(b"")
    settings.set_value("files/where", "embed")
    dialog = shown(WriteDialog(items_of([str(raw)]), READY, settings))
    (row,) = rows(dialog)
    choice = dialog.where.itemText(dialog.where.findData("auto"))
    assert row.text == f"it is RAW, and is never changed; it gets a sidecar with “{choice}”"
    dialog.where.setFocus()
    qtbot.keyClick(dialog.where, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: dialog.phase == "planned" and [row.kind for row in rows(dialog)] == ["make"])


def test_where_to_write_is_chosen_and_kept(qtbot, make_photos, settings, shown):
    paths = make_photos(2)
    dialog = shown(WriteDialog(items_of(paths), READY, settings))
    dialog.where.setFocus()
    qtbot.keyClick(dialog.where, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: dialog.phase == "planned" and "2 of them new sidecars" in dialog.text.text())
    assert [row.kind for row in rows(dialog)] == ["make", "make"]
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert Settings().writing().where == "sidecar"
    assert sorted(os.listdir(os.path.dirname(paths[0]))) == [
        "IMG_0001.jpg", "IMG_0001.xmp", "IMG_0002.jpg", "IMG_0002.xmp",
    ]  # fmt: skip
    gone = []
    dialog.files_gone.connect(gone.extend)
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert len(gone) == 2
    assert contents(os.path.dirname(paths[0])).keys() == {"IMG_0001.jpg", "IMG_0002.jpg"}


def test_it_stops_after_the_photo_at_hand(qtbot, make_photos, settings, shown):
    items = items_of(make_photos(300, size=(16, 16)))
    dialog = shown(WriteDialog(items, READY, settings))
    click(qtbot, dialog.do_button)
    qtbot.waitUntil(lambda: dialog.progress.value() > 0, timeout=10_000)
    assert dialog.close_button.text() == "&Stop"
    click(qtbot, dialog.close_button)
    wait_for(qtbot, dialog, "done")
    assert dialog.isVisible(), "what was done is to be read"
    scores = [said_by_photo(item.path).text(prop.SCORE) for item in items]
    written = sum(score is not None for score in scores)
    assert 0 < written < len(items)
    assert f"{written} files written" in dialog.text.text()
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert not any(said_by_photo(item.path).text(prop.SCORE) for item in items)


def test_closing_the_window_while_it_writes_ends_both(qtbot, make_photos, settings, shown):
    dialog = shown(WriteDialog(items_of(make_photos(100, size=(16, 16))), READY, settings))
    click(qtbot, dialog.do_button)
    dialog.close()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=10_000)
    assert not [thread for thread in threading.enumerate() if thread.name == "files"]


@pytest.mark.parametrize(
    "ready",
    [
        Ready("niqe", "", "niqe-1", True, (0.0, 1.0)),
        Ready("musiq", "", "musiq-1", False, (0.0, 100.0)),
        Ready("other", "", "other-1", False, None),
    ],
)
def test_on_another_scale_ratings_are_written_and_no_scores(make_photos, settings, shown, ready):
    first, second = items_of(make_photos(2))
    dialog = shown(WriteDialog([first.but(mark=Mark(4)), second], ready, settings))
    assert "not written" in dialog.text.text()
    assert [(row.path, row.text) for row in rows(dialog)] == [(first.path, "stars 4 (was none)")]


def test_what_was_done_until_the_dialog_was_closed_can_be_undone(qtbot, make_photos, settings, shown):
    dialog = shown(WriteDialog(items_of(make_photos(60)), READY, settings))
    changed, done = [], []
    dialog.files_changed.connect(changed.extend)
    dialog.carried_out.connect(done.extend)
    click(qtbot, dialog.do_button)
    qtbot.waitUntil(lambda: bool(changed), timeout=20_000)
    dialog.close()
    qtbot.waitUntil(lambda: not dialog.isVisible(), timeout=20_000)
    assert sorted(done) == sorted(changed)


@pytest.mark.parametrize("ready", [None, READY])
def test_ratings_of_photos_without_a_score_are_written(qtbot, make_photos, settings, shown, ready):
    paths = make_photos(5)
    marks = [Mark(4), Mark(flag="rejected"), Mark(0), Mark(flag="picked"), Mark()]
    items = [PhotoItem(path, mark=mark) for path, mark in zip(paths, marks, strict=True)]
    items[1] = items[1].but(reason="the model could not score it")
    before = contents(os.path.dirname(paths[0]))
    dialog = shown(WriteDialog(items, ready, settings))
    assert "neither scored nor rated: 2 photos." in dialog.text.text()
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    wait_for(qtbot, dialog, "done")
    said = [said_by_photo(path) for path in paths]
    assert [one.text(prop.RATING) for one in said] == ["4", "-1", "0", None, None]
    assert not any(
        name in one.properties for one in said for name in (prop.SCORE, prop.MODEL, prop.SCORED_AT)
    )
    assert [one.exif.rating for one in said[:2]] == [4, 0]
    click(qtbot, dialog.back_button)
    wait_for(qtbot, dialog, "taken back")
    assert contents(os.path.dirname(paths[0])) == before


@pytest.mark.parametrize(
    "ready",
    [
        Ready("niqe", "", "niqe-1", True, (0.0, 1.0)),
        Ready("musiq", "", "musiq-1", False, (0.0, 100.0)),
        Ready("other", "", "other-1", False, None),
    ],
)
def test_scores_on_another_scale_are_not_written(make_photos, settings, shown, ready):
    dialog = shown(WriteDialog(items_of(make_photos(1)), ready, settings))
    assert "not written" in dialog.text.text()
    assert not dialog.do_button.isEnabled()


def test_a_journal_that_fails_is_told_and_no_file_is_touched(qtbot, make_photos, settings, shown):
    paths = make_photos(2)
    before = contents(os.path.dirname(paths[0]))
    dialog = shown(WriteDialog(items_of(paths), READY, settings))
    default_database().parent.parent.mkdir(parents=True, exist_ok=True)
    if default_database().parent.is_dir():  # the locks are there
        default_database().mkdir()
    else:
        default_database().parent.write_text("no folder")
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert "cannot be used" in dialog.trouble.text()
    assert dialog.trouble.isVisible()
    assert contents(os.path.dirname(paths[0])) == before


def test_the_latest_run_is_taken_back_later(qtbot, make_photos, settings, shown):
    paths = make_photos(2)
    before = contents(os.path.dirname(paths[0]))
    dialog = shown(WriteDialog(items_of(paths), READY, settings))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    dialog.close()
    back = shown(take_back_dialog())
    assert "2 files" in back.text.text()
    click(qtbot, back.do_button)
    wait_for(qtbot, back, "done")
    assert contents(os.path.dirname(paths[0])) == before
    again = shown(take_back_dialog())
    assert "Nothing was written" in again.text.text()
    assert not again.do_button.isEnabled()


def test_a_run_whose_photos_are_gone_hides_no_earlier_one(qtbot, make_photos, settings, shown):
    paths = make_photos(2)
    before = contents(os.path.dirname(paths[0]))[os.path.basename(paths[0])]
    for path in paths:
        dialog = shown(WriteDialog(items_of([path]), READY, settings))
        click(qtbot, dialog.do_button)
        wait_for(qtbot, dialog, "done")
        dialog.close()
    os.unlink(paths[1])
    for said in ("Could not be taken back: 1 file", "As before: 1 file"):
        back = shown(take_back_dialog())
        click(qtbot, back.do_button)
        wait_for(qtbot, back, "done")
        assert said in back.text.text()
        back.close()
    assert contents(os.path.dirname(paths[0])) == {os.path.basename(paths[0]): before}


def test_names_that_are_no_text_are_shown(tmp_path, settings, shown):
    if os.name == "nt":
        pytest.skip("names are text there")
    photo = save_photo(tmp_path / "a.jpg")
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    photo.rename(path)
    dialog = shown(WriteDialog(items_of([path]), READY, settings))
    model = dialog.table.rows
    assert model.data(model.index(0, 0)) == "caf?.jpg"
    assert not dialog.grab().isNull()


class _Bug:
    """A task with a mistake of ours in it."""

    title, total, can_take_back = "Bug", 1, False

    def plan(self, stopped):
        yield [Row("change", "a.jpg", "would be")]

    def carry_out(self, stopped):
        yield [Row("change", "a.jpg", "was")]
        raise ZeroDivisionError("what nobody thought of")

    def question(self, counts):
        return "?"

    button = result = question


def test_an_exception_in_the_thread_reaches_the_user_and_the_log(qtbot, shown, monkeypatch):
    logged = []
    monkeypatch.setattr(threading, "excepthook", logged.append)
    dialog = shown(WorkDialog(_Bug()))
    click(qtbot, dialog.do_button)
    wait_for(qtbot, dialog, "done")
    assert "what nobody thought of" in dialog.trouble.text()
    assert [row.text for row in rows(dialog)] == ["was"]
    assert [args.exc_type for args in logged] == [ZeroDivisionError]


def test_every_control_is_reached_by_tab_and_has_a_name(qtbot, make_photos, settings, shown):
    dialog = shown(WriteDialog(items_of(make_photos(1)), READY, settings))
    dialog.activateWindow()
    dialog.where.setFocus()
    reached = []
    for _ in range(6):
        reached.append(dialog.focusWidget())
        qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
    wanted = {dialog.where, dialog.naming, dialog.table, dialog.do_button, dialog.close_button}
    assert wanted <= set(reached)
    assert all(widget.accessibleName() or widget.text() for widget in wanted)
