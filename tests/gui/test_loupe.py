"""The loupe with a photographer's keys and mouse: photo after photo, to 100 % at the cursor and back."""

import numpy as np
import pytest
from makers.photos import save_photo, scene
from makers.stand_in_backends import Brightness
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QToolButton

from dpiqa_desktop.gui.loupe import Loupe
from dpiqa_desktop.gui.photo_item import Mark, PhotoItem

SIZE = (3000, 2000)


@pytest.fixture
def loupe(show_view):
    return show_view(Loupe, 1000, 800)


@pytest.fixture
def press(qtbot, loupe):
    return lambda key, modifier=Qt.KeyboardModifier.NoModifier: qtbot.keyClick(loupe, key, modifier)


@pytest.fixture
def open_photos(loupe, items, qtbot, make_photos):
    def open_(count=5, size=SIZE, at=0):
        paths = make_photos(count, size)
        items.update({path: PhotoItem(path) for path in paths})
        loupe.show_photos(paths, paths[at])
        qtbot.waitUntil(lambda: loupe.canvas.photo is not None, timeout=20_000)
        return paths

    return open_


def wait_for_photo(loupe, qtbot, path):
    qtbot.waitUntil(lambda: loupe.path == path and loupe.canvas.photo is not None, timeout=20_000)


def seen(canvas):
    """What is on the screen, RGB."""
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def said(loupe):
    return [label.text() for label in loupe.findChildren(QLabel) if label.isVisible() and label.text()]


