"""A pyiqa that imports in milliseconds: the real one's table and registries, without torch behind them."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

_ENTRY = "from pyiqa.default_model_configs import DEFAULT_CONFIGS\n"
# Copied from the installed pyiqa, so that a version that changes them is noticed.
_REAL = ("default_model_configs.py", "utils/registry.py")


def make_stand_in(folder: Path, entry: str = _ENTRY) -> Path:
    """Write the package ``pyiqa``, with ``entry`` as its ``__init__.py``, into ``folder``; return its own."""
    spec = importlib.util.find_spec("pyiqa")
    assert spec is not None
    assert spec.origin is not None
    package = folder / "pyiqa"
    (package / "utils").mkdir(parents=True)
    for name in _REAL:
        shutil.copy(Path(spec.origin).parent / name, package / name)
    (package / "utils" / "__init__.py").touch()
    (package / "__init__.py").write_text(entry)
    return package
