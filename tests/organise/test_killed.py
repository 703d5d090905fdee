"""A process killed at any moment leaves every photo whole, and undo puts all of them where they were."""

import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from makers import killed_organiser
from makers.photo_folders import Disk, contents, journal_at, on, put

from dpiqa_desktop.organise import NotDone
from dpiqa_desktop.relocate import apply, recover, undo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

NAMES = ["a.jpg", "a.cr2", "a.cr2.xmp", "day/b.jpg", "day/b.xmp", "day/keep.txt"]
WAYS = list(itertools.product(["links", "no links", "other"], ["move", "copy"]))


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    yield folder
    shutil.rmtree(folder)


def _check_and_restore(folder, disk, before):
    """Nothing is lost at once; after the next run has put right what was left, nothing is there twice."""
    both = (folder / "photos", folder / "out")
    texts = {content for content, _, _ in before.values()}
    assert texts <= {content for content, _, _ in contents(*both).values()}
    with on(Disk(disk)), journal_at(folder / "scores.db") as journal:
        assert list(recover(journal)) == []
        settled = contents(*both)
        assert {content for content, _, _ in settled.values()} == texts
        while journal.latest() is not None:
            assert [outcome for outcome in undo(journal) if isinstance(outcome, NotDone)] == []
    assert contents(*both) == before
    assert not (folder / "out").exists()
    return len(settled)


@pytest.mark.parametrize(("disk", "kind"), WAYS)
def test_killed_at_random_moments(folder, disk, kind):
    put(folder / "photos", [*NAMES, *(f"{number}.jpg" for number in range(20))])
    before = contents(folder / "photos")
    moments = random.Random(f"{disk} {kind}")
    for _ in range(6):
        with _organiser("until_killed", folder, disk, kind) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(moments.uniform(0, 0.3))
            process.kill()
        files = _check_and_restore(folder, disk, before)
        assert files == len(before) or kind == "copy"


@pytest.mark.parametrize(("disk", "kind"), WAYS)
def test_killed_between_any_two_calls(folder, disk, kind):
    """Forks for every call to the disk that a run and its undo make, and lets the child die before it."""
    put(folder / "photos", NAMES)
    before = contents(folder / "photos")
    counting = Disk(disk)
    with on(counting), journal_at(folder / "scores.db") as journal:
        list(apply(killed_organiser.plan(folder, kind), journal))
        list(undo(journal))
    assert counting.calls > 50
    with _organiser("at_every_call", folder, disk, kind, str(counting.calls)) as process:
        for _ in range(counting.calls):
            assert process.stdout.readline() == b"killed\n"
            files = _check_and_restore(folder, disk, before)
            assert files == len(before) or kind == "copy"
            process.stdin.write(b"next\n")
            process.stdin.flush()
    assert process.returncode == 0


def _organiser(name, folder, *arguments):
    command = [sys.executable, killed_organiser.__file__, name, str(folder), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
