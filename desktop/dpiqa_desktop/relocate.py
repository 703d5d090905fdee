"""Carries out a plan of ``organise`` and takes it back: photo by photo, each as a whole or not at all.

Whatever stops it half-way, an error, Ctrl-C, ``kill -9``, leaves the photo where it was: at once, or when
this is used the next time, from what the journal says.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from dpiqa_desktop import placing
from dpiqa_desktop.engine.companions import composed, ending, is_photo, stem
from dpiqa_desktop.journal import Entry, Journal, State
from dpiqa_desktop.metadata.targets import Listing, name_of_all, newcomer
from dpiqa_desktop.organise import NotDone, Operation, Plan, PlannedPhoto, next_free
from dpiqa_desktop.placing import GoneError, NameTakenError, PlacingError, StaysError, Step
from dpiqa_desktop.process_lock import LockError, writing_alone
from dpiqa_plugin.errors import UsageError

_ATTEMPTS = 20  # at a name, each lost to somebody who took it in between


def apply(
    plan: Plan, journal: Journal, why_not: Callable[[PlannedPhoto], Sequence[NotDone]] = lambda photo: ()
) -> Generator[Operation | NotDone, None, None]:
    """Do what is planned; yield every file as it is done, or one of a photo's files and why it did not go.

    First puts right what a killed run left. Closing the iterator stops between two photos.

    Args:
        plan: to be done.
        journal: what can be undone.
        why_not: is asked when a photo's turn comes; the photo stays if there is a reason.

    Raises:
        JournalError: the journal fails or is in use. The photo at hand is put back.
        PlacingError: the target folder cannot be made.
    """
    with journal.alone():
        yield from _recover(journal)
        yield from plan.left
        if not plan.photos:
            return
        run = journal.start(plan.what, plan.to)
        try:
            _make_folder(journal, run, plan.to)
            target, listing = os.stat(plan.to), Listing()
            for number, photo in enumerate(plan.photos):
                reasons = why_not(photo)
                slot = _Slot(journal, run, number, plan.to, target, listing)
                yield from reasons or _carry_out(slot, photo)
        finally:
            _remove_empty_folders(journal, run)


def undo(journal: Journal, run: int | None = None) -> Generator[Operation | NotDone, None, None]:
    """Take back a run, or the latest one of which something is left: moved files return, copies go.

    Only what is unchanged since, never over another file, and never away from one that has come to belong to
    it. What cannot be undone comes with its reason and may be tried again. A photo that is gone is told, and
    does not make its run the latest any more until it is there again.

    Raises:
        UsageError: there is no such run, or none to undo.
        JournalError: the journal fails or is in use. The photo at hand stays as it was.
    """
    with journal.alone():
        yield from _recover(journal)
        run = journal.latest() if run is None else run
        if run is None:
            raise UsageError("there is nothing to undo")
        journal.check_run(run)
        listing = Listing()
        try:
            for entry in journal.done(run):
                yield from _undo_photo(journal, entry, listing)
        finally:
            _remove_empty_folders(journal, run)


def recover(journal: Journal) -> Iterator[NotDone]:
    """Put right what a killed run left half-way. Call it before scanning for a new plan.

    ``apply`` and ``undo`` do it, too; a plan made before is not wrong then, but may miss photos.

    Yields:
        what could not be put right.

    Raises:
        JournalError: the journal fails or is in use.
    """
    with journal.alone():
        yield from _recover(journal)


@dataclass(frozen=True)
class _Slot:
    """Where one photo of a run is to be written down; folders as they were when that began."""

    journal: Journal
    run: int
    photo: int
    to: str
    folder: os.stat_result
    listing: Listing


def _carry_out(slot: _Slot, photo: PlannedPhoto) -> Iterator[Operation | NotDone]:
    problem = _problem(_move_or_copy, slot, photo)
    for _ in range(_ATTEMPTS):
        if not isinstance(problem, NameTakenError):
            break
        photo = next_free(photo)
        problem = _problem(_move_or_copy, slot, photo)
    if problem is None:
        yield from photo.operations
    else:
        yield NotDone(problem.path, problem.reason)


def _move_or_copy(slot: _Slot, photo: PlannedPhoto) -> None:
    steps = tuple(_first_step(operation) for operation in photo.operations if operation.kind != "keep")
    if not steps:
        return
    entry = Entry(slot.run, slot.photo, slot.to, "planned", steps)
    _make_folders(slot, os.path.dirname(steps[0].target))
    _check_paths(entry)
    with _alone(steps):
        if not steps[0].keep:
            _check_nothing_came_to(photo, slot.listing)
        slot.journal.write(entry)
        _transfer(slot.journal, entry, steps, finished="done", abandoned="undone")


def _check_nothing_came_to(photo: PlannedPhoto, listing: Listing) -> None:
    """Raise PlacingError if a file belongs to the photo that is not in its plan: it would be left behind."""
    sources = [operation.source for operation in photo.operations]
    asked = next(filter(is_photo, sources), sources[0])
    with _listed(asked):
        name = newcomer(asked, sources, listing)
    if name is not None:
        raise PlacingError(asked, f"stays, as {name} has come to it since this was planned; try again")


@contextlib.contextmanager
def _listed(photo: str) -> Iterator[None]:
    """Make an error of listing a photo's folder a PlacingError."""
    try:
        yield
    except OSError as error:
        raise PlacingError(photo, f"is in a folder that cannot be listed: {error.strerror}") from error


