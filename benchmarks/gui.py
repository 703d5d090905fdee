"""How quick the window is with many photos: first thumbnail, scrollable grid, memory, longest stall.

    python benchmarks/gui.py                  # 10,000 JPEGs of 1200 x 800: 2 GB of disk, some minutes to make
    python benchmarks/gui.py --photos 1000

The window runs as users have it, with the bundled model scoring in the process beside it; on Qt's platform
"offscreen" where there is no screen. Caches and settings are its own. A stall is the time from one turn of
the event loop to the next; beside it stands how much of it the window's thread was computing, because other
programs on the machine make it wait, too. Memory is told before and after the loupe has shown photos of 24
megapixels; the process that scores has its own.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from photo_maker import make_jpegs

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

SIZE = (1200, 800)
LARGE = (6000, 4000)


@dataclass
class Stalls:
    """The longest turns of the event loop.

    Attributes:
        step: what the window was asked to do meanwhile.
        wall, cpu: ms, for each step the worst.
    """

    step: str = "start"
    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def add(self, wall: float, cpu: float) -> None:
        """One turn took so many seconds."""
        self.wall[self.step] = max(self.wall.get(self.step, 0), 1000 * wall)
        self.cpu[self.step] = max(self.cpu.get(self.step, 0), 1000 * cpu)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--folder", help="of photos, instead of making some")
    parser.add_argument("--seconds", type=float, default=20, help="to let it score (default: %(default)s)")
    asked = parser.parse_args()
    if not os.environ.get("DISPLAY") and sys.platform == "linux":
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            name: f"{scratch}/{name}" for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        }
        folder = asked.folder or f"{scratch}/photos"
        if not asked.folder:
            with ProcessPoolExecutor(1) as elsewhere:  # or what they take would be the peak
                elsewhere.submit(make_jpegs, Path(folder), asked.photos, SIZE).result()
                elsewhere.submit(make_jpegs, Path(folder) / "large", 12, LARGE, distinct=4).result()
        started = time.perf_counter()
        from dpiqa_desktop.gui.app import make_application
        from dpiqa_desktop.gui.garbage import collecting_in_this_thread

        application = make_application()
        with collecting_in_this_thread():
            measure(application, folder, asked.seconds, started)


def measure(application: QApplication, folder: str, seconds: float, started: float) -> None:
    """Open the folder, score for some time, then do what a user does."""
    from dpiqa_desktop.engine.stars import Percentiles
    from dpiqa_desktop.gui.app import make_window
    from dpiqa_desktop.gui.photo_filter import Sort, Wanted
    from dpiqa_desktop.gui.scorer import Scorer

    scorer = Scorer()
    window = make_window(scorer)
    window.resize(1600, 1000)
    window.show()
    stalls = Stalls()

    def run(step: str, do: Callable[[], object], until: Callable[[], object], most: float) -> float:
        """Do it within the event loop, turn by turn; seconds until it is so."""
        stalls.step = step
        begun = time.perf_counter()
        wall, cpu = begun, time.thread_time()
        do()
        while True:
            application.processEvents()
            stalls.add(time.perf_counter() - wall, time.thread_time() - cpu)
            if until() or time.perf_counter() - begun > most:
                return time.perf_counter() - begun
            time.sleep(0.001)
            wall, cpu = time.perf_counter(), time.thread_time()

    print(f"window shown {time.perf_counter() - started:.2f} s after the start of the imports")
    first = []
    window.thumbnails.ready.connect(first.append)
    opened = time.perf_counter()
    run("open", lambda: window.open(folder), lambda: window.model.rowCount() > 0, 60)
    bar = window.views.grid.verticalScrollBar()
    run("lay out", lambda: None, lambda: bar.maximum() > 0, 60)
    count = window.model.rowCount()
    print(f"{count:,} photos: grid can be scrolled after {time.perf_counter() - opened:.2f} s", end=", ")
    run("first thumbnails", lambda: None, lambda: bool(first), 60)
    print(f"first thumbnail after {time.perf_counter() - opened:.2f} s")
    run("score", lambda: None, lambda: not window.bridge.running, seconds)
    done = sum(item.score is not None for item in window.model.items())
    print(f"{done:,} scored in {time.perf_counter() - opened:.0f} s")
    filters = window.filter_bar
    window.views.grid.setFocus()
    run("sort by score", lambda: filters.set_sort(Sort("score")), lambda: False, 1)
    run("sort by name", lambda: filters.set_sort(Sort("name")), lambda: False, 1)
    run("filter", lambda: filters.set_wanted(Wanted(text="7")), lambda: False, 1)
    run("select what is filtered", window.views.grid.selectAll, lambda: False, 0.5)
    run("show all", lambda: filters.clear(), lambda: False, 1)
    run("select all", window.views.grid.selectAll, lambda: False, 0.5)
    run("reject all", lambda: window.marking.flag("rejected"), lambda: False, 1)
    run("rate all", lambda: window.marking.rate(3), lambda: False, 1)
    run("undo", window.undo_stack.undo, lambda: False, 1)
    run("redo", window.undo_stack.redo, lambda: False, 1)
    run("other stars", lambda: window.model.set_star_rule(Percentiles()), lambda: False, 1)
    run("larger tiles", lambda: window.views.grid.set_side(260), lambda: False, 1)
    places = [random.Random(n).randrange(bar.maximum()) for n in range(30)]
    for place in places:
        run("scroll", lambda place=place: bar.setValue(place), lambda: False, 0.1)
    bar.setValue(0)
    run("score again", lambda: None, lambda: False, 2)
    before_loupe = _peak_mb()
    large = [
        item.path for item in window.model.items() if os.path.basename(os.path.dirname(item.path)) == "large"
    ]
    for path in large:
        run(
            "loupe",
            lambda path=path: window.views.show_loupe(path),
            lambda: window.views.loupe.canvas.photo,
            30,
        )
        run("loupe", lambda: None, lambda: False, 1)
    run("compare", lambda: window.views.compare.show_photos(large[:4]), lambda: False, 0.1)
    run("compare", window.views.show_compare, lambda: False, 8)
    run("back", window.views.show_grid, lambda: False, 1)
    half = [item.path for item in window.model.items()[::2]]
    run("forget half", lambda: window.model.forget(half), lambda: False, 1)
    print(f"\n{'longest turn of the event loop, ms':<36}{'wall':>8}{'own CPU':>9}")
    for step in stalls.wall:
        print(f"  {step:<34}{stalls.wall[step]:>8.0f}{stalls.cpu[step]:>9.0f}")
    print(f"peak memory {before_loupe:.0f} MB, with photos of 24 megapixels in the loupe", end=" ")
    window.close()
    scorer.close()
    print(f"{_peak_mb():.0f} MB")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << 20 if sys.platform == "darwin" else 1 << 10
    )


if __name__ == "__main__":
    main()
