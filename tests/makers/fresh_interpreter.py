"""Run code in an interpreter of its own, as a user's program starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_fresh(
    code: str, cwd: Path, *, python: str | Path = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with ``cwd`` first on the path; ``environment`` is added to this process's own."""
    return subprocess.run(
        [python, "-c", code],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output_of(code: str, cwd: Path, *, python: str | Path = sys.executable, **environment: str) -> str:
    """What ``code`` printed; it must end well and say nothing on stderr."""
    done = run_fresh(code, cwd, python=python, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()