def turn_wheel(canvas, at, notches, modifiers=Qt.KeyboardModifier.NoModifier):
    event = QWheelEvent(
        QPointF(at),
        QPointF(canvas.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def test_arrows_go_through_the_photos_and_stop_at_the_ends(loupe, open_photos, press, qtbot):
    paths = open_photos(3)
    shown = []
    loupe.photo_changed.connect(shown.append)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        press(key)
    assert shown == [paths[1], paths[2], paths[1]]
    press(Qt.Key.Key_Home)
    press(Qt.Key.Key_End)
    assert shown[3:] == [paths[0], paths[2]]
    wait_for_photo(loupe, qtbot, paths[2])
    assert "3 of 3" in said(loupe)


def test_buttons_do_the_same(loupe, open_photos, qtbot):
    paths = open_photos(2)
    assert not loupe.previous_button.isEnabled()
    qtbot.mouseClick(loupe.next_button, Qt.MouseButton.LeftButton)
    assert loupe.path == paths[1]
    assert loupe.previous_button.isEnabled()
    assert not loupe.next_button.isEnabled()


def test_neighbours_are_there_before_they_are_asked_for(loupe, loader, open_photos, press, qtbot):
    paths = open_photos(6)
    qtbot.waitUntil(lambda: all(loader.get(path) for path in paths[1:3]), timeout=20_000)
    assert loader.get(paths[3]) is None
    press(Qt.Key.Key_Right)
    assert loupe.canvas.photo is loader.get(paths[1])  # at once, without a turn of the event loop
    qtbot.waitUntil(lambda: loader.get(paths[3]) is not None, timeout=20_000)


def test_going_back_loads_what_is_behind(loupe, loader, open_photos, press, qtbot):
    paths = open_photos(8, at=6)
    press(Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: all(loader.get(path) for path in paths[3:5]), timeout=20_000)


def test_all_of_the_photo_is_seen_first(loupe, open_photos):
    open_photos(1)
    assert loupe.canvas.zoom == pytest.approx(1000 / 3000)
    pixels = seen(loupe.canvas)
    expected = np.asarray(scene(*SIZE, seed=1).resize((1000, 667), Image.Resampling.BOX)).astype(int)
    top = (loupe.canvas.height() - 667) // 2
    assert abs(pixels[top + 5 : top + 655] - expected[5:655]).mean() < 3


@pytest.mark.parametrize("key", [Qt.Key.Key_Z, Qt.Key.Key_Space])
def test_a_key_goes_to_100_percent_at_the_cursor_and_back(key, loupe, open_photos, press, qtbot):
    open_photos(1)
    canvas = loupe.canvas
    at = QPoint(250, canvas.height() // 2 - 100)
    qtbot.mouseMove(canvas, QPoint(1, 1))  # Qt tells of no move to where the mouse is
    qtbot.mouseMove(canvas, at)
    press(key)
    assert canvas.zoom == 1
    # One pixel of the photo to one of the screen, and the same place under the cursor.
    photo = np.asarray(scene(*SIZE, seed=1)).astype(int)
    x, y = 750, 1000 - 300
    patch = seen(canvas)[at.y() - 20 : at.y() + 20, at.x() - 20 : at.x() + 20]
    assert abs(patch - photo[y - 20 : y + 20, x - 20 : x + 20]).mean() < 6
    assert "100 %" in loupe.zoom_button.text()
    press(key)
    assert canvas.viewpoint.zoom is None
    assert loupe.zoom_button.text() == "Fit (33 %)"


def test_a_double_click_does_it_too(loupe, open_photos, qtbot):
    open_photos(1)
    qtbot.mouseDClick(loupe.canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert loupe.canvas.zoom == 1
    assert loupe.canvas.viewpoint.x < 0.3
    qtbot.mouseDClick(loupe.canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert loupe.canvas.viewpoint.zoom is None


def test_with_the_mouse_elsewhere_it_is_the_middle(loupe, open_photos, press, qtbot):
    open_photos(1)
    qtbot.mouseMove(loupe.canvas, QPoint(100, 100))
    # Sent, because Qt's test mouse does not always leave after another test's double click.
    QApplication.sendEvent(loupe.canvas, QEvent(QEvent.Type.Leave))
    press(Qt.Key.Key_Z)
    assert (loupe.canvas.viewpoint.x, loupe.canvas.viewpoint.y) == pytest.approx((0.5, 0.5))


def test_the_wheel_zooms_at_the_cursor(loupe, open_photos):
    open_photos(1)
    canvas = loupe.canvas
    turn_wheel(canvas, QPoint(900, 300), 3)
    assert canvas.zoom == pytest.approx(1.25**3 / 3)
    assert canvas.viewpoint.x > 0.5
    turn_wheel(canvas, QPoint(10, 10), -9)
    assert canvas.viewpoint.zoom is None


def test_dragging_moves_the_photo(loupe, open_photos, press, qtbot):
    open_photos(1)
    canvas = loupe.canvas
    press(Qt.Key.Key_Z)
    before = canvas.viewpoint
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(500, 300))
    for x in range(500, 380, -20):
        qtbot.mouseMove(canvas, QPoint(x, 300))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(400, 300))
    assert canvas.viewpoint.x - before.x == pytest.approx(100 / 3000, abs=1e-6)
    assert canvas.viewpoint.y == before.y
    moved = canvas.viewpoint
    qtbot.mouseMove(canvas, QPoint(200, 300))  # with the button up
    assert canvas.viewpoint == moved


def test_keys_zoom_and_move(loupe, open_photos, press):
    open_photos(1)
    press(Qt.Key.Key_Plus)
    assert loupe.canvas.zoom == pytest.approx(1.25 / 3)
    press(Qt.Key.Key_Z)
    press(Qt.Key.Key_Z)
    before = loupe.canvas.viewpoint
    press(Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    press(Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert loupe.canvas.viewpoint.x > before.x
    assert loupe.canvas.viewpoint.y > before.y
    press(Qt.Key.Key_Minus)
    assert loupe.canvas.zoom == pytest.approx(0.8)


def test_zoom_and_place_stay_from_photo_to_photo(loupe, open_photos, press, qtbot):
    paths = open_photos(2)
    qtbot.mouseMove(loupe.canvas, QPoint(200, 200))
    press(Qt.Key.Key_Z)
    before = loupe.canvas.viewpoint
    press(Qt.Key.Key_Right)
    wait_for_photo(loupe, qtbot, paths[1])
    assert loupe.canvas.viewpoint == before
    assert loupe.canvas.zoom == 1


def test_a_high_resolution_screen_gets_a_pixel_for_a_pixel(loupe, open_photos, press, monkeypatch):
    open_photos(1)
    monkeypatch.setattr(type(loupe.canvas), "devicePixelRatioF", lambda self: 2.0)
    assert loupe.canvas.zoom == pytest.approx(2000 / 3000)
    press(Qt.Key.Key_Z)
    assert loupe.canvas.zoom == 1


def test_what_the_camera_wrote_is_said(loupe, items, tmp_path, qtbot):
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "NIKON CORPORATION", "NIKON D850"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            ExifTags.Base.ExposureTime: IFDRational(4, 1000),
            ExifTags.Base.FNumber: IFDRational(28, 10),
            ExifTags.Base.ISOSpeedRatings: 6400,
            ExifTags.Base.FocalLength: IFDRational(85, 1),
            ExifTags.Base.LensModel: "NIKKOR 85mm f/1.8",
            ExifTags.Base.DateTimeOriginal: "2024:05:03 14:22:10",
        }
    )
    path = str(tmp_path / "a.jpg")
    scene().save(path, exif=exif)
    loupe.show_photos([path])
    wait_for_photo(loupe, qtbot, path)
    parts = [
        "NIKON D850",
        "NIKKOR 85mm f/1.8",
        "85 mm",
        "1/250 s",
        "f/2.8",
        "ISO 6400",
        "2024-05-03 14:22:10",
    ]
    assert "  ·  ".join(parts) in said(loupe)


def test_score_stars_and_flag_are_said_and_follow_changes(loupe, items, open_photos):
    (path,) = open_photos(1)
    items[path] = PhotoItem(path, score=0.678, our_stars=3)
    loupe.refresh()
    assert "0.68   ★★★☆☆" in said(loupe)
    mark = Mark(5, "rejected")
    items[path] = PhotoItem(path, score=0.678, our_stars=3, mark=mark, uncertainty=0.0625)
    loupe.refresh()
    assert "0.68 ±0.06   ★★★★★   ✕ rejected" in said(loupe)
    assert "score 0.68 ±0.06, 5 of 5 stars, rejected" in loupe.accessibleDescription()


def test_a_photo_that_cannot_be_read_says_why_and_the_next_one_comes(loupe, items, tmp_path, press, qtbot):
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    paths = [str(tmp_path / "broken.jpg"), str(save_photo(tmp_path / "fine.jpg"))]
    loupe.show_photos(paths)
    qtbot.waitUntil(lambda: "is not a JPEG" in loupe.canvas.words, timeout=20_000)
    assert "broken.jpg" in loupe.canvas.words
    press(Qt.Key.Key_Z)
    press(Qt.Key.Key_Plus)
    press(Qt.Key.Key_Right)
    wait_for_photo(loupe, qtbot, paths[1])
    assert loupe.canvas.words == ""


def test_without_photos_there_is_a_word_and_nothing_to_press(loupe, press):
    loupe.show_photos([])
    for key in (Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Z, Qt.Key.Key_M, Qt.Key.Key_Plus):
        press(key)
    assert loupe.canvas.words == "No photo to show"
    assert loupe.path is None


def test_a_new_order_does_not_disturb_what_is_looked_at(loupe, open_photos, press, qtbot):
    paths = open_photos(3)
    press(Qt.Key.Key_Z)
    before = loupe.canvas.viewpoint
    with qtbot.assertNotEmitted(loupe.photo_changed):
        loupe.show_photos(paths[::-1], paths[0])
    assert loupe.canvas.viewpoint == before
    assert "3 of 3" in said(loupe)
    press(Qt.Key.Key_Left)
    assert loupe.path == paths[1]


def test_a_long_name_and_a_tall_panorama_fit(loupe, items, tmp_path, qtbot):
    path = str(save_photo(tmp_path / ("a very long name " * 12 + ".jpg"), size=(300, 6000)))
    loupe.show_photos([path])
    wait_for_photo(loupe, qtbot, path)
    assert (loupe.width(), loupe.height()) == (1000, 800)
    assert loupe.minimumSizeHint().width() < 600
    assert loupe.canvas.zoom == pytest.approx(loupe.canvas.height() / 6000)


def test_escape_leaves(loupe, open_photos, press, qtbot):
    open_photos(1)
    with qtbot.waitSignal(loupe.left, timeout=1000):
        press(Qt.Key.Key_Escape)


def test_the_quality_map_comes_with_its_legend_and_follows_the_photo(loupe, open_photos, press, qtbot):
    paths = open_photos(2)
    plain = seen(loupe.canvas)
    press(Qt.Key.Key_M)
    assert loupe.legend.isVisible()
    qtbot.waitUntil(lambda: loupe.canvas.overlay is not None, timeout=60_000)
    assert "does not show where the photo is bad" in loupe.legend.words
    first = loupe.canvas.overlay
    qtbot.wait(50)
    assert abs(seen(loupe.canvas)[50:300].mean() - plain[50:300].mean()) > 5
    press(Qt.Key.Key_Right)
    assert loupe.canvas.overlay is not first
    wait_for_photo(loupe, qtbot, paths[1])
    qtbot.waitUntil(lambda: loupe.canvas.overlay is not None, timeout=60_000)
    press(Qt.Key.Key_M)
    assert loupe.canvas.overlay is None
    assert not loupe.legend.isVisible()


def test_another_model_s_map_takes_the_place_of_the_first(loupe, maps, open_photos, press, qtbot):
    open_photos(1)
    press(Qt.Key.Key_M)
    qtbot.waitUntil(lambda: loupe.canvas.overlay is not None, timeout=60_000)
    maps.set_backend(Brightness)
    assert loupe.canvas.overlay is None
    qtbot.waitUntil(lambda: "brightness has no map to show" in loupe.legend.words, timeout=20_000)


def test_every_button_has_a_name_and_is_reached_by_tab(loupe, open_photos, qtbot):
    open_photos(3, at=1)
    reached = set()
    for _ in range(8):
        qtbot.keyClick(QApplication.focusWidget() or loupe, Qt.Key.Key_Tab)
        if isinstance(QApplication.focusWidget(), QToolButton):
            reached.add(QApplication.focusWidget().accessibleName())
    assert reached == {"Previous photo", "Next photo", "Zoom", "Quality map"}


def test_nothing_is_loaded_for_a_loupe_that_is_not_seen(loupe, loader, open_photos, make_photos, qtbot):
    open_photos(2)
    loupe.hide()
    others = make_photos(2, folder="others")
    loupe.show_photos(others)
    qtbot.wait(300)
    assert loader.get(others[0]) is None
    loupe.show()
    wait_for_photo(loupe, qtbot, others[0])
