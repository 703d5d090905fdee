"""A process killed at any moment leaves every file old or new, and strays that the next run removes."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from makers import killed_replacer
from makers.killed_replacer import SIDECAR, SIDECAR_CONTENT, states
from makers.photo_folders import Disk, on

from dpiqa_desktop.metadata import belongings, replace_file, strays
from dpiqa_desktop.metadata.strays import remove_strays

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

KILLS = 200
MTIME_NS = 1_234_567_890_123_456_789


@pytest.fixture
def folder():
    # In memory, where nothing waits for the disk: each kill meets another moment of the work.
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    for path, (old, _) in states(folder).items():
        Path(path).write_bytes(old)
        os.chmod(path, 0o640)
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
    yield folder
    shutil.rmtree(folder)


def _check(folder, empty_sidecar=False):
    """Every file is old or new, and alone once the strays are gone; return which, and how many strays."""
    strays = remove_strays(str(folder))
    found = {str(path): path.read_bytes() for path in folder.iterdir()}
    sidecar = found.pop(str(folder / SIDECAR), SIDECAR_CONTENT)
    assert sidecar == SIDECAR_CONTENT or (empty_sidecar and sidecar == b"")
    (folder / SIDECAR).unlink(missing_ok=True)
    assert found.keys() == states(folder).keys()
    which = []
    for path, contents in states(folder).items():
        which.append(contents.index(found[path]))
        status = os.stat(path)
        assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o640, MTIME_NS)
    return tuple(which), len(strays)


def test_killed_at_random_moments(folder):
    moments = random.Random("moments")
    seen = set()
    with _replacer("at_random_moments", folder) as process:
        for _ in range(KILLS):
            process.stdin.write(b"%f\n" % moments.uniform(0, 0.05))
            process.stdin.flush()
            assert process.stdout.readline() == b"killed\n"
            # Whether a stray was left is chance here; below, it is not.
            seen.add(_check(folder)[0])
        process.stdin.close()
    assert process.returncode == 0
    assert len(seen) > 1  # else it was never killed at work


@pytest.mark.parametrize("kind", ["links", "no links"])
def test_killed_between_any_two_calls(folder, kind):
    """Forks for every call to the disk, and lets the child die before it."""
    counting = Disk(kind)
    with on(counting, replace_file, strays, belongings):
        killed_replacer.there_and_back(folder, "small.jpg")
    assert counting.calls > 50
    left = 0
    with _replacer("at_every_call", folder, kind, str(counting.calls)) as process:
        for _ in range(counting.calls):
            assert process.stdout.readline() == b"killed\n"
            left += _check(folder, empty_sidecar=kind == "no links")[1]
            process.stdin.write(b"next\n")
            process.stdin.flush()
    assert process.returncode == 0
    assert left > 0


def _replacer(name, folder, *arguments):
    command = [sys.executable, killed_replacer.__file__, name, str(folder), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
