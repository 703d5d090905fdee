"""What may be asked for with --ray, and what is refused instead of being passed over."""

import sys

import pytest

from dpiqa_desktop.cli import _parse, main


@pytest.mark.parametrize(
    ("arguments", "address", "source"),
    [
        (["--ray", "photos"], "", "photos"),
        (["photos", "--ray"], "", "photos"),
        (["--ray", "local", "photos"], "local", "photos"),
        (["--ray", "head.example:6379", "s3://bucket/photos"], "head.example:6379", "s3://bucket/photos"),
        (["--ray", "[::1]:6379", "photos"], "[::1]:6379", "photos"),
        (["--ray", "s3://bucket/photos"], "", "s3://bucket/photos"),
        (["--ray", r"C:\photos"], "", r"C:\photos"),
    ],
)
def test_the_address_may_be_left_out(arguments, address, source):
    options = _parse([*arguments, "--out", "scores"])
    assert (options.ray, options.paths, options.out) == (address, (source,), "scores")


@pytest.mark.parametrize(
    "option",
    [
        ["--csv", "x.csv"],
        ["--html", "x.html"],
        ["--json", "x.json"],
        ["--parquet", "x.parquet"],
        ["--top", "3"],
        ["--stars", "percentile"],
        ["--force"],
        ["--watch"],
        ["--sync"],
        ["--write", "auto"],
        ["--reject-below", "0.2"],
        ["--move-below", "0.2"],
        ["--copy-top", "3"],
        ["--to", "x"],
        ["--dry-run"],
        ["--undo", "1"],
    ],
    ids=lambda option: option[0],
)
def test_what_a_cluster_does_not_do_is_refused(option, capsys):
    assert main(["--ray", "photos", "--out", "scores", *option]) == 2
    assert f"{option[0]} does not go with --ray" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ray"], "takes one folder, file or address"),
        (["--ray", "photos"], "and --out DIR"),
        (["--ray", "photos", "more", "--out", "x"], "takes one folder"),
        (["--ray", "photos", "--out", "x", "--part-size", "0"], "--part-size must be 1 or more"),
        (["--ray", "photos", "--out", "x", "--num-cpus", "0"], "--num-cpus must be 1 or more"),
        (["--ray", "photos", "--out", "x", "--num-gpus", "-1"], "--num-gpus must be a whole number from 0"),
        (["--ray", "photos", "--out", "x", "--num-gpus", "1.5"], "--num-gpus must be a whole number from 0"),
        (["--ray", "photos", "--out", "x", "--device", "cuda:1"], "--device cuda"),
        (["photos", "--out", "x"], "--out goes with --ray"),
        (["photos", "--column", "x"], "--column goes with --ray"),
        (["photos", "--num-gpus", "0"], "--num-gpus goes with --ray"),
    ],
)
def test_what_makes_no_sense_is_said(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_without_ray_it_is_said_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["--ray", "photos", "--out", "scores"]) == 3
    assert 'pip install "dpiqa[ray]"' in capsys.readouterr().err
