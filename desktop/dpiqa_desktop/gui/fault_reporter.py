"""Exceptions that nobody expected reach the user and a log file, from whatever thread they come."""

from __future__ import annotations

import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication, QMessageBox

from dpiqa_desktop.crash_log import write_crash_log


class FaultReporter(QObject):
    """Takes Python's hooks for exceptions until ``close``.

    A fault that comes again and again, as one in painting does, is told once.

    Args:
        arguments: of the program, for the log.
    """

    _happened = Signal(object)

    def __init__(self, arguments: list[str]) -> None:
        super().__init__()
        self._arguments = arguments
        self._told: set[str] = set()
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._hook
        threading.excepthook = self._thread_hook
        self._happened.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def close(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before

    def report(self, error: BaseException) -> None:
        """Tell of an exception; from any thread."""
        self._happened.emit(error)

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
        else:
            self.report(error)

    def _thread_hook(self, hooked: threading.ExceptHookArgs) -> None:
        if hooked.exc_value is not None:
            self.report(hooked.exc_value)

    def _tell(self, error: BaseException) -> None:
        place = "".join(traceback.format_tb(error.__traceback__)[-1:])
        key = f"{type(error).__name__} {place}"
        if key in self._told:
            return
        self._told.add(key)
        where = write_crash_log(error, self._arguments)
        box = QMessageBox(QApplication.activeWindow())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle(self.tr("A fault of dpiqa"))
        box.setText(self.tr("Something went wrong: {error}").format(error=f"{type(error).__name__}: {error}"))
        box.setInformativeText(where)
        box.open()  # not exec: whatever works in the background goes on
