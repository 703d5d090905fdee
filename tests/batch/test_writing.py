"""``dpiqa-batch --write`` and ``--undo`` from arguments to files, on real photos and the bundled model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dpiqa_desktop.cli import main
from dpiqa_desktop.engine.store import default_database

pytestmark = [
    pytest.mark.usefixtures("own_store"),
    pytest.mark.skipif(not shutil.which("exiftool"), reason="reads files back with ExifTool"),
]
EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture
def shoot(tmp_path):
    """Two photos, one of them with a RAW file, and one that the photographer has rated."""
    folder = tmp_path / "shoot"
    folder.mkdir()
    for name in ("dog.jpg", "flowers_shaken.jpg", "sumac.png"):
        shutil.copyfile(EXAMPLES / name, folder / name)
    (folder / "dog.RAF").write_bytes(b"raw data")
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", "-XMP-xmp:Rating=2", folder / "sumac.png"], check=True
    )
    return folder


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tags(path):
    command = ["exiftool", "-j", "-n", "-XMP:all", "-IFD0:Rating", str(path)]
    (read,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {name: read.get(name) for name in ("Rating", "Score", "Model")}


def test_without_write_no_file_is_touched(shoot):
    before = tree(shoot)
    assert main([str(shoot)]) == 0
    assert tree(shoot) == before


def test_scores_go_into_photos_and_sidecars_and_back_out(shoot, capsys):
    before = tree(shoot)
    assert main([str(shoot), "--write", "auto", "--reject-below", "0.2"]) == 0
    told = capsys.readouterr().err
    assert "stars: ***** 1, **** 1, rejected 1" in told
    assert "4 files written, 1 of them new sidecars, 1 without our stars, as you rated them" in told
    assert tags(shoot / "dog.jpg") == tags(shoot / "dog.xmp")
    assert tags(shoot / "dog.jpg")["Rating"] == 5
    assert tags(shoot / "flowers_shaken.jpg")["Rating"] == -1
    assert tags(shoot / "sumac.png") == {"Rating": 2, "Score": pytest.approx(0.7114, abs=0.005)} | {
        "Model": "dpiqa_lite"
    }
    assert main([str(shoot), "--write", "auto", "--reject-below", "0.2"]) == 0
    told = capsys.readouterr().err
    assert "3 known from before" in told
    assert (
        "0 files written, 1 without our stars, as you rated them or they cannot be read, 4 up to date" in told
    )
    assert main(["--undo"]) == 0
    assert tree(shoot) == before
    assert main(["--undo"]) == 2


def test_raw_and_jpeg_named_one_by_one_get_one_rating(shoot, capsys):
    assert main([*(str(path) for path in sorted(shoot.iterdir())), "--write", "auto"]) == 0
    assert "4 files written, 1 of them new sidecars" in capsys.readouterr().err
    assert tags(shoot / "dog.jpg") == tags(shoot / "dog.xmp")


def test_a_dry_run_says_what_would_be_written(shoot, capsys):
    os.chmod(shoot / "flowers_shaken.jpg", 0o444)
    before = tree(shoot)
    assert main([str(shoot), "--write", "auto", "--dry-run"]) == 1
    said = capsys.readouterr()
    lines = [line for line in said.out.splitlines() if line.startswith("would")]
    assert [line.split(": ")[0] for line in lines] == [
        f"would write {shoot / name}" for name in ("dog.jpg", "dog.xmp", "sumac.png")
    ]
    assert "stars 5 (was none)" in lines[0]
    assert "(your rating is kept)" in lines[2]
    assert f"failed: {shoot / 'flowers_shaken.jpg'}: is read-only" in said.err
    assert "3 files would be written, 1 of them new sidecars" in said.err
    assert tree(shoot) == before


def test_the_photographers_rating_is_replaced_only_if_asked_for(shoot, capsys):
    assert main([str(shoot), "--write", "embed", "--overwrite-ratings", "--stars", "percentile"]) == 0
    assert tags(shoot / "sumac.png")["Rating"] == 3
    assert not (shoot / "dog.xmp").exists()


def test_undo_of_a_folder_and_of_a_run(shoot, tmp_path, capsys):
    other = shutil.copytree(shoot, tmp_path / "other")
    before = tree(shoot)
    assert main([str(shoot), "--write", "auto", "-q"]) == 0
    assert main([str(other), "--write", "sidecar", "--sidecar", "darktable", "-q"]) == 0
    assert {"dog.jpg.xmp", "dog.RAF.xmp", "sumac.png.xmp"} <= set(tree(other))
    assert main(["--undo", str(shoot)]) == 0
    assert tree(shoot) == before
    assert main(["--undo", "2"]) == 0
    assert tree(other) == before
    capsys.readouterr()
    assert main(["--undo", str(shoot)]) == 0
    assert "there is nothing to take back" in capsys.readouterr().err
    assert main(["--undo", str(shoot / "none")]) == 2
    assert main(["--undo", "--dry-run"]) == 2


def test_undo_of_a_folder_whose_name_is_a_number_asks_which_is_meant(shoot, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shoot, "1")
    before = tree(shoot)
    assert main([str(shoot), "--write", "auto", "-q"]) == 0
    assert main(["1", "--write", "auto", "-q"]) == 0
    written = tree(shoot)
    capsys.readouterr()
    assert main(["--undo", "1"]) == 2
    assert f"write {os.path.join('.', '1')} for the folder" in capsys.readouterr().err
    assert main(["--undo", os.path.join(".", "1")]) == 0
    assert (tree(tmp_path / "1"), tree(shoot)) == (before, written)
    monkeypatch.chdir(shoot)
    assert main(["--undo", "1"]) == 0
    assert tree(shoot) == before


def test_undo_takes_back_the_latest_run_whether_it_wrote_or_moved(shoot, tmp_path):
    before = tree(shoot)
    assert main([str(shoot), "--write", "auto", "--move-below", "0.2", "--to", str(tmp_path / "bad")]) == 0
    assert set(tree(tmp_path / "bad")) == {"flowers_shaken.jpg"}
    assert main(["--undo"]) == 0  # the move
    assert main(["--undo"]) == 0  # what was written
    assert tree(shoot) == before


@pytest.mark.parametrize("name_is_taken", [False, True])
def test_what_was_written_into_photos_that_were_moved_since_can_be_taken_back_after_the_move(
    name_is_taken, shoot, tmp_path, capsys
):
    before = tree(shoot)
    assert main([str(shoot), "--write", "auto", "--move-below", "0.2", "--to", str(tmp_path / "bad")]) == 0
    photo, moved = shoot / "flowers_shaken.jpg", tmp_path / "bad" / "flowers_shaken.jpg"
    if name_is_taken:
        shutil.copyfile(EXAMPLES / "dog.jpg", photo)
    capsys.readouterr()
    assert main(["--undo", "1"]) == 1
    told = capsys.readouterr().err
    assert f"failed: {photo}: run 2 moved it to {moved}: take that back first" in told
    assert "--undo 1 tries again what is left" in told
    if name_is_taken:
        photo.unlink()
    assert main(["--undo"]) == 0  # the move
    assert main(["--undo"]) == 0  # what was written into the photo that was moved
    assert tree(shoot) == before


def test_photos_that_were_brought_back_by_hand_keep_no_undo_from_ending(shoot, tmp_path, capsys):
    before = tree(shoot)
    bad = tmp_path / "bad"
    assert main([str(shoot), "--write", "auto", "--move-below", "0.2", "--to", str(bad)]) == 0
    for path in sorted(bad.iterdir()):
        path.rename(shoot / path.name)
    bad.rmdir()
    assert main(["--undo"]) == 1  # the move
    assert "is back already" in capsys.readouterr().err
    assert main(["--undo"]) == 0  # what was written
    assert tree(shoot) == before
    assert main(["--undo"]) == 2  # nothing is left


def test_undo_gets_past_photos_that_were_deleted_where_they_were_moved_to(shoot, tmp_path, capsys):
    before = tree(shoot)
    bad = tmp_path / "bad"
    assert main([str(shoot), "--write", "auto", "--move-below", "0.2", "--to", str(bad)]) == 0
    shutil.rmtree(bad)
    capsys.readouterr()
    moved = bad / "flowers_shaken.jpg"
    assert main(["--undo"]) == 1  # the move
    told = capsys.readouterr().err
    assert f"{moved}: is no longer there, nor is its folder" in told
    assert "--undo 2 tries again what is left" in told
    assert main(["--undo"]) == 1  # what was written, but for what is gone
    assert (
        f"{shoot / moved.name}: run 2 moved it to {moved}: it is no longer there" in capsys.readouterr().err
    )
    assert tree(shoot) == {name: content for name, content in before.items() if name != moved.name}
    assert main(["--undo"]) == 2  # nothing is left


def test_another_computer_scores_nothing_twice(shoot, capsys):
    assert main([str(shoot), "--write", "auto"]) == 0
    shutil.rmtree(default_database().parent)
    capsys.readouterr()
    assert main([str(shoot), "--sync"]) == 0
    told = capsys.readouterr().err
    assert "scores taken over from photos and sidecars: 3" in told
    assert "0 photos scored, 3 known from before" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keywords"], "--keywords goes with --write"),
        (["--sidecar", "adobe"], "--sidecar goes with --write"),
        (["--dry-run"], "--dry-run goes with --write"),
        (["--write", "auto", "--undo"], "--undo takes one run or folder"),
        (["--reject-below", "0"], "--reject-below goes with --write"),
        (["--write", "auto", "--watch", "--stars", "percentile"], "percentiles are known at the end"),
        (["--write", "auto", "--reject-below", "nan"], "must be a score"),
    ],
)
def test_options_that_do_not_go_together(arguments, message, shoot, capsys):
    before = tree(shoot)
    assert main([str(shoot), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert tree(shoot) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_what_arrives_is_written_as_it_comes_and_once(shoot, tmp_path):
    card = tmp_path / "card"
    card.mkdir()
    command = [sys.executable, "-m", "dpiqa_desktop", str(card), "--watch", "--write", "auto"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for name in ("dog.jpg", "flowers_shaken.jpg"):
            shutil.copyfile(shoot / name, card / name)
            deadline = time.monotonic() + 120
            while tags(card / name)["Rating"] is None:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.2)
        time.sleep(5)  # were what was written taken for new, it would be told again by now
        process.send_signal(signal.SIGINT)
        table, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert [line.split()[-1] for line in table.splitlines()] == [
        str(card / name) for name in ("dog.jpg", "flowers_shaken.jpg")
    ]
    assert "2 files written\n" in told
    assert process.returncode == 0
