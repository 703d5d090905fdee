"""Photos come upright and whole, the urgent ones first, and no more of them than memory is allowed for."""

import os
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from makers.photos import COLOUR, exif_block, jpeg, make_torture_folder, save_dng, scene
from PIL import Image
from PySide6.QtGui import QImage

from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.gui import photo_loader
from dpiqa_desktop.gui.photo_loader import PhotoLoader, load_photo


@pytest.fixture
def make_loader(qapp):
    loaders = []

    def make(most_bytes=photo_loader.MOST_BYTES):
        loaders.append(PhotoLoader(most_bytes))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader.close()


@pytest.fixture
def gate(monkeypatch):
    """Holds decoding up until it is opened, and tells what was begun, in order."""

    gate = SimpleNamespace(begun=[], opened=threading.Event())

    def held_up(path):
        gate.begun.append(os.path.basename(path))
        assert gate.opened.wait(20)
        return load_photo(path)

    monkeypatch.setattr(photo_loader, "load_photo", held_up)
    yield gate
    gate.opened.set()


def pixels_of(image):
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


@pytest.mark.parametrize("name", sorted(COLOUR))
def test_every_format_comes_as_the_model_sees_it(name, tmp_path):
    COLOUR[name](scene(), tmp_path / name)
    photo = load_photo(str(tmp_path / name))
    np.testing.assert_array_equal(pixels_of(photo.levels[0]), decode(str(tmp_path / name), None).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright(orientation, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(scene(), exif_block(orientation=orientation)))
    photo = load_photo(str(path))
    assert photo.size == ((160, 120) if orientation < 5 else (120, 160))
    assert (photo.levels[0].width(), photo.levels[0].height()) == photo.size


def test_of_raw_the_preview_is_seen(tmp_path):
    pytest.importorskip("rawpy")
    save_dng(scene(320, 240), tmp_path / "a.dng", preview=jpeg(scene(300, 225, seed=3)))
    assert load_photo(str(tmp_path / "a.dng")).size == (300, 225)


def test_levels_halve_and_the_right_one_is_painted(tmp_path):
    scene(4800, 3201).save(tmp_path / "a.jpg")
    photo = load_photo(str(tmp_path / "a.jpg"))
    assert [level.width() for level in photo.levels] == [4800, 2400, 1200]
    assert [photo.level(zoom).width() for zoom in (8, 1, 0.51, 0.5, 0.3, 0.25, 0.01)] == [
        4800, 4800, 4800, 2400, 2400, 1200, 1200,
    ]  # fmt: skip
    # The halves show the same photo, not shifted.
    small = pixels_of(photo.levels[2]).astype(int)
    direct = np.asarray(scene(4800, 3201).reduce(4)).astype(int)[:801]
    assert abs(small[:800] - direct[:800]).mean() < 3


def test_a_wish_comes_true_and_stays(make_loader, make_photos, qtbot):
    (path,) = make_photos(1)
    loader = make_loader()
    with qtbot.waitSignal(loader.loaded, timeout=20_000) as loaded:
        loader.want([path])
    assert loaded.args[0] == path
    assert loader.get(path) is loaded.args[1]
    with qtbot.assertNotEmitted(loader.loaded, wait=200):
        loader.want([path])


def test_a_quick_picture_comes_while_the_photo_is_decoded(make_loader, make_photos, gate, qtbot):
    first, second = make_photos(2, size=(3000, 2000))
    loader = make_loader()
    quick = []
    loader.quick.connect(lambda path, image: quick.append((path, image.width())))
    loader.want([first, second])
    qtbot.waitUntil(lambda: bool(quick), timeout=20_000)
    assert loader.get(first) is None
    gate.opened.set()
    qtbot.waitUntil(lambda: loader.get(first) is not None and loader.get(second) is not None, timeout=20_000)
    assert quick == [(first, photo_loader.QUICK_SIDE)]  # the second is not looked at yet


def test_what_is_not_wished_for_any_more_is_not_begun(make_loader, make_photos, gate, qtbot):
    paths = make_photos(12)
    loader = make_loader()
    loader.want(paths[:8])
    qtbot.waitUntil(lambda: len(gate.begun) >= 1, timeout=20_000)
    loader.want(paths[10:])
    gate.opened.set()
    qtbot.waitUntil(lambda: all(loader.get(path) for path in paths[10:]), timeout=20_000)
    assert set(gate.begun) <= {os.path.basename(path) for path in [*paths[:2], *paths[10:]]}


def test_the_most_urgent_is_begun_first(make_loader, make_photos, gate, qtbot):
    paths = make_photos(6)
    loader = make_loader()
    loader.want([paths[3], paths[0], paths[5]])
    gate.opened.set()
    qtbot.waitUntil(lambda: len(gate.begun) == 3, timeout=20_000)
    assert gate.begun[2] == os.path.basename(paths[5])  # the first two may begin at once


def test_memory_is_bounded_and_what_was_seen_last_stays(make_loader, make_photos, qtbot):
    paths = make_photos(8, size=(800, 600))
    each = load_photo(paths[0]).bytes
    loader = make_loader(most_bytes=3 * each)
    for path in paths[:6]:
        loader.want([path])
        qtbot.waitUntil(lambda path=path: loader.get(path) is not None, timeout=20_000)
    assert [path for path in paths if loader.get(path)] == paths[3:6]


def test_wishes_that_do_not_fit_do_not_push_out_the_more_urgent(make_loader, make_photos, qtbot):
    paths = make_photos(8, size=(800, 600))
    each = load_photo(paths[0]).bytes
    loader = make_loader(most_bytes=2 * each)
    loader.want(paths)
    qtbot.waitUntil(
        lambda: loader.get(paths[0]) is not None and loader.get(paths[1]) is not None, timeout=20_000
    )
    qtbot.wait(300)
    assert sum(loader.get(path) is not None for path in paths) <= 3
    assert loader.get(paths[0]) is not None


def test_all_that_are_looked_at_are_loaded_however_large(make_loader, make_photos, qtbot):
    paths = make_photos(4, size=(800, 600))
    loader = make_loader(most_bytes=1)
    loader.want(paths, urgent=4)
    qtbot.waitUntil(lambda: all(loader.get(path) for path in paths), timeout=20_000)


def test_whatever_is_on_a_card_comes_or_has_a_reason(make_loader, tmp_path, qtbot):
    (tmp_path / "card").mkdir()
    outcomes = make_torture_folder(tmp_path / "card")
    paths = {str(tmp_path / "card" / name): reason for name, reason in outcomes.items()}
    loader = make_loader()
    reasons = {}
    loader.failed.connect(reasons.__setitem__)
    for path in paths:
        loader.want([path])
        qtbot.waitUntil(lambda path=path: bool(loader.get(path)) or path in reasons, timeout=20_000)
    assert {path for path, reason in paths.items() if reason} == set(reasons)


def test_what_no_decoder_was_expected_to_do_is_a_reason_and_logged(
    make_loader, make_photos, tmp_path, monkeypatch, qtbot, caplog
):
    def surprise(image, factor):
        raise ZeroDivisionError("what nobody thought of")

    (path,) = make_photos(1, size=(1200, 1100))
    monkeypatch.setattr(Image.Image, "reduce", surprise)
    loader = make_loader()
    for asked, reason in (
        (path, "unexpected ZeroDivisionError: what nobody thought of"),
        (str(tmp_path / "gone.jpg"), "No such file or directory"),
    ):
        with qtbot.waitSignal(loader.failed, timeout=20_000) as failed:
            loader.want([asked])
        assert failed.args == [asked, reason]
    assert {record.getMessage() for record in caplog.records} == {f"{path} was not decoded"}
    assert "in surprise" in caplog.text


def test_a_photo_that_is_back_is_tried_again(make_loader, make_photos, tmp_path, qtbot):
    (path,) = make_photos(1)
    shutil.move(path, tmp_path / "elsewhere.jpg")
    loader = make_loader()
    with qtbot.waitSignal(loader.failed, timeout=20_000) as failed:
        loader.want([path])
    assert failed.args == [path, "No such file or directory"]
    shutil.move(tmp_path / "elsewhere.jpg", path)
    loader.want([])
    with qtbot.waitSignal(loader.loaded, timeout=20_000):
        loader.want([path])


def test_a_broken_neighbour_is_tried_once_and_again_when_it_is_looked_at(
    make_loader, make_photos, tmp_path, qtbot
):
    (path,) = make_photos(1)
    broken = str(tmp_path / "broken.jpg")
    loader = make_loader()
    failures = []
    loader.failed.connect(lambda path, reason: failures.append(path))
    for _ in range(3):
        loader.want([path, broken])
        qtbot.wait(100)
        qtbot.waitUntil(lambda: not loader.is_busy and bool(failures), timeout=20_000)
    assert failures == [broken]
    loader.want([broken, path])
    qtbot.waitUntil(lambda: failures == [broken] * 2, timeout=20_000)


def test_what_was_being_decoded_when_all_was_forgotten_is_not_kept(make_loader, make_photos, gate, qtbot):
    (path,) = make_photos(1)
    loader = make_loader()
    loader.want([path])
    qtbot.waitUntil(lambda: bool(gate.begun), timeout=20_000)
    loader.clear()
    gate.opened.set()
    qtbot.waitUntil(lambda: not loader.is_busy, timeout=20_000)
    assert loader.get(path) is None
    with qtbot.waitSignal(loader.loaded, timeout=20_000):
        loader.want([path])


def test_closing_waits_for_threads_and_tells_nothing_any_more(make_loader, make_photos, gate, qtbot):
    paths = make_photos(3)
    loader = make_loader()
    loader.want(paths)
    qtbot.waitUntil(lambda: bool(gate.begun), timeout=20_000)
    threading.Timer(0.1, gate.opened.set).start()
    with qtbot.assertNotEmitted(loader.loaded, wait=300):
        loader.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photo")]
