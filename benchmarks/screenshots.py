"""Pictures of the window in the states that users meet, to be looked at.

    python benchmarks/screenshots.py OUT                 # on this screen, or on Qt's platform "offscreen"
    QT_SCALE_FACTOR=2 python benchmarks/screenshots.py OUT --size 1280 720     # 2560 x 1440 pixels
    xvfb-run python benchmarks/screenshots.py OUT --dark

Caches and settings are its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from dpiqa_desktop.gui.main_window import MainWindow

EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"
LONG = "A very long name that somebody gave to a photo of their holiday, with all that is in it and more"


class Session:
    """A window, and where its pictures go."""

    def __init__(self, out: Path, size: tuple[int, int]) -> None:
        from dpiqa_desktop.gui.app import make_application, make_window
        from dpiqa_desktop.gui.scorer import Scorer

        self.application = make_application()
        self.window: MainWindow = make_window(Scorer())
        self.window.resize(*size)
        self.window.show()
        self._out = out

    def wait(self, until: Callable[[], object] = lambda: False, most: float = 1.0) -> None:
        """Let the window work, until it is so."""
        end = time.monotonic() + most
        while time.monotonic() < end and not until():
            self.application.processEvents()
            time.sleep(0.005)

    def open(self, folder: Path) -> None:
        """Open a folder, and wait for its scores."""
        self.window.open(str(folder))
        self.wait(lambda: not self.window.bridge.running, 120)
        self.wait(most=1.5)

    def shoot(self, name: str) -> None:
        """Write a picture."""
        self.wait(most=0.5)
        path = self._out / f"{name}.png"
        self.window.grab().save(str(path))
        print(path)


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--size", type=int, nargs=2, default=[1280, 720], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--many", type=int, default=5000, help="photos of the large folder")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if not os.environ.get("DISPLAY") and sys.platform == "linux":
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            name: f"{scratch}/{name}" for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        }
        session = Session(asked.out, tuple(asked.size))
        session.window.settings.set_value("window/theme", "dark" if asked.dark else "light")
        take(session, Path(scratch), asked.many)
        session.window.close()


def take(session: Session, scratch: Path, many: int) -> None:
    """Every state after the other."""
    window = session.window
    session.shoot("first_start")
    (scratch / "empty").mkdir()
    session.open(scratch / "empty")
    session.shoot("no_photos")
    session.open(EXAMPLES)
    take_examples(session)
    (scratch / "one").mkdir()
    shutil.copy(EXAMPLES / "dog.jpg", scratch / "one")
    session.open(scratch / "one")
    session.shoot("one_photo")
    session.open(odd_photos(scratch / "odd"))
    session.shoot("odd_photos")
    window.views.show_loupe(str(scratch / "odd" / "tower.jpg"))
    session.shoot("portrait_panorama")
    session.open(broken_photos(scratch / "broken"))
    session.shoot("all_failed")
    window.messages.clear()
    window.open(str(many_photos(scratch / "many", many)))
    session.wait(lambda: sum(item.score is not None for item in window.model.items()) > 40, 60)
    session.shoot("half_scored")


def take_examples(session: Session) -> None:
    """The twelve example photos in every view and dialog."""
    window = session.window
    window.views.grid.set_current(str(EXAMPLES / "flowers.jpg"))
    window.marking.flag("picked")
    window.marking.rate(5)
    window.views.grid.set_current(str(EXAMPLES / "flowers_shaken.jpg"))
    window.marking.flag("rejected")
    window.views.grid.set_current(str(EXAMPLES / "dog.jpg"))
    session.shoot("grid")
    window.views.show_loupe()
    session.shoot("loupe")
    window.views.toggle_map()
    session.wait(most=2)
    session.shoot("quality_map")
    window.views.show_compare()
    session.shoot("compare")
    window.views.show_grid()
    for name in ("settings", "shortcuts", "write", "trash"):
        window.actions_by_name[name].trigger()
        session.wait(most=1.5)
        dialog = session.application.activeModalWidget()
        if dialog is not None:
            dialog.grab().save(str(session._out / f"{name}.png"))
            dialog.close()
        session.wait(most=0.3)


def odd_photos(folder: Path) -> Path:
    """One with a long name, a portrait panorama, a tiny one."""
    folder.mkdir()
    with Image.open(EXAMPLES / "nyc.jpg") as photo:
        photo.save(folder / f"{LONG}.jpg")
        photo.resize((400, 2400)).save(folder / "tower.jpg")
        photo.resize((2400, 300)).save(folder / "skyline.jpg")
        photo.resize((24, 16)).save(folder / "tiny.png")
    return folder


def broken_photos(folder: Path) -> Path:
    """None of them can be read."""
    folder.mkdir()
    for number in range(9):
        (folder / f"IMG_{number:04}.jpg").write_bytes(b"" if number % 2 else b"not a photo at all")
    return folder


def many_photos(folder: Path, count: int) -> Path:
    """Small ones, each with bytes of its own."""
    folder.mkdir()
    sources = []
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as photo:
            photo.thumbnail((600, 600))
            photo.save(folder / "source.jpg")
        sources.append((folder / "source.jpg").read_bytes())
    (folder / "source.jpg").unlink()
    for number in range(count):
        content = sources[number % len(sources)] + number.to_bytes(4, "big")
        (folder / f"IMG_{number:05}.jpg").write_bytes(content)
    return folder


if __name__ == "__main__":
    main()
