"""Whatever call to the disk fails, whenever: no byte is lost, nothing is half done, and undo restores all."""

import errno
import itertools
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers.photo_folders import Disk, contents, fails_with, journal_at, on, put

from dpiqa_desktop.organise import NotDone, plan_copy, plan_move
from dpiqa_desktop.placing import PlacingError
from dpiqa_desktop.relocate import apply, recover, undo

_FOLDERS = ["", "a", "A", "b/c"]
_STEMS = ["x", "X", "xy", "x-2", "é"]
_SUFFIXES = [".jpg", ".JPG", ".cr2", ".xmp", ".jpg.xmp", ".CR2.xmp", ".heic", ".mov", ".txt"]
_FILE = st.builds(
    lambda folder, stem, suffix: os.path.join(folder, stem + suffix),
    *(st.sampled_from(values) for values in (_FOLDERS, _STEMS, _SUFFIXES)),
)
_FILES = st.sets(_FILE, max_size=10)
_KIND = st.sampled_from(["links", "no links", "other"])


def _interrupt(name):
    raise KeyboardInterrupt(name)


_FAULT = st.sampled_from([errno.EIO, errno.ENOSPC, errno.EACCES, errno.EROFS]).map(fails_with)
_DISK = st.builds(
    Disk,
    kind=_KIND,
    at=st.integers(1, 120),
    what=_FAULT | st.just(_interrupt),
    forever=st.booleans(),
    late=st.booleans(),
)
# In memory, where waiting for the disk takes no time; each example fills a folder of its own.
_BASE = "/dev/shm" if os.path.isdir("/dev/shm") else None
_thorough = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def _world(names, there):
    """Yield the photos, the target that holds ``there`` already, and a journal."""
    folder = Path(tempfile.mkdtemp(dir=_BASE))
    try:
        put(folder / "photos", sorted(names))
        (folder / "photos").mkdir(exist_ok=True)
        put(folder / "photos" / "out", sorted(there), age=1)
        with journal_at(folder / "scores.db") as journal:
            yield folder / "photos", journal
    finally:
        shutil.rmtree(folder)


def _plan(folder, copy, scores):
    photos = sorted(
        str(path) for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".cr2", ".heic")
    )
    scored = list(zip(photos, itertools.cycle(scores), strict=False))
    roots, out = [str(folder)], str(folder / "out")
    return plan_copy(scored, 3, False, roots, out) if copy else plan_move(scored, 0.5, False, roots, out)


def _try(outcomes):
    """Go through outcomes as the command does; return those not done."""
    problems = []
    try:
        problems.extend(outcome for outcome in outcomes if isinstance(outcome, NotDone))
    except (PlacingError, KeyboardInterrupt) as error:
        problems.append(error)
    return problems


def _undo_everything(journal):
    list(recover(journal))
    while journal.latest() is not None:
        assert [outcome for outcome in undo(journal) if isinstance(outcome, NotDone)] == []


def _texts(tree):
    return {content for content, _, _ in tree.values()}


_SCORES = st.lists(st.sampled_from([0.1, 0.3, 0.7]), min_size=1, max_size=4)


@_thorough
@given(_FILES, _FILES, st.booleans(), _SCORES, _KIND)
def test_undo_gives_back_the_tree(names, there, copy, scores, kind):
    with _world(names, there) as (folder, journal):
        before = contents(folder)
        plan = _plan(folder, copy, scores)
        assert contents(folder) == before
        with on(Disk(kind)):
            done = list(apply(plan, journal))
            assert tuple(done) == plan.operations
            after = contents(folder)
            for operation in done:
                assert after[operation.target][0] == before[operation.source][0]
                assert (operation.source in after) == copy
            untouched = before.keys() - {operation.source for operation in done if not copy}
            assert {path: after[path] for path in untouched} == {path: before[path] for path in untouched}
            assert len(after) == len(before) + (len(done) if copy else 0)
            _undo_everything(journal)
        assert contents(folder) == before


@_thorough
@given(_FILES, _FILES, st.booleans(), _SCORES, _DISK)
def test_a_fault_while_organising_loses_nothing(names, there, copy, scores, disk):
    with _world(names, there) as (folder, journal):
        before = contents(folder)
        plan = _plan(folder, copy, scores)
        with on(disk):
            _try(apply(plan, journal))
        assert _texts(before) <= _texts(contents(folder))
        with on(Disk(disk.kind)):
            list(recover(journal))
            settled = contents(folder)
            assert _texts(settled) == _texts(before)  # no half files, no temporary ones
            if not copy:
                assert len(settled) == len(before)  # each under one name
            _undo_everything(journal)
        assert contents(folder) == before


@_thorough
@given(_FILES, _FILES, st.booleans(), _SCORES, _DISK)
def test_a_fault_while_undoing_loses_nothing(names, there, copy, scores, disk):
    with _world(names, there) as (folder, journal):
        before = contents(folder)
        with on(Disk(disk.kind)):
            list(apply(_plan(folder, copy, scores), journal))
        if journal.latest() is None:
            return
        with on(disk):
            _try(undo(journal))
        assert _texts(before) <= _texts(contents(folder))
        with on(Disk(disk.kind)):
            _undo_everything(journal)
        assert contents(folder) == before


@_thorough
@given(_FILES, st.booleans(), _SCORES, _DISK, _DISK)
def test_faults_while_putting_right_lose_nothing(names, copy, scores, first, second):
    with _world(names, ()) as (folder, journal):
        before = contents(folder)
        second.kind = first.kind
        plan = _plan(folder, copy, scores)
        with on(first):
            _try(apply(plan, journal))
        with on(second):
            _try(recover(journal))
        assert _texts(before) <= _texts(contents(folder))
        with on(Disk(first.kind)):
            _undo_everything(journal)
        assert contents(folder) == before
