"""One job on a cluster: list the photos, see which parts are there, let actors score the others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Sequence

import pyarrow as pa
import ray
import ray.data
from pyarrow import dataset
from ray.exceptions import RayError

from dpiqa_desktop.console import Console
from dpiqa_desktop.engine.photo_file import MAX_PIXELS
from dpiqa_desktop.events import Progress
from dpiqa_desktop.exit_codes import ExitCode, code_of_run
from dpiqa_desktop.interrupts import noticing_interrupts
from dpiqa_desktop.options import BatchOptions
from dpiqa_desktop.records import Row
from dpiqa_desktop.scaling.cluster import Share, choose_share, device_of, joined, look_at_model
from dpiqa_desktop.scaling.plan import Plan, Settings, find_plan, make_plan
from dpiqa_desktop.scaling.rescue import rescue
from dpiqa_desktop.scaling.scorer import SCHEMA, Actor, Attempts, Work
from dpiqa_desktop.scaling.source import Source
from dpiqa_desktop.scaling.storage import Storage, plain
from dpiqa_plugin.errors import ReportError

DEFAULT_PART_SIZE = 1000
# The next part waits at its actor, so that none is idle; no more of them, so that all end together.
_PARTS_AT_AN_ACTOR = 2


def score_source(options: BatchOptions) -> ExitCode:
    """Score what is not scored yet, into Parquet files in the folder ``--out``; Ctrl-C keeps what is written.

    Raises:
        DPIQAError: nothing could be scored, or not everything be read or written.
    """
    assert options.out is not None
    console = Console(options.quiet)
    (address,) = options.paths
    storage = Storage(address, options.out)
    source = Source(plain(address), options.column)
    holds_bytes = source.holds_bytes(storage)  # before any cluster: a slip of the pen is said at once
    with joined(options.ray or ""):
        share = choose_share(options)
        work, description = _prepare(options, storage, source, holds_bytes, share, console)
        done = work.plan.done(storage)
        tally = _Tally(work.plan, done, _count_failed(storage, work.plan, done))
        console.start(tally.total, 0, f"{description}, {max(share.actors, 1)} at once")
        interrupted = _collect(_outcomes(storage, work, share, tally.missing), tally, console)
    return code_of_run(tally.failed, interrupted)


def _prepare(
    options: BatchOptions,
    storage: Storage,
    source: Source,
    holds_bytes: bool,
    share: Share,
    console: Console,
) -> tuple[Work, str]:
    """What is to be done, and by what: the job that is in ``--out``, or a new one."""
    assert options.out is not None
    out = plain(options.out)
    if not share.actors:
        console.notice(f"no machine has {share.cores} free cores for a model; waiting for one")
    model = look_at_model(options, share)
    max_pixels = MAX_PIXELS if options.max_pixels is None else int(options.max_pixels * 1_000_000)
    part_size = options.part_size or DEFAULT_PART_SIZE
    settings = Settings(model.identity, source.name, source.column, max_pixels, part_size)
    plan = find_plan(storage, out, settings)
    if plan is None:
        console.say("listing photos")
        plan = make_plan(storage, out, settings, source.parts(storage, part_size))
    work = Work(
        plan=plan,
        source=source,
        addresses=(options.paths[0], options.out),
        bytes=holds_bytes,
        metric=options.metric,
        device=device_of(options, share),
        backend=options.backend,
        batch_size=options.batch_size,
        max_pixels=max_pixels,
        cores=share.cores,
        model=model.identity,
    )
    return work, model.description


def _outcomes(
    storage: Storage, work: Work, share: Share, missing: Sequence[int]
) -> Generator[Row, None, None]:
    """What becomes of each part, as they are done; last those whose actors died again and again."""
    if not missing:
        return
    ray.data.DataContext.get_current().enable_progress_bars = False
    parts = ray.data.from_items([{"part": part} for part in missing], override_num_blocks=len(missing))
    pool = ray.data.ActorPoolStrategy(
        min_size=max(1, min(share.actors, len(missing))),
        max_tasks_in_flight_per_actor=_PARTS_AT_AN_ACTOR,
    )
    attempts = ray.remote(Attempts).options(num_cpus=0).remote()
    scored = parts.map_batches(
        Actor,
        fn_constructor_args=(work, attempts),
        batch_size=1,
        compute=pool,
        num_cpus=share.cores,
        num_gpus=share.gpus,
    )
    fatal = []
    for outcome in scored.iter_rows():
        if outcome["fatal"]:
            fatal.append(outcome["part"])
        else:
            yield outcome
    for part in fatal:
        yield rescue(storage, work, share, part)


def _collect(outcomes: Generator[Row, None, None], tally: _Tally, console: Console) -> bool:
    """Take in and show what becomes of all parts; whether Ctrl-C ended it.

    Raises:
        ReportError: a part could not be made.
    """
    interrupted = False
    try:
        with noticing_interrupts() as stop, contextlib.closing(outcomes), _saying_what_failed():
            for outcome in outcomes:
                if outcome["problem"]:
                    raise ReportError(f"part {outcome['part']} cannot be made: {outcome['problem']}")
                tally.count(outcome)
                for failure in outcome["failed"]:
                    console.failed(failure["path"], failure["reason"])
                console.show(tally.progress())
                if stop.is_set():
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        interrupted = True
    tally.finish(console, interrupted)
    return interrupted


@contextlib.contextmanager
def _saying_what_failed() -> Iterator[None]:
    try:
        yield
    except (RayError, OSError) as error:
        told = getattr(error, "cause", None) or error
        raise ReportError(f"the job ended early, run it again to go on: {told}") from error


def _count_failed(storage: Storage, plan: Plan, done: Sequence[int]) -> int:
    """Photos without a score in parts that are there, by the tables' own statistics.

    Raises:
        ReportError: a part is damaged.
    """
    if not done:
        return 0
    filesystem, _ = storage.find(plan.out)
    files = [storage.find(plan.part(part))[1] for part in done]
    try:
        parts = dataset.dataset(files, schema=SCHEMA, filesystem=filesystem, format="parquet")
        return int(parts.count_rows(filter=dataset.field("error").is_valid()))
    except (OSError, pa.ArrowException) as error:
        raise ReportError(f"a part in {plan.out} is damaged; delete it and run again: {error}") from error


class _Tally:
    """Counts photos, part by part."""

    def __init__(self, plan: Plan, done: Sequence[int], failed: int) -> None:
        self.total = sum(plan.sizes)
        self.missing = sorted(set(range(len(plan.sizes))) - set(done))
        self.failed = failed
        self._known = sum(plan.sizes[part] for part in done) - failed
        self._fresh = 0
        self._started = time.monotonic()

    def count(self, outcome: Row) -> None:
        self._fresh += outcome["scored"]
        self.failed += len(outcome["failed"])

    def progress(self) -> Progress:
        done = self._known + self._fresh + self.failed
        rate = self._fresh / self._seconds()
        return Progress(done, self.failed, self.total, rate, (self.total - done) / rate if rate else None)

    def finish(self, console: Console, interrupted: bool) -> None:
        console.finish_counted(self._fresh, self._known, self.failed, self._seconds(), interrupted)

    def _seconds(self) -> float:
        return max(time.monotonic() - self._started, 1e-9)