def _first_step(operation: Operation) -> Step:
    temporary = f".dpiqa-{secrets.token_hex(6)}.part"
    before = placing.look_closely(operation.source)
    return Step(operation.source, operation.target, temporary, operation.kind == "copy", before)


@contextlib.contextmanager
def _alone(steps: Sequence[Step]) -> Iterator[None]:
    """Keep our writers from a photo: what they wrote where it was, or beside it, would go or stay behind.

    Not to be nested. Whoever is in it waits for no other lock.

    Raises:
        PlacingError: it cannot be locked.
    """
    names = {name_of_all(path) for step in steps for path in (step.source, step.target)}
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(writing_alone(*names))
        except LockError as error:
            raise PlacingError(steps[0].source, f"stays where it is: {error}") from error
        yield


def _transfer(
    journal: Journal, entry: Entry, steps: Sequence[Step], finished: State, abandoned: State
) -> None:
    """Place all files of a photo, then remove them where they were; on any error, put all of them back.

    To be called while it is locked, see ``_alone``.

    Args:
        entry: as the journal has it.
        steps: its steps, or these backwards.
        finished, abandoned: states for the journal.
    """
    tried: list[Step] = []
    try:
        for step in steps:
            _place(step, tried)
        _sync({os.path.dirname(step.target) for step in tried})
        if finished == "done":
            journal.write(replace(entry, state="placed", steps=tuple(tried)))
        if not steps[0].keep:
            for step in tried:
                placing.remove_source(step)
            _sync({os.path.dirname(step.source) for step in tried})
        journal.set_state(entry, finished, moved=() if steps[0].keep else tried)
    except BaseException as error:
        problems = _put_back(tried)
        if problems:
            if isinstance(error, PlacingError):
                last = problems[-1]
                reason = f"{error.reason}; {last.path} {last.reason}"
                if all(isinstance(problem, StaysError) for problem in problems):
                    journal.set_state(entry, abandoned)
                else:
                    reason += "; the next run or undo tries to put it back"
                raise PlacingError(error.path, reason) from error
            raise
        journal.set_state(entry, abandoned)
        raise


def _place(step: Step, tried: list[Step]) -> None:
    """Place one file; ``tried`` gets what is to be put back if it, or a later one, fails."""
    placing.check_ready(step)
    tried.append(step)
    try:
        tried[-1] = placing.place(step)
    except NameTakenError:
        tried.pop()  # what has the name is not ours
        raise


def _put_back(steps: list[Step]) -> list[PlacingError]:
    """Put back what can be, all else notwithstanding; return what could not."""
    problems = [_problem(placing.put_back, step) for step in reversed(steps)]
    return [problem for problem in problems if problem is not None]


def _problem(action: Callable[..., None], *arguments: object) -> PlacingError | None:
    try:
        action(*arguments)
    except PlacingError as error:
        return error
    return None


def _recover(journal: Journal) -> Iterator[NotDone]:
    for entry in journal.unfinished():
        settled: State = "done" if entry.state == "undoing" else "undone"
        steps = list(entry.steps)
        if entry.state == "undoing":
            # A copy that was to be removed is there or not; both are as good as before.
            steps = [] if steps[0].keep else [step.backwards() for step in steps]
        try:
            _check_paths(entry)
            with _alone(entry.steps):
                problems = _put_back(steps)
        except PlacingError as error:
            problems = [error]
        yield from (NotDone(problem.path, problem.reason) for problem in problems)
        if all(isinstance(problem, (GoneError, StaysError)) for problem in problems):
            journal.set_state(entry, settled)
    _remove_empty_folders(journal)


def _undo_photo(journal: Journal, entry: Entry, listing: Listing) -> Iterator[Operation | NotDone]:
    steps, copied = entry.steps, entry.steps[0].keep
    folder = os.path.dirname(steps[0].target)
    if any(os.path.lexists(step.target) for step in steps):
        yield from (_undo_copy if copied else _undo_move)(journal, entry, listing)
    elif copied and os.path.isdir(folder) and os.path.realpath(folder) == folder:
        journal.set_state(entry, "undone")
    elif not copied and all(os.path.lexists(step.source) for step in steps):
        journal.set_state(entry, "undone")  # by hand
        yield from (NotDone(step.target, f"is back already: {step.source}") for step in steps)
    else:
        journal.miss(entry)
        yield from (NotDone(step.target, _why_gone(step.target)) for step in steps)


