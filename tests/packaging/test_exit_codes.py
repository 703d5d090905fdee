"""Every exit code of docs/exit-codes.md, got from the installed command, with what it says and where."""

from __future__ import annotations

import csv
import io
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dpiqa_desktop.exit_codes import ExitCode

MANY = 3000
BROKEN = "0020.png"
# A process that a shell starts in the background ignores Ctrl-C, and hands that on.
WITH_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])"""
pytestmark = pytest.mark.usefixtures("own_store")
needs_sigint = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")


@pytest.fixture(scope="module")
def command() -> str:
    path = shutil.which("dpiqa-batch", path=str(Path(sys.executable).parent))
    assert path is not None
    return path


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with two photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (64, 48), "teal").save(folder / name)
    return folder


@pytest.fixture
def many_photos(tmp_path) -> Path:
    """Far more than can be scored before a signal arrives; all but ``BROKEN`` are good."""
    folder = tmp_path / "many"
    folder.mkdir()
    photo = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(photo, "PNG")
    for number in range(MANY):
        (folder / f"{number:04d}.png").write_bytes(photo.getvalue())
    (folder / BROKEN).write_bytes(b"no photo")
    return folder


def _run(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments], cwd="/", capture_output=True, text=True, timeout=300, check=False
    )


def _start_and_wait_for_failure(command: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a run and return as soon as it has told of ``BROKEN``: by then it has scored all before it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_CTRL_C, command, *arguments],
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if BROKEN in line:
            return process
    raise AssertionError(f"it ended with {process.wait()} and never told of {BROKEN}")


def test_the_documented_codes_are_those_that_exist(checkout, command):
    document = (checkout / "docs" / "exit-codes.md").read_text("utf-8")
    documented = [int(code) for code in re.findall(r"^\| (\d+) \|", document, re.M)]
    assert documented == sorted(ExitCode)
    explained = _run(command, "--help").stdout.partition("exit codes:")[2]
    assert [int(code) for code in re.findall(r"\d+", explained)] == documented


def test_0_all_scored(command, photos):
    done = _run(command, photos)
    assert done.returncode == 0
    assert {line.split()[-1] for line in done.stdout.splitlines()} == {
        str(photos / "a.png"),
        str(photos / "b.jpg"),
    }
    assert "2 photos scored" in done.stderr


def test_1_some_failed(command, photos):
    (photos / "c.jpg").write_bytes(b"no photo")
    done = _run(command, photos)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert f"failed: {photos / 'c.jpg'}: " in done.stderr
    assert "2 photos scored, 1 failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a folder or a file to score"),
        (("PHOTOS", "--colour"), "unrecognized arguments: --colour"),
        (("PHOTOS", "--top", "0"), "--top must be 1 or more"),
        (("PHOTOS/none",), "no such file or folder"),
        (("PHOTOS/empty",), "no photos in"),
        (("PHOTOS", "--csv", "PHOTOS/none/scores.csv"), "there is no folder"),
    ],
)
def test_2_bad_usage(arguments, message, command, photos):
    (photos / "empty").mkdir()
    done = _run(command, *(argument.replace("PHOTOS", str(photos)) for argument in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("unheard", ["2>&-", "2>/dev/full", "2>&1 >/dev/null | head -c 1 >/dev/null"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the devices of Linux")
def test_1_some_failed_though_nobody_hears_of_it(unheard, command, photos, tmp_path):
    for number in range(50):  # more than `head` waits for
        (photos / f"{number}.png").write_bytes(b"no photo")
    table = tmp_path / "scores.csv"
    line = shlex.join([command, str(photos), "--csv", str(table)])
    shell = ["bash", "-c", f"set -o pipefail; {line} {unheard}"]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert all(line.lstrip().startswith("0.") for line in done.stdout.splitlines())
    with table.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 52


@needs_sigint
def test_3_results_that_cannot_be_written_win_over_an_interruption(command, many_photos, tmp_path):
    reports = tmp_path / "reports"
    reports.mkdir()
    process = _start_and_wait_for_failure(command, many_photos, "--csv", reports / "scores.csv")
    reports.rmdir()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 3
    assert "dpiqa-batch: error: cannot write" in told


@needs_sigint
def test_130_interrupted_with_all_that_was_scored(command, many_photos, tmp_path):
    process = _start_and_wait_for_failure(command, many_photos, "--csv", tmp_path / "scores.csv")
    process.send_signal(signal.SIGINT)
    table, told = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted: " in told
    assert "Traceback" not in told
    listed = {line.split()[-1] for line in table.splitlines()}
    scored_before = {str(many_photos / f"{number:04d}.png") for number in range(20)}
    assert scored_before <= listed
    assert len(listed) < MANY - 1
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows if row["score"]} == listed
    assert [row["path"] for row in rows if row["error"]] == [str(many_photos / BROKEN)]


def test_70_a_fault_of_ours_leaves_a_report(command, photos, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import sqlite3\nsqlite3.connect = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = _run(command, photos)
    assert (done.returncode, done.stdout) == (70, "")
    assert "Traceback" not in done.stderr
    (log,) = re.findall(r"report it with the file (.+)", done.stderr)
    report = Path(log).read_text(encoding="utf-8")
    assert "TypeError: 'NoneType' object is not callable" in report
    assert str(photos) in report
