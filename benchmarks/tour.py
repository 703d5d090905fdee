"""Starts the installed ``dpiqa-desktop`` on a screen of its own, drives it by keys, takes pictures of it.

    apt-get install xvfb openbox xdotool imagemagick
    apt-get install libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxkbcommon-x11-0
    pip install ".[desktop]" && python benchmarks/tour.py docs/images

It knows of the program what a user knows: windows, keys, what is on the screen; and that scores and marks are
in the store. It fails if the keys have not done what they should. Caches, settings and data are its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"
SCREEN = (1280, 800)
HISTOGRAM = (972, 88, 1280, 486)  # pixels of the screen: left, top, right, bottom
PATIENCE = 180  # seconds; the model is loaded in two on a machine with nothing else to do


class Tour:
    """The program, its screen and its store."""

    def __init__(self, out: Path, scratch: Path, display: str, dark: bool) -> None:
        self._out = out
        self._store = scratch / "data" / "dpiqa" / "scores.sqlite3"
        self.environment = os.environ | {
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "HOME": str(scratch),
            "XDG_CACHE_HOME": str(scratch / "cache"),
            "XDG_CONFIG_HOME": str(scratch / "config"),
            "XDG_DATA_HOME": str(scratch / "data"),
        }
        settings = scratch / "config" / "dpiqa" / "dpiqa-desktop.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"[window]\ntheme={'dark' if dark else 'light'}\n")

    def keys(self, *keys: str, after: float = 0.4) -> None:
        """Press keys, as ``xdotool`` calls them, one after the other."""
        for key in keys:
            self._xdotool("key", key)
            time.sleep(after)

    def fill_screen(self) -> None:
        """Wait for the window, and make it as large as the screen."""
        window = self._xdotool("search", "--sync", "--onlyvisible", "--name", "dpiqa").split()[-1]
        self._xdotool("windowmove", window, "0", "0")
        self._xdotool("windowsize", window, *map(str, SCREEN))
        self._xdotool("windowactivate", "--sync", window)

    def wait_for_scores(self, count: int) -> None:
        """Wait until so many are in the store, and the window has had the time to show them."""
        self._wait_until(f"{count} scores", lambda: self.rows("SELECT count(*) FROM scores") == [(count,)])
        time.sleep(2)

    def wait_for_marks(self, count: int) -> None:
        """Wait until so many photos have marks."""
        query = "SELECT count(*) FROM marks WHERE stars IS NOT NULL OR flag IS NOT NULL"
        self._wait_until(f"{count} marks", lambda: self.rows(query) == [(count,)])

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask the store."""
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self._store)) as store:
            return store.execute(query).fetchall()
        return []

    def shoot(self, name: str, box: tuple[int, int, int, int] | None = None, after: float = 1.0) -> None:
        """Take a picture of the screen, or of a part of it."""
        time.sleep(after)
        png = self._out / f"{name}.png"
        subprocess.run(["import", "-window", "root", png], env=self.environment, check=True)
        with Image.open(png) as image:
            image.convert("RGB").crop(box).save(png.with_suffix(".jpg"), quality=80, optimize=True)
        png.unlink()
        print(png.with_suffix(".jpg"))

    def _xdotool(self, *arguments: str) -> str:
        command = ["xdotool", *arguments]
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout

    def _wait_until(self, what: str, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end:
                raise SystemExit(f"there are no {what} after {PATIENCE} s")
            time.sleep(0.2)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--program", default="dpiqa-desktop", help="the installed one (default: %(default)s)")
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, screen() as display:
        scratch = Path(folder)
        photos = scratch / "photos"
        shutil.copytree(EXAMPLES, photos)
        tour = Tour(asked.out, scratch, display, asked.dark)
        manager = subprocess.Popen(["openbox"], env=tour.environment)
        program = subprocess.Popen([asked.program, str(photos)], env=tour.environment)
        try:
            take(tour, sum(path.suffix != ".md" for path in photos.iterdir()))
            code = program.wait(20)
        finally:
            for process in (program, manager):
                process.kill()
                process.wait()
    if code:
        raise SystemExit(f"{asked.program} ended with {code}")


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """An X server's display."""
    read, write = os.pipe()
    size = f"{SCREEN[0]}x{SCREEN[1]}x24"
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def take(tour: Tour, count: int) -> None:
    """Cull the photos by keys, and take a picture of each view."""
    tour.fill_screen()
    tour.wait_for_scores(count)
    tour.keys("Home", "Right", "5", "p", "Right", "x", "Right", "p", "4")
    tour.wait_for_marks(3)
    marks = sorted(tour.rows("SELECT stars, flag FROM marks"), key=str)
    if marks != [(4, "picked"), (5, "picked"), (None, "rejected")]:
        raise SystemExit(f"the keys have marked {marks}")
    tour.shoot("desktop")
    tour.shoot("desktop-histogram", HISTOGRAM, after=0)
    tour.keys("Home", "Right", "e")
    tour.shoot("desktop-loupe", after=2)
    tour.keys("m")
    tour.shoot("desktop-map", after=4)
    tour.keys("m", "g", "Home", "Right", "c")
    tour.shoot("desktop-compare", after=3)
    tour.keys("g", "question", "Escape", "ctrl+z", "ctrl+z", "ctrl+z", "ctrl+z", "ctrl+z")
    tour.wait_for_marks(0)
    tour.keys("ctrl+q")


if __name__ == "__main__":
    sys.exit(main())
