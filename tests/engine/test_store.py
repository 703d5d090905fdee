"""The score store under kills, several processes, damage and odd names."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import platformdirs
import pytest
from makers.photos import save_photo

from dpiqa_desktop.engine.store import (
    FileState,
    Judged,
    Record,
    Store,
    content_hash,
    default_database,
    file_state,
)
from dpiqa_plugin.errors import PhotoError, StoreError

STATE_VALUES = (1000, 1_700_000_000_000_000_001)
STATE = FileState(*STATE_VALUES)
JUDGED = Judged(0.5, 1_700_000_000.25, (1 << 64) - 2, uncertainty=0.0625)
# As the first version made it.
FIRST_SCHEMA = """
    CREATE TABLE files (
        path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, hash BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE photos (hash BLOB PRIMARY KEY, captured_at REAL, likeness INTEGER) WITHOUT ROWID;
    CREATE TABLE scores (
        hash BLOB NOT NULL, model TEXT NOT NULL, score REAL NOT NULL, scored_at REAL NOT NULL,
        PRIMARY KEY (hash, model)
    ) WITHOUT ROWID;
    PRAGMA user_version = 1;
"""


@pytest.fixture
def database(tmp_path):
    return tmp_path / "cache" / "scores.sqlite3"


def record(name, judged=JUDGED, state=STATE):
    return Record(name, state, os.fsencode(name), judged)


def test_what_is_recorded_is_found_by_the_next_process(database):
    store = Store(database)
    store.record([record("/a.jpg")], "lite")
    store.close()
    again = Store(database)
    assert again.find("/a.jpg", STATE, "lite") == JUDGED
    assert again.find_content(b"/a.jpg", "lite") == JUDGED


def test_scores_of_the_first_version_are_kept_and_new_ones_join_them(database):
    database.parent.mkdir()
    connection = sqlite3.connect(database)
    connection.executescript(FIRST_SCHEMA)
    connection.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (b"/old.jpg", *STATE_VALUES, b"/old.jpg"))
    connection.execute("INSERT INTO photos VALUES (?, 17.0, NULL)", (b"/old.jpg",))
    connection.execute("INSERT INTO scores VALUES (?, 'lite', 0.25, 1.0)", (b"/old.jpg",))
    connection.commit()
    connection.close()
    for _ in range(2):  # the second opening finds nothing left to do
        store = Store(database)
        assert store.find("/old.jpg", STATE, "lite") == Judged(0.25, 17.0, None)
        store.record([record("/new.jpg")], "lite")
        assert store.find("/new.jpg", STATE, "lite") == JUDGED
        store.close()


@pytest.mark.parametrize(
    ("path", "state", "model"),
    [
        ("/b.jpg", STATE, "lite"),
        ("/a.jpg", FileState(1001, STATE.mtime_ns), "lite"),
        ("/a.jpg", FileState(1000, STATE.mtime_ns - 1), "lite"),
        ("/a.jpg", STATE, "lite-2"),
    ],
)
def test_another_path_size_time_or_model_is_not_found(path, state, model, database):
    store = Store(database)
    store.record([record("/a.jpg")], "lite")
    assert store.find(path, state, model) is None


def test_a_model_keeps_its_scores_beside_another_s(database):
    store = Store(database)
    store.record([record("/a.jpg")], "lite")
    store.record([record("/a.jpg", Judged(0.9, None, None))], "other")
    assert store.find("/a.jpg", STATE, "lite").score == 0.5
    assert store.find("/a.jpg", STATE, "other").score == 0.9


def test_names_of_any_bytes_and_relative_paths_are_kept(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["line\nfeed.jpg", os.fsdecode(b"latin-\xe9.jpg"), "日本.jpg"]
    store = Store(database)
    store.record([record(name) for name in names], "lite")
    for name in names:
        assert store.find(os.path.join(os.getcwd(), name), STATE, "lite") == JUDGED


def test_a_file_that_is_no_database_is_named(database):
    database.parent.mkdir()
    database.write_bytes(b"not SQLite at all" * 100)
    with pytest.raises(StoreError, match=r"scores\.sqlite3"):
        Store(database)
    assert database.read_bytes().startswith(b"not SQLite")


def test_a_newer_version_s_store_is_left_alone(database):
    Store(database).close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"newer version of dpiqa .*\. Update dpiqa$"):
        Store(database)


def test_a_store_in_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / "scores.sqlite3")


def test_damage_in_the_middle_costs_time_not_the_run(database):
    store = Store(database)
    store.record([record(f"/{i}.jpg") for i in range(2000)], "lite")
    store.close()
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(database.stat().st_size - 8192))
    damaged = Store(database)
    assert damaged.find("/1000.jpg", STATE, "lite") is None
    with pytest.raises(StoreError):
        damaged.record([record(f"/new {i}.jpg") for i in range(500)], "lite")


def test_threads_share_a_store(database):
    store, problems = Store(database), []

    def work(number):
        try:
            for i in range(50):
                store.record([record(f"/{number}-{i}.jpg")], "lite")
                assert store.find(f"/{number}-{i}.jpg", STATE, "lite") == JUDGED
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


WRITER = """
import sys
from pathlib import Path
from dpiqa_desktop.engine.store import FileState, Judged, Record, Store
store = Store(Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    name = f"/{sys.argv[2]}-{i}.jpg"
    store.record([Record(name, FileState(i, i), name.encode(), Judged(i, None, i))], "lite")
    print(i, flush=True)
"""


def writer(database, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, database, name, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_processes_that_write_at_once_lose_nothing(database):
    writers = [writer(database, name, 200) for name in "abc"]
    for process in writers:
        assert len(process.communicate(timeout=120)[0].splitlines()) == 200
        assert process.returncode == 0
    store = Store(database)
    assert all(
        store.find(f"/{name}-{i}.jpg", FileState(i, i), "lite") == Judged(i, None, i)
        for name in "abc"
        for i in range(200)
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
@pytest.mark.parametrize("after", [1, 20, 57])
def test_what_was_told_survives_a_kill(after, database):
    process = writer(database, "killed", 100_000)
    told = [int(next(process.stdout)) for _ in range(after)]
    process.kill()
    told += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    store = Store(database)
    assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert all(store.find(f"/killed-{i}.jpg", FileState(i, i), "lite") for i in told)


def test_content_is_what_counts_for_the_hash(tmp_path):
    one, copy, other = (save_photo(tmp_path / f"{n}.jpg", seed) for n, seed in enumerate([1, 1, 2]))
    assert content_hash(str(one)) == content_hash(str(copy)) != content_hash(str(other))


def test_a_pipe_has_no_state(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="not a regular file"):
        file_state(str(tmp_path / "pipe.jpg"))


@pytest.mark.usefixtures("own_store")
def test_marks_and_journals_outlive_the_caches():
    default = default_database()
    cache = Path(platformdirs.user_cache_dir("dpiqa", appauthor=False))
    assert not default.is_relative_to(cache)
    assert default.is_relative_to(os.environ["HOME"])
    # One that an earlier version left there is used on.
    cache.mkdir(parents=True)
    (cache / default.name).touch()
    assert default_database() == cache / default.name
    default.parent.mkdir(parents=True, exist_ok=True)
    default.touch()
    assert default_database() == default
