"""Parts whose actors die, every time: a photo to a process, so that the one that kills is found and named."""

from __future__ import annotations

import functools
from collections import deque
from itertools import islice

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

from dpiqa_desktop.events import Failed
from dpiqa_desktop.records import Row
from dpiqa_desktop.scaling.cluster import Share
from dpiqa_desktop.scaling.plan import Entries
from dpiqa_desktop.scaling.scorer import Scorer, Work, row_of, write_part
from dpiqa_desktop.scaling.source import Entry
from dpiqa_desktop.scaling.storage import Storage

_REASON = "the process that was scoring it died, twice: out of memory, or a fault in a decoder"


def rescue(storage: Storage, work: Work, share: Share, part: int) -> Row:
    """Score a part photo by photo and write it; what kills its process twice becomes a failure.

    Returns:
        what ``OUTCOME`` says of the part.

    Raises:
        OSError: the plan cannot be read, or the part not be written.
        ray.exceptions.RayError: for any other reason.
    """
    # No attempts of Ray's own: after a lack of memory it would go on for ever.
    task = ray.remote(_score_one).options(num_cpus=share.cores, num_gpus=share.gpus, max_retries=0)
    shared = ray.put(work)
    waiting = iter(Entries(storage, work.plan.out).of(part))
    window: deque[tuple[Entry, ray.ObjectRef[Row]]] = deque()
    rows: list[Row] = []
    while True:
        for entry in islice(waiting, 2 * max(share.actors, 1) - len(window)):
            window.append((entry, task.remote(shared, entry)))
        if not window:
            return write_part(storage, work, part, rows)
        entry, first = window.popleft()
        try:
            try:
                rows.append(ray.get(first))
            except (WorkerCrashedError, NodeDiedError, OutOfMemoryError):
                rows.append(ray.get(task.remote(shared, entry)))
        except (WorkerCrashedError, NodeDiedError, OutOfMemoryError):
            rows.append(row_of(Failed(entry.name, _REASON), work))


def _score_one(work: Work, entry: Entry) -> Row:
    (row,) = _scorer(work).rows([entry])
    return row


@functools.lru_cache(maxsize=1)
def _scorer(work: Work) -> Scorer:
    """The model, kept from one photo to the next as long as the process lives."""
    return Scorer(work)
