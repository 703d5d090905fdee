"""What an actor does: it holds one model, and scores a part at a time with the engine of a single machine.

Memory is bounded as it is there, by the engine's window: a photo is fetched when its turn comes, scored, and
forgotten. Nothing but counts and failures goes through Ray.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray

from dpiqa_desktop.engine.backends import Backend, create_backend
from dpiqa_desktop.engine.backends.shared_backend import SharedBackend
from dpiqa_desktop.engine.run import Stages, run
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.records import Row, clock_time
from dpiqa_desktop.scaling.fetching import FetchingSteps, TableRows
from dpiqa_desktop.scaling.plan import Entries, Plan
from dpiqa_desktop.scaling.source import Entry, Source
from dpiqa_desktop.scaling.storage import Storage, is_remote
from dpiqa_plugin.errors import DPIQAError, MetricError, ReportError

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "metric": pa.string(),
        "model": pa.string(),
        "score": pa.float32(),
        "uncertainty": pa.float32(),
        "captured_at": pa.timestamp("us"),
        "error": pa.string(),
        "path_bytes": pa.binary(),
    }
)
"""Of a part: as ``write_parquet`` on a single machine, with the model's identity, and the score in all its
bits; without what is known at the end only (stars, bursts)."""

OUTCOME = pa.schema(
    {
        "part": pa.int64(),
        "scored": pa.int64(),
        "failed": pa.list_(pa.struct({"path": pa.string(), "reason": pa.string()})),
        "fatal": pa.bool_(),
        "problem": pa.string(),
    }
)
"""What became of a part: how many photos have scores, which have none; or that it kills its actors; or what
else hinders it."""
MOST_ATTEMPTS = 2
"""To score a part, before it goes photo by photo. Not one: machines that are taken away kill, too."""


@dataclass(frozen=True)
class Work:
    """All that an actor must know.

    Attributes:
        plan: the job.
        source: where the photos are.
        addresses: source and output as the user gave them.
        bytes: photos are in a table's column.
        metric, device, backend, batch_size: see ``BatchOptions``.
        max_pixels: larger photos are refused.
        cores: that are an actor's.
        model: the identity that the model must have here, too.
    """

    plan: Plan
    source: Source
    addresses: tuple[str, str]
    bytes: bool
    metric: str
    device: str
    backend: str
    batch_size: int | None
    max_pixels: int
    cores: int
    model: str


class Actor:
    """What Ray keeps alive: it holds a ``Scorer``, and tells instead of raising.

    Args:
        work: what to do.
        attempts: handle of ``Attempts``.
    """

    def __init__(self, work: Work, attempts: Any) -> None:
        self._work = work
        self._attempts = attempts
        self._problem: str | None = None
        try:
            self._scorer = Scorer(work)
        except Exception as error:
            self._problem = _told(error)

    def __call__(self, batch: dict[str, Any]) -> pa.Table:
        """Score the parts that ``batch`` names; what became of them, as ``OUTCOME`` says."""
        return pa.Table.from_pylist([self._outcome(int(part)) for part in batch["part"]], schema=OUTCOME)

    def _outcome(self, part: int) -> Row:
        nothing = {"part": part, "scored": 0, "failed": [], "fatal": False, "problem": self._problem}
        if self._problem is not None:
            return nothing
        # Ray goes on for ever; the options that would say how often are to be removed from it.
        if ray.get(self._attempts.begin.remote(part)) > MOST_ATTEMPTS:
            return nothing | {"fatal": True}
        try:
            return self._scorer.score(part)
        except Exception as error:  # whatever it is, it must not look as if this process had died
            return nothing | {"problem": _told(error)}


class Scorer:
    """The model and the way to the photos.

    Raises:
        DPIQAError: the model or the photos' folder is not there on this machine.
        OSError: the plan cannot be read.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self._backend = SharedBackend(create_backend(work.metric, work.device, work.backend, work.cores))
        if self._backend.identity != work.model:
            raise MetricError(
                f"the weights here are others, {self._backend.identity}, than {work.model}: "
                "install the same version of dpiqa and the same weights on all machines"
            )
        if not is_remote(work.source.name) and not os.path.exists(work.source.name):
            raise ReportError(f"{work.source.name} is not there: give a place that all machines share")
        self._storage = Storage(*work.addresses)
        self._entries = Entries(self._storage, work.plan.out)

    def score(self, part: int) -> Row:
        """Score a part and write it; what became of it, as ``OUTCOME`` says.

        Raises:
            OSError: the storage is down, or the part cannot be written.
        """
        return write_part(self._storage, self.work, part, self.rows(self._entries.of(part)))

    def rows(self, entries: Sequence[Entry]) -> list[Row]:
        """Score photos; a row each, in order.

        Raises:
            OSError: the storage is down.
        """
        outcomes = iter(self._run([entry.name for entry in entries if entry.reason is None]))
        events = [Failed(e.name, e.reason) if e.reason is not None else next(outcomes) for e in entries]
        return [row_of(event, self.work) for event in events]

    def _run(self, names: Sequence[str]) -> list[Scored | Failed]:
        with self._steps(names) as steps:
            events = run(names, steps, _stages(self._backend, self.work))
            return [event for event in events if isinstance(event, (Scored, Failed))]

    @contextlib.contextmanager
    def _steps(self, names: Sequence[str]) -> Iterator[Steps]:
        work, backend = self.work, self._backend
        if not work.bytes and not any(map(is_remote, names)):
            yield Steps(backend, Store(None), work.max_pixels)
            return
        with tempfile.TemporaryDirectory(prefix="dpiqa-") as scratch:
            if not work.bytes:
                yield FetchingSteps(
                    self._storage, self._storage.fetch, Path(scratch), backend, work.max_pixels
                )
                return
            assert work.source.column is not None
            with contextlib.closing(TableRows(self._storage, names, work.source.column)) as rows:
                yield FetchingSteps(self._storage, rows.fetch, Path(scratch), backend, work.max_pixels)


