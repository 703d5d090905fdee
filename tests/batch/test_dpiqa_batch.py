"""The command from its arguments to its exit code, on real photos and the bundled model."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from makers.dropped_interrupt import interrupt
from makers.fresh_interpreter import run_fresh
from makers.photos import exif_block, jpeg, save_photo, scene
from PIL import Image

from dpiqa_desktop.cli import main
from dpiqa_desktop.console import Console
from dpiqa_desktop.engine.store import default_database

BAD = ("dog_defocused", "flowers_shaken", "nyc_overcompressed", "reflect_noisy", "waves_underexposed")


pytestmark = pytest.mark.usefixtures("own_store")


@pytest.fixture
def shoot(tmp_path):
    """A folder with a good photo, a bad one with its RAW and sidecar, and one in a subfolder."""
    examples = Path(__file__).parents[2] / "examples" / "photos"
    folder = tmp_path / "shoot"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(examples / "dog.jpg", folder / "dog.jpg")
    shutil.copy(examples / "flowers_shaken.jpg", folder / "shaken.jpg")
    (folder / "shaken.CR2").write_bytes(b"raw data")
    (folder / "shaken.xmp").write_text("<x:xmpmeta/>")
    shutil.copy(examples / "sumac.png", folder / "sub" / "sumac.png")
    return folder


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "dpiqa_desktop", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_bad_photos_rank_below_good_ones(tmp_path, request):
    report = tmp_path / "scores.csv"
    assert main([str(request.config.rootpath / "examples" / "photos"), "--csv", str(report), "--quiet"]) == 0
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]).stem for row in rows[-len(BAD) :]} == set(BAD)
    assert len(rows) == 12


def test_the_table_is_on_stdout_and_all_else_on_stderr(shoot, capsys):
    assert main([str(shoot)]) == 0
    out, err = capsys.readouterr()
    scores = [float(line.split()[0]) for line in out.splitlines()]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert out.splitlines()[-1].endswith("shaken.jpg")
    assert "3 photos, dpiqa_lite on OpenVINO" in err
    assert "RAW files left out because they have a JPEG or HEIC beside them: 1" in err
    assert "3 photos scored" in err


def test_a_second_run_scores_nothing_and_loads_no_model(shoot, tmp_path):
    code = (
        "import sys; from dpiqa_desktop.cli import main; "
        f"main([{str(shoot)!r}]); print('openvino' in sys.modules, 'torch' in sys.modules)"
    )
    first, second = run_fresh(code, tmp_path), run_fresh(code, tmp_path)
    assert first.stdout.endswith("True False\n")
    assert second.stdout == first.stdout.replace("True False\n", "False False\n")
    assert "0 photos scored, 3 known from before" in second.stderr


def test_every_report_is_written(shoot, tmp_path):
    pytest.importorskip("pyarrow")
    names = {form: str(tmp_path / f"report.{form}") for form in ("csv", "json", "parquet", "html")}
    arguments = [text for form, path in names.items() for text in (f"--{form}", path)]
    assert main([str(shoot), "--quiet", "--stars", "percentile", *arguments]) == 0
    lines = [json.loads(line) for line in Path(names["json"]).read_text().splitlines()]
    assert [line["stars"] for line in lines] == sorted((line["stars"] for line in lines), reverse=True)
    assert all(os.path.getsize(path) > 300 for path in names.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a folder or a file"),
        (["FOLDER", "--move-below", "0.3"], "needs --to DIR"),
        (["FOLDER", "--to", "x"], "--to goes with"),
        (["FOLDER", "--dry-run"], "--dry-run goes with"),
        (["FOLDER", "--move-below", "0.3", "--copy-top", "3", "--to", "x"], "choose one"),
        (["FOLDER", "--undo"], "--undo takes one run or folder"),
        (["--undo", "yesterday"], "takes the number of a run"),
        (["--undo"], "nothing to undo"),
        (["--undo", "9" * 30], "takes the number of a run"),
        (["FOLDER", "--stars", "5,4,3,2"], "--stars"),
        (["FOLDER", "--top", "0"], "--top must be 1 or more"),
        (["FOLDER", "--max-pixels", "0"], "--max-pixels must be above 0"),
        (["FOLDER", "--max-pixels", "inf"], "--max-pixels must be above 0 and finite"),
        (["FOLDER", "--csv", ""], "--csv needs the name of a file"),
        (["FOLDER", "--csv", "same", "--json", "./same"], "two reports cannot be the same file"),
        (["FOLDER", "--csv", "nowhere/x.csv"], "nowhere; create it first"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_done(arguments, message, shoot, capsys):
    before = tree(shoot)
    assert main([str(shoot) if text == "FOLDER" else text for text in arguments]) == 2
    assert message in capsys.readouterr().err
    assert tree(shoot) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder that somebody is in")
@pytest.mark.parametrize(
    "arguments", [["FOLDER", "--csv", "x.csv"], ["FOLDER", "--copy-top", "1", "--to", "x"], ["--undo", "."]]
)
def test_a_current_folder_that_was_removed_is_named(arguments, shoot, tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main([str(shoot) if text == "FOLDER" else text for text in arguments]) == 2
    assert "the current folder was removed" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="symlinks need a privilege on Windows")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("away.csv", "there is no folder"),
        ("itself.csv", "choose another name"),
        ("x" * 252 + ".csv", "choose another name"),
    ],
)
def test_a_report_that_has_no_place_is_refused_before_a_photo_is_scored(name, message, shoot, capsys):
    (shoot / "away.csv").symlink_to(shoot / "gone" / "scores.csv")
    (shoot / "itself.csv").symlink_to(shoot / "itself.csv")
    assert main([str(shoot), "--csv", str(shoot / name)]) == 2
    assert message in capsys.readouterr().err


def test_a_report_may_have_the_longest_name_there_is(shoot):
    report = shoot / ("相" * 83 + "xx.csv")  # 255 bytes
    assert main([str(shoot), "--quiet", "--csv", str(report)]) == 0
    assert report.stat().st_size > 300


@pytest.mark.parametrize("option", ["--csv", "--json", "--parquet", "--html"])
def test_a_report_never_replaces_a_photo(option, shoot, capsys):
    """What the shell makes of ``--csv *.jpg``."""
    before = tree(shoot)
    assert main([option, str(shoot / "dog.jpg"), str(shoot / "shaken.jpg")]) == 2
    assert "is a file of another kind, and is not replaced" in capsys.readouterr().err
    assert tree(shoot) == before


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "html"])
def test_a_report_replaces_an_earlier_one(form, shoot, tmp_path):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    report = tmp_path / "report"
    for _ in range(2):
        assert main([str(shoot), "--quiet", f"--{form}", str(report)]) == 0
    report.write_bytes(b"")
    assert main([str(shoot), "--quiet", f"--{form}", str(report)]) == 0
    assert report.stat().st_size > 300


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_results_that_cannot_be_printed_are_in_the_reports_all_the_same(shoot, tmp_path):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "dpiqa_desktop", shoot, "--csv", tmp_path / "scores.csv"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.endswith("error: the results cannot be printed: No space left on device\n")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 4


def test_bad_photos_move_with_their_companions_and_come_back(shoot, tmp_path, capsys):
    before = tree(shoot)
    sort = [str(shoot), "--move-below", "0.3", "--to", str(tmp_path / "rejects")]
    assert main([*sort, "--dry-run"]) == 0
    assert "shaken.CR2" in capsys.readouterr().out
    assert tree(shoot) == before
    assert main(sort) == 0
    assert set(tree(tmp_path / "rejects")) == {"shaken.jpg", "shaken.CR2", "shaken.xmp"}
    assert set(tree(shoot)) == {"dog.jpg", "sub/sumac.png"}
    assert main(["--undo"]) == 0
    assert tree(shoot) == before
    assert not (tmp_path / "rejects").exists()


def test_the_best_are_copied(shoot, tmp_path):
    before = tree(shoot)
    assert main([str(shoot), "--copy-top", "2", "--to", str(tmp_path / "best"), "--quiet"]) == 0
    assert set(tree(tmp_path / "best")) == {"dog.jpg", "sub/sumac.png"}
    assert tree(shoot) == before


def test_a_burst_shows_in_the_table_and_its_best_is_marked(tmp_path, capsys):
    for name, quality in (("a", 90), ("b", 8)):
        save_photo(tmp_path / "frames.png", seed=3, size=(600, 400))
        from PIL import Image

        with Image.open(tmp_path / "frames.png") as image:
            image.save(tmp_path / f"{name}.jpg", quality=quality)
    (tmp_path / "frames.png").unlink()
    assert main([str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]) == 0
    best, other = capsys.readouterr().out.splitlines()
    assert "[burst 1, best] " in best
    assert "[burst 1] " in other


def test_a_camera_clock_at_the_end_of_time_stops_no_report(tmp_path):
    pytest.importorskip("pyarrow")
    photo = jpeg(scene(), exif_block(b"9999:12:31 23:59:59", b"9999999"))
    (tmp_path / "late.jpg").write_bytes(photo)
    forms = ("csv", "json", "parquet", "html")
    arguments = [text for form in forms for text in (f"--{form}", str(tmp_path / f"report.{form}"))]
    assert main([str(tmp_path / "late.jpg"), "--quiet", *arguments]) == 0
    (line,) = (tmp_path / "report.json").read_text().splitlines()
    assert json.loads(line)["captured_at"] == "9999-12-31T23:59:59.999999"
    assert "9999-12-31 23:59:59" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_one_broken_photo_is_told_and_stops_nothing(shoot, capsys):
    (shoot / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    assert main([str(shoot)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "failed: " in err
    assert "broken.jpg" in err


def test_where_a_sidecar_would_do_the_option_for_it_is_named(tmp_path, capsys):
    photo = save_photo(tmp_path / "a.jpg")
    with Image.open(photo) as image:
        image.save(photo, xmp='<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'.encode("utf-16"))
    assert main([str(tmp_path), "--write", "embed"]) == 1
    assert f"{photo}: its XMP is not in UTF-8; --write auto makes a sidecar for it" in capsys.readouterr().err


def test_a_store_that_cannot_be_used_costs_no_score(shoot, capsys):
    default_database().parent.mkdir(parents=True)
    default_database().write_bytes(b"this is no database" * 100)
    assert main([str(shoot)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert f"notice: the score store {default_database()} cannot be used: " in err
    assert "Move it elsewhere to begin a new one" in err


def test_a_target_that_cannot_be_is_told_before_anything_is_done(shoot, tmp_path, capsys):
    before = {path: path.read_bytes() for path in shoot.rglob("*.*")}
    arguments = [str(shoot), "--write", "auto", "--csv", str(tmp_path / "all.csv"), "--move-below", "0.5"]
    assert main([*arguments, "--to", str(tmp_path / "no" / "folder")]) == 2
    assert f"there is no folder {tmp_path / 'no'}" in capsys.readouterr().err
    assert not (tmp_path / "all.csv").exists()
    assert {path: path.read_bytes() for path in shoot.rglob("*.*")} == before


def test_ctrl_c_while_a_report_is_written_costs_no_table(shoot, tmp_path, monkeypatch, capsys):
    def interrupted(report, path):
        raise KeyboardInterrupt

    monkeypatch.setattr("dpiqa_desktop.html_report.write_html", interrupted)
    assert main([str(shoot), "--html", str(tmp_path / "all.html")]) == 130
    assert len(capsys.readouterr().out.splitlines()) == 3


def many_photos(folder, count):
    folder.mkdir()
    for seed in range(count):
        save_photo(folder / f"{seed:03d}.jpg", seed, (300, 200))
    return folder


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
def test_a_killed_run_is_resumed(tmp_path):
    folder = many_photos(tmp_path / "many", 150)
    process = start(folder)
    while not _scores_in_store():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    kept = _scores_in_store()
    done = start(folder)
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0
    assert len(out.splitlines()) == 150
    assert f"{150 - kept} photos scored, {kept} known from before" in err


def _scores_in_store():
    import sqlite3

    if not default_database().exists():
        return 0
    connection = sqlite3.connect(default_database(), timeout=60)
    try:
        return connection.execute("SELECT count(*) FROM scores").fetchone()[0]
    except sqlite3.OperationalError:  # its tables are yet to be made
        return 0
    finally:
        connection.close()


def test_two_runs_at_once_on_one_folder_agree(tmp_path):
    folder = many_photos(tmp_path / "many", 60)
    runs = [start(folder), start(folder)]
    tables = [run.communicate(timeout=240)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) == 60


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole consoles only")
def test_watching_scores_what_is_dropped_in_until_ctrl_c(shoot, tmp_path):
    process = start(shoot, "--watch", "--csv", tmp_path / "all.csv")
    shown = [process.stdout.readline() for _ in range(3)]
    shutil.copy(shoot / "dog.jpg", shoot / "half.tmp")
    os.rename(shoot / "half.tmp", shoot / "new.jpg")
    shown.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert shown[-1].endswith("new.jpg\n")
    assert "new.jpg" in (tmp_path / "all.csv").read_text()


@pytest.mark.parametrize("also", [[], ["--watch"]])
def test_an_interrupt_that_python_drops_still_ends_the_run(also, shoot, monkeypatch, capsys):
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: None)
    monkeypatch.setattr(Console, "show", interrupt)
    # A run that goes on would watch for ever: then this is a second Ctrl-C, which the test fails at.
    too_late = threading.Timer(60, os.kill, (os.getpid(), signal.SIGINT))
    too_late.start()
    assert main([str(shoot), "--batch-size", "1", *also]) == (0 if also else 130)
    assert too_late.is_alive()
    too_late.cancel()
    assert "interrupted: " in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a watched folder from being deleted")
def test_a_watched_folder_that_goes_away_costs_no_report(shoot, tmp_path):
    process = start(shoot, "--watch", "--csv", tmp_path / "all.csv")
    for _ in range(3):
        process.stdout.readline()
    shutil.rmtree(shoot)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "failed: --watch: " in err
    assert "dog.jpg" in (tmp_path / "all.csv").read_text()


def test_a_run_that_did_nothing_offers_nothing_to_take_back(shoot, tmp_path, capsys):
    copy = [str(shoot), "--copy-top", "1", "--to", str(tmp_path / "best")]
    assert main(copy) == 0
    assert "dpiqa-batch --undo 1" in capsys.readouterr().err
    assert main(copy) == 0
    assert "--undo" not in capsys.readouterr().err
