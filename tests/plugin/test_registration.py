"""pyiqa knows our metrics, whoever imports what, when and how; and nothing breaks where it cannot.

Most of it runs with a stand-in for pyiqa that holds the real one's registries: the real one takes seconds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from makers.fresh_interpreter import output_of, run_fresh
from makers.stand_in_pyiqa import make_stand_in

from dpiqa_plugin.cards import CARDS

COUNT = "sum(name in pyiqa.default_model_configs.DEFAULT_CONFIGS for name in dpiqa_plugin.cards.CARDS)"
REPORT = f"\nimport dpiqa_plugin.cards; print({COUNT})"


@pytest.fixture
def stand_in(tmp_path) -> Path:
    make_stand_in(tmp_path)
    return tmp_path


# The real pyiqa.


def test_every_metric_is_listed_with_its_mode_direction_and_range():
    import pyiqa
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    assert set(CARDS) <= set(pyiqa.list_models("NR"))
    for name in CARDS:
        assert DEFAULT_CONFIGS[name]["lower_better"] is False
        assert DEFAULT_CONFIGS[name]["score_range"] == "~0, ~1"


def test_pyiqa_alone_is_enough_to_score_a_photo(tmp_path, example_photo):
    code = f"""
import pyiqa
metric = pyiqa.create_metric("dpiqa_lite", device="cpu")
print(metric({str(example_photo)!r}).item())"""
    done = run_fresh(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 1.1


def test_switched_off_only_an_explicit_import_registers(tmp_path):
    code = """
import pyiqa
print("dpiqa_lite" in pyiqa.list_models())
import dpiqa_plugin
print("dpiqa_lite" in pyiqa.list_models())"""
    done = run_fresh(code, tmp_path, DPIQA_AUTOLOAD="0")
    assert done.stdout.split() == ["False", "True"], done.stderr


def test_pyiqas_command_lists_ours():
    done = subprocess.run([command("pyiqa"), "-ls"], capture_output=True, text=True, timeout=300, check=True)
    assert all(f"'{name}'" in done.stdout for name in CARDS)


def test_pyiqas_command_scores_a_folder(tmp_path, example_photo):
    shutil.copy(example_photo, tmp_path)
    arguments = [command("pyiqa"), "dpiqa_lite", "-t", str(tmp_path), "--device", "cpu", "-v"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=True)
    assert str(tmp_path / example_photo.name) in done.stdout


def command(name: str) -> str:
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    assert path is not None
    return path


@pytest.fixture
def example_photo() -> Path:
    return Path(__file__).parents[2] / "examples" / "photos" / "dog.jpg"


# Ways to import it.


@pytest.mark.parametrize(
    "code",
    [
        "import pyiqa",
        "import pyiqa.utils.registry",
        "from pyiqa import DEFAULT_CONFIGS; import pyiqa",
        "import dpiqa_plugin, pyiqa",
        "import pyiqa, dpiqa_plugin",
        "import pyiqa; from dpiqa_plugin.register import register; register(); register()",
        "import pyiqa, importlib; importlib.reload(pyiqa)",
        "import importlib, dpiqa_plugin.hook; importlib.reload(dpiqa_plugin.hook).install(); import pyiqa",
        "import importlib.util; importlib.util.find_spec('pyiqa'); import pyiqa",
    ],
)
def test_it_registers_however_pyiqa_is_imported(code, stand_in):
    assert output_of(code + REPORT, stand_in) == "9"


def test_it_registers_switched_off_when_imported_first(stand_in):
    assert output_of("import dpiqa_plugin, pyiqa" + REPORT, stand_in, DPIQA_AUTOLOAD="0") == "9"


def test_a_pyiqa_imported_anew_is_extended_anew(stand_in):
    code = """
import sys, pyiqa
first = pyiqa.DEFAULT_CONFIGS
for name in [name for name in sys.modules if name.partition(".")[0] == "pyiqa"]:
    del sys.modules[name]
import pyiqa
assert pyiqa.DEFAULT_CONFIGS is not first
"""
    assert output_of(code + REPORT, stand_in) == "9"


@pytest.mark.parametrize("autoload", ["0", "1"])
def test_threads_that_import_at_once_all_see_the_metrics(autoload, tmp_path):
    make_stand_in(
        tmp_path, "import time; time.sleep(0.2)\nfrom pyiqa.default_model_configs import DEFAULT_CONFIGS\n"
    )
    code = """
import importlib, threading
seen = []
def work(names):
    for name in names:
        importlib.import_module(name)
    import pyiqa
    seen.append("dpiqa_lite" in pyiqa.DEFAULT_CONFIGS)
