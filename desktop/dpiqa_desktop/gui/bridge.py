"""The only file that knows threads for scoring: one worker runs scan and engine, Qt signals tell of it.

window's thread:  start, pause, cancel -> flags        signals (queued) -> model, status bar
worker thread:    scan -> marks -> model -> run -> events in batches -> bursts
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Qt, Signal

from dpiqa_desktop.engine.backends import Backend, create_backend
from dpiqa_desktop.engine.backends.shared_backend import SharedBackend
from dpiqa_desktop.engine.bursts import Shot, group_bursts
from dpiqa_desktop.engine.marks import Mark
from dpiqa_desktop.engine.run import Stages, choose_stages, run
from dpiqa_desktop.engine.scan import Found, scan
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store, default_database
from dpiqa_desktop.events import Event, Notice, Progress, Scored
from dpiqa_plugin.errors import DPIQAError, StoreError

_TELL_SECONDS = 0.1
"""Events that come faster are told together: a tenth of a second is soon enough for eyes, and leaves the
window time for the mouse."""

_CLOSING_SECONDS = 20

MarksBelow = Callable[[str], dict[str, Mark]]


@dataclass(frozen=True)
class Job:
    """What is to be opened and scored.

    Attributes:
        folder: the folder, or a single photo.
        recursive: with all its subfolders.
        metric, device: see ``create_backend``.
        force: score again what the store knows.
    """

    folder: str
    recursive: bool = True
    metric: str = "dpiqa_lite"
    device: str = "auto"
    force: bool = False


@dataclass(frozen=True)
class Ready:
    """The model that scores.

    Attributes:
        metric: its name.
        description: what runs where, one line.
        identity: name and weights; scores of equal identity can be compared.
        lower_better: a lower score is a better photo.
        score_range: lowest and highest score, about; None if not known.
    """

    metric: str
    description: str
    identity: str
    lower_better: bool
    score_range: tuple[float, float] | None


@dataclass(frozen=True)
class Opened:
    """What a folder holds.

    Attributes:
        photos: paths, a folder's own before those of its subfolders.
        marks: what was said of them earlier, by path.
        paired: RAW files that are one photo with a JPEG beside them.
    """

    photos: tuple[str, ...]
    marks: dict[str, Mark]
    paired: int


class Bridge(QObject):
    """Runs one job at a time; a new one ends the one before it.

    Args:
        marks_below: what was said earlier of photos in a folder, called in the worker thread.
        parent: of the object.

    Signals, all in the window's thread:
        opened: ``Opened``, as soon as the folder is listed.
        ready: ``Ready``, when the model is chosen and its weights are there.
        told: a list of ``Scored`` and ``Failed``, ten times a second at most.
        progressed: ``Progress``, as often.
        notice: something went wrong that costs no score; for the user's eyes.
        bursts: which photos are in which burst, by path: number and whether it is the best.
        ended: None, or for the user's eyes why the job ended before its end. Last of all.
        crashed: an exception that nobody expected, before ``ended``.
    """

    opened = Signal(object)
    ready = Signal(object)
    told = Signal(list)
    progressed = Signal(object)
    notice = Signal(str)
    bursts = Signal(dict)
    ended = Signal(object)
    crashed = Signal(object)

    _message = Signal(object, str, object)  # which worker, name of a signal, its value

    def __init__(self, marks_below: MarksBelow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._marks_below = marks_below
        self._worker: _Worker | None = None
        self._model = _Model()
        self._message.connect(self._pass_on, Qt.ConnectionType.QueuedConnection)

    def backend(self, metric: str, device: str) -> Backend:
        """The model, for others than the scorer, too; called in any thread but the window's.

        Raises:
            DPIQAError: it cannot be had.
        """
        return self._model.backend(metric, device)

    @property
    def running(self) -> bool:
        """A job is under way, or paused."""
        return self._worker is not None

    @property
    def paused(self) -> bool:
        """The job at hand is waiting for ``resume``."""
        return self._worker is not None and not self._worker.going.is_set()

    def start(self, job: Job) -> None:
        """Open and score; what is under way ends, and nothing more is told of it."""
        self.cancel()
        self._worker = _Worker(job, self._model, self._marks_below, self._send)
        self._worker.start()

    def pause(self) -> None:
        """Score no more photos than those at hand, until ``resume``."""
        if self._worker is not None:
            self._worker.going.clear()

    def resume(self) -> None:
        """Go on."""
        if self._worker is not None:
            self._worker.going.set()

    def cancel(self) -> None:
        """End the job after the photos at hand; what is scored stays, bursts are still told."""
        if self._worker is not None:
            self._worker.cancelled.set()
            self._worker.going.set()

    def close(self) -> None:
        """End the job, wait until it has (the photos at hand take a second or two), and say nothing more."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancelled.set()
            worker.going.set()
            worker.join(_CLOSING_SECONDS)

    def _send(self, worker: _Worker, signal: str, value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the window was closed, and its objects with it
            self._message.emit(worker, signal, value)

    def _pass_on(self, worker: _Worker, signal: str, value: object) -> None:
        if worker is not self._worker:  # of a job that another has replaced
            return
        if signal == "ended":
            self._worker = None
        getattr(self, signal).emit(value)


class _Model:
    """The last model that was asked for: one, as the larger ones fill a GPU."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._named: tuple[str, str] | None = None
        self._backend: Backend | None = None

    def backend(self, metric: str, device: str) -> Backend:
        with self._lock:
            if self._backend is None or self._named != (metric, device):
                self._backend = None  # before the next one takes its memory
                self._backend = SharedBackend(create_backend(metric, device))
                self._named = (metric, device)
            return self._backend


class _Worker(threading.Thread):
    """One job in its thread; ``send`` takes the worker, the name of a signal of ``Bridge`` and its value."""

    def __init__(
        self,
        job: Job,
        model: _Model,
        marks_below: MarksBelow,
        send: Callable[[_Worker, str, object], None],
    ) -> None:
        # A daemon, because a download that hangs must not keep the program alive when its window is closed.
        super().__init__(name="score", daemon=True)
        self.going = threading.Event()
        self.going.set()
        self.cancelled = threading.Event()
        self._job = job
        self._model = model
        self._marks_below = marks_below
        self._send = send

    def run(self) -> None:
        """Do the job; whatever happens, ``ended`` is told."""
        why: str | None = None
        try:
            self._score()
        except DPIQAError as error:
            why = str(error)
        except Exception as error:
            why = f"unexpected {type(error).__name__}: {error}"
            self._tell("crashed", error)
        self._tell("ended", why)

    def _score(self) -> None:
        found = self._open()
        with contextlib.closing(self._store()) as store:
            if not found.photos or self.cancelled.is_set():
                return
            backend = self._model.backend(self._job.metric, self._job.device)
            self._tell("ready", _ready(self._job.metric, backend))
            steps = Steps(backend, store, force=self._job.force)
            scored = self._run(found, backend, steps)
            self._tell("bursts", _bursts(scored, backend.lower_better))

    def _open(self) -> Found:
        folder = self._job.folder
        found = scan([folder], may_be_empty=True, recursive=self._job.recursive)
        try:
            marks = self._marks_below(folder)
        except DPIQAError as error:
            marks = {}
            self._tell("notice", str(error))
        self._tell("opened", Opened(found.photos, marks, found.paired))
        for failed in found.unreadable:
            self._tell("notice", f"{failed.path}: {failed.reason}")
        return found

    def _store(self) -> Store:
        try:
            return Store(default_database())
        except StoreError as error:
            self._tell("notice", f"{error}; scores of this run are not kept")
            return Store(None)

    def _run(self, found: Found, backend: Backend, steps: Steps) -> list[Scored]:
        """Score all photos, or those until the job is cancelled."""
        scored: list[Scored] = []
        waiting: list[Event] = []
        told_at = 0.0
        events = run(found.photos, steps, _stages(backend), self.cancelled)
        with contextlib.closing(events):
            for event in events:
                if isinstance(event, Notice):
                    self._tell("notice", event.text)
                elif isinstance(event, Progress):
                    now = time.monotonic()
                    if now - told_at >= _TELL_SECONDS or event.done == event.total:
                        self._tell("told", waiting)
                        self._tell("progressed", event)
                        waiting, told_at = [], now
                    self.going.wait()
                else:
                    waiting.append(event)
                    if isinstance(event, Scored):
                        scored.append(event)
        self._tell("told", waiting)
        if not os.path.exists(self._job.folder):
            raise DPIQAError(
                f"{self._job.folder} is not there any more. If it was on a card or a drive, put it back in "
                "and open it again: scores that were given are kept"
            )
        return scored

    def _tell(self, signal: str, value: object) -> None:
        self._send(self, signal, value)


def _stages(backend: Backend) -> Stages:
    """Those of dpiqa-batch, but for a core that is left to the window."""
    stages = choose_stages(backend)
    return replace(stages, decoders=max(1, stages.decoders - 1))


def _ready(metric: str, backend: Backend) -> Ready:
    return Ready(metric, backend.description, backend.identity, backend.lower_better, backend.score_range)


def _bursts(scored: list[Scored], lower_better: bool) -> dict[str, tuple[int, bool]]:
    shots = [Shot(photo.path, photo.score, photo.captured_at, photo.likeness) for photo in scored]
    return {
        shots[member].path: (number, member == burst.best)
        for number, burst in enumerate(group_bursts(shots, lower_better), 1)
        for member in burst.members
    }
