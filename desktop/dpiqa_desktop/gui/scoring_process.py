"""What scores for the window, in a process of its own: no Qt here, and no window in there.

In the window's process the model's threads took Python's lock from the window at every step, and a model that
ran out of memory took the window with it. Here the worst that can happen to the window is an end of the pipe.

pipe -> ``_Requests`` (a thread) -> jobs, one after the other        -> pipe
                                `-> looks, one after the other (maps) -> pipe
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

from dpiqa_desktop.engine.backends import Backend
from dpiqa_desktop.engine.backends.shared_backend import SharedBackend
from dpiqa_desktop.engine.bursts import Shot, group_bursts
from dpiqa_desktop.engine.run import Stages, choose_stages, run
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Event, Notice, Progress, Scored
from dpiqa_desktop.gui.scoring_messages import (
    ENDED,
    Cancel,
    Describe,
    Description,
    Fault,
    Hold,
    Look,
    Ready,
    Score,
)
from dpiqa_plugin.errors import DPIQAError, StoreError

_TELL_SECONDS = 0.1
"""Events that come faster are told together: a tenth of a second is soon enough for eyes, and leaves the
window time for the mouse."""

_NICENESS = 5  # what the user does on this computer goes before scores

_BURSTS_AFTER_SECONDS = 1.0
_BURSTS_SHARE = 0.05  # of the time; they take longer, the more photos have scores

MakeBackend = Callable[[str, str], Backend]
"""Metric and device -> back end; a function of a module, because the other process has to find it."""


def serve(connection: Connection, make_backend: MakeBackend) -> None:
    """Do what is asked for until None is, or the pipe ends.

    A request is ``(number, Request)``, an answer ``(number, name, value)``. ``Score`` is answered by
    ``"ready"``, ``"told"``, ``"progressed"``, ``"notice"``, ``"bursts"``, ``"crashed"``, see ``Bridge``; the
    others by ``"answer"`` or ``"crashed"``; ``ENDED`` is the last of each. ``Hold`` and ``Cancel`` come with
    the number of a ``Score`` and have no answer of their own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal: the window sees to it
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # as the window does: they are for us, and nobody reads them there
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    lock = threading.Lock()

    def send(number: int, name: str, value: object) -> None:
        with lock, contextlib.suppress(OSError):  # the window is gone; its end of the pipe ends this one
            connection.send((number, name, value))

    model = _Model(make_backend)
    jobs: queue.Queue[_Job] = queue.Queue()
    requests = threading.Thread(
        target=_take_requests, args=(connection, model, jobs, send), name="requests", daemon=True
    )
    requests.start()
    while True:
        jobs.get().run()


Send = Callable[[int, str, object], None]


def _take_requests(connection: Connection, model: _Model, jobs: queue.Queue[_Job], send: Send) -> None:
    under_way: dict[int, _Job] = {}
    looks = ThreadPoolExecutor(1, thread_name_prefix="look")
    while True:
        try:
            asked = connection.recv()
        except (EOFError, OSError):  # the window has crashed
            asked = None
        if asked is None:
            os._exit(0)  # every score that was told is in the store
        number, request = asked
        if isinstance(request, Score):
            under_way = {known: job for known, job in under_way.items() if not job.done.is_set()}
            under_way[number] = _Job(number, request, model, send)
            jobs.put(under_way[number])
        elif isinstance(request, (Describe, Look)):
            looks.submit(_answer, number, request, model, send)
        elif number in under_way:
            under_way[number].obey(request)


def _answer(number: int, request: Describe | Look, model: _Model, send: Send) -> None:
    why: str | None = None
    try:
        backend = model.backend(request.metric, request.device)
        if isinstance(request, Look):
            backend.load()
            send(number, "answer", backend.judge(request.photos, request.maps))
        else:
            send(number, "answer", _description(backend))
    except DPIQAError as error:
        why = str(error)
    except Exception as error:  # the runtimes' errors have no common base
        why = f"the model could not look at it: {error}"
        send(number, "crashed", Fault(why, traceback.format_exc()))
    send(number, ENDED, why)


