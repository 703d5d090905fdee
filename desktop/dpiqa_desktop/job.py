"""What ``dpiqa-batch`` does with its options: one scoring run from folders to results, or an undo."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING

from dpiqa_desktop.console import Console
from dpiqa_desktop.engine.backends import Backend, create_backend
from dpiqa_desktop.engine.bursts import Shot, group_bursts
from dpiqa_desktop.engine.photo_file import MAX_PIXELS
from dpiqa_desktop.engine.run import Stages, choose_stages, run
from dpiqa_desktop.engine.scan import PHOTO_SUFFIXES, Found, scan, without_paired_raw
from dpiqa_desktop.engine.stars import (
    Percentiles,
    StarRule,
    assign_stars,
    check_stars_fit,
    default_rule,
    parse_stars,
)
from dpiqa_desktop.engine.steps import Steps
from dpiqa_desktop.engine.store import Store, default_database
from dpiqa_desktop.events import Event, Failed, Scored
from dpiqa_desktop.exit_codes import ExitCode, code_of_run
from dpiqa_desktop.interrupts import noticing_interrupts
from dpiqa_desktop.options import BatchOptions
from dpiqa_desktop.records import (
    RankedPhoto,
    Report,
    Results,
    require_parquet,
    write_csv,
    write_json,
    write_parquet,
)
from dpiqa_plugin.errors import StoreError, UsageError

if TYPE_CHECKING:
    from dpiqa_desktop.journal import Journal
    from dpiqa_desktop.metadata.write_journal import WriteJournal
    from dpiqa_desktop.organise import NotDone, Operation, Plan
    from dpiqa_desktop.watch import Watch
    from dpiqa_desktop.writing import Writing


def score_photos(options: BatchOptions) -> ExitCode:
    """Find photos, choose the model, score, show, write, sort; Ctrl-C keeps what is scored.

    Raises:
        DPIQAError: nothing could be scored, or the results could not be written.
    """
    if options.parquet:
        require_parquet()
    if options.to is not None:
        from dpiqa_desktop.organise import checked_target

        checked_target(options.to, options.paths)  # before anything is done
    console = Console(options.quiet, live=options.watch)
    with contextlib.ExitStack() as open_now:
        store = open_now.enter_context(contextlib.closing(_open_store(options, console)))
        not_done = _put_right(options, store, console)
        # Before the scan: what arrives in between is in one of the two.
        watch = open_now.enter_context(_watching(options)) if options.watch else None
        found = scan(options.paths, may_be_empty=options.watch)
        backend = create_backend(options.metric, options.device, options.backend)
        rule = _star_rule(options, backend)
        writing = _writing(options, rule, backend, store, open_now, console)
        if options.sync:
            _sync(found, store, backend, console)
        results = Results(options.metric, backend.lower_better)
        console.start(len(found.photos), found.paired, backend.description)
        as_they_come = _write_as_they_come(writing, watch, rule)
        with noticing_interrupts() as stop:
            events = _events(found, watch, backend, store, options, stop)
            interrupted = _collect(results, events, stop, console, as_they_come)
        report = results.report(rule, _bursts(results))
        try:
            _write_reports(report, options)
        finally:  # also if Ctrl-C came while they were written
            console.table(report.photos[: options.top])
        not_done += _write_into_photos(report, options, writing, interrupted)
        if not interrupted:
            not_done += _sort_into_folders(report, options, store, console)
    # Ctrl-C is how watching ends.
    return code_of_run(len(report.failed) + not_done, interrupted and not options.watch)


def undo(options: BatchOptions) -> ExitCode:
    """Take back what a run wrote, moved or copied, or all that was written in a folder.

    Raises:
        DPIQAError: there is no such run, or its journal cannot be read.
    """
    from dpiqa_desktop import relocate, writing
    from dpiqa_desktop.journal import Journal
    from dpiqa_desktop.metadata.write_journal import WriteJournal

    console = Console(options.quiet)
    with (
        contextlib.closing(Store(default_database())) as store,
        contextlib.closing(WriteJournal(default_database())) as writes,
    ):
        moves = Journal(store.connection)
        run = _run_to_undo(options, moves, writes)
        if isinstance(run, str):
            failed = writing.undo(writes.entries_below(run), writes, store, console)
        else:
            if run is not None:
                console.say(f"taking back run {run}")
            if run is not None and writes.has(run):
                failed = writing.undo(writes.entries(run), writes, store, console)
            else:
                failed = _tell(relocate.undo(moves, run), console)
            if failed:
                console.say(f"--undo {run} tries again what is left; --undo RUN takes back another run")
    return code_of_run(failed, interrupted=False)


def _run_to_undo(options: BatchOptions, moves: Journal, writes: WriteJournal) -> int | str | None:
    """The number of a run, the real path of a folder, or None if there is nothing to be undone."""
    if options.undo == "latest":
        return max((run for run in (moves.latest(), writes.latest()) if run is not None), default=None)
    assert options.undo is not None
    return int(options.undo) if options.undo.isdecimal() else os.path.realpath(options.undo)


def _collect(
    results: Results,
    events: Generator[Event, None, None],
    stop: threading.Event,
    console: Console,
    as_they_come: Callable[[Scored], None] | None,
) -> bool:
    """Take in and show all events, write photos at once if asked to; whether Ctrl-C ended them."""
    started = time.perf_counter()
    try:
        with contextlib.closing(events):
            for event in events:
                results.add(event)
                console.show(event)
                if as_they_come is not None and isinstance(event, Scored):
                    as_they_come(event)
    except KeyboardInterrupt:
        stop.set()
    console.finish(results, time.perf_counter() - started, stop.is_set())
    return stop.is_set()


def _events(
    found: Found,
    watch: Watch | None,
    backend: Backend,
    store: Store,
    options: BatchOptions,
    stop: threading.Event,
) -> Generator[Event, None, None]:
    max_pixels = MAX_PIXELS if options.max_pixels is None else int(options.max_pixels * 1_000_000)
    steps = Steps(backend, store, max_pixels, options.force)
    stages = choose_stages(backend, options.batch_size)
    yield from found.unreadable
    yield from run(found.photos, steps, stages, stop)
    if watch is not None:
        yield from _arriving(watch, steps, stages, stop)


def _arriving(
    watch: Watch, steps: Steps, stages: Stages, stop: threading.Event
) -> Generator[Event, None, None]:
    """Score what arrives until Ctrl-C, or until a folder is gone: a card pulled out costs no report."""
    from dpiqa_desktop.watch import WatchError

    try:
        for batch in watch.batches(stop):
            yield from run(without_paired_raw(batch, _neighbours(batch)), steps, stages, stop)
    except WatchError as error:
        yield Failed("--watch", str(error))


def _neighbours(photos: Sequence[str]) -> list[str]:
    """All files in the folders of ``photos``."""
    found: list[str] = []
    for folder in {os.path.dirname(photo) for photo in photos}:
        with contextlib.suppress(OSError):  # a folder that is gone has none
            found += [os.path.join(folder, name) for name in os.listdir(folder)]
    return found


def _watching(options: BatchOptions) -> contextlib.AbstractContextManager[Watch]:
    from dpiqa_desktop.watch import watching

    return watching(options.paths, PHOTO_SUFFIXES)


def _star_rule(options: BatchOptions, backend: Backend) -> StarRule:
    if options.stars is None:
        return default_rule(backend.score_range)
    rule = parse_stars(options.stars)
    check_stars_fit(rule, options.metric, backend.score_range)
    return rule


def _open_store(options: BatchOptions, console: Console) -> Store:
    """Open the store, or one for this run only: but no photo is touched without a journal that lasts."""
    try:
        return Store(default_database())
    except StoreError as error:
        if (options.to is not None or options.write != "none") and not options.dry_run:
            raise
        console.notice(f"{error}; scores of this run are not kept")
        return Store(None)


def _put_right(options: BatchOptions, store: Store, console: Console) -> int:
    """Finish what a killed run was moving, before the scan sees half of it; how many files could not be."""
    if options.to is None or options.dry_run:
        return 0
    from dpiqa_desktop import relocate
    from dpiqa_desktop.journal import Journal

    return _tell(relocate.recover(Journal(store.connection)), console)


def _bursts(results: Results) -> list[list[str]]:
    shots = [Shot(photo.path, photo.score, photo.captured_at, photo.likeness) for photo in results.scored]
    return [
        [shots[member].path for member in burst.members]
        for burst in group_bursts(shots, results.lower_better)
    ]


def _write_reports(report: Report, options: BatchOptions) -> None:
    if options.csv:
        write_csv(report, options.csv)
    if options.json:
        write_json(report, options.json)
    if options.parquet:
        write_parquet(report, options.parquet)
    if options.html:
        from dpiqa_desktop.html_report import write_html

        write_html(report, options.html)


def _writing(
    options: BatchOptions,
    rule: StarRule,
    backend: Backend,
    store: Store,
    open_now: contextlib.ExitStack,
    console: Console,
) -> Writing | None:
    if options.write == "none":
        return None
    if options.watch and isinstance(rule, Percentiles):
        raise UsageError("--write with --watch needs stars by scores: percentiles are known at the end")
    from dpiqa_desktop.metadata.write_journal import WriteJournal
    from dpiqa_desktop.writing import Writing

    journal = None
    if not options.dry_run:
        journal = open_now.enter_context(contextlib.closing(WriteJournal(default_database())))
    return Writing(options, backend, store, journal, console)


def _write_as_they_come(
    writing: Writing | None, watch: Watch | None, rule: StarRule
) -> Callable[[Scored], None] | None:
    """What writes a photo as soon as it is scored; None if that is for the end, when all stars are known."""
    if writing is None or watch is None:
        return None

    def write(scored: Scored) -> None:
        (stars,) = assign_stars([scored.score], rule, lower_better=False)
        writing.write_one(
            RankedPhoto(
                scored.path, scored.score, stars, scored_at=scored.scored_at, uncertainty=scored.uncertainty
            )
        )
        watch.passed_over(scored.path)

    return write


def _sync(found: Found, store: Store, backend: Backend, console: Console) -> None:
    from dpiqa_desktop.metadata.sync import sync

    taken = sync(found.photos, store, backend.identity)
    console.say(f"scores taken over from photos and sidecars: {taken:,}")


def _write_into_photos(
    report: Report, options: BatchOptions, writing: Writing | None, interrupted: bool
) -> int:
    """Write as asked for; how many files could not be."""
    if writing is None or (interrupted and not options.watch):
        return 0
    try:
        if not options.watch:
            writing.write_all(report.photos)
    finally:  # after Ctrl-C, too: what was written can be taken back
        failed = writing.finish()
    return failed


def _sort_into_folders(report: Report, options: BatchOptions, store: Store, console: Console) -> int:
    """Move or copy as asked for, or say what would be; how many files could not be."""
    if options.to is None:
        return 0
    from dpiqa_desktop import relocate
    from dpiqa_desktop.journal import Journal

    plan = _plan(report, options, options.to)
    if options.dry_run:
        return _tell([*plan.left, *plan.operations], console, planned=True)
    journal = Journal(store.connection)
    before = journal.latest()
    failed = _tell(relocate.apply(plan, journal), console)
    if journal.latest() != before:
        console.say(f"to take this back: dpiqa-batch --undo {journal.latest()}")
    return failed


def _plan(report: Report, options: BatchOptions, to: str) -> Plan:
    from dpiqa_desktop.organise import plan_copy, plan_move

    scored = [(photo.path, photo.score) for photo in report.photos]
    if options.move_below is not None:
        return plan_move(scored, options.move_below, report.lower_better, options.paths, to)
    return plan_copy(scored, options.copy_top or 0, report.lower_better, options.paths, to)


def _tell(outcomes: Iterable[Operation | NotDone], console: Console, planned: bool = False) -> int:
    """Print what is done with every file; how many could not be."""
    from dpiqa_desktop.organise import NotDone

    failed = 0
    for outcome in outcomes:
        if isinstance(outcome, NotDone):
            failed += 1
            console.failed(outcome.path, outcome.reason)
        else:
            console.operation(outcome, planned)
    return failed
