"""The wheel in an environment of its own, used from elsewhere: light, complete, and clear about extras."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from makers.environments import Environment, make_environment

import dpiqa_plugin

HEAVY = {"torch", "torchvision", "pyiqa", "timm", "diffusers", "transformers", "PySide6", "ray", "rawpy"}


@pytest.fixture(scope="module")
def editable(empty_environment, built, tmp_path_factory) -> Environment:
    """A developer's installation; without dependencies, which ``base`` has tried."""
    environment = make_environment(tmp_path_factory.mktemp("editable") / "venv", pip=True)
    done = environment.run("pip", "install", "--no-deps", "--editable", built.tree)
    assert done.returncode == 0, done.stderr
    return environment


def test_the_base_is_consistent(base):
    done = base.run("pip", "check")
    assert done.returncode == 0, done.stdout


def test_the_base_is_light(base):
    packages = {row["name"] for row in json.loads(base.run("pip", "list", "--format", "json").stdout)}
    assert not {name.lower() for name in HEAVY} & {name.lower() for name in packages}
    assert not [name for name in packages if "nvidia" in name or "cuda" in name]
    size = sum(path.lstat().st_size for path in base.folder.rglob("*") if not path.is_dir())
    assert size < 500_000_000


def test_the_base_scores_the_example_photos(base, checkout):
    photos = checkout / "examples" / "photos"
    done = base.run("dpiqa-batch", photos)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert {Path(row[-1]) for row in rows} == {path for path in photos.iterdir() if path.suffix != ".md"}
    scores = [float(row[0]) for row in rows]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("command", [("dpiqa-batch",), ("python", "-m", "dpiqa_desktop"), ("dpiqa-train",)])
@pytest.mark.parametrize("installation", ["base", "editable"])
def test_the_commands_answer(installation, command, request):
    done = request.getfixturevalue(installation).run(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: dpiqa-")


@pytest.mark.parametrize("installation", ["base", "editable"])
def test_the_version_is_the_packages(installation, request):
    done = request.getfixturevalue(installation).run("dpiqa-batch", "--version")
    assert done.stdout == f"dpiqa-batch {dpiqa_plugin.__version__}\n"


def test_the_editable_packages_are_those_of_the_tree(editable, built):
    code = "import dpiqa_plugin, dpiqa_desktop, dpiqa_training as t; print(dpiqa_plugin.__file__, t.__file__)"
    places = editable.run_python(code).stdout.split()
    assert [Path(place).is_relative_to(built.tree) for place in places] == [True, True]


@pytest.mark.parametrize("installation", ["base", "editable"])
def test_the_hook_is_in_place_at_the_start(installation, request):
    code = "import sys; print('dpiqa_plugin' in sys.modules)"
    assert request.getfixturevalue(installation).run_python(code).stdout == "True\n"


def test_a_metric_of_an_extra_says_how_to_get_it(base, checkout):
    done = base.run("dpiqa-batch", "--metric", "dpiqa", checkout / "examples" / "photos")
    assert done.returncode == 3
    assert 'pip install "dpiqa[pyiqa]"' in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", [("lite", "--out", os.devnull), ("evaluate",)])
def test_training_says_how_to_get_its_extra(command, base, tmp_path):
    done = base.run("dpiqa-train", *command, "--data", tmp_path)
    assert done.returncode == 1
    assert 'pip install "dpiqa[training]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_uninstalling_leaves_nothing(built, empty_environment, tmp_path):
    environment = make_environment(tmp_path / "venv", pip=True)
    environment.run("pip", "install", "--no-deps", built.wheel).check_returncode()
    assert list(environment.site_packages.glob("*dpiqa*"))
    environment.run("pip", "uninstall", "--yes", "dpiqa").check_returncode()
    assert not list(environment.site_packages.glob("*dpiqa*"))
