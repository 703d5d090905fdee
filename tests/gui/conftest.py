"""What every test of the window shares: no screen, settings and caches of its own, nothing left behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from makers.photos import save_photo

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QSettings, QThreadPool
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.gui.app import make_application, make_window
from dpiqa_desktop.gui.garbage import collecting_in_this_thread
from dpiqa_desktop.gui.main_window import MainWindow
from dpiqa_desktop.gui.photo_item import PhotoItem
from dpiqa_desktop.gui.photo_loader import PhotoLoader
from dpiqa_desktop.gui.photo_view import PhotoView
from dpiqa_desktop.gui.quality_map import QualityMaps
from dpiqa_desktop.gui.scorer import Scorer
from dpiqa_desktop.gui.work_dialog import WorkDialog

View = TypeVar("View", bound=PhotoView)


@pytest.fixture(scope="module", autouse=True)
def _collections_as_in_the_application(qapp: QApplication) -> Iterator[None]:
    """Windows of earlier tests are garbage; a thread that collected it would crash the later ones."""
    with collecting_in_this_thread():
        yield
        gc.collect()


@pytest.fixture(autouse=True)
def _own_home(own_store: None, tmp_path: Path) -> None:
    """Scores, marks, thumbnails and settings of one test are no other's."""
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "home" / "settings")
    )


@pytest.fixture(autouse=True)
def _nothing_left(qapp: QApplication) -> Iterator[None]:
    """A window that is still there after a test would go on working in the next ones.

    Warnings of Qt and exceptions in slots fail a test, too: pytest-qt sees to that, see ``pyproject.toml``.
    """
    before = set(QApplication.topLevelWidgets())
    yield
    QThreadPool.globalInstance().waitForDone(10_000)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [widget for widget in QApplication.topLevelWidgets() if widget not in before]
    shown = [f"{type(widget).__name__} {widget.objectName()!r}" for widget in left if widget.isVisible()]
    for widget in left:
        widget.close()
        widget.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not shown, f"left open: {', '.join(shown)}"


@pytest.fixture(scope="session")
def scorer() -> Iterator[Scorer]:
    """The process that scores, one for all tests: it takes a second to start."""
    scorer = Scorer()
    yield scorer
    scorer.close()


@pytest.fixture
def window(qtbot: QtBot, scorer: Scorer) -> Iterator[MainWindow]:
    """The application's window, as ``main`` makes it."""
    make_application()
    window = make_window(scorer)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.close()


@pytest.fixture
def items() -> dict[str, PhotoItem]:
    """What is known of photos, for views that ask."""
    return {}


@pytest.fixture
def loader(qapp: QApplication) -> Iterator[PhotoLoader]:
    """Of photos."""
    loader = PhotoLoader()
    yield loader
    loader.close()


@pytest.fixture
def maps(qapp: QApplication) -> Iterator[QualityMaps]:
    """Of the bundled model."""
    maps = QualityMaps(lambda: create_backend("dpiqa_lite"))
    yield maps
    maps.close()


@pytest.fixture
def show_view(
    items: dict[str, PhotoItem], loader: PhotoLoader, maps: QualityMaps, qtbot: QtBot
) -> Callable[[type[View], int, int], View]:
    """``show_view(Loupe, 1000, 800)`` shows a view of that size, with the keyboard in it."""

    def show(kind: type[View], width: int, height: int) -> View:
        view = kind(loader, maps, items.get)
        qtbot.addWidget(view)
        view.resize(width, height)
        view.show()
        qtbot.waitExposed(view)
        view.setFocus()
        return view

    return show


@pytest.fixture
def shown(qtbot: QtBot) -> Iterator[Callable[[WorkDialog], WorkDialog]]:
    """``shown(dialog)`` shows a dialog and waits for its plan; it is closed after the test."""
    dialogs: list[WorkDialog] = []

    def show(dialog: WorkDialog) -> WorkDialog:
        qtbot.addWidget(dialog)
        dialogs.append(dialog)
        dialog.show()
        qtbot.waitUntil(lambda: dialog.phase == "planned", timeout=20_000)
        return dialog

    yield show
    for dialog in dialogs:
        dialog.close()
        qtbot.waitUntil(lambda dialog=dialog: not dialog.isVisible(), timeout=10_000)


@pytest.fixture
def make_photos(tmp_path: Path) -> Callable[..., list[str]]:
    """``make_photos(3)`` writes three JPEGs into one folder and returns their paths."""

    def make(count: int, size: tuple[int, int] = (160, 120), folder: str = "photos") -> list[str]:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        return [
            str(save_photo(tmp_path / folder / f"IMG_{number:04}.jpg", number, size))
            for number in range(1, count + 1)
        ]

    return make


@pytest.fixture(scope="session")
def examples() -> Path:
    """The twelve example photos, for reading only."""
    return Path(__file__).parents[2] / "examples" / "photos"