orders = (["pyiqa", "dpiqa_plugin"], ["dpiqa_plugin", "pyiqa"], ["pyiqa.utils.registry", "dpiqa_plugin"]) * 4
threads = [threading.Thread(target=work, args=(names,)) for names in orders]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(seen), all(seen))"""
    assert output_of(code, tmp_path, DPIQA_AUTOLOAD=autoload) == "12 True"


def test_a_pyiqa_in_a_zip_is_extended(stand_in):
    with zipfile.ZipFile(stand_in / "packed.zip", "w") as archive:
        for path in (stand_in / "pyiqa").rglob("*.py"):
            archive.write(path, path.relative_to(stand_in))
    shutil.rmtree(stand_in / "pyiqa")
    code = "import sys; sys.path.insert(0, 'packed.zip')\nimport pyiqa; assert 'packed.zip' in pyiqa.__file__"
    assert output_of(code + REPORT, stand_in) == "9"


def test_pyiqa_keeps_its_own_loader(stand_in):
    code = """
import importlib.resources, importlib.util, inspect
print(importlib.util.find_spec("pyiqa").loader.get_source("pyiqa") is not None)
import pyiqa
from importlib.machinery import SourceFileLoader
print(type(pyiqa.__loader__) is type(pyiqa.__spec__.loader) is SourceFileLoader)
print("DEFAULT" in inspect.getsource(pyiqa))
print(importlib.resources.files("pyiqa").joinpath("default_model_configs.py").is_file())"""
    assert output_of(code, stand_in).split() == ["True"] * 4


def test_a_finder_put_first_by_somebody_else_still_works(stand_in):
    code = """
import importlib.util, sys
class Polite:
    busy = False
    def find_spec(self, name, path=None, target=None):
        if name != "pyiqa" or self.busy:
            return None
        self.busy = True
        try:
            return importlib.util.find_spec(name)
        finally:
            self.busy = False
class Old:  # as finders were before Python 3.4
    def find_module(self, name, path=None): pass
PLACE
import pyiqa"""
    for place in (
        "sys.meta_path.insert(0, Polite())",
        "sys.meta_path.insert(1, Polite())",
        "sys.meta_path.insert(1, Old())",
    ):
        assert output_of(code.replace("PLACE", place) + REPORT, stand_in) == "9"


# Where there is nothing to extend.


def test_without_pyiqa_the_import_fails_as_ever(tmp_path):
    hide = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
    done = run_fresh(f"{hide}import dpiqa_plugin\nimport pyiqa", tmp_path)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'pyiqa'"


def test_a_pyiqa_whose_import_fails_fails_with_its_own_error_and_may_succeed_later(tmp_path):
    entry = "import os\nif os.environ.pop('BROKEN', ''): raise ValueError('its own error')\n"
    make_stand_in(tmp_path, entry + "from pyiqa.default_model_configs import DEFAULT_CONFIGS\n")
    code = """
try:
    import pyiqa
except ValueError as error:
    print(error)
import pyiqa"""
    assert output_of(code + REPORT, tmp_path, BROKEN="1").splitlines() == ["its own error", "9"]


@pytest.mark.parametrize("kind", ["module", "folder", "none"])
def test_something_else_called_pyiqa_is_left_alone(kind, tmp_path):
    if kind == "module":
        (tmp_path / "pyiqa.py").write_text("mine = True\n")
    elif kind == "folder":
        (tmp_path / "pyiqa").mkdir()
    block = "import sys; sys.modules['pyiqa'] = None\n" if kind == "none" else "import pyiqa\n"
    hide = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
    code = hide + block + "import dpiqa_plugin; print('dpiqa_plugin.register' in sys.modules)"
    assert output_of(code, tmp_path) == "False"


def test_a_pyiqa_of_an_unknown_shape_still_imports_with_a_warning(tmp_path):
    package = make_stand_in(tmp_path)
    (package / "utils" / "registry.py").unlink()
    done = run_fresh("import pyiqa; print('usable')", tmp_path)
    assert done.stdout == "usable\n"
    assert "RuntimeWarning: The metrics of dpiqa could not be added to pyiqa" in done.stderr


def test_an_architecture_of_the_same_name_is_not_replaced(tmp_path):
    make_stand_in(
        tmp_path,
        """
from pyiqa.default_model_configs import DEFAULT_CONFIGS
from pyiqa.utils.registry import ARCH_REGISTRY
@ARCH_REGISTRY.register()
class DPIQA: theirs = True
""",
    )
    done = run_fresh("import pyiqa; print(pyiqa.ARCH_REGISTRY.get('DPIQA').theirs)", tmp_path)
    assert done.stdout == "True\n"
    assert "DPIQA" in done.stderr
