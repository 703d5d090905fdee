"""What opens folders and has them scored ends with its window."""

from __future__ import annotations

import os
import threading

import pytest

from dpiqa_desktop.gui.bridge import Bridge, Job


@pytest.fixture
def dead_drive(make_photos, monkeypatch):
    """A folder, listing of which hangs, whether it does, and what lets it go on."""
    folder = os.path.dirname(make_photos(3)[0])
    hangs, may_go_on, scandir = threading.Event(), threading.Event(), os.scandir

    def hanging(path):
        if path == folder:
            hangs.set()
            assert may_go_on.wait(30)
        return scandir(path)

    monkeypatch.setattr("dpiqa_desktop.engine.scan.os.scandir", hanging)
    return folder, hangs, may_go_on


def test_closing_waits_for_no_drive_that_does_not_answer(scorer, dead_drive):
    folder, hangs, may_go_on = dead_drive
    read = []
    bridge = Bridge(lambda path: read.append(path) or {}, scorer)
    bridge.start(Job((folder,)))
    assert hangs.wait(20)
    (worker,) = (thread for thread in threading.enumerate() if thread.name == "score")
    late = threading.Timer(15, may_go_on.set)
    late.start()
    bridge.close()
    assert not may_go_on.is_set()
    late.cancel()
    may_go_on.set()
    worker.join(20)
    assert not worker.is_alive()
    assert read == []


def test_a_listing_that_is_cancelled_ends_and_says_so(qtbot, scorer, dead_drive):
    folder, hangs, may_go_on = dead_drive
    bridge = Bridge(lambda _path: {}, scorer)
    opened = []
    bridge.opened.connect(opened.append)
    bridge.start(Job((folder,)))
    assert hangs.wait(20)
    bridge.cancel()
    with qtbot.waitSignal(bridge.ended, timeout=20_000) as ended:
        may_go_on.set()
    assert "open them again" in ended.args[0]
    assert opened == []
    bridge.close()


def test_closing_waits_for_jobs_that_others_have_replaced(scorer, make_photos):
    folder = os.path.dirname(make_photos(1)[0])
    first_is_reading, may_go_on, first_has_read = threading.Event(), threading.Event(), threading.Event()

    def marks_below(_path):
        if not first_is_reading.is_set():
            first_is_reading.set()
            assert may_go_on.wait(20)
            first_has_read.set()
        return {}

    bridge = Bridge(marks_below, scorer)
    bridge.start(Job((folder,)))
    assert first_is_reading.wait(20)
    bridge.start(Job((folder,)))
    threading.Timer(0.5, may_go_on.set).start()
    bridge.close()
    assert first_has_read.is_set()
