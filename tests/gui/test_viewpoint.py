"""Whatever is done with the mouse, what is under it stays there and no empty edge comes into view."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpiqa_desktop.gui.viewpoint import (
    FIT,
    LARGEST_ZOOM,
    Viewpoint,
    fitting_zoom,
    moved,
    placed,
    zoom_of,
    zoomed,
)

sizes = st.tuples(st.integers(1, 20_000), st.integers(1, 20_000))
views = st.tuples(st.integers(50, 4000), st.integers(50, 4000))
fractions = st.tuples(st.floats(0, 1), st.floats(0, 1))
zooms = st.floats(0.01, LARGEST_ZOOM)


def in_photo(viewpoint, at, photo, view):
    corner, size = placed(viewpoint, photo, view)
    return tuple((at[axis] - corner[axis]) / size[axis] * photo[axis] for axis in (0, 1))


@pytest.mark.parametrize(
    ("photo", "view", "zoom"),
    [
        ((6000, 4000), (1200, 1000), 0.2),
        ((4000, 6000), (1200, 1000), 1 / 6),
        ((160, 120), (1200, 1000), 2.0),
        ((1000, 20_000), (1200, 1000), 0.05),
    ],
)
def test_all_of_a_photo_fits_and_little_is_enlarged(photo, view, zoom):
    assert fitting_zoom(photo, view) == pytest.approx(zoom)
    corner, size = placed(FIT, photo, view)
    for axis in (0, 1):
        assert corner[axis] >= -1e-9
        assert corner[axis] * 2 + size[axis] == pytest.approx(view[axis])


@given(photo=sizes, view=views, at=fractions, first=zooms, second=zooms)
def test_what_is_under_the_cursor_stays_there(photo, view, at, first, second):
    at = (at[0] * view[0], at[1] * view[1])
    before = zoomed(FIT, first, at, photo, view)
    after = zoomed(before, second, at, photo, view)
    corner, size = placed(after, photo, view)
    for axis in (0, 1):
        was, now = (in_photo(v, at, photo, view)[axis] for v in (before, after))
        # Where the photo has an edge in the way, or is smaller than the view, it cannot.
        is_free = corner[axis] < -1e-6 and corner[axis] + size[axis] > view[axis] + 1e-6
        if after.zoom is not None and is_free:
            assert now == pytest.approx(was, abs=1e-3 + 1e-6 * photo[axis])


@given(
    photo=sizes,
    view=views,
    zoom=zooms,
    at=fractions,
    way=st.tuples(st.floats(-9e4, 9e4), st.floats(-9e4, 9e4)),
)
def test_no_empty_edge_comes_into_view(photo, view, zoom, at, way):
    viewpoint = moved(zoomed(Viewpoint(zoom, *at), zoom, (0, 0), photo, view), way, photo, view)
    corner, size = placed(viewpoint, photo, view)
    for axis in (0, 1):
        if size[axis] >= view[axis]:
            assert corner[axis] <= 1e-6
            assert corner[axis] + size[axis] >= view[axis] - 1e-6
        else:
            assert corner[axis] * 2 + size[axis] == pytest.approx(view[axis])


def test_zooming_out_ends_where_all_is_seen_and_in_at_squares():
    photo, view = (6000, 4000), (1200, 800)
    assert zoomed(Viewpoint(0.25), 0.19, (3, 3), photo, view) == FIT
    assert zoom_of(zoomed(FIT, 100.0, (3, 3), photo, view), photo, view) == LARGEST_ZOOM


def test_a_small_photo_is_seen_at_100_percent_although_more_fits():
    photo, view = (600, 400), (1200, 1000)
    assert fitting_zoom(photo, view) == 2
    assert zoomed(FIT, 1.0, (3, 3), photo, view) == Viewpoint(1.0)
    assert zoomed(Viewpoint(1.0), 0.8, (3, 3), photo, view) == FIT


def test_dragging_moves_by_as_much_as_the_mouse():
    photo, view = (6000, 4000), (1200, 800)
    before = Viewpoint(1.0, 0.5, 0.5)
    after = moved(before, (-30, 20), photo, view)
    assert in_photo(after, (600, 400), photo, view) == pytest.approx((3030, 1980))
