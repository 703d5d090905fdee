"""Distributions and environments, made once for all tests here: what users install is what is tested."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from makers.environments import Environment, make_environment, run_apart

_SOURCES = ("dpiqa_plugin", "desktop", "training", "tests", "benchmarks", "docs", "examples")
_FILES = (".gitignore", "LICENSE", "README.md", "pyproject.toml")
LITTER = (
    ".ci/run",
    ".pytest_cache/README.md",
    ".venv/lib/litter.py",
    "BIQ2021/Images/litter.jpg",  # cloned where the README says
    "dpiqa_plugin/__pycache__/litter.cpython-311.pyc",
    "dpiqa_plugin/litter.pth",  # a downloaded checkpoint; site-packages would take it for a start-up file
    "litter.csv",
    "runs/lite/checkpoint.pt",
)
"""What lies about in a checkout that is in use."""


@dataclass(frozen=True)
class Built:
    """A checkout in use, and what ``build`` makes of it.

    Attributes:
        tree: the checkout.
        wheel: built from it.
        sdist: built from it.
        wheel_of_sdist: built from ``sdist``.
    """

    tree: Path
    wheel: Path
    sdist: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="session")
def checkout(request) -> Path:
    """The repository these tests lie in."""
    return request.config.rootpath


@pytest.fixture(scope="session")
def built(checkout, tmp_path_factory) -> Built:
    """Built from a copy, so that litter can be strewn."""
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "checkout"
    for name in _SOURCES:
        if (checkout / name).is_dir():
            shutil.copytree(checkout / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(checkout / name, tree)
    for name in LITTER:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("litter")
    # Without isolation hatchling is the installed one, so that no network is needed.
    build = [sys.executable, "-m", "build", "--no-isolation"]
    for command in (
        [*build, "--wheel", "--outdir", folder / "wheel", tree],
        [*build, "--outdir", folder / "sdist", tree],
    ):
        done = run_apart(command)
        assert done.returncode == 0, done.stdout + done.stderr
    return Built(
        tree,
        next((folder / "wheel").glob("*.whl")),
        next((folder / "sdist").glob("*.tar.gz")),
        next((folder / "sdist").glob("*.whl")),
    )


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory) -> Environment:
    """One with pip, which reaches a registry: else skip, or fail where everything has to be tested."""
    environment = make_environment(tmp_path_factory.mktemp("base") / "venv", pip=True)
    options = ["--retries", "0", "--timeout", "15", "--no-deps", "--dest", tmp_path_factory.mktemp("probe")]
    probe = environment.run("pip", "download", *options, "piexif")
    if probe.returncode != 0:
        reason = f"pip reaches no registry: {probe.stderr.strip().splitlines()[-1]}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return environment


@pytest.fixture(scope="session")
def base(empty_environment, built) -> Environment:
    """The wheel with what it depends on, no extra: what ``pip install dpiqa`` gives."""
    done = empty_environment.run("pip", "install", built.wheel)
    assert done.returncode == 0, done.stderr
    return empty_environment