def _stages(backend: Backend, work: Work) -> Stages:
    """As the engine chooses them, but for the actor's cores instead of the machine's."""
    batch = work.batch_size or backend.batch_size
    if backend.input_size is None:
        decoders = min(work.cores, 2)
        return Stages(decoders, batch + decoders, batch)
    # Of two, one waits for the network while the other decodes.
    decoders = work.cores * (2 if is_remote(work.source.name) else 1)
    return Stages(decoders, 2 * batch + decoders, batch)


class Attempts:
    """Counts how often each part was begun; an actor of its own, which outlives those that score."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, part: int) -> int:
        """Count; return how often that was."""
        self._begun[part] += 1
        return self._begun[part]


def write_part(storage: Storage, work: Work, part: int, rows: Sequence[Row]) -> Row:
    """Write the file of a part; return what ``OUTCOME`` says of it.

    Raises:
        OSError: it cannot be written.
    """
    storage.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), work.plan.part(part))
    failed = [{"path": row["path"], "reason": row["error"]} for row in rows if row["error"] is not None]
    return {
        "part": part,
        "scored": len(rows) - len(failed),
        "failed": failed,
        "fatal": False,
        "problem": None,
    }


def _told(error: Exception) -> str:
    said = str(error) if isinstance(error, (DPIQAError, OSError)) else repr(error)
    return f"{platform.node()}: {said}"


def row_of(event: Scored | Failed, work: Work) -> Row:
    """What ``SCHEMA`` says of a photo."""
    name = os.fsencode(event.path)
    path = name.decode("utf-8", "backslashreplace")
    row: Row = {
        "path": path,
        "metric": work.metric,
        "model": work.model,
        "score": None,
        "uncertainty": None,
        "captured_at": None,
        "error": None,
        "path_bytes": None if path == event.path else name,
    }
    if isinstance(event, Failed):
        # A reason may quote a name.
        return row | {"error": event.reason.encode("utf-8", "backslashreplace").decode()}
    captured_at = None if event.captured_at is None else clock_time(event.captured_at)
    return row | {"score": event.score, "uncertainty": event.uncertainty, "captured_at": captured_at}
