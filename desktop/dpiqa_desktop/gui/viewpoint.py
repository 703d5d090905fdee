"""Which part of a photo is seen, and how large: pure geometry, in fractions of the photo.

Fractions, because what is locked together may differ in size, and a quick picture stands in for a photo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Size = tuple[float, float]
"""Width and height."""

Point = tuple[float, float]

LARGEST_ZOOM = 8.0

LARGEST_FIT = 2.0
"""A picture of 600 pixels would be a stamp on a screen of high resolution; more would be all blur."""

STEP = 1.25
"""Of the zoom, to a notch of the wheel or a press of a key."""


@dataclass(frozen=True)
class Viewpoint:
    """What the photographer chose.

    Attributes:
        zoom: pixels of the screen to a pixel of the photo, 1 for 100 %; None for as large as all of it fits.
        x, y: the point of the photo in the middle of the view, 0..1 from its left and its top.
    """

    zoom: float | None = None
    x: float = 0.5
    y: float = 0.5


FIT = Viewpoint()


def fitting_zoom(photo: Size, view: Size) -> float:
    """The zoom at which all of a photo is seen, as large as it goes, within reason."""
    return min(view[0] / photo[0], view[1] / photo[1], LARGEST_FIT)


def zoom_of(viewpoint: Viewpoint, photo: Size, view: Size) -> float:
    """The zoom in numbers."""
    return fitting_zoom(photo, view) if viewpoint.zoom is None else viewpoint.zoom


def placed(viewpoint: Viewpoint, photo: Size, view: Size) -> tuple[Point, Size]:
    """Where the photo's upper left corner is in the view, and its size there, in pixels of the screen."""
    zoom = zoom_of(viewpoint, photo, view)
    size = photo[0] * zoom, photo[1] * zoom
    middle = held(viewpoint, photo, view)
    return (view[0] / 2 - middle.x * size[0], view[1] / 2 - middle.y * size[1]), size


def held(viewpoint: Viewpoint, photo: Size, view: Size) -> Viewpoint:
    """Moved so that no edge of the photo comes into the view while there is more photo behind the other."""
    zoom = zoom_of(viewpoint, photo, view)
    return replace(
        viewpoint,
        x=_held(viewpoint.x, photo[0] * zoom, view[0]),
        y=_held(viewpoint.y, photo[1] * zoom, view[1]),
    )


def zoomed(viewpoint: Viewpoint, zoom: float | None, at: Point, photo: Size, view: Size) -> Viewpoint:
    """Zoom so that what is under the point ``at`` of the view stays there.

    Never smaller than fits, but for a small photo that can be seen at 100 % although more would fit.
    """
    fitting = fitting_zoom(photo, view)
    if zoom is None or zoom == fitting or zoom < min(fitting, 1.0):
        return FIT
    new = min(zoom, LARGEST_ZOOM)
    corner, size = placed(viewpoint, photo, view)
    # What is beside the photo is not zoomed to, its nearest point is.
    x = min(max((at[0] - corner[0]) / size[0], 0.0), 1.0)
    y = min(max((at[1] - corner[1]) / size[1], 0.0), 1.0)
    return held(
        Viewpoint(
            new,
            x + (view[0] / 2 - at[0]) / (photo[0] * new),
            y + (view[1] / 2 - at[1]) / (photo[1] * new),
        ),
        photo,
        view,
    )


def moved(viewpoint: Viewpoint, by: Point, photo: Size, view: Size) -> Viewpoint:
    """Drag the photo by so many pixels of the view."""
    _, size = placed(viewpoint, photo, view)
    start = held(viewpoint, photo, view)
    return held(replace(start, x=start.x - by[0] / size[0], y=start.y - by[1] / size[1]), photo, view)


def _held(middle: float, length: float, view: float) -> float:
    if length <= view:
        return 0.5
    margin = view / 2 / length
    return min(max(middle, margin), 1 - margin)
