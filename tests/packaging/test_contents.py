"""What is in the wheel and in the source archive: all that is needed, and nothing else."""

from __future__ import annotations

import ast
import re
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

PACKAGES = ("dpiqa_plugin", "desktop/dpiqa_desktop", "training/dpiqa_training")
MODEL = {f"dpiqa_plugin/data/lite.{ending}" for ending in ("md", "onnx", "safetensors")}
DATA = {
    *MODEL,
    "dpiqa_autoload.pth",
    "dpiqa_desktop/html_report.css",
    "dpiqa_desktop/html_report.js",
    "dpiqa_plugin/py.typed",
    "dpiqa_training/datasets/biq2021_validation.txt",
    "dpiqa_training/recipes/lite.toml",
    "dpiqa_training/recipes/student.toml",
    "dpiqa_training/recipes/teacher.toml",
}
SDIST = {
    *(".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"),
    *("dpiqa_plugin", "desktop", "training", "tests", "benchmarks", "docs", "examples"),
}


@pytest.fixture(scope="module")
def files(built) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(built.wheel) as archive:
        return archive.infolist()


@pytest.fixture(scope="module")
def names(files) -> set[str]:
    return {file.filename for file in files}


@pytest.fixture(scope="module")
def metadata(built) -> Message:
    with zipfile.ZipFile(built.wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_site_packages_gets_three_packages_and_the_line_that_starts_the_hook(names, metadata):
    assert {name.partition("/")[0] for name in names} == {
        "dpiqa_plugin",
        "dpiqa_desktop",
        "dpiqa_training",
        "dpiqa_autoload.pth",
        f"dpiqa-{metadata['Version']}.dist-info",
    }


def test_every_module_of_the_checkout_is_in_the_wheel_and_no_other(names, checkout):
    modules = {
        str(path.relative_to((checkout / package).parent).as_posix())
        for package in PACKAGES
        for path in (checkout / package).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_other_files_are_the_models_recipes_and_tables(names):
    """One that is missing here breaks a feature for those who install, and nobody else notices."""
    others = {name for name in names if not name.endswith(".py") and ".dist-info/" not in name}
    assert others == DATA


def test_the_wheels_own_records_are_complete(names):
    own = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
    assert own == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_no_file_is_there_twice(files, names):
    assert len(files) == len(names)


def test_the_bundled_model_is_small(files):
    assert 1_000_000 < sum(file.file_size for file in files if file.filename in MODEL) < 20_000_000


def test_the_source_archive_holds_the_named_folders_only(built):
    with tarfile.open(built.sdist) as archive:
        members = [member.name.partition("/")[2] for member in archive.getmembers()]
    assert {name.partition("/")[0] for name in members} == SDIST
    assert not [name for name in members if "litter" in name or "__pycache__" in name]


def test_the_wheel_is_the_same_by_way_of_the_source_archive(built):
    def contents(wheel: Path) -> dict[str, int]:
        with zipfile.ZipFile(wheel) as archive:
            return {file.filename: file.CRC for file in archive.infolist()}

    assert contents(built.wheel_of_sdist) == contents(built.wheel)


def test_every_extra_that_a_message_names_can_be_installed(metadata, checkout):
    named = {
        extra
        for package in PACKAGES
        for path in (checkout / package).rglob("*.py")
        for extra in _extras_in_messages(path)
    }
    assert {"pyiqa", "training"} <= named <= set(metadata.get_all("Provides-Extra"))


def _extras_in_messages(path: Path) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    errors = (
        call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "MissingExtraError"
    )
    return {ast.literal_eval(error.args[1]) for error in errors}


def test_the_base_depends_on_nothing_that_an_extra_brings(metadata):
    requirements = [line.partition(";") for line in metadata.get_all("Requires-Dist")]
    base = {_name(needed) for needed, _, condition in requirements if "extra ==" not in condition}
    extra = {_name(needed) for needed, _, condition in requirements if "extra ==" in condition}
    assert base
    assert not base & extra


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0].lower()
