"""What opens folders and has them scored ends with its window."""

from __future__ import annotations

import os
import threading

from dpiqa_desktop.gui.bridge import Bridge, Job


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
