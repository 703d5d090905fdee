"""Python's garbage is collected in the window's thread, whichever thread made it."""

from __future__ import annotations

import gc
import threading
import weakref

from dpiqa_desktop.gui.garbage import collecting_in_this_thread


class Cycle:
    """Refers to itself, so that only a collection finds it."""

    def __init__(self):
        self.itself = self


def test_python_collects_again_when_the_window_is_gone(qapp):
    gc.enable()
    with collecting_in_this_thread():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()  # as in the other tests of the window
    with collecting_in_this_thread():
        pass
    assert not gc.isenabled()


def test_what_other_threads_leave_is_collected_in_the_windows(qtbot):
    left, collected_in = [], set()

    def note(_phase, _found):
        collected_in.add(threading.current_thread())

    def work():
        cycles = [Cycle() for _ in range(50_000)]
        left.extend(weakref.ref(cycle) for cycle in cycles)

    gc.callbacks.append(note)
    try:
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        assert not collected_in
        qtbot.waitUntil(lambda: all(cycle() is None for cycle in left), timeout=10_000)
    finally:
        gc.callbacks.remove(note)
    assert collected_in == {threading.main_thread()}
