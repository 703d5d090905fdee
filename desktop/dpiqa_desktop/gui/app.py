"""The command ``dpiqa-desktop``: makes the application and its window, and starts them."""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import platformdirs
from PySide6.QtWidgets import QApplication, QMenu

from dpiqa_desktop.crash_log import write_crash_log
from dpiqa_desktop.engine.marks import Marks
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.exit_codes import ExitCode
from dpiqa_desktop.gui.fault_reporter import FaultReporter
from dpiqa_desktop.gui.garbage import collecting_in_this_thread
from dpiqa_desktop.gui.log_file import logged_to_file
from dpiqa_desktop.gui.main_window import MainWindow
from dpiqa_desktop.gui.recent_folders import recent_folders
from dpiqa_desktop.gui.recent_menu import RecentMenu
from dpiqa_desktop.gui.scorer import Scorer
from dpiqa_desktop.gui.thumbnails import Thumbnails
from dpiqa_plugin import __version__

_SWITCH_SECONDS = 0.001
"""How long a thread of Python's may keep the window waiting; 0.005 is usual. A window's event calls into Qt a
hundred times, and after each call it may have to wait that long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``dpiqa-desktop`` with ``arguments``, or those of the command line; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = _parse(given)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the terminal: Qt would not see it
    application = make_application()
    with collecting_in_this_thread():
        reporter = FaultReporter(given)
        scorer = Scorer()
        try:
            window = make_window(scorer, reporter)
            window.show()
            folder = asked.folder or next(iter(recent_folders()), None)
            if folder is not None:
                window.open(folder)
            with logged_to_file():
                return application.exec()
        except Exception as error:  # before there is a window to tell of it
            sys.stderr.write(f"dpiqa-desktop: {write_crash_log(error, given)}\n")
            return ExitCode.CRASHED
        finally:
            scorer.close()
            reporter.close()


def make_application() -> QApplication:
    """The application, by the name that its settings are kept under."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    application = QApplication.instance() or QApplication(["dpiqa-desktop"])
    assert isinstance(application, QApplication)
    application.setApplicationName("dpiqa-desktop")
    application.setApplicationDisplayName("dpiqa")
    application.setOrganizationName("dpiqa")
    application.setApplicationVersion(__version__)
    return application


def make_window(scorer: Scorer, reporter: FaultReporter | None = None) -> MainWindow:
    """The window, with this user's marks and thumbnails."""
    cache = Path(platformdirs.user_cache_dir("dpiqa", appauthor=False))
    window = MainWindow(Marks(default_database()), Thumbnails(cache / "thumbnails"), scorer)
    file_menu = window.menuBar().findChild(QMenu, "file")
    assert isinstance(file_menu, QMenu)
    RecentMenu(file_menu).folder_chosen.connect(window.open)
    if reporter is not None:
        window.bridge.crashed.connect(reporter.report)
    return window


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dpiqa-desktop",
        description="Shows the photos of a folder, scores them, and helps to throw out the bad ones.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", nargs="?", help="to open; if not given, the one that was open last")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser.parse_args(arguments)
