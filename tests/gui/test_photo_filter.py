"""Which photos are shown and in which order; and that ten thousand of them hold nobody up."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPersistentModelIndex
from PySide6.QtTest import QAbstractItemModelTester

from dpiqa_desktop.engine.stars import Thresholds
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.gui.grid import Grid
from dpiqa_desktop.gui.photo_filter import ALL, PhotoFilter, Sort, Wanted
from dpiqa_desktop.gui.photo_item import Mark
from dpiqa_desktop.gui.photo_model import PhotoModel
from dpiqa_desktop.gui.thumbnails import Thumbnails

PATHS = ["/b/IMG_10.jpg", "/b/IMG_9.jpg", "/a/img_1.jpg", "/a/z.jpg", "/a/broken.jpg"]


@pytest.fixture
def model(qapp):
    model = PhotoModel()
    model.open(PATHS)
    scores = [Scored(PATHS[0], 0.2, 300), Scored(PATHS[1], 0.9, 100), Scored(PATHS[2], 0.5, 200)]
    model.take([*scores, Failed(PATHS[4], "is empty")])
    return model


@pytest.fixture
def photos(model):
    photos = PhotoFilter(model)
    QAbstractItemModelTester(photos, QAbstractItemModelTester.FailureReportingMode.Fatal, photos)
    photos.refresh()
    return photos


def _shown(photos):
    return [PATHS.index(item.path) for item in photos.items()]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (Sort("folder"), [0, 1, 2, 3, 4]),
        (Sort("folder", True), [4, 3, 2, 1, 0]),
        (Sort("score"), [1, 2, 0, 3, 4]),
        (Sort("score", True), [0, 2, 1, 3, 4]),
        (Sort("name"), [4, 2, 1, 0, 3]),
        (Sort("captured"), [1, 2, 0, 3, 4]),
        (Sort("captured", True), [0, 2, 1, 3, 4]),
    ],
)
def test_order(sort, order, photos):
    photos.sort_by(sort)
    assert _shown(photos) == order


def test_where_lower_is_better_the_lowest_comes_first(photos, model):
    model.set_star_rule(Thresholds(), lower_better=True)
    photos.sort_by(Sort("score"))
    assert _shown(photos)[:3] == [0, 2, 1]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (Wanted(score_from=0.5), [1, 2]),
        (Wanted(score_to=0.5), [0, 2]),
        (Wanted(least_stars=3), [1, 2, 3]),
        (Wanted(flag="picked"), [3]),
        (Wanted(flag="rejected"), [0]),
        (Wanted(flag="unflagged"), [1, 2, 4]),
        (Wanted(state="failed"), [4]),
        (Wanted(state="unscored"), [3]),
        (Wanted(text="IMG_1"), [0, 2]),
        (Wanted(burst=1), [0, 1]),
        (Wanted(best_of_bursts=True), [1, 2, 3, 4]),
        (Wanted(text="nothing is called so"), []),
    ],
)
def test_filter(wanted, shown, photos, model):
    model.set_marks({PATHS[3]: Mark(4, "picked"), PATHS[0]: Mark(None, "rejected")})
    model.set_bursts([(PATHS[1], PATHS[0])])
    photos.want(wanted)
    assert _shown(photos) == shown


def test_places_follow_their_photos(photos):
    last = QPersistentModelIndex(photos.index(2))
    gone = QPersistentModelIndex(photos.index(3))
    photos.sort_by(Sort("score"))
    assert last.row() == 1
    photos.want(Wanted(state="scored"))
    assert (last.row(), gone.isValid()) == (1, False)


def test_a_photo_that_gets_its_score_comes_to_its_place(photos, model, qtbot):
    photos.sort_by(Sort("score"))
    model.take([Scored(PATHS[3], 0.95)])
    qtbot.waitUntil(lambda: _shown(photos) == [3, 1, 2, 0, 4])


def test_a_selection_of_all_stays_when_the_filter_takes_some(photos, qtbot):
    thumbnails = Thumbnails(None)
    grid = Grid(photos, thumbnails)
    qtbot.addWidget(grid)
    grid.selectAll()
    photos.want(Wanted(state="scored"))
    assert len(grid.selected_items()) == 3
    photos.want(ALL)
    assert {PATHS.index(item.path) for item in grid.selected_items()} == {0, 1, 2}
    thumbnails.close()
