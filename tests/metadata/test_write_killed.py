"""A writer killed at any moment leaves every file in one of its states, and the journal leads back."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import piexif
import pytest
from makers import killed_writer
from makers.photos import save_photo

from dpiqa_desktop.engine.store import Store
from dpiqa_desktop.metadata.undo import undo
from dpiqa_desktop.metadata.write_journal import WriteJournal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

KILLS = 200


@pytest.fixture
def scratch():
    # In memory, where nothing waits for the disk: each kill meets another moment of the work.
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    yield folder
    shutil.rmtree(folder)


def shoot(folder):
    """Photos in several formats, one of them with a RAW file, which gets a sidecar."""
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.png", "d.webp", "e.jpg"):
        save_photo(folder / name)
    piexif.insert(piexif.dump({"0th": {piexif.ImageIFD.Make: b"Canon"}}), str(folder / "b.jpg"))
    (folder / "e.RAF").write_bytes(b"not much of a photo")
    return tree(folder)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def all_states(folder, database):
    """What each file can be: as it was, and after every step until nothing new comes."""
    trees = [shoot(folder)]
    while len(trees) < 2 or trees[-1] not in trees[:-1]:
        killed_writer.write_all(folder, database, killed_writer.VERDICTS[(len(trees) - 1) % 2])
        trees.append(tree(folder))
    return {name: {known[name] for known in trees if name in known} for name in trees[-1]}


def test_killed_at_random_moments(scratch):
    states = all_states(scratch / "uninterrupted", scratch / "uninterrupted.sqlite3")
    folder, database = scratch / "photos", scratch / "scores.sqlite3"
    before = shoot(folder)
    moments, half_way = random.Random("moments"), 0
    command = [sys.executable, killed_writer.__file__, str(folder), str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(KILLS):
            process.stdin.write(b"%f\n" % moments.uniform(0, 0.1))
            process.stdin.flush()
            assert process.stdout.readline() == b"killed\n"
            now = {name: content for name, content in tree(folder).items() if not name.endswith(".tmp")}
            assert before.keys() <= now.keys() <= states.keys()
            for name, content in now.items():
                assert content in states[name], name
            half_way += len({content == before.get(name) for name, content in now.items()}) > 1
        process.stdin.close()
    assert process.returncode == 0
    assert half_way > 0  # else nothing was ever at work
    with closing(Store(database)) as store, closing(WriteJournal(database)) as journal:
        outcomes = list(undo(journal.entries_below(str(folder)), journal, store))
    assert all(outcome.exactly for outcome in outcomes)
    assert tree(folder) == before
