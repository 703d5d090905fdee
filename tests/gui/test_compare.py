"""Photos side by side: zoomed and moved together, one kept and the rest rejected by a key."""

import pytest
from makers.photos import save_photo
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLabel, QToolButton

from dpiqa_desktop.gui.compare import Compare
from dpiqa_desktop.gui.photo_item import Mark, PhotoItem


@pytest.fixture
def compare(show_view):
    return show_view(Compare, 1000, 700)


@pytest.fixture
def press(qtbot, compare):
    return lambda key, modifier=Qt.KeyboardModifier.NoModifier: qtbot.keyClick(compare, key, modifier)


@pytest.fixture
def open_photos(compare, items, qtbot, make_photos):
    def open_(count, best=None, size=(1600, 1200), **known):
        paths = make_photos(count, size)
        for number, path in enumerate(paths):
            items[path] = PhotoItem(path, score=0.5, best_of_burst=number == best, **known)
        compare.show_photos(paths)
        qtbot.waitUntil(lambda: all(pane.canvas.photo for pane in panes(compare)), timeout=20_000)
        return paths

    return open_


def panes(compare):
    return [pane for pane in compare.panes if pane.isVisible()]


def names(compare):
    return [pane.findChildren(QLabel)[0].text() for pane in panes(compare)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_photos_stand_side_by_side_and_none_is_lost(count, compare, open_photos):
    open_photos(count)
    shown = panes(compare)
    assert len(shown) == count
    assert len({(pane.x(), pane.y()) for pane in shown}) == count
    widths, heights = [pane.width() for pane in shown], [pane.height() for pane in shown]
    assert max(widths) - min(widths) <= 1
    assert max(heights) - min(heights) <= 1
    assert all(pane.canvas.viewpoint.zoom is None for pane in shown)


def test_the_best_of_a_burst_is_proposed_and_the_current_one(compare, open_photos):
    paths = open_photos(3, best=2)
    assert compare.path == paths[2]
    assert names(compare)[0] == "IMG_0003.jpg"
    assert [pane.is_proposed for pane in panes(compare)] == [True, False, False]
    assert [pane.is_current for pane in panes(compare)] == [True, False, False]


def test_without_a_best_none_is_proposed(compare, open_photos):
    paths = open_photos(3)
    assert compare.path == paths[0]
    assert not any(pane.is_proposed for pane in panes(compare))


def test_a_key_keeps_the_best_and_rejects_the_rest(compare, items, open_photos, press, qtbot):
    paths = open_photos(3, best=1)
    items[paths[0]] = PhotoItem(paths[0], mark=Mark(stars=4))
    with qtbot.waitSignal(compare.marks_chosen, timeout=1000) as chosen:
        press(Qt.Key.Key_K)
    assert chosen.args[0] == {
        paths[1]: Mark(None, "picked"),
        paths[0]: Mark(4, "rejected"),
        paths[2]: Mark(None, "rejected"),
    }


def test_a_key_held_down_or_with_ctrl_decides_nothing(compare, open_photos, press, qtbot):
    open_photos(2)
    repeated = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_K, Qt.KeyboardModifier.NoModifier, "k", True)
    with qtbot.assertNotEmitted(compare.marks_chosen):
        QApplication.sendEvent(compare, repeated)
        press(Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # undo, elsewhere
    assert compare.panes[0].canvas.viewpoint.zoom is None


def test_another_one_than_the_proposed_may_be_kept(compare, open_photos, press, qtbot):
    paths = open_photos(3, best=1)
    changed = []
    compare.current_changed.connect(changed.append)
    press(Qt.Key.Key_Right)
    press(Qt.Key.Key_Right)
    press(Qt.Key.Key_Right)
    assert changed == [paths[0], paths[2]]
    with qtbot.waitSignal(compare.marks_chosen, timeout=1000) as chosen:
        qtbot.mouseClick(compare.keep_button, Qt.MouseButton.LeftButton)
    assert [path for path, mark in chosen.args[0].items() if mark.flag == "picked"] == [paths[2]]


def test_a_click_chooses_a_photo(compare, open_photos, qtbot):
    paths = open_photos(4)
    qtbot.mouseClick(compare.panes[2].canvas, Qt.MouseButton.LeftButton)
    assert compare.path == paths[2]
    assert [pane.is_current for pane in panes(compare)] == [False, False, True, False]


def test_zoom_and_place_are_locked_together(compare, open_photos, press, qtbot):
    open_photos(3)
    canvas = compare.panes[1].canvas
    qtbot.mouseMove(canvas, QPoint(1, 1))
    qtbot.mouseMove(canvas, QPoint(100, 300))
    press(Qt.Key.Key_Z)
    assert [pane.canvas.zoom for pane in panes(compare)] == [1, 1, 1]
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(200, 300))
    for x in range(200, 90, -10):
        qtbot.mouseMove(canvas, QPoint(x, 300))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 300))
    seen = {pane.canvas.viewpoint for pane in panes(compare)}
    assert len(seen) == 1
    assert seen.pop().x > 0.4


