"""Folders are walked whole, once and in order, whatever is in them."""

import os
import sys

import pytest

from dpiqa_desktop.engine.scan import ScanStoppedError, scan
from dpiqa_plugin.errors import UsageError


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _found(folder, *paths):
    return [os.path.relpath(path, folder) for path in scan([str(path) for path in paths or (folder,)]).photos]


def test_photos_come_by_name_those_of_subfolders_after(tmp_path):
    _touch(tmp_path, "b.jpg", "a/2.PNG", "a/1.webp", "c.tiff", "a/deep/x.bmp", "z/y.jpeg")
    names = ["b.jpg", "c.tiff", "a/1.webp", "a/2.PNG", "a/deep/x.bmp", "z/y.jpeg"]
    assert _found(tmp_path) == [os.path.normpath(name) for name in names]


def test_what_is_no_photo_by_name_or_hidden_is_left_out(tmp_path):
    _touch(tmp_path, "a.jpg", "._a.jpg", ".trash/b.jpg", "notes.txt", "IMG.CR2.xmp", "jpg", "clip.mp4")
    assert _found(tmp_path) == ["a.jpg"]


def test_a_file_that_is_named_is_taken_whatever_it_is_called(tmp_path):
    _touch(tmp_path, "scan_0001", ".hidden")
    assert _found(tmp_path, tmp_path / "scan_0001", tmp_path / ".hidden") == ["scan_0001", ".hidden"]


def test_nothing_is_listed_twice(tmp_path):
    _touch(tmp_path, "x/a.jpg")
    assert _found(tmp_path, tmp_path, tmp_path / "x", tmp_path / "x" / "a.jpg") == [
        os.path.join("x", "a.jpg")
    ]


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_symlink_loops_end_and_linked_folders_are_followed(tmp_path):
    _touch(tmp_path, "in/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "in" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "away").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")
    found = _found(tmp_path, tmp_path / "in")
    assert found == ["in/a.jpg", "in/away/b.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' file systems do not take such names")
def test_a_name_that_is_not_utf8_leads_to_its_file(tmp_path):
    name = b"caf\xe9\n.jpg"
    with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
        pass
    (path,) = scan([str(tmp_path)]).photos
    assert os.path.basename(os.fsencode(path)) == name
    assert os.path.isfile(path)


@pytest.mark.skipif(not os.path.isdir("/proc/1"), reason="needs a folder that not even root can list")
def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_found(tmp_path):
    _touch(tmp_path, "a.jpg")
    deep = tmp_path / "too_deep"
    deep.mkdir()
    # Deeper than a path may be long: can be made step by step, but not be listed by its full name.
    descriptor = os.open(deep, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=descriptor)
        below = os.open("n" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    found = scan([str(tmp_path)])
    assert [os.path.basename(path) for path in found.photos] == ["a.jpg"]
    (failure,) = found.unreadable
    assert "cannot list this folder" in failure.reason


def test_a_missing_path_is_a_usage_error_that_names_it(tmp_path):
    _touch(tmp_path, "a.jpg")
    with pytest.raises(UsageError, match=r"no such file or folder: .*nowhere"):
        scan([str(tmp_path), str(tmp_path / "nowhere")])


def test_no_photo_at_all_is_a_usage_error(tmp_path):
    _touch(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match=r"no photos in .*\.jpg"):
        scan([str(tmp_path)])


def test_a_raw_file_goes_with_the_jpeg_of_its_name(tmp_path):
    for name in ("a.CR2", "a.JPG", "b.nef", "b.xmp", "c.dng", "c.heic", "a2.CR2", "sub/a.jpg", "sub/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = scan([str(tmp_path)])
    names = [os.path.relpath(path, tmp_path) for path in found.photos]
    assert names == ["a.JPG", "a2.CR2", "b.nef", "c.heic", "sub/a.jpg", "sub/b.jpg"]
    assert found.paired == 2


def test_a_raw_file_that_is_named_is_scored_whatever_is_beside_it(tmp_path):
    for name in ("a.CR2", "a.JPG"):
        (tmp_path / name).touch()
    assert scan([str(tmp_path / "a.CR2")]).photos == (str(tmp_path / "a.CR2"),)


@pytest.mark.parametrize("paths", [("a.dng", "a.jpg"), (".", "a.dng"), ("a.dng", "."), ("a.jpg", "./a.dng")])
def test_a_raw_file_that_is_named_with_its_jpeg_is_one_photo_with_it(paths, tmp_path, monkeypatch):
    _touch(tmp_path, "a.dng", "a.jpg")
    monkeypatch.chdir(tmp_path)
    found = scan(paths)
    assert [os.path.normpath(path) for path in found.photos] == ["a.jpg"]
    assert found.paired == 1


def test_a_folder_to_be_watched_may_be_empty(tmp_path):
    assert scan([str(tmp_path)], may_be_empty=True).photos == ()


def test_a_photo_named_in_several_ways_is_one_photo(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").touch()
    monkeypatch.chdir(tmp_path)
    assert scan(["a.jpg", "./a.jpg", ".", str(tmp_path)]).photos == ("a.jpg",)


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks need a privilege on Windows")
def test_a_linked_folder_is_known_by_its_own_name_if_that_is_there_too(tmp_path):
    (tmp_path / "z_real").mkdir()
    (tmp_path / "z_real" / "a.jpg").touch()
    (tmp_path / "a_link").symlink_to(tmp_path / "z_real")
    assert scan([str(tmp_path)]).photos == (str(tmp_path / "z_real" / "a.jpg"),)


def test_subfolders_are_left_alone_if_not_wanted(tmp_path):
    (tmp_path / "inner").mkdir()
    for name in ("a.jpg", "inner/b.jpg"):
        (tmp_path / name).touch()
    assert scan([str(tmp_path)], recursive=False).photos == (str(tmp_path / "a.jpg"),)


def test_it_notices_a_stop_before_every_folder_and_file(tmp_path):
    names = ["a.jpg", "b.jpg", "inner/c.jpg", "inner/deep/d.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    asked = []
    everything = scan([str(tmp_path)], stopped=lambda: bool(asked.append(0)))
    assert len(everything.photos) == 4
    assert len(asked) >= len(names) + 2
    for number in range(len(asked)):
        questions = iter([False] * number + [True])
        with pytest.raises(ScanStoppedError):
            scan([str(tmp_path)], stopped=lambda questions=questions: next(questions))
