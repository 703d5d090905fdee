"""Work on files outside the window's thread: one piece at a time, told in batches, stopped between photos."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from dpiqa_plugin.errors import DPIQAError

_TELL_SECONDS = 0.1  # as soon as eyes need it, and no more often

Stopped = Callable[[], bool]
"""Whether the user wants no more of it."""

Work = Callable[[Stopped], Generator[Any, None, None]]
"""Called and run through in the thread. Looks before every photo whether it is to stop: what is begun by then
is carried to its end, and told."""


class FileWork(QObject):
    """Runs work in a thread.

    Signals, all in the window's thread:
        told: a list of what the work yielded, ten times a second at most.
        ended: None, or for the user's eyes why it ended before its end. Last of all.

    Args:
        parent: of the object.
    """

    told = Signal(list)
    ended = Signal(object)

    _message = Signal(str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._message.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """Whether ``ended`` is still to come."""
        return self._thread is not None

    def start(self, work: Work) -> None:
        """Begin; what was begun before must have ended."""
        if self._thread is not None:
            raise RuntimeError("the work before has not ended")
        self._cancelled.clear()
        # No daemon: a program that is closed waits for the photo at hand.
        self._thread = threading.Thread(target=self._run, args=(work,), name="files")
        self._thread.start()

    def cancel(self) -> None:
        """End after the photo at hand."""
        self._cancelled.set()

    def _run(self, work: Work) -> None:
        why: str | None = None
        try:
            self._work(work)
        except DPIQAError as error:
            why = str(error)
        except BaseException as error:  # for the log, too: what Python does with exceptions of threads
            why = f"unexpected {type(error).__name__}: {error}"
            raise
        finally:
            self._send("ended", why)

    def _work(self, work: Work) -> None:
        waiting: list[Any] = []
        told_at = 0.0
        try:
            with contextlib.closing(work(self._cancelled.is_set)) as steps:
                for step in steps:
                    waiting.append(step)
                    now = time.monotonic()
                    if now - told_at >= _TELL_SECONDS:
                        self._send("told", waiting)
                        waiting, told_at = [], now
        finally:
            self._send("told", waiting)

    def _send(self, signal: str, value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed, and its objects with it
            self._message.emit(signal, value)

    def _pass_on(self, signal: str, value: Any) -> None:
        if signal == "told":
            if value:
                self.told.emit(value)
            return
        assert self._thread is not None
        self._thread.join()
        self._thread = None
        self.ended.emit(value)