def test_unlocked_they_move_alone_until_locked_again(compare, open_photos, press, qtbot):
    open_photos(2)
    press(Qt.Key.Key_L)
    qtbot.mouseDClick(compare.panes[1].canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 300))
    assert [pane.canvas.viewpoint.zoom for pane in panes(compare)] == [None, 1.0]
    press(Qt.Key.Key_L)
    assert [pane.canvas.viewpoint.zoom for pane in panes(compare)] in ([None, None], [1.0, 1.0])


def test_more_than_four_come_page_by_page_and_all_are_rejected_but_one(compare, open_photos, press, qtbot):
    paths = open_photos(6, best=0)
    assert len(panes(compare)) == 4
    press(Qt.Key.Key_PageDown)
    qtbot.waitUntil(lambda: all(pane.canvas.photo for pane in panes(compare)), timeout=20_000)
    assert names(compare) == ["IMG_0005.jpg", "IMG_0006.jpg"]
    press(Qt.Key.Key_Right)
    with qtbot.waitSignal(compare.marks_chosen, timeout=1000) as chosen:
        press(Qt.Key.Key_K)
    flags = {path: mark.flag for path, mark in chosen.args[0].items()}
    assert flags == {path: "picked" if path == paths[5] else "rejected" for path in paths}
    press(Qt.Key.Key_PageUp)
    assert len(panes(compare)) == 4
    press(Qt.Key.Key_Left)
    assert compare.path == paths[0]


def test_arrows_turn_the_page(compare, open_photos, press):
    paths = open_photos(5)
    for _ in range(4):
        press(Qt.Key.Key_Right)
    assert compare.path == paths[4]
    assert names(compare) == ["IMG_0005.jpg"]


def test_what_is_known_follows_changes(compare, items, open_photos):
    paths = open_photos(2)
    items[paths[1]] = PhotoItem(paths[1], score=0.25, our_stars=2, mark=Mark(None, "picked"))
    compare.refresh()
    assert "0.25   ★★☆☆☆   ⚑ picked" in [label.text() for label in compare.panes[1].findChildren(QLabel)]
    assert compare.panes[1].accessibleName() == "IMG_0002.jpg, score 0.25, 2 of 5 stars, picked"


def test_a_photo_that_cannot_be_read_says_why_beside_the_others(compare, tmp_path, press, qtbot):
    (tmp_path / "broken.jpg").write_bytes(b"")
    paths = [str(tmp_path / "broken.jpg"), str(save_photo(tmp_path / "fine.jpg"))]
    compare.show_photos(paths)
    qtbot.waitUntil(lambda: "empty" in compare.panes[0].canvas.words, timeout=20_000)
    qtbot.waitUntil(lambda: compare.panes[1].canvas.photo is not None, timeout=20_000)
    press(Qt.Key.Key_Z)  # on the broken one: nothing to zoom
    with qtbot.waitSignal(compare.marks_chosen, timeout=1000):
        press(Qt.Key.Key_K)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_choose_from_mark_nothing(count, compare, make_photos, press, qtbot):
    compare.show_photos(make_photos(count))
    with qtbot.assertNotEmitted(compare.marks_chosen):
        for key in (Qt.Key.Key_K, Qt.Key.Key_Z, Qt.Key.Key_Right, Qt.Key.Key_PageDown, Qt.Key.Key_L):
            press(key)
    assert not compare.keep_button.isEnabled()
    if not count:
        assert compare.panes[0].canvas.words == "Choose two or more photos to compare them"


def test_escape_leaves(compare, open_photos, press, qtbot):
    open_photos(2)
    with qtbot.waitSignal(compare.left, timeout=1000):
        press(Qt.Key.Key_Escape)


def test_every_button_has_a_name_and_is_reached_by_tab(compare, open_photos, press, qtbot):
    open_photos(6)
    reached = set()
    for _ in range(8):
        qtbot.keyClick(QApplication.focusWidget() or compare, Qt.Key.Key_Tab)
        if isinstance(QApplication.focusWidget(), QToolButton):
            reached.add(QApplication.focusWidget().accessibleName())
    assert reached == {
        "Keep the current photo",
        "Next photos",
        "Quality map",
        "Zoom and move together",
        "Zoom",
    }


def test_long_names_do_not_widen_the_window(compare, tmp_path, qtbot):
    paths = [str(save_photo(tmp_path / ("name " * 40 + f"{n}.jpg"), n, (200, 3000))) for n in range(4)]
    compare.show_photos(paths)
    qtbot.waitUntil(lambda: all(pane.canvas.photo for pane in panes(compare)), timeout=20_000)
    assert (compare.width(), compare.height()) == (1000, 700)
    assert compare.minimumSizeHint().width() < 700


def test_maps_are_laid_over_all_photos_and_taken_away(compare, open_photos, press, qtbot):
    open_photos(2)
    press("M")
    qtbot.waitUntil(lambda: all(pane.canvas.overlay for pane in panes(compare)), timeout=60_000)
    assert compare.legend.isVisible()
    assert "does not show where the photo is bad" in compare.legend.words
    press("M")
    assert not any(pane.canvas.overlay for pane in panes(compare))
    assert not compare.legend.isVisible()
