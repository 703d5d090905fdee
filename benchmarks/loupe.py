"""How long the next photo takes to show, from the key press to the painted window; and what stalls it.

Run with ``QT_QPA_PLATFORM=offscreen python benchmarks/loupe.py``; prints milliseconds. Where other programs
work at the same time, the CPU time of the window's thread says more than the time on the clock.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from photo_maker import make_jpegs
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.gui.loupe import Loupe
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_loader import PhotoLoader
from dpiqa_desktop.gui.quality_map import QualityMaps

SIZE = (6000, 4000)


class Stalls(QObject):
    """Notes the longest time that a timer of a millisecond was late."""

    def __init__(self) -> None:
        super().__init__()
        self.worst = 0.0
        self._last = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.start(1)

    def reset(self) -> None:
        """Begin anew."""
        self.worst, self._last = 0.0, time.perf_counter()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.worst, self._last = max(self.worst, now - self._last), now


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--photos", type=int, default=16)
    options = arguments.parse_args()
    app = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(path) for path in make_jpegs(Path(folder), options.photos, SIZE, distinct=4)]
        measure(app, paths)


def measure(app: QApplication, paths: list[str]) -> None:
    """Go through all photos three times: when the neighbours are there, without waiting, and by leaps."""
    loader = PhotoLoader()
    maps = QualityMaps(lambda: create_backend("dpiqa_lite"))
    loupe = Loupe(loader, maps, PhotoItem)
    loupe.resize(1920, 1080)
    loupe.show()
    loupe.show_photos(paths)
    stalls = Stalls()

    def wait_for(true: Callable[[], object]) -> None:
        while not true():
            app.processEvents()
            time.sleep(0.001)

    wait_for(lambda: loupe.canvas.photo is not None)
    shown, worked = [], []
    for index in range(1, len(paths)):
        # The photographer looks for a moment.
        wait_for(lambda index=index: loader.get(paths[index]) is not None)
        start, start_of_work = time.perf_counter(), time.thread_time()
        QTest.keyClick(loupe, Qt.Key.Key_Right)
        assert loupe.canvas.photo is not None
        loupe.canvas.repaint()
        shown.append(1000 * (time.perf_counter() - start))
        worked.append(1000 * (time.thread_time() - start_of_work))
    print(f"next photo, prefetched: median {statistics.median(shown):.1f} ms, worst {max(shown):.1f} ms")
    print(f"  CPU time of it: median {statistics.median(worked):.1f} ms, worst {max(worked):.1f} ms")
    print(f"longest stall of the window meanwhile: {1000 * stalls.worst:.1f} ms")

    quick, full = [], []
    stalls.reset()
    for index in (0, len(paths) - 1, len(paths) // 2, 2, len(paths) - 3):
        loader.clear()
        start = time.perf_counter()
        loupe.show_photos(paths, paths[index])
        wait_for(lambda: loupe.canvas.quick is not None or loupe.canvas.photo is not None)
        loupe.canvas.repaint()
        quick.append(1000 * (time.perf_counter() - start))
        wait_for(lambda: loupe.canvas.photo is not None)
        loupe.canvas.repaint()
        full.append(1000 * (time.perf_counter() - start))
        wait_for(lambda: not loader.is_busy)
    print(f"leap to any photo: a picture after {statistics.median(quick):.0f} ms (worst {max(quick):.0f}),")
    print(f"  the photo after {statistics.median(full):.0f} ms (worst {max(full):.0f})")
    print(f"longest stall of the window meanwhile: {1000 * stalls.worst:.1f} ms")
    loader.close()
    maps.close()


if __name__ == "__main__":
    main()
