"""The window's end of the process that scores: starts it when it is needed, and anew when it has died."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import queue
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np
from PySide6.QtCore import QCoreApplication

from dpiqa_desktop.engine.backends import Judgement, create_backend
from dpiqa_desktop.gui.scoring_messages import (
    ENDED,
    Cancel,
    Describe,
    Description,
    Fault,
    Hold,
    Look,
    Request,
    Score,
)
from dpiqa_desktop.gui.scoring_process import MakeBackend, serve
from dpiqa_plugin.errors import DPIQAError

_ENDING_SECONDS = 5  # then it is killed: what it has scored is in the store
_OUT_OF_MEMORY = -9  # what Linux does to the largest program

_log = logging.getLogger(__name__)


class ScorerDiedError(DPIQAError):
    """The process ended without being asked to."""


class Scorer:
    """The process, and who waits for which of its answers; may be used by several threads.

    Args:
        make_backend: called in the process; a function of a module.
    """

    def __init__(self, make_backend: MakeBackend = create_backend) -> None:
        self._make_backend = make_backend
        self._lock = threading.Lock()
        self._alive: _Alive | None = None
        self._last = 0

    def ask(self, request: Score | Describe | Look) -> Answers:
        """Ask for something.

        Raises:
            ScorerDiedError: the process cannot be started.
        """
        with self._lock:
            if self._alive is None or self._alive.over:
                try:
                    self._alive = _Alive(self._make_backend)
                except OSError as error:
                    raise ScorerDiedError(f"scoring could not be started: {error.strerror}") from error
            self._last += 1
            return self._alive.ask(self._last, request)

    def close(self) -> None:
        """End the process; what it is at is not told any more."""
        with self._lock:
            if self._alive is not None:
                self._alive.close()
                self._alive = None


class Answers:
    """What comes of one request: ``name, value`` until the process has said all."""

    def __init__(self, alive: _Alive, number: int) -> None:
        self._alive, self._number = alive, number
        self.waiting: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[tuple[str, object]]:
        """Yield answers as they come.

        Raises:
            DPIQAError: what was asked for could not be done.
            ScorerDiedError: the process has died over it.
        """
        while True:
            name, value = self.waiting.get()
            if name == ENDED:
                if isinstance(value, DPIQAError):
                    raise value
                if value is not None:
                    raise DPIQAError(str(value))
                return
            yield name, value

    def hold(self, held: bool) -> None:
        """Score no more photos than those at hand; or go on."""
        self._alive.send(self._number, Hold(held))

    def cancel(self) -> None:
        """End after the photos at hand."""
        self._alive.send(self._number, Cancel())

    def leave(self) -> None:
        """Let who waits for answers go, whatever the process does."""
        self.waiting.put((ENDED, None))


class RemoteBackend:
    """A model in the other process, see ``Backend``; it takes its turn with what is scored there.

    Raises:
        DPIQAError: it cannot be had.
    """

    def __init__(self, scorer: Scorer, metric: str, device: str) -> None:
        self._scorer, self._metric, self._device = scorer, metric, device
        said = self._answer(Describe(metric, device))
        assert isinstance(said, Description)
        self.description = said.description
        self.identity = said.identity
        self.input_size = said.input_size
        self.lower_better = said.lower_better
        self.score_range = said.score_range
        self.batch_size = said.batch_size

    def load(self) -> None:
        """See ``Backend``; the other process does that at its first look."""

    def judge(self, photos: list[np.ndarray], maps: bool = False) -> Judgement:
        """See ``Backend``."""
        judgement = self._answer(Look(self._metric, self._device, photos, maps))
        assert isinstance(judgement, Judgement)
        return judgement

    def _answer(self, request: Describe | Look) -> object:
        answer: object = None
        for _, value in self._scorer.ask(request):
            if isinstance(value, Fault):
                _log.error("%s\n%s", value.summary, value.trace)
            answer = value
        return answer


class _Alive:
    """One life of the process."""

    def __init__(self, make_backend: MakeBackend) -> None:
        # Not forked: Qt's threads and locks would be copied in whatever state they are.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=serve, args=(theirs, make_backend), name="dpiqa scoring", daemon=True
        )
        self._process.start()
        theirs.close()  # or its end would not be noticed
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._listening: dict[int, Answers] = {}
        self.over = False
        thread = threading.Thread(target=self._listen, args=(self._connection,), name="scorer", daemon=True)
        thread.start()

    def ask(self, number: int, request: Request) -> Answers:
        answers = Answers(self, number)
        with self._lock:
            self._listening[number] = answers
        self.send(number, request)
        if self.over:  # meanwhile: nobody else will tell
            self._tell_end()
        return answers

    def send(self, number: int, request: Request) -> None:
        with self._sending, contextlib.suppress(OSError, ValueError):  # it has died, which is told elsewhere
            self._connection.send((number, request))

    def close(self) -> None:
        with self._sending, contextlib.suppress(OSError, ValueError):  # it has died
            self._connection.send(None)
        self._process.join(_ENDING_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _listen(self, connection: Connection) -> None:
        with contextlib.closing(connection), contextlib.suppress(EOFError, OSError):
            while True:
                number, name, value = connection.recv()
                with self._lock:
                    answers = self._listening.get(number)
                    if name == ENDED:
                        self._listening.pop(number, None)
                if answers is not None:
                    answers.waiting.put((name, value))
        self.over = True
        self._tell_end()

    def _tell_end(self) -> None:
        self._process.join(_ENDING_SECONDS)
        with self._lock:
            left, self._listening = self._listening, {}
        for answers in left.values():
            answers.waiting.put((ENDED, ScorerDiedError(_how(self._process.exitcode))))


def _how(code: int | None) -> str:
    said = QCoreApplication.translate(
        "Scorer", "Scoring has crashed ({how}). The scores that were given until then are kept."
    )
    how = QCoreApplication.translate("Scorer", "exit code {code}").format(code=code)
    if code == _OUT_OF_MEMORY:
        how = QCoreApplication.translate("Scorer", "killed, most often because memory ran out")
    elif code is not None and code < 0:
        how = QCoreApplication.translate("Scorer", "signal {number}").format(number=-code)
    return said.format(how=how)
