"""Opens folders and has their photos scored, outside the window's thread; Qt signals tell of it.

window's thread:  start, pause, cancel -> requests         signals (queued) -> model, status bar
worker thread:    scan -> marks -> request  `-> process that scores -> answers -'
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.marks import Mark
from dpiqa_desktop.engine.scan import Found, scan
from dpiqa_desktop.engine.store import default_database
from dpiqa_desktop.gui.scorer import Answers, RemoteBackend, Scorer
from dpiqa_desktop.gui.scoring_messages import Fault, Ready, Score
from dpiqa_plugin.errors import DPIQAError

__all__ = ["Bridge", "Job", "Opened", "Ready"]

_CLOSING_SECONDS = 20
_LISTING_SECONDS = 1  # a listing keeps nothing, and on a dead network drive one call may hang for minutes

MarksBelow = Callable[[str], dict[str, Mark]]


@dataclass(frozen=True)
class Job:
    """What is to be opened and scored.

    Attributes:
        paths: folders, or single photos.
        recursive: with all their subfolders.
        metric, device: see ``create_backend``.
        force: score again what the store knows.
    """

    paths: tuple[str, ...]
    recursive: bool = True
    metric: str = "dpiqa_lite"
    device: str = "auto"
    force: bool = False


@dataclass(frozen=True)
class Opened:
    """What the folders hold.

    Attributes:
        photos: paths, a folder's own before those of its subfolders.
        marks: what was said of them earlier, by path.
        paired: RAW files that are one photo with a JPEG beside them.
    """

    photos: tuple[str, ...]
    marks: dict[str, Mark]
    paired: int


class RemoteFaultError(Exception):
    """An exception that nobody expected, in the process that scores; its traceback is in the text."""


class Bridge(QObject):
    """Runs one job at a time; a new one ends the one before it.

    Args:
        marks_below: what was said earlier of photos in a folder, called in the worker thread.
        scorer: gives the scores; it outlives this object.
        parent: of the object.

    Signals, all in the window's thread:
        opened: ``Opened``, as soon as the folder is listed.
        ready: ``Ready``, when the model is chosen and its weights are there.
        told: a list of ``Scored`` and ``Failed``, ten times a second at most.
        progressed: ``Progress``, as often.
        notice: something went wrong that costs no score; for the user's eyes.
        bursts: the paths of each burst, the best first; now and then while photos come in, and at the end.
        ended: None, or for the user's eyes why the job ended before its end. Last of all.
        crashed: an exception that nobody expected, before ``ended``.
    """

    opened = Signal(object)
    ready = Signal(object)
    told = Signal(object)
    progressed = Signal(object)
    notice = Signal(str)
    bursts = Signal(object)
    ended = Signal(object)
    crashed = Signal(object)

    _message = Signal(object, str, object)  # which worker, name of a signal, its value

    def __init__(self, marks_below: MarksBelow, scorer: Scorer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._marks_below = marks_below
        self._scorer = scorer
        self._worker: _Worker | None = None
        self._begun: list[_Worker] = []  # this one, and those it replaced that are not at their end yet
        self._message.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    def backend(self, metric: str, device: str) -> Backend:
        """The model, for others than the scorer, too; called in any thread but the window's.

        Raises:
            DPIQAError: it cannot be had.
        """
        return RemoteBackend(self._scorer, metric, device)

    @property
    def running(self) -> bool:
        """A job is under way, or paused."""
        return self._worker is not None

    @property
    def paused(self) -> bool:
        """The job at hand is waiting for ``resume``."""
        return self._worker is not None and self._worker.held

    def start(self, job: Job) -> None:
        """Open and score; what is under way ends, and nothing more is told of it."""
        self.cancel()
        self._worker = _Worker(job, self._scorer, self._marks_below, self._send)
        self._begun = [*self._alive(), self._worker]
        self._worker.start()

    def pause(self) -> None:
        """Score no more photos than those at hand, until ``resume``."""
        if self._worker is not None:
            self._worker.hold(True)

    def resume(self) -> None:
        """Go on."""
        if self._worker is not None:
            self._worker.hold(False)

    def cancel(self) -> None:
        """End the job after the photos at hand; what is scored stays, bursts are still told.

        Folders that are still being listed are not shown then, as a photo may lack files of its own.
        """
        if self._worker is not None:
            self._worker.cancel()

    def close(self) -> None:
        """End the job and those it replaced, and say nothing more; waits 20 seconds at most for all.

        What is scored until the photos at hand are done is kept. A folder that is being listed is left.
        """
        begun = time.monotonic()
        workers, self._worker = self._alive(), None
        for worker in workers:
            worker.cancel()
            worker.leave()
        for worker in workers:
            seconds = _LISTING_SECONDS if worker.listing else _CLOSING_SECONDS
            worker.join(max(0, begun + seconds - time.monotonic()))

    def _alive(self) -> list[_Worker]:
        return [worker for worker in self._begun if worker.is_alive()]

    def _send(self, worker: _Worker, signal: str, value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed, and its objects with it
            self._message.emit(worker, signal, value)

    def _pass_on(self, worker: _Worker, signal: str, value: object) -> None:
        if worker is not self._worker:  # of a job that another has replaced
            return
        if signal == "ended":
            self._worker = None
        getattr(self, signal).emit(value)


class _Worker(threading.Thread):
    """One job in its thread; ``send`` takes the worker, the name of a signal of ``Bridge`` and its value."""

    def __init__(
        self,
        job: Job,
        scorer: Scorer,
        marks_below: MarksBelow,
        send: Callable[[_Worker, str, object], None],
    ) -> None:
        # A daemon, because a scan that hangs must not keep the program alive when its window is closed.
        super().__init__(name="score", daemon=True)
        self.held = False
        self.listing = True
        self._cancelled = False
        self._left = False
        self._lock = threading.Lock()
        self._answers: Answers | None = None
        self._job = job
        self._scorer = scorer
        self._marks_below = marks_below
        self._send = send

    def hold(self, held: bool) -> None:
        """Pause, or go on."""
        with self._lock:
            self.held = held
            if self._answers is not None:
                self._answers.hold(held)

    def cancel(self) -> None:
        """End after the photos at hand."""
        with self._lock:
            self.held, self._cancelled = False, True
            if self._answers is not None:
                self._answers.cancel()

    def leave(self) -> None:
        """End the thread, whatever is still to come."""
        with self._lock:
            self._left = True
            if self._answers is not None:
                self._answers.leave()

    def run(self) -> None:
        """Do the job; whatever happens, ``ended`` is told."""
        why: str | None = None
        try:
            found = self._open()
            if found.photos:
                self._score(found)
        except DPIQAError as error:
            why = str(error)
        except Exception as error:
            why = f"unexpected {type(error).__name__}: {error}"
            self._tell("crashed", error)
        self._tell("ended", why)

    def _open(self) -> Found:
        job = self._job
        found = scan(job.paths, may_be_empty=True, recursive=job.recursive, stopped=lambda: self._cancelled)
        self.listing = False
        marks: dict[str, Mark] = {}
        try:
            for path in job.paths:
                marks |= self._marks_below(path)
        except DPIQAError as error:
            self._tell("notice", str(error))
        self._tell("opened", Opened(found.photos, marks, found.paired))
        for failed in found.unreadable:
            self._tell("notice", f"{failed.path}: {failed.reason}")
        return found

    def _score(self, found: Found) -> None:
        job = self._job
        request = Score(found.photos, job.metric, job.device, default_database(), job.force)
        with self._lock:
            if self._cancelled or self._left:
                return
            self._answers = self._scorer.ask(request)
            if self.held:
                self._answers.hold(True)
        for name, value in self._answers:
            if isinstance(value, Fault):
                self._tell("crashed", RemoteFaultError(f"{value.summary}\n\n{value.trace}"))
            else:
                self._tell(name, value)
        gone = [path for path in job.paths if not os.path.exists(path)]
        if gone and not self._left:
            text = QCoreApplication.translate(
                "Bridge",
                "{path} is not there any more. If it was on a card or a drive, put it back in and open it "
                "again: scores that were given are kept",
            )
            raise DPIQAError(text.format(path=gone[0]))

    def _tell(self, signal: str, value: object) -> None:
        if not self._left:
            self._send(self, signal, value)