class _Model:
    """The last model that was asked for: one, as the larger ones fill a GPU."""

    def __init__(self, make_backend: MakeBackend) -> None:
        self._make_backend = make_backend
        self._lock = threading.Lock()
        self._named: tuple[str, str] | None = None
        self._backend: Backend | None = None

    def backend(self, metric: str, device: str) -> Backend:
        with self._lock:
            if self._backend is None or self._named != (metric, device):
                self._backend = None  # before the next one takes its memory
                self._backend = SharedBackend(self._make_backend(metric, device))
                self._named = (metric, device)
            return self._backend


class _Job:
    """Answers one ``Score``."""

    def __init__(self, number: int, request: Score, model: _Model, send: Send) -> None:
        self.done = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._cancelled = threading.Event()
        self._number, self._request, self._model, self._send = number, request, model, send

    def obey(self, request: Hold | Cancel) -> None:
        """Pause, go on or end."""
        if isinstance(request, Cancel):
            self._cancelled.set()
        if isinstance(request, Hold) and request.held:
            self._going.clear()
        else:
            self._going.set()

    def run(self) -> None:
        """Score; whatever happens, the end is told."""
        why: str | None = None
        try:
            if not self._cancelled.is_set():
                self._score()
        except DPIQAError as error:
            why = str(error)
        except Exception as error:
            why = f"unexpected {type(error).__name__}: {error}"
            self._tell("crashed", Fault(why, traceback.format_exc()))
        self.done.set()
        self._tell(ENDED, why)

    def _score(self) -> None:
        request = self._request
        with contextlib.closing(self._store()) as store:
            backend = self._model.backend(request.metric, request.device)
            self._tell("ready", _ready(request.metric, backend))
            steps = Steps(backend, store, force=request.force)
            bursts = _Bursts(backend.lower_better)
            self._run(backend, steps, bursts)
            self._tell("bursts", bursts.grouped())

    def _store(self) -> Store:
        try:
            return Store(self._request.database)
        except StoreError as error:
            self._tell("notice", f"{error}; scores of this run are not kept")
            return Store(None)

    def _run(self, backend: Backend, steps: Steps, bursts: _Bursts) -> None:
        """Score all photos, or those until the job is cancelled."""
        waiting: list[Event] = []
        told_at = 0.0
        events = run(self._request.photos, steps, _stages(backend), self._cancelled)
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
                    if bursts.are_due():
                        self._tell("bursts", bursts.grouped())
                    self._going.wait()
                else:
                    waiting.append(event)
                    if isinstance(event, Scored):
                        bursts.add(event)
        self._tell("told", waiting)

    def _tell(self, name: str, value: object) -> None:
        self._send(self._number, name, value)


@dataclass
class _Bursts:
    """Groups what has a score, now and then while photos come in."""

    lower_better: bool
    _shots: list[Shot] = field(default_factory=list)
    _due_at: float = field(default_factory=lambda: time.monotonic() + _BURSTS_AFTER_SECONDS)

    def add(self, scored: Scored) -> None:
        self._shots.append(Shot(scored.path, scored.score, scored.captured_at, scored.likeness))

    def are_due(self) -> bool:
        return time.monotonic() >= self._due_at

    def grouped(self) -> list[tuple[str, ...]]:
        """The paths of each burst, the best first."""
        begun = time.monotonic()
        bursts = [
            tuple(self._shots[member].path for member in sorted(burst.members, key=burst.best.__ne__))
            for burst in group_bursts(self._shots, self.lower_better)
        ]
        now = time.monotonic()
        self._due_at = now + max(_BURSTS_AFTER_SECONDS, (now - begun) / _BURSTS_SHARE)
        return bursts


def _stages(backend: Backend) -> Stages:
    """Those of dpiqa-batch, but for a core that is left to the window."""
    stages = choose_stages(backend)
    return replace(stages, decoders=max(1, stages.decoders - 1))


def _ready(metric: str, backend: Backend) -> Ready:
    return Ready(metric, backend.description, backend.identity, backend.lower_better, backend.score_range)


def _description(backend: Backend) -> Description:
    return Description(
        backend.description,
        backend.identity,
        backend.input_size,
        backend.lower_better,
        backend.score_range,
        backend.batch_size,
    )
