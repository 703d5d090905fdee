"""Thresholds are dragged, moved by keys and typed; what they catch is counted."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible

from dpiqa_desktop.gui.histogram import Caught, Histogram

SCORES = [number / 100 for number in range(100)]


@pytest.fixture
def histogram(qtbot):
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.resize(320, 320)
    histogram.set_scores(SCORES)
    histogram.show()
    qtbot.waitExposed(histogram)
    yield histogram
    histogram.close()


@pytest.fixture
def told(histogram):
    told = []
    histogram.thresholds_changed.connect(lambda reject, pick: told.append((reject, pick)))
    return told


def drag(qtbot, histogram, start, end):
    bars = histogram.bars
    y = bars.height() // 2
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(bars, left, pos=QPoint(round(bars.place(start)), y))
    for step in range(1, 5):
        x = bars.place(start) + (bars.place(end) - bars.place(start)) * step / 4
        qtbot.mouseMove(bars, QPoint(round(x), y))
    qtbot.mouseRelease(bars, left, pos=QPoint(round(bars.place(end)), y))


def test_what_is_caught_is_counted(histogram):
    assert histogram.caught() == Caught(30, 40, 30)
    assert histogram.reject_box.value() == 0.3
    assert "30 (30\N{NARROW NO-BREAK SPACE}%)" in histogram._rejected.text()


def test_a_photo_on_a_threshold_is_picked_and_not_rejected(histogram):
    histogram.set_scores([0.3, 0.7, 0.299, 0.699])
    assert histogram.caught() == Caught(1, 2, 1)
    histogram.set_thresholds(0.5, 0.5)
    histogram.set_scores([0.5])
    assert histogram.caught() == Caught(0, 0, 1)


def test_dragging_moves_a_threshold_and_tells(qtbot, histogram, told):
    drag(qtbot, histogram, 0.3, 0.5)
    assert histogram.thresholds[0] == pytest.approx(0.5, abs=0.01)
    assert told[-1] == histogram.thresholds
    assert histogram.caught().rejected == pytest.approx(50, abs=1)


def test_a_threshold_stops_at_the_other(qtbot, histogram):
    drag(qtbot, histogram, 0.3, 0.95)
    assert histogram.thresholds == (0.7, 0.7)
    drag(qtbot, histogram, 0.7, 0.2)  # of two in one place, either may go
    reject, pick = histogram.thresholds
    assert reject <= pick


def test_a_press_away_from_both_moves_nothing(qtbot, histogram, told):
    drag(qtbot, histogram, 0.5, 0.9)
    assert not told


def test_keys_reach_and_move_both(qtbot, histogram):
    histogram.bars.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(histogram.bars, Qt.Key.Key_Right)
    assert histogram.thresholds == pytest.approx((0.31, 0.7))
    qtbot.keyClick(histogram.bars, Qt.Key.Key_Tab)
    assert histogram.bars.hand == "pick"
    qtbot.keyClick(histogram.bars, Qt.Key.Key_PageUp)
    qtbot.keyClick(histogram.bars, Qt.Key.Key_Left)
    assert histogram.thresholds == pytest.approx((0.31, 0.79))
    qtbot.keyClick(histogram.bars, Qt.Key.Key_Up)
    qtbot.keyClick(histogram.bars, Qt.Key.Key_Home)
    assert histogram.thresholds == pytest.approx((0.0, 0.79))


def test_each_handle_has_a_name_of_its_own(qtbot, histogram):
    bars = histogram.bars
    spoken = QAccessible.queryAccessibleInterface(bars)
    bars.setFocus(Qt.FocusReason.TabFocusReason)
    names = [spoken.text(QAccessible.Text.Name)]
    qtbot.keyClick(bars, Qt.Key.Key_Tab)
    names.append(spoken.text(QAccessible.Text.Name))
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=QPoint(round(bars.place(0.3)), 20))
    names.append(spoken.text(QAccessible.Text.Name))
    handles = ("reject", "pick", "reject")
    assert names == [f"Histogram of scores, {handle} handle" for handle in handles]
    assert spoken.text(QAccessible.Text.Description) == "Rejects worse than 0.3, picks from 0.7"


def test_every_control_is_reached_by_tab(qtbot, histogram):
    histogram.activateWindow()
    histogram.bars.setFocus(Qt.FocusReason.TabFocusReason)
    reached = []
    for _ in range(6):
        reached.append(histogram.focusWidget())
        qtbot.keyClick(histogram.focusWidget(), Qt.Key.Key_Tab)
    assert [widget for widget in dict.fromkeys(reached)] == [  # noqa: C416
        histogram.bars,
        histogram.reject_box,
        histogram.pick_box,
        histogram.unit,
        histogram.apply_button,
    ]
    assert all(widget.accessibleName() or widget.text() for widget in reached)


def test_a_number_is_typed(qtbot, histogram, told):
    histogram.pick_box.setFocus()
    histogram.pick_box.selectAll()
    qtbot.keyClicks(histogram.pick_box, "0.9")
    assert not told, "half a number moves nothing"
    qtbot.keyClick(histogram.pick_box, Qt.Key.Key_Return)
    assert told == [(0.3, 0.9)]


def test_by_percent_thresholds_follow_the_scores(qtbot, histogram, told):
    qtbot.keyClick(histogram.unit, Qt.Key.Key_Down)
    assert histogram.by_percent
    assert (histogram.reject_box.value(), histogram.pick_box.value()) == (30, 30)
    histogram.reject_box.setValue(10)
    histogram.pick_box.setValue(5)
    assert histogram.caught() == Caught(10, 85, 5)
    histogram.set_scores([score / 2 for score in SCORES])
    assert histogram.caught() == Caught(10, 85, 5)
    assert told[-1] == pytest.approx((0.05, 0.475))


def test_percents_are_not_forgotten_while_scores_are_few(histogram):
    histogram.thresholds_changed.connect(histogram.set_thresholds)  # as the window's settings do
    histogram.unit.setCurrentIndex(1)
    histogram.reject_box.setValue(10)
    histogram.pick_box.setValue(5)
    for count in (0, 1, 3, 100):
        histogram.set_scores(SCORES[:count])
    assert histogram.caught() == Caught(10, 85, 5)


@pytest.mark.parametrize("percent", [0, 100])
def test_all_and_none_by_percent(histogram, percent):
    histogram.unit.setCurrentIndex(1)
    histogram.pick_box.setValue(0)
    histogram.reject_box.setValue(percent)
    assert histogram.caught() == Caught(percent, 100 - percent, 0)
    histogram.reject_box.setValue(0)
    histogram.pick_box.setValue(percent)
    assert histogram.caught() == Caught(0, 100 - percent, percent)


def test_where_lower_is_better_the_worse_are_above(qtbot, histogram):
    histogram.set_scale((0.0, 100.0), lower_better=True)
    histogram.set_scores([score * 100 for score in SCORES])
    assert histogram.thresholds == (70.0, 30.0), "at the same places"
    histogram.set_thresholds(80.0, 10.0)
    assert histogram.caught() == Caught(19, 70, 11)
    drag(qtbot, histogram, 80.0, 5.0)
    assert histogram.thresholds == (10.0, 10.0)
    histogram.unit.setCurrentIndex(1)
    histogram.reject_box.setValue(0)
    histogram.pick_box.setValue(20)
    assert histogram.caught() == Caught(0, 80, 20)


@pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 9, [-0.02, 1.04]])
@pytest.mark.parametrize("score_range", [None, (0.0, 1.0), (float("-inf"), float("inf"))])
def test_few_and_odd_scores(histogram, scores, score_range):
    histogram.set_scale(score_range, lower_better=False)
    histogram.set_scores(scores)
    assert not histogram.grab().isNull()
    caught = histogram.caught()
    assert caught.rejected + caught.between + caught.picked == len(scores)


def test_the_button_asks_to_apply(qtbot, histogram):
    with qtbot.waitSignal(histogram.apply_wanted, timeout=1000):
        qtbot.mouseClick(histogram.apply_button, Qt.MouseButton.LeftButton)
    histogram.set_scores([0.5])
    assert not histogram.apply_button.isEnabled()
