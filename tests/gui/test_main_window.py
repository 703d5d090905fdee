"""The window from the first start to the last key, with real events, real photos and the bundled model."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import platformdirs
import pytest
from makers.photos import save_photo
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from dpiqa_desktop.engine.marks import Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.app import main, make_window
from dpiqa_desktop.gui.fault_reporter import FaultReporter
from dpiqa_desktop.gui.main_window import MainWindow
from dpiqa_desktop.gui.photo_filter import Wanted
from dpiqa_desktop.gui.recent_menu import RecentMenu
from dpiqa_desktop.gui.settings_dialog import SettingsDialog
from dpiqa_desktop.gui.shortcut_sheet import ShortcutSheet
from dpiqa_desktop.gui.work_dialog import WorkDialog
from dpiqa_desktop.gui.write_dialog import WriteDialog

SCORED_MS = 30_000  # the model takes half a second on a machine with nothing else to do


@pytest.fixture
def open_scored(window, qtbot):
    def open_(folder: str | Path):
        window.open(str(folder))
        qtbot.waitUntil(lambda: bool(window.model.items()) and not window.bridge.running, timeout=SCORED_MS)
        return window

    return open_


@pytest.fixture
def scored(open_scored, make_photos):
    """A window with five photos that have their scores; the keyboard is in the grid."""
    window = open_scored(os.path.dirname(make_photos(5)[0]))
    window.views.grid.setFocus()
    return window


def _press(qtbot, keys, modifier=Qt.KeyboardModifier.NoModifier):
    """Press keys where the keyboard is."""
    for key in keys:
        target = QApplication.focusWidget()
        assert target is not None
        qtbot.keyClick(target, key, modifier)


def _click(qtbot, window, number, modifier=Qt.KeyboardModifier.NoModifier):
    grid = window.views.grid
    place = grid.visualRect(grid.model().index(number)).center()
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, modifier, place)


def _flags(window):
    return [item.mark.flag for item in window.photos.items()]


def _stars(window):
    return [item.mark.stars for item in window.photos.items()]


def test_the_first_start_says_what_to_do(window):
    assert window.views.currentWidget() is window.views.empty
    assert "Open a folder" in window.views.empty.hint.text()
    assert not window.actions_by_name["pick"].isEnabled()
    assert not window.filter_bar.isVisible()


def test_every_control_has_a_name_and_every_action_a_text(window):
    for widget in (window.filter_bar, window.scoring_bar):
        for control in widget.children():
            if isinstance(control, QWidget) and control.focusPolicy() & Qt.FocusPolicy.TabFocus:
                assert control.accessibleName() or control.text(), control
    shortcuts = [key.toString() for action in window.actions_by_name.values() for key in action.shortcuts()]
    assert len(shortcuts) == len(set(shortcuts))


def test_a_folder_is_opened_scored_and_its_name_shown(open_scored, make_photos):
    paths = make_photos(4)
    window = open_scored(os.path.dirname(paths[0]))
    assert [item.path for item in window.photos.items()] == paths
    assert all(item.score is not None and item.our_stars for item in window.model.items())
    assert window.windowTitle().startswith("photos")
    assert "4 photos scored by dpiqa_lite" in window.scoring_bar.words.text()
    assert window.scoring_bar.progress.isHidden()


def _drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    actions, buttons, keys = (
        Qt.DropAction.CopyAction,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(QPoint(9, 9), actions, data, buttons, keys)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(9, 9), actions, data, buttons, keys))


def test_a_folder_dropped_on_the_window_is_opened(window, make_photos, qtbot):
    _drop(window, os.path.dirname(make_photos(2)[0]))
    qtbot.waitUntil(lambda: window.model.rowCount() == 2)


def test_all_that_is_dropped_is_opened(window, make_photos, qtbot):
    first, second = make_photos(2), make_photos(3, folder="more")
    _drop(window, os.path.dirname(first[0]), *second[:2])
    qtbot.waitUntil(lambda: window.model.rowCount() == 4)
    assert [item.path for item in window.model.items()] == [*first, *second[:2]]
    assert window.windowTitle().startswith("photos, IMG_0001.jpg, IMG_0002.jpg")
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=SCORED_MS)


def test_subfolders_are_looked_into_only_if_wanted(open_scored, make_photos, qtbot):
    make_photos(2)
    make_photos(1, folder="photos/more")
    window = open_scored(os.path.dirname(make_photos(2)[0]))
    assert window.model.rowCount() == 3
    window.actions_by_name["recursive"].trigger()
    qtbot.waitUntil(lambda: window.model.rowCount() == 2 and not window.bridge.running, timeout=SCORED_MS)


def test_photographers_keys_mark_the_photo_and_are_undone(scored, qtbot):
    _click(qtbot, scored, 1)
    _press(qtbot, "P3")
    _press(qtbot, [Qt.Key.Key_Right])
    _press(qtbot, "X5")
    assert (_flags(scored), _stars(scored)) == (
        [None, "picked", "rejected", None, None],
        [None, 3, 5, None, None],
    )
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    _press(qtbot, "ZZ", control)
    assert (_flags(scored)[2], _stars(scored)[2]) == (None, None)
    _press(qtbot, "Z", control | shift)
    assert _flags(scored)[2] == "rejected"
    _press(qtbot, "U")
    assert _flags(scored)[2] is None


def test_all_selected_photos_are_marked_in_one_step(scored, qtbot):
    _press(qtbot, "A", Qt.KeyboardModifier.ControlModifier)
    _press(qtbot, "X")
    assert _flags(scored) == ["rejected"] * 5
    _press(qtbot, "Z", Qt.KeyboardModifier.ControlModifier)
    assert _flags(scored) == [None] * 5


def test_marks_are_there_after_a_restart(scored, scorer, qtbot):
    _click(qtbot, scored, 0)
    _press(qtbot, "P2")
    folder = scored.scoring.folder
    scored.close()
    again = make_window(scorer)
    qtbot.addWidget(again)
    again.open(folder)
    qtbot.waitUntil(lambda: again.model.rowCount() == 5 and not again.bridge.running, timeout=SCORED_MS)
    assert (_flags(again)[0], _stars(again)[0]) == ("picked", 2)
    again.close()


def test_marks_that_cannot_be_kept_stay_in_the_window_and_are_told(scored, qtbot):
    folder = default_database().parent
    scored._marks._marks.close()
    shutil.rmtree(folder)
    folder.write_text("in the way")
    _click(qtbot, scored, 0)
    _press(qtbot, "P")
    qtbot.waitUntil(lambda: "are not kept" in scored.messages.text)
    assert _flags(scored)[0] == "picked"


def test_grid_loupe_and_compare_follow_each_other(scored, qtbot):
    views = scored.views
    _click(qtbot, scored, 2)
    _press(qtbot, "E")
    assert views.currentWidget() is views.loupe
    assert views.loupe.path == scored.photos.item_at(2).path
    _press(qtbot, [Qt.Key.Key_Right])
    _press(qtbot, "P")
    assert _flags(scored) == [None, None, None, "picked", None]
    _press(qtbot, [Qt.Key.Key_Escape])
    assert views.currentWidget() is views.grid
    assert views.grid.current_path() == scored.photos.item_at(3).path
    _click(qtbot, scored, 0)
    _click(qtbot, scored, 4, Qt.KeyboardModifier.ControlModifier)
    _press(qtbot, "C")
    assert set(views.compare.paths) == {scored.photos.item_at(0).path, scored.photos.item_at(4).path}
    _press(qtbot, "G")
    assert views.currentWidget() is views.grid


def test_space_and_double_click_show_the_photo_large(scored, qtbot):
    _click(qtbot, scored, 1)
    _press(qtbot, [Qt.Key.Key_Space])
    assert scored.views.loupe.isVisible()
    _press(qtbot, "G")
    grid = scored.views.grid
    place = grid.visualRect(grid.model().index(3)).center()
    _click(qtbot, scored, 3)
    qtbot.mouseDClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert scored.views.loupe.path == scored.photos.item_at(3).path


def test_letters_typed_into_the_search_mark_nothing(scored, qtbot):
    _click(qtbot, scored, 0)
    _press(qtbot, "F", Qt.KeyboardModifier.ControlModifier)
    _press(qtbot, "0003")
    qtbot.waitUntil(lambda: scored.photos.rowCount() == 1)
    _press(qtbot, "px5")
    qtbot.waitUntil(lambda: scored.photos.rowCount() == 0)
    assert {item.mark.flag for item in scored.model.items()} == {None}
    assert scored.views.empty.title.text() == "No photo passes the filter"
    qtbot.mouseClick(scored.views.empty.button, Qt.MouseButton.LeftButton)
    assert scored.photos.rowCount() == 5


def test_the_keyboard_stays_in_the_search_while_pages_change(scored, qtbot):
    _press(qtbot, "F", Qt.KeyboardModifier.ControlModifier)
    _press(qtbot, "00039")
    qtbot.waitUntil(lambda: scored.views.currentWidget() is scored.views.empty)
    _press(qtbot, [Qt.Key.Key_Backspace])
    qtbot.waitUntil(lambda: scored.views.currentWidget() is scored.views.grid)
    assert QApplication.focusWidget() is scored.filter_bar.text


def test_the_keyboard_is_where_a_user_would_look_for_it(window, make_photos, qtbot):
    assert QApplication.focusWidget() is window.views.empty.button
    window.scoring_bar.metric_box.setFocus()
    window.open(os.path.dirname(make_photos(2)[0]))
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.views.grid)


def _choose(qtbot, box, row):
    """Choose in a box with the mouse."""
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(box.view().isVisible)
    qtbot.wait(QApplication.doubleClickInterval())  # sooner, it is the end of the first press
    place = box.view().visualRect(box.model().index(row, 0)).center()
    qtbot.mouseClick(box.view().viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: not box.view().isVisible())


@pytest.mark.parametrize("name", ["sort", "stars", "flag", "state"])
def test_after_the_mouse_has_chosen_in_a_box_keys_go_to_the_photos(name, scored, qtbot):
    box, views = getattr(scored.filter_bar, name), scored.views
    for before in (views.grid, scored.filter_bar.text, box):
        before.setFocus()
        row = 1 - box.currentIndex()
        _choose(qtbot, box, row)
        assert box.currentIndex() == row
        qtbot.waitUntil(lambda: (views.currentWidget() is views.grid) == bool(scored.photos.rowCount()))
        there = views.grid if scored.photos.rowCount() else views.empty.button
        assert QApplication.focusWidget() is there


def test_an_arrow_after_the_mouse_has_chosen_an_order_goes_to_the_next_photo(scored, qtbot):
    _click(qtbot, scored, 0)
    _choose(qtbot, scored.filter_bar.sort, 2)
    _press(qtbot, [Qt.Key.Key_Right])
    assert scored.views.grid.currentIndex().row() == 1
    assert scored.filter_bar.sort.currentData() == "name"


def test_keys_that_choose_in_a_box_stay_there(scored, qtbot):
    box = scored.filter_bar.sort
    _choose(qtbot, box, 1)
    box.setFocus(Qt.FocusReason.TabFocusReason)
    _press(qtbot, [Qt.Key.Key_Down, Qt.Key.Key_Down])
    assert box.currentIndex() == 3
    assert QApplication.focusWidget() is box


@pytest.mark.parametrize("name", ["best", "size_slider"])
def test_a_click_on_other_controls_of_the_row_leaves_the_keyboard_with_the_photos(name, scored, qtbot):
    qtbot.mouseClick(getattr(scored.filter_bar, name), Qt.MouseButton.LeftButton)
    assert QApplication.focusWidget() is scored.views.grid


def test_where_there_are_no_photos_the_keyboard_is_on_the_button(scored, tmp_path, qtbot):
    (tmp_path / "empty").mkdir()
    scored.open(str(tmp_path / "empty"))
    qtbot.waitUntil(lambda: QApplication.focusWidget() is scored.views.empty.button)


def test_rejecting_what_is_filtered_goes_on_with_the_next(scored, qtbot):
    scored.filter_bar.set_wanted(Wanted(flag="unflagged"))
    _click(qtbot, scored, 1)
    _press(qtbot, "E")
    second, third = scored.photos.item_at(1).path, scored.photos.item_at(2).path
    _press(qtbot, "X")
    qtbot.waitUntil(lambda: scored.photos.rowCount() == 4)
    assert scored.model.item(second).mark.flag == "rejected"
    assert scored.views.loupe.path == third


def test_sorting_by_score_shows_the_best_first(scored):
    box = scored.filter_bar.sort
    box.setCurrentIndex(box.findData("score"))
    scores = [item.score for item in scored.photos.items()]
    assert scores == sorted(scores, reverse=True)


def test_a_folder_without_photos_says_so(window, tmp_path, qtbot):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no photo")
    window.open(str(tmp_path / "empty"))
    qtbot.waitUntil(lambda: window.views.empty.title.text() == "No photos here")
    qtbot.waitUntil(lambda: not window.bridge.running)


def test_a_folder_that_is_not_there_says_so(window, tmp_path, qtbot):
    window.open(str(tmp_path / "nowhere"))
    qtbot.waitUntil(lambda: window.views.empty.title.text() == "This did not open")
    assert "nowhere" in window.views.empty.hint.text()


def test_photos_that_cannot_be_read_are_told_and_shown(open_scored, make_photos, qtbot):
    paths = make_photos(3)
    Path(paths[1]).write_bytes(b"not a photo")
    window = open_scored(os.path.dirname(paths[0]))
    assert "1 of 3 photos could not be scored" in window.messages.text
    qtbot.mouseClick(window.messages.button, Qt.MouseButton.LeftButton)
    assert [item.path for item in window.photos.items()] == [paths[1]]


def test_a_folder_that_goes_while_it_is_scored_is_told(window, make_photos, qtbot):
    folder = os.path.dirname(make_photos(30)[0])
    window.open(folder)
    qtbot.waitUntil(lambda: window.model.rowCount() == 30)
    shutil.rmtree(folder)
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=SCORED_MS)
    assert "is not there any more" in window.messages.text


def test_scoring_is_paused_stopped_and_taken_up_again(window, make_photos, qtbot):
    window.open(os.path.dirname(make_photos(60)[0]))
    qtbot.waitUntil(lambda: window.bridge.running and window.model.rowCount() == 60)
    qtbot.waitUntil(window.scoring_bar.pause.isVisible)
    qtbot.mouseClick(window.scoring_bar.pause, Qt.MouseButton.LeftButton)
    assert window.bridge.paused
    assert window.scoring_bar.pause.text() == "Go on"
    qtbot.mouseClick(window.scoring_bar.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=SCORED_MS)
    assert any(item.score is None for item in window.model.items())
    window.reload()
    qtbot.waitUntil(lambda: not window.bridge.running, timeout=SCORED_MS)
    assert all(item.score is not None for item in window.model.items())


def test_a_model_that_cannot_be_had_is_told_and_another_chosen(scored, qtbot):
    scored.scoring_bar.metric_box.setCurrentText("no_such_metric")
    scored.scoring_bar.metric_box.lineEdit().setFocus()
    _press(qtbot, [Qt.Key.Key_Return])
    qtbot.waitUntil(lambda: not scored.bridge.running, timeout=SCORED_MS)
    assert "no_such_metric" in scored.messages.text
    scored.scoring.choose_model("dpiqa_lite", "cpu")
    qtbot.waitUntil(lambda: not scored.bridge.running, timeout=SCORED_MS)
    assert all(item.score is not None for item in scored.model.items())


def test_size_and_order_are_kept(scored, scorer, qtbot):
    scored.filter_bar.size_slider.setValue(300)
    scored.actions_by_name["recursive"].trigger()
    box = scored.filter_bar.sort
    box.setCurrentIndex(box.findData("name"))
    scored.close()
    again = make_window(scorer)
    qtbot.addWidget(again)
    assert again.views.grid.side == 300
    assert not again.actions_by_name["recursive"].isChecked()
    assert again.filter_bar.sort.currentData() == "name"
    assert again.views.empty.findChildren(type(again.views.empty.button))[-1].text() == "photos"
    again.close()


def test_an_unexpected_fault_in_a_thread_reaches_the_user_and_a_log(window, tmp_path, qtbot):
    reporter = FaultReporter(["photos"])
    try:
        window.bridge.crashed.connect(reporter.report)
        window.bridge._marks_below = lambda folder: 1 / 0
        (tmp_path / "some").mkdir()
        window.open(str(tmp_path / "some"))
        qtbot.waitUntil(lambda: bool(_boxes()))
        (box,) = _boxes()
        assert "division by zero" in box.text()
        log = Path(box.informativeText().rpartition(" ")[2])
        assert "ZeroDivisionError" in log.read_text()
        box.accept()
    finally:
        reporter.close()


def run_main(folder: str, look: Callable[[], None]) -> None:
    """Run the program on a folder until ``look``, called again and again, has closed its window."""
    before = signal.getsignal(signal.SIGINT)
    timer = QTimer(interval=50)
    timer.timeout.connect(look)
    timer.start()
    try:
        assert main([folder]) == 0
    finally:
        signal.signal(signal.SIGINT, before)
        timer.stop()


def test_main_opens_the_folder_it_is_given_and_ends_with_the_window(make_photos, qapp):
    folder = os.path.dirname(make_photos(2)[0])
    seen = []

    def look():
        for window in _shown(MainWindow):
            if window.model.rowCount() == 2:
                seen.append(window.scoring.folder)
                window.close()

    run_main(folder, look)
    assert seen == [folder]


def test_what_is_logged_while_main_runs_is_in_a_file(make_photos, qapp):
    folder = os.path.dirname(make_photos(1)[0])
    log = Path(platformdirs.user_log_dir("dpiqa", appauthor=False)) / "window.log"
    log.unlink(missing_ok=True)
    logger = logging.getLogger("dpiqa_desktop.gui.photo_loader")

    def look():
        for window in _shown(MainWindow):
            assert not log.exists(), "nothing was wrong yet"
            logger.error("caf\udce9.jpg was not decoded")
            window.close()

    run_main(folder, look)
    logger.error("after the window")
    (line,) = log.read_text("utf-8").splitlines()
    assert line.endswith("dpiqa_desktop.gui.photo_loader: caf\\udce9.jpg was not decoded")


def _shown(kind):
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]


def _dialog(kind):
    (dialog,) = _shown(kind)
    return dialog


def test_ratings_given_in_the_window_are_in_the_files_after_writing(scored, qtbot):
    _click(qtbot, scored, 1)
    _press(qtbot, "4")
    _press(qtbot, [Qt.Key.Key_Right])
    _press(qtbot, "X")
    before = Path(scored.photos.item_at(3).path).read_bytes()
    _press(qtbot, "S", Qt.KeyboardModifier.ControlModifier)
    dialog = _dialog(WriteDialog)
    qtbot.waitUntil(dialog.do_button.isEnabled, timeout=SCORED_MS)
    assert Path(scored.photos.item_at(3).path).read_bytes() == before  # nothing before the user says so
    qtbot.mouseClick(dialog.do_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: b"dpiqa" in Path(scored.photos.item_at(4).path).read_bytes(), timeout=SCORED_MS)
    qtbot.waitUntil(dialog.back_button.isVisible, timeout=SCORED_MS)  # it is done, and can be taken back
    dialog.close()
    ratings = [_rating(item.path) for item in scored.photos.items()]
    assert ratings[1:3] == [4, -1]
    assert ratings[0] == scored.photos.item_at(0).our_stars


def test_what_was_written_is_undone_and_redone_by_key(scored, qtbot):
    paths = [item.path for item in scored.photos.items()]
    before = [Path(path).read_bytes() for path in paths]
    _click(qtbot, scored, 1)
    _press(qtbot, "4")
    _press(qtbot, "S", Qt.KeyboardModifier.ControlModifier)
    _carry_out(qtbot, "done")
    assert "Write scores" in scored.actions_by_name["undo"].text()
    written = [Path(path).read_bytes() for path in paths]
    assert all(was != now for was, now in zip(before, written, strict=True))
    _press(qtbot, "Z", Qt.KeyboardModifier.ControlModifier)
    dialog = _dialog(WorkDialog)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)  # it asks
    _wait_for_window(qtbot, scored)
    assert [Path(path).read_bytes() for path in paths] == written
    assert "Write scores" in scored.actions_by_name["undo"].text()
    _press(qtbot, "Z", Qt.KeyboardModifier.ControlModifier)
    _carry_out(qtbot, "taken back")
    assert [Path(path).read_bytes() for path in paths] == before
    _press(qtbot, "Z", Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    _carry_out(qtbot, "done")
    assert _rating(paths[1]) == 4
    _press(qtbot, "Z", Qt.KeyboardModifier.ControlModifier)
    _carry_out(qtbot, "taken back")
    _press(qtbot, "Z", Qt.KeyboardModifier.ControlModifier)  # the rating before it
    assert _stars(scored) == [None] * 5


def test_stars_are_written_over_a_rating_made_elsewhere_only_if_given_anew(scored, qtbot):
    path = scored.photos.item_at(1).path
    _click(qtbot, scored, 1)
    _press(qtbot, "4")
    _press(qtbot, "S", Qt.KeyboardModifier.ControlModifier)
    _carry_out(qtbot, "done")
    assert _rating(path) == 4
    content = Path(path).read_bytes()
    Path(path).write_bytes(re.sub(rb"(xmp:Rating(?:=.|>))4", rb"\g<1>5", content))
    assert _rating(path) == 5
    _press(qtbot, "S", Qt.KeyboardModifier.ControlModifier)
    dialog = _dialog(WorkDialog)
    qtbot.waitUntil(lambda: dialog.phase == "planned", timeout=SCORED_MS)
    if dialog.do_button.isEnabled():
        _carry_out(qtbot, "done")
    else:
        dialog.close()
        _wait_for_window(qtbot, scored)
    assert _rating(path) == 5
    steps = scored.undo_stack.count()
    _press(qtbot, "4")
    assert scored.undo_stack.count() == steps, "nothing that can be seen has changed"
    _press(qtbot, "S", Qt.KeyboardModifier.ControlModifier)
    _carry_out(qtbot, "done")
    assert _rating(path) == 4


def test_stars_do_not_confirm_the_reject_of_a_photo_that_was_there_before(scored, qtbot):
    _click(qtbot, scored, 1)
    _press(qtbot, "X")
    path = scored.photos.item_at(1).path
    with closing(Marks(default_database())) as marks:
        qtbot.waitUntil(lambda: bool(marks.all_below(path)), timeout=SCORED_MS)  # it is kept
    save_photo(Path(path), 9)
    _press(qtbot, "A", Qt.KeyboardModifier.ControlModifier)
    _press(qtbot, "3")
    qtbot.waitUntil(lambda: _flags(scored) == [None] * 5)
    assert _stars(scored) == [3] * 5
    _press(qtbot, [Qt.Key.Key_Delete])
    dialog = _dialog(WorkDialog)
    qtbot.waitUntil(lambda: dialog.phase == "planned", timeout=SCORED_MS)
    assert not dialog.do_button.isEnabled()
    dialog.close()
    _wait_for_window(qtbot, scored)


def _carry_out(qtbot, phase):
    """Say yes in the dialog that is open, and close it when it is done."""
    dialog = _dialog(WorkDialog)
    qtbot.waitUntil(dialog.do_button.isEnabled, timeout=SCORED_MS)
    qtbot.mouseClick(dialog.do_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.phase == phase, timeout=SCORED_MS)
    window = dialog.parentWidget()
    dialog.close()
    _wait_for_window(qtbot, window)


def _wait_for_window(qtbot, window):
    """Until a dialog has closed, and the keyboard is back in the grid."""
    qtbot.waitUntil(lambda: not _shown(WorkDialog), timeout=SCORED_MS)
    window.activateWindow()  # as desktops do
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.views.grid)


def _rating(path: str) -> int:
    found = re.search(rb"xmp:Rating(?:=.|>)(-?\d)", Path(path).read_bytes())
    assert found, path
    return int(found[1])


@pytest.mark.parametrize(
    ("key", "modifier", "kind"),
    [
        ("?", Qt.KeyboardModifier.NoModifier, ShortcutSheet),
        (",", Qt.KeyboardModifier.ControlModifier, SettingsDialog),
        (Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier, WorkDialog),
    ],
)
def test_dialogs_open_by_key_and_close_by_escape(key, modifier, kind, scored, qtbot):
    _click(qtbot, scored, 0)
    _press(qtbot, [key], modifier)
    dialog = _dialog(kind)
    assert dialog.isVisible()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not _shown(kind), timeout=SCORED_MS)
    assert all(Path(item.path).exists() for item in scored.model.items())


def test_the_histograms_thresholds_pick_and_reject(scored, qtbot):
    scores = sorted(item.score for item in scored.model.items())
    scored.histogram.set_thresholds(scores[1], scores[3])
    _press(qtbot, "P")
    caught = scored.histogram.caught()
    assert (caught.rejected, caught.picked) == (1, 2)
    scored.undo_stack.undo()
    qtbot.mouseClick(scored.histogram.apply_button, Qt.MouseButton.LeftButton)
    assert sorted(_flags(scored), key=str) == [None, None, "picked", "picked", "rejected"]


def _boxes() -> list[QMessageBox]:
    return _shown(QMessageBox)


def test_a_folder_of_lately_is_opened_from_the_menu(window, make_photos, qtbot):
    folder = os.path.dirname(make_photos(2)[0])
    window.open(folder)
    qtbot.waitUntil(lambda: window.model.rowCount() == 2 and not window.bridge.running, timeout=SCORED_MS)
    window.open(str(Path(folder).parent / "gone"))
    qtbot.waitUntil(lambda: window.model.rowCount() == 0 and not window.bridge.running, timeout=SCORED_MS)
    recent = window.findChild(RecentMenu)
    assert recent.parentWidget().objectName() == "file"
    recent.aboutToShow.emit()
    (action,) = recent.actions()
    assert action.text() == folder
    action.trigger()
    qtbot.waitUntil(lambda: window.model.rowCount() == 2)
    assert window.scoring.paths == (folder,)