def _why_gone(path: str) -> str:
    if os.path.isdir(os.path.dirname(path)):
        return "is no longer there: deleted, moved or renamed since"
    return "is no longer there, nor is its folder; is its disk or card plugged in?"


def _undo_move(journal: Journal, entry: Entry, listing: Listing) -> Iterator[Operation | NotDone]:
    try:
        _check_paths(entry)
        with _alone(entry.steps):
            there = tuple(step for step in entry.steps if placing.look(step.target) is not None)
            for step in there:
                placing.check_unchanged(step)
            _check_nothing_came(entry, listing)
            backwards = tuple(step.backwards() for step in there)
            if backwards:
                journal.set_state(entry, "undoing")
                _transfer(journal, entry, backwards, finished="undone", abandoned="done")
    except PlacingError as error:
        yield NotDone(error.path, error.reason)
        return
    yield from (Operation("move", step.source, step.target) for step in backwards)
    yield from (NotDone(step.target, "is no longer there") for step in entry.steps if step not in there)


def _undo_copy(journal: Journal, entry: Entry, listing: Listing) -> Iterator[Operation | NotDone]:
    removed: list[Operation] = []
    problem = None
    try:
        _check_paths(entry)
        with _alone(entry.steps):
            _remove_copies(journal, entry, listing, removed)
    except PlacingError as error:
        problem = NotDone(error.path, error.reason)
    yield from removed
    if problem is not None:
        yield problem


def _remove_copies(journal: Journal, entry: Entry, listing: Listing, removed: list[Operation]) -> None:
    """Remove those of a photo's copies that are there; ``removed`` gets what is gone, also if one fails."""
    there = [step for step in entry.steps if placing.look(step.target) is not None]
    for step in there:
        placing.check_removable(step)
    _check_nothing_came(entry, listing)
    journal.set_state(entry, "undoing")
    try:
        for step in there:
            placing.remove_copy(step)
            removed.append(Operation("remove", step.target, step.source))
    except BaseException:
        journal.set_state(entry, "done")
        raise
    journal.set_state(entry, "undone")


def _check_nothing_came(entry: Entry, listing: Listing) -> None:
    """Raise PlacingError if a file belongs to the photo now that the run did not put there: it would stay."""
    step = next((step for step in entry.steps if is_photo(step.target)), entry.steps[0])
    folder, photo = os.path.split(step.target)
    put = {composed(os.path.basename(step.target)) for step in entry.steps}
    with _listed(step.target):
        names = listing.files_now(step.target)
    for name in names:
        path = os.path.join(folder, name)
        if composed(name) in put or not os.path.lexists(path):
            continue
        original = stem(os.path.basename(step.source)) + ending(name, stem(photo))
        if step.keep and _is_copy(path, os.path.join(os.path.dirname(step.source), original)):
            continue  # it was there before, so that this one was not copied
        raise PlacingError(
            step.target,
            f"has {name} beside it now, which would stay behind; take back the run that wrote it, or move it "
            "away, then try again",
        )


def _is_copy(path: str, original: str) -> bool:
    return placing.look(original) is not None and placing.same_content(path, original)


def _check_paths(entry: Entry) -> None:
    """Raise PlacingError unless every path leads where it led when it was written down, links and all."""
    for step in entry.steps:
        if os.path.commonpath([entry.into, step.target]) != entry.into:
            raise PlacingError(step.target, f"is outside {entry.into}, where that run put its files")
        for path in (step.source, step.target):
            folder, name = os.path.split(path)
            if name in ("", os.curdir, os.pardir) or os.path.realpath(folder) != folder:
                raise PlacingError(path, "leads elsewhere than it did; a folder on the way may be a link now")
            if not os.path.isdir(folder):
                raise PlacingError(
                    path, "cannot be reached: its folder is not there; is the disk or card plugged in?"
                )


def _make_folders(slot: _Slot, folder: str) -> None:
    """Make ``folder`` and those above it up to the target folder, which must be there still."""
    try:
        same = os.path.samestat(os.stat(slot.to), slot.folder)
    except OSError:
        same = False
    if not same:
        raise PlacingError(slot.to, "is no longer the folder that it was; is the disk or card plugged in?")
    below = os.path.relpath(folder, slot.to)
    path = slot.to
    for name in [] if below == os.curdir else below.split(os.sep):
        path = os.path.join(path, name)
        _make_folder(slot.journal, slot.run, path)


def _make_folder(journal: Journal, run: int, path: str) -> None:
    if os.path.isdir(path):
        return
    journal.add_folder(run, path)
    if not placing.make_folder(path):
        journal.drop_folder(run, path)


def _remove_empty_folders(journal: Journal, run: int | None = None) -> None:
    for number, path in journal.folders_to_remove(run):
        if placing.remove_folder(path):
            journal.drop_folder(number, path)


def _sync(folders: set[str]) -> None:
    for folder in sorted(folders):
        placing.sync_folder(folder)
