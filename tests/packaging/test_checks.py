"""The rules that machines check: which package may import which, lint, format.

mypy is left to the developer: it reads torch and transformers, which takes minutes when it has no cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "command",
    [
        ("lint-imports", "--no-cache"),
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--check", "--no-cache", "."),
    ],
    ids=" ".join,
)
def test_the_checkout_passes(command, checkout):
    program = shutil.which(command[0], path=str(Path(sys.executable).parent))
    assert program, f"{command[0]} is not installed; it comes with the extra test"
    # The rules are about this checkout, even where another is installed.
    sources = os.pathsep.join(str(checkout / folder) for folder in (".", "desktop", "training"))
    done = subprocess.run(
        [program, *command[1:]],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": sources},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
