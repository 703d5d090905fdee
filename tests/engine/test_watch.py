"""Photos are told when they are whole, once, however they come; on the system's events and on polling."""

import contextlib
import os
import shutil
import threading
import time

import pytest

from dpiqa_desktop.watch import WatchError, watching
from dpiqa_plugin.errors import UsageError

SUFFIXES = frozenset({".jpg", ".png"})
SETTLE = 0.3
PATIENCE = 60  # seconds before a test gives up on a loaded machine


class Listener(threading.Thread):
    """Takes batches as the batch tool does."""

    def __init__(self, watch):
        super().__init__()
        self.names, self.error, self.stop = [], None, threading.Event()
        self._watch = watch

    def run(self):
        try:
            for batch in self._watch.batches(self.stop):
                self.names += batch
        except WatchError as error:
            self.error = error


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@contextlib.contextmanager
def listening(*folders, settle=SETTLE, poll=None):
    with watching([str(folder) for folder in folders], SUFFIXES, settle, poll) as watch:
        listener = Listener(watch)
        listener.start()
        try:
            yield listener
        finally:
            listener.stop.set()
            listener.join(PATIENCE)
            assert not listener.is_alive()


@pytest.fixture(params=[None, 0.05], ids=["events", "polling"])
def listen(request):
    return lambda *folders, **options: listening(*folders, poll=request.param, **options)


@pytest.fixture
def card(tmp_path):
    folder = tmp_path / "card"
    folder.mkdir()
    return folder


def _expect(listener, *paths):
    wait_until(lambda: len(listener.names) >= len(paths))
    assert sorted(listener.names) == sorted(map(str, paths))


def _last(listener, folder):
    """Wait for a photo that comes after all else."""
    (folder / "zz_last.jpg").write_bytes(b"x")
    wait_until(lambda: str(folder / "zz_last.jpg") in listener.names)
    return [name for name in listener.names if name != str(folder / "zz_last.jpg")]


def test_new_photos_are_told_and_those_before_are_not(card, listen):
    (card / "before.jpg").write_bytes(b"x")
    with listen(card) as listener:
        (card / "a.jpg").write_bytes(b"x")
        (card / "B.PNG").write_bytes(b"x")
        (card / "notes.txt").write_bytes(b"x")
        (card / "._a.jpg").write_bytes(b"x")
        (card / ".trash").mkdir()
        (card / ".trash" / "c.jpg").write_bytes(b"x")
        _expect(listener, card / "a.jpg", card / "B.PNG")
        assert len(_last(listener, card)) == 2


def test_what_comes_between_start_and_listening_is_not_lost(card):
    with watching([str(card)], SUFFIXES, SETTLE) as watch:
        (card / "a.jpg").write_bytes(b"x")
        assert next(watch.batches(threading.Event())) == [str(card / "a.jpg")]


def test_a_growing_file_waits_until_it_has_stopped(card, listen):
    settle = 1.0
    with listen(card, settle=settle) as listener, open(card / "slow.jpg", "wb", buffering=0) as slow:
        (card / "quick.jpg").write_bytes(b"x")
        longest, before = 0.0, time.monotonic()
        while str(card / "quick.jpg") not in listener.names:
            slow.write(b"x" * 100)
            time.sleep(0.02)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()
        # A writer that the machine held up for so long has stopped, as far as anyone can tell.
        assert str(card / "slow.jpg") not in listener.names or longest > settle / 2
        slow.close()
        _expect(listener, card / "quick.jpg", card / "slow.jpg")


def test_rename_into_place(card, listen):
    with listen(card) as listener:
        (card / "a.jpg.tmp").write_bytes(b"x")
        (card / "a.jpg.tmp").rename(card / "a.jpg")
        _expect(listener, card / "a.jpg")


def test_a_folder_moved_in_and_new_folders_in_it(card, tmp_path, listen):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "1.jpg").write_bytes(b"x")
    (tmp_path / "elsewhere" / "deep" / "2.jpg").write_bytes(b"x")
    with listen(card) as listener:
        (tmp_path / "elsewhere").rename(card / "in")
        (card / "new" / "newer").mkdir(parents=True)
        (card / "new" / "newer" / "3.jpg").write_bytes(b"x")
        _expect(listener, card / "in/1.jpg", card / "in/deep/2.jpg", card / "new/newer/3.jpg")
        (card / "in" / "deep" / "4.jpg").write_bytes(b"x")
        wait_until(lambda: str(card / "in/deep/4.jpg") in listener.names)


def test_deleted_before_it_is_whole(card, listen):
    with listen(card, settle=1.0) as listener:
        (card / "a.jpg").write_bytes(b"x")
        (card / "a.jpg").unlink()
        assert _last(listener, card) == []


def test_told_again_only_when_changed(card, listen):
    photo = card / "a.jpg"
    with listen(card) as listener:
        photo.write_bytes(b"x")
        _expect(listener, photo)
        photo.read_bytes()
        photo.chmod(0o600)
        assert _last(listener, card) == [str(photo)]
        photo.write_bytes(b"longer")
        wait_until(lambda: listener.names.count(str(photo)) == 2)


def test_many_at_once_are_each_told_once(card, listen):
    with listen(card) as listener:
        for number in range(1000):
            (card / f"{number}.jpg").write_bytes(b"x")
        _expect(listener, *(card / f"{number}.jpg" for number in range(1000)))


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
def test_symlink_loops_end_and_a_linked_folder_keeps_its_name(card, tmp_path, listen):
    for name in ("loop", "again"):
        (card / name).symlink_to(card, target_is_directory=True)
    (tmp_path / "link").symlink_to(card, target_is_directory=True)
    with listen(tmp_path / "link") as listener:
        (card / "a.jpg").write_bytes(b"x")
        _expect(listener, tmp_path / "link" / "a.jpg")


def test_a_folder_inside_another_is_not_told_twice(card, listen):
    (card / "in").mkdir()
    with listen(card / "in", card) as listener:
        (card / "in" / "a.jpg").write_bytes(b"x")
        (card / "b.jpg").write_bytes(b"x")
        _expect(listener, card / "in" / "a.jpg", card / "b.jpg")


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a watched folder from being deleted")
@pytest.mark.parametrize("again", [False, True], ids=["gone", "another in its place"])
def test_a_folder_that_goes_away_ends_it_with_its_name(card, tmp_path, listen, again):
    with listen(card) as listener:
        if again:
            card.rename(tmp_path / "renamed")
            card.mkdir()
        else:
            shutil.rmtree(card)
        listener.join(PATIENCE)
        assert "card is gone" in str(listener.error)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pipes in folders")
def test_a_pipe_is_no_photo(card, listen):
    with listen(card) as listener:
        os.mkfifo(card / "pipe.jpg")
        assert _last(listener, card) == []


def test_stopping_leaves_no_thread(card, listen):
    before = set(threading.enumerate())
    with listen(card):
        assert set(threading.enumerate()) > before
    wait_until(lambda: set(threading.enumerate()) <= before)


@pytest.mark.parametrize("name", ["nowhere", "a.jpg"])
def test_only_folders_can_be_watched(card, name):
    (card / "a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match=f"cannot watch .*{name}"), watching([str(card / name)], SUFFIXES):
        pass
