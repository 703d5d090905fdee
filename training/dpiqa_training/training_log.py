"""Losses and rates of a run by step, for TensorBoard."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from dpiqa_training.errors import LogError


class TrainingLog:
    """A log that a run goes on with after a kill; what is written is in the file at once.

    Written by hand: the thread of torch's ``SummaryWriter`` ends with a traceback when the disk is full.

    Args:
        folder: of the event files, one a process; made if need be.
        next_step: the first one that will be logged; what an earlier process logged of it and later is void.

    Raises:
        LogError: it cannot be written; so does ``write``.
    """

    def __init__(self, folder: Path, next_step: int) -> None:
        self._folder = folder
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / name).open("wb", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        self._records = RecordWriter(self._file)
        self._add(file_version="brain.Event:2")
        self._add(step=next_step, session_log=SessionLog(status=SessionLog.START))

    def write(self, values: dict[str, float], step: int) -> None:
        """Add values of one step."""
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(step=step, summary=Summary(value=scalars))

    def close(self) -> None:
        """End it."""
        self._file.close()

    def _add(self, **content: object) -> None:
        try:
            self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
        except OSError as error:
            self.close()
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> LogError:
        return LogError(
            f"the log in {self._folder} cannot be written ({error}); make room there, and start the run again"
        )
