"""Thumbnails: kept on the disk, bounded in memory, made anew if the photo changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from makers.photos import exif_block, jpeg, scene

from dpiqa_desktop.engine.thumbnail import embedded_thumbnail
from dpiqa_desktop.gui.thumbnails import SIDE, Thumbnails


@pytest.fixture
def thumbnails(tmp_path, qapp):
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    yield thumbnails
    thumbnails.close()


def _made(thumbnails, path, qtbot):
    with qtbot.waitSignal(thumbnails.ready, timeout=10_000):
        assert thumbnails.picture(path) is None
    return thumbnails.picture(path)


def test_a_picture_comes_and_is_kept_on_the_disk(thumbnails, make_photos, qtbot, tmp_path):
    (path,) = make_photos(1, size=(1200, 800))
    assert _made(thumbnails, path, qtbot).width() == SIDE
    assert len(list((tmp_path / "thumbnails").rglob("*.jpg"))) == 1
    again = Thumbnails(tmp_path / "thumbnails")
    Path(path).write_bytes(Path(path).read_bytes())  # another time: another picture
    state = os.stat(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000_000))
    _made(again, path, qtbot)
    assert len(list((tmp_path / "thumbnails").rglob("*.jpg"))) == 2
    again.close()


def test_what_cannot_be_read_is_said_once(thumbnails, tmp_path, qtbot):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no photo")
    assert _made(thumbnails, str(path), qtbot) is None
    assert thumbnails.has_failed(str(path))


def test_memory_is_bounded(tmp_path, make_photos, qtbot):
    paths = make_photos(6, size=(400, 400))
    one = SIDE * SIDE * 4
    thumbnails = Thumbnails(None, memory=2 * one)
    for path in paths:
        _made(thumbnails, path, qtbot)
    assert thumbnails.picture(paths[5]) is not None
    assert thumbnails.picture(paths[0]) is None  # it is being made again
    thumbnails.close()


def test_the_disk_is_bounded_by_what_was_not_used_longest(tmp_path, make_photos, qtbot):
    paths = make_photos(4, size=(400, 300))
    folder = tmp_path / "thumbnails"
    first = Thumbnails(folder)
    for path in paths:
        _made(first, path, qtbot)
    first.close()
    files = sorted(folder.rglob("*.jpg"))
    for number, file in enumerate(files):
        os.utime(file, (1000 + number, 1000 + number))
    second = Thumbnails(folder, disk=2 * files[0].stat().st_size)
    second.close()
    left = sorted(folder.rglob("*.jpg"))
    assert len(left) < 3
    assert files[0] not in left
    assert files[3] in left


def test_a_file_without_the_cameras_picture_has_none(make_photos, tmp_path):
    (path,) = make_photos(1)
    assert embedded_thumbnail(path) is None
    with_exif = tmp_path / "exif.jpg"
    with_exif.write_bytes(jpeg(scene(), exif_block(date=b"2024:01:01 10:00:00")))
    assert embedded_thumbnail(str(with_exif)) is None
