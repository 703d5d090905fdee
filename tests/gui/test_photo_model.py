"""The photos as a model: what events and marks make of the rows, and what a screen reader is told."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester, QSignalSpy

from dpiqa_desktop.engine.stars import Percentiles, Thresholds
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.gui.photo_item import Mark
from dpiqa_desktop.gui.photo_model import ITEM_ROLE, PhotoModel

PATHS = [f"/photos/{number}.jpg" for number in range(6)]


@pytest.fixture
def model(qapp):
    model = PhotoModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.open(PATHS)
    return model


def test_scores_arrive_in_runs_of_rows(model):
    spy = QSignalSpy(model.dataChanged)
    model.take([Scored(PATHS[4], 0.5), Scored(PATHS[0], 0.9), Scored(PATHS[1], 0.1), Scored("/other.jpg", 1)])
    assert [(spy.at(n)[0].row(), spy.at(n)[1].row()) for n in range(spy.count())] == [(0, 1), (4, 4)]
    assert [item.our_stars for item in model.items()] == [5, 1, None, None, 3, None]


def test_many_scores_are_told_once(model, qtbot):
    spy = QSignalSpy(model.scores_changed)
    for path in PATHS:
        model.take([Scored(path, 0.5)])
    qtbot.waitUntil(lambda: spy.count() > 0)
    assert spy.count() == 1


def test_a_photo_that_failed_says_why(model):
    model.take([Scored(PATHS[0], 0.5), Failed(PATHS[0], "the file is empty")])
    index = model.index(0)
    assert index.data(ITEM_ROLE).score is None
    assert "the file is empty" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "0.jpg, could not be scored: the file is empty"


def test_the_uncertainty_comes_with_the_score_and_goes_with_it(model):
    model.take([Scored(PATHS[0], 0.5, uncertainty=0.0625)])
    assert model.item(PATHS[0]).uncertainty == 0.0625
    model.take([Failed(PATHS[0], "the file is empty")])
    assert model.item(PATHS[0]).uncertainty is None


def test_the_photographers_rating_goes_before_ours(model):
    model.take([Scored(PATHS[0], 0.9)])
    model.set_marks({PATHS[0]: Mark(stars=0)})
    assert (model.item(PATHS[0]).stars, model.item(PATHS[0]).our_stars) == (0, 5)


def test_percentiles_follow_the_scores_that_come(model, qtbot):
    model.set_star_rule(Percentiles())
    with qtbot.waitSignal(model.scores_changed):
        model.take([Scored(path, 0.05 + 0.1 * number) for number, path in enumerate(PATHS)])
    assert [item.our_stars for item in model.items()] == [1, 2, 3, 3, 4, 5]
    model.set_star_rule(Thresholds(), lower_better=True)
    assert [item.our_stars for item in model.items()] == [5, 5, 4, 4, 3, 3]


def test_photos_that_are_gone_leave_no_gap(model):
    model.forget([PATHS[1], PATHS[4], "/other.jpg"])
    model.take([Scored(PATHS[5], 0.9)])
    assert [item.path for item in model.items()] == [PATHS[0], PATHS[2], PATHS[3], PATHS[5]]
    assert model.item(PATHS[5]).score == 0.9
    assert model.item(PATHS[1]) is None


def test_bursts_and_another_models_scores(model):
    model.take([Scored(path, 0.5) for path in PATHS])
    model.set_bursts([(PATHS[0], PATHS[2])])
    assert [(item.burst, item.best_of_burst) for item in model.items()][:3] == [
        (1, True),
        (None, False),
        (1, False),
    ]
    model.set_marks({PATHS[0]: Mark(4)})
    model.forget_scores()
    assert model.item(PATHS[0]).mark == Mark(4)
    assert {(item.score, item.burst) for item in model.items()} == {(None, None)}
