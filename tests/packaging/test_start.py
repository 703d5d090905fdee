"""What a start of Python and ``--help`` cost those who have the wheel: modules are counted, not seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from makers.environments import Environment, make_environment, unpack
from makers.fresh_interpreter import output_of

LOADED = "import sys; print(*sorted(sys.modules))"


@pytest.fixture
def bare(built, tmp_path) -> Environment:
    """The wheel alone: not even the packages of the light base are there."""
    environment = make_environment(tmp_path / "venv", pip=False)
    unpack(built.wheel, environment)
    return environment


def _loaded(environment: Environment, **variables: str) -> set[str]:
    return set(environment.run_python(LOADED, **variables).stdout.split())


def test_a_start_imports_two_small_modules(bare):
    with_hook = _loaded(bare)
    (bare.site_packages / "dpiqa_autoload.pth").unlink()
    assert with_hook - _loaded(bare) == {"dpiqa_plugin", "dpiqa_plugin.hook"}


def test_switched_off_a_start_imports_nothing(bare):
    switched_off = _loaded(bare, DPIQA_AUTOLOAD="0")
    (bare.site_packages / "dpiqa_autoload.pth").unlink()
    assert switched_off == _loaded(bare)


def _remove_hook(package: Path) -> None:
    (package / "hook.py").unlink()


def _cut_hook(package: Path) -> None:
    source = (package / "hook.py").read_bytes()
    (package / "hook.py").write_bytes(source[: len(source) // 3])


def _empty(package: Path) -> None:
    for path in package.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("damage", [shutil.rmtree, _empty, _remove_hook, _cut_hook])
@pytest.mark.parametrize("options", [(), ("-I",), ("-W", "error")])
def test_a_half_removed_package_breaks_no_other_program(
    damage: Callable[[Path], None], options: tuple[str, ...], bare
):
    damage(bare.site_packages / "dpiqa_plugin")
    done = bare.run_python("print('alive')", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


@pytest.mark.parametrize("module", ["dpiqa_desktop", "dpiqa_training.cli"])
def test_help_needs_no_other_package(module, bare):
    done = bare.run("python", "-m", module, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: dpiqa-")


@pytest.mark.parametrize("module", ["dpiqa_desktop.cli", "dpiqa_training.cli"])
def test_help_imports_no_other_package_where_all_are_there(module, tmp_path):
    code = f"""
import contextlib, io, sys
before = set(sys.modules)
from {module} import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
    main(["--help"])
assert "usage" in shown.getvalue()
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names))"""
    loaded = set(output_of(code, tmp_path).split())
    assert loaded - {"dpiqa_plugin"} == {module.partition(".")[0]}
